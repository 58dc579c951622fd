"""Webhooks in the database: who is called, what is to be delivered, and which process delivers."""
