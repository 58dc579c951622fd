"""Connections, transactions, and handling of outages."""
