"""Subjects, their external ids, and where their pictures came from."""
