"""Subjects, their external ids, and the sources of their pictures."""
