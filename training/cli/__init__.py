"""Commands: thin, one file for each group."""
