"""What every request meets: bodies, uploads, tracing, metrics, places for pictures."""
