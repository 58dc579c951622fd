"""Pictures, identities, identity-disjoint splits, pairs, and what a run has seen."""
