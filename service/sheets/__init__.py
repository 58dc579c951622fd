"""Lists of people as they come and go: CSV and Excel."""
