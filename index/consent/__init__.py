"""Until when a person may be compared, and how everything about them goes."""
