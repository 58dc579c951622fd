"""Enrol, verify, search and compare, one picture or a folder of them."""
