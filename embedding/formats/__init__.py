"""One module for each format: reads what a file's header announces, and decodes no more than that."""
