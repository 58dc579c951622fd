"""A model in use: what became of its attempts, and whether that has changed."""
