"""The face detector: its photos, training views, loss, training and evaluation."""
