"""One module per format: read a file's header, and decode no more than it announces."""
