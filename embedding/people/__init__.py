"""People who do not exist: a network that draws a face from two codes, and photographs of it."""
