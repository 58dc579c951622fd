"""One protocol over all losses."""
