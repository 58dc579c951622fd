"""Who may come: reading a file, checking it, importing it, readiness."""
