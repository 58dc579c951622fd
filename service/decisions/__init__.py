"""Decisions: what a distance means, and who may see it."""
