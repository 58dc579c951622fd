"""The connection, transactions, and what to do when it is away."""
