"""All comparisons of a set of templates, without storing all of them.

5,000 faces make 12 million comparisons. Mated ones are kept one by one. Of the non-mated ones only the close
ones are (they decide every low false match rate, and every interval); the others are counted in fine bins.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from training.evaluation.error_rates import RateCurve

Indices = NDArray[np.int64]

BLOCK = 1024
"""Rows of the distance matrix at a time."""
BINS = 1 << 16
"""Bins over 0 <= d <= 4, so 2^-14 wide: division by a power of two is exact, and so is each bin's border."""
BIN_WIDTH = 4 / BINS
CLOSE_LIMIT = 1_000_000
"""Close comparisons kept one by one: 12 MB, and 0.01 s for each bootstrap replicate."""


@dataclass(frozen=True)
class Pairs:
    """Comparisons one by one, ascending in d.

    Attributes:
        d: (k,) distances.
        a: (k,) index of the first sample.
        b: (k,) index of the second.
    """

    d: NDArray[np.float32]
    a: Indices
    b: Indices

    @classmethod
    def of(cls, d: NDArray[np.float32], a: Indices, b: Indices) -> "Pairs":
        """Sorted by distance."""
        order = np.argsort(d, kind="stable")
        return cls(d[order], a[order], b[order])

    def where(self, keep: NDArray[np.bool_]) -> "Pairs":
        """Those of a (k,) mask."""
        return Pairs(self.d[keep], self.a[keep], self.b[keep])

    def __len__(self) -> int:
        return len(self.d)


@dataclass(frozen=True)
class Comparisons:
    """What was compared, with the distances.

    Attributes:
        identity: (n,) identity of each sample, 0 … identities - 1.
        mated: All comparisons within one identity.
        close: All non-mated comparisons with d <= reach.
        reach: 4 if `close` has every non-mated comparison.
        counts: (BINS,) non-mated comparisons in each bin, closed on the right; d = 0 is in the first.
        is_all_pairs: Whether every pair of samples was compared, except `left_out`; otherwise a list of
            pairs.
        left_out: (l, 2) pairs of identities whose comparisons do not count.
    """

    identity: Indices
    mated: Pairs
    close: Pairs
    reach: float
    counts: Indices
    is_all_pairs: bool
    left_out: Indices

    @property
    def non_mated(self) -> int:
        """How many non-mated comparisons."""
        return int(self.counts.sum())

    @cached_property
    def sizes(self) -> Indices:
        """(identities,) samples of each identity."""
        return np.bincount(self.identity)

    @property
    def non_mated_left_out(self) -> int:
        """How many comparisons `left_out` stands for."""
        return int((self.sizes[self.left_out[:, 0]] * self.sizes[self.left_out[:, 1]]).sum())

    def curve(self) -> RateCurve:
        """Exact up to `reach`, in bins beyond."""
        far = np.flatnonzero(self.counts)
        far = far[(far + 1) * BIN_WIDTH > self.reach]
        return RateCurve.of_counts(
            np.concatenate([self.mated.d, self.close.d, (far + 1) * BIN_WIDTH]),
            np.repeat([1, 0, 0], [len(self.mated), len(self.close), len(far)]),
            np.concatenate([np.repeat([0, 1], [len(self.mated), len(self.close)]), self.counts[far]]),
        )


def bin_of(d: NDArray[np.float32]) -> Indices:
    """The bin of each distance, closed on the right: counts up to a border are those with d <= border."""
    bins: Indices = np.clip(np.ceil(d / np.float32(BIN_WIDTH)).astype(np.int64) - 1, 0, BINS - 1)
    return bins


def compare_listed(
    d: NDArray[np.float32], same: NDArray[np.bool_], a: Indices, b: Indices, identity: Indices
) -> Comparisons:
    """A list of pairs: (k,) distances, whether mated, and both samples."""
    pairs = Pairs.of(d, a, b)
    mated = same[np.argsort(d, kind="stable")]
    close = pairs.where(~mated)
    counts = np.bincount(bin_of(close.d), minlength=BINS)
    return Comparisons(
        identity,
        pairs.where(mated),
        close,
        4.0,
        counts,
        is_all_pairs=False,
        left_out=np.empty((0, 2), np.int64),
    )


