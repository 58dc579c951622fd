"""The HTTP resources, one file each: its routes and its schemas."""
