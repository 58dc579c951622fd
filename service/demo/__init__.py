"""A throw-away installation with people who do not exist, so that a newcomer sees everything at once."""
