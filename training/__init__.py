"""Face pictures to a better bundle: data, networks, losses, the loop, measures, export."""
