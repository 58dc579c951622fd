"""A copy of the whole installation in a folder, and the way back."""
