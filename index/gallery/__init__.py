"""Enrolled templates: rows, their vectors, and who is near."""
