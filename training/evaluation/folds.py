"""Balanced pairs in folds of people, drawn from a labelled set: what LFW's View 2 is to LFW."""

import numpy as np

from training.evaluation.comparisons import Comparisons, Indices

FOLDS = 10
PAIRS_PER_FOLD = 600
"""At most: mated and non-mated together, as in LFW."""


def balanced_pairs(comparisons: Comparisons, seed: int = 0) -> tuple[Indices, Indices, Indices]:
    """Pairs within folds that share no person; each fold has as many non-mated as mated ones.

    Returns:
        (k,) samples a and b, and (k,) fold; fewer than `FOLDS` folds where there are few people.
    """
    random = np.random.default_rng(seed)
    identity = comparisons.identity
    fold_of = random.permutation(len(comparisons.sizes)) % min(FOLDS, max(1, len(comparisons.sizes) // 2))
    mated_fold = fold_of[identity[comparisons.mated.a]]
    parts = []
    for fold in range(int(fold_of.max()) + 1):
        mine = random.permutation(np.flatnonzero(mated_fold == fold))[: PAIRS_PER_FOLD // 2]
        samples = np.flatnonzero(fold_of[identity] == fold)
        a, b = _non_mated(samples, identity, len(mine), random)
        kept = mine[: len(a)]
        parts.append((np.append(comparisons.mated.a[kept], a), np.append(comparisons.mated.b[kept], b)))
    fold_of_pair = np.repeat(np.arange(len(parts)), [len(a) for a, _ in parts])
    return np.concatenate([a for a, _ in parts]), np.concatenate([b for _, b in parts]), fold_of_pair


def _non_mated(
    samples: Indices, identity: Indices, count: int, random: np.random.Generator
) -> tuple[Indices, Indices]:
    """Up to `count` random pairs of two people."""
    if len(np.unique(identity[samples])) < 2:
        return samples[:0], samples[:0]
    a, b = random.choice(samples, (2, 20 * count))
    apart = np.flatnonzero(identity[a] != identity[b])[:count]
    return a[apart], b[apart]
