"""A kiosk without network: what it holds, how it seals what it takes, and what becomes of that."""
