"""One attempt at the door: rules, photograph, comparison, verdict, and what a person decides."""
