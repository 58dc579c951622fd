"""Made-up people: a network that draws a face from two codes, and photographs around that face."""
