"""Find the nearest pictures of other people across a whole set.

Cost: n templates of dim numbers take n² · dim multiply-adds, which dominate; FAISS computes matrix products,
so their speed on the same cores is the limit. Memory besides the templates: one block of neighbours (`LISTED`
of them). `python -m benchmarks mining` compares both with that limit.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from index.vectors import k_nearest
from training.evaluation.comparisons import Indices
from training.mining.pool import Distances

BLOCK = 4096
"""Most anchors per search."""
LISTED = 1 << 20
"""Neighbours in memory at a time: 12 MB, times a few while blocks are merged."""

Vectors = NDArray[np.float32]
Progress = Callable[[int, int], None]
"""Called with the number of anchors done and the total."""


@dataclass(frozen=True)
class Neighbours:
    """The nearest pictures of other people, for some anchors.

    Attributes:
        anchors: (b,) rows.
        d: (b, k) ascending; infinite if there are no more.
        others: (b, k) rows of other identities; −1 if there are no more.
    """

    anchors: Indices
    d: Distances
    others: Indices


class People:
    """Rows by identity, the people with fewest pictures first.

    Args:
        identity: (n,) a number for each row; negative if unknown.
    """

    def __init__(self, identity: Indices) -> None:
        known = np.flatnonzero(identity >= 0)
        sizes = np.bincount(identity[known], minlength=1)
        self.identity = identity
        self.rows = known[np.lexsort((known, identity[known], sizes[identity[known]]))]
        self.sizes = sizes[identity[self.rows]]  # (rows,) pictures of each one's identity
        self.count = int((sizes > 0).sum())
        self.alone = int((sizes == 1).sum())
        found, first = np.unique(identity[self.rows], return_index=True)
        self._place = {int(i): (int(at), int(sizes[i])) for i, at in zip(found, first, strict=True)}

    def of(self, identity: int) -> Indices:
        """Rows of one identity; empty if there is no such identity."""
        at, size = self._place.get(identity, (0, 0))
        return self.rows[at : at + size]


def nearest_others(
    vectors: Vectors, people: People, k: int, progress: Progress | None = None
) -> Iterator[Neighbours]:
    """The k nearest pictures of *other* identities, for every picture whose identity is known.

    The search fetches as many more neighbours as the largest identity in the block has pictures, because all
    of these may be nearer. Blocks are sorted by the size of identities, so that only the largest ones pay for
    their size.

    Args:
        vectors: (n, dim) of unit length; may be memory-mapped.
        people: The people in the rows.
        k: Neighbours per picture.
        progress: Called after every block.
    """
    whole = len(people.rows) == len(vectors)
    # Pictures of unknown people would take up places among the neighbours.
    base_rows = np.arange(len(vectors)) if whole else np.sort(people.rows)
    base = vectors if whole else vectors[base_rows]
    for start, end in _blocks(people.sizes, k):
        anchors = people.rows[start:end]
        room = k + int(people.sizes[end - 1])
        ((_, d, found),) = k_nearest(vectors[anchors], base, room, query_rows=len(anchors))
        others = np.where(found >= 0, base_rows[found], -1)
        own = people.identity[others] == people.identity[anchors][:, None]
        d = np.where(own | (found < 0), np.float32(np.inf), d)
        nearest = np.argsort(d, axis=1, kind="stable")[:, :k]
        d = np.take_along_axis(d, nearest, axis=1)
        yield Neighbours(
            anchors, d, np.where(np.isfinite(d), np.take_along_axis(others, nearest, axis=1), -1)
        )
        if progress:
            progress(end, len(people.rows))


def _blocks(sizes: Indices, k: int) -> Iterator[tuple[int, int]]:
    """Borders of blocks whose neighbours stay within `LISTED`; sizes ascend."""
    start = 0
    while start < len(sizes):
        count = BLOCK
        while count > 1 and count * (k + int(sizes[min(start + count, len(sizes)) - 1])) > LISTED:
            count //= 2
        end = min(start + count, len(sizes))
        yield start, end
        start = end
