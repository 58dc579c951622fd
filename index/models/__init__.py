"""Which models exist, which one decides, and the switch to another."""
