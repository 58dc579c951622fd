"""Cards that candidates show: what their codes say, and how a site spells its numbers."""
