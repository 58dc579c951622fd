"""The networks that are trained here, and what they are called in a recipe."""