def compare_all(
    vectors: NDArray[np.float32],
    identity: Indices,
    left_out: Indices | None = None,
    close_limit: int = CLOSE_LIMIT,
) -> Comparisons:
    """Every pair of (n, dim) unit vectors with (n,) identities; memory O(n · BLOCK + close_limit).

    Two passes: the first counts, so that the second knows how far `close` may reach.
    """
    apart = np.empty((0, 2), np.int64) if left_out is None else left_out
    counts = np.zeros(BINS, np.int64)
    mated = []
    for block in _iterate_blocks(vectors, identity, apart):
        counts += np.bincount(bin_of(block.d[block.non_mated]), minlength=BINS)
        mated.append(block.chosen(block.mated))
    reach = _find_reach(counts, close_limit)
    close = [
        block.chosen(block.non_mated & (block.d <= reach))
        for block in _iterate_blocks(vectors, identity, apart)
    ]
    return Comparisons(identity, _concatenate(mated), _concatenate(close), reach, counts, True, apart)


def _find_reach(counts: Indices, limit: int) -> float:
    """The farthest border of a bin with at most `limit` comparisons up to it."""
    full = int(np.searchsorted(np.cumsum(counts), limit, side="right"))
    return full * BIN_WIDTH


@dataclass(frozen=True)
class _Block:
    """Rows start … of the upper triangle of the distance matrix."""

    start: int
    d: NDArray[np.float32]  # (rows, n - start)
    mated: NDArray[np.bool_]
    non_mated: NDArray[np.bool_]

    def chosen(self, mask: NDArray[np.bool_]) -> Pairs:
        rows, columns = np.nonzero(mask)
        return Pairs(self.d[mask], rows + self.start, columns + self.start)


def _iterate_blocks(vectors: NDArray[np.float32], identity: Indices, left_out: Indices) -> Iterator[_Block]:
    """The upper triangle, without the diagonal, a block of rows at a time."""
    total = int(identity.max(initial=-1)) + 1
    forbidden = np.unique(left_out.min(axis=1) * total + left_out.max(axis=1)) if len(left_out) else None
    for start in range(0, len(vectors), BLOCK):
        rows, columns = identity[start : start + BLOCK, None], identity[None, start:]
        d = np.clip(2 - 2 * (vectors[start : start + BLOCK] @ vectors[start:].T), 0, 4)
        upper = np.triu(np.ones(d.shape, np.bool_), k=1)
        non_mated = upper & (rows != columns)
        if forbidden is not None:
            key = np.minimum(rows, columns) * total + np.maximum(rows, columns)
            non_mated &= ~np.isin(key, forbidden)
        yield _Block(start, d, upper & (rows == columns), non_mated)


def _concatenate(parts: list[Pairs]) -> Pairs:
    none = np.empty(0, np.int64)
    parts = [Pairs(np.empty(0, np.float32), none, none), *parts]  # without samples there are no blocks
    return Pairs.of(
        np.concatenate([part.d for part in parts]),
        np.concatenate([part.a for part in parts]),
        np.concatenate([part.b for part in parts]),
    )


FOLDS = 10
PAIRS_PER_FOLD = 600
"""At most: mated and non-mated together, as in LFW."""


def draw_balanced_pairs(comparisons: Comparisons, seed: int = 0) -> tuple[Indices, Indices, Indices]:
    """Draw pairs in folds that share no person; each fold has as many non-mated as mated pairs.

    Returns:
        (k,) samples a and b, and (k,) fold; fewer than `FOLDS` folds if there are few people.
    """
    random = np.random.default_rng(seed)
    identity = comparisons.identity
    fold_of = random.permutation(len(comparisons.sizes)) % min(FOLDS, max(1, len(comparisons.sizes) // 2))
    mated_fold = fold_of[identity[comparisons.mated.a]]
    parts = []
    for fold in range(int(fold_of.max()) + 1):
        mine = random.permutation(np.flatnonzero(mated_fold == fold))[: PAIRS_PER_FOLD // 2]
        samples = np.flatnonzero(fold_of[identity] == fold)
        a, b = _draw_non_mated(samples, identity, len(mine), random)
        kept = mine[: len(a)]
        parts.append((np.append(comparisons.mated.a[kept], a), np.append(comparisons.mated.b[kept], b)))
    fold_of_pair = np.repeat(np.arange(len(parts)), [len(a) for a, _ in parts])
    return np.concatenate([a for a, _ in parts]), np.concatenate([b for _, b in parts]), fold_of_pair


def _draw_non_mated(
    samples: Indices, identity: Indices, count: int, random: np.random.Generator
) -> tuple[Indices, Indices]:
    """Up to `count` random pairs of two people."""
    if len(np.unique(identity[samples])) < 2:
        return samples[:0], samples[:0]
    a, b = random.choice(samples, (2, 20 * count))
    apart = np.flatnonzero(identity[a] != identity[b])[:count]
    return a[apart], b[apart]
