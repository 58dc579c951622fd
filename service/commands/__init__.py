"""The commands of the service; each imports what it needs when it runs, so that `--help` is quick."""
