"""The registered models, the active one, and the switch to another."""
