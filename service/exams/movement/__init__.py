"""Who goes out, comes back and leaves."""
