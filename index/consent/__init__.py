"""How long a person may be compared, and how their data is removed."""
