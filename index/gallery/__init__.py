"""Enrolled templates: rows, their vectors, and the search for the nearest."""
