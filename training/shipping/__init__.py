"""What is measured of a bundle before it ships, and the documents that quote it."""
