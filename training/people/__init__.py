"""Made-up people: a decoder from an identity code and a capture code to a picture."""
