"""Faces of people who do not exist: a decoder from an identity code and a capture code to a picture."""
