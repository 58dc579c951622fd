"""Unit vectors in memory and the search among them. The only file that imports FAISS.

A search is exact: it reads every vector, and d is the squared distance that FAISS returns (`METRIC_L2`).
"""

import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from typing import NamedTuple

import faiss
import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
Numbers = NDArray[np.int64]
Ids = NDArray[np.uint8]
"""(n, 16): template ids as their 16 bytes."""

SEGMENT_ROWS = 32_768

# Compact a segment once this share of its rows is removed.
_COMPACT_AT = 0.25

# Threads that help each search; beyond a few, memory bandwidth is the limit.
_HELPERS = min(3, (os.cpu_count() or 1) - 1)


class NearestRows(NamedTuple):
    """The result of a search, nearest first; shorter than requested if there are fewer vectors."""

    d: Vectors  # (n,)
    numbers: Numbers  # (n,)


class Taken(NamedTuple):
    """Vectors with their numbers and ids, ascending by number."""

    numbers: Numbers  # (n,)
    vectors: Vectors  # (n, dim)
    ids: Ids  # (n, 16)


@dataclass(frozen=True)
class _Segment:
    """A block of vectors that only grows at its end: this view has the rows below `filled`."""

    vectors: Vectors  # (capacity, dim)
    numbers: Numbers  # (capacity,), ascending
    ids: Ids  # (capacity, 16)
    filled: int
    removed: int = 0

    def rows_of(self, numbers: Numbers) -> tuple[NDArray[np.bool_], NDArray[np.intp]]:
        """Which of the numbers are in this segment, and in which rows."""
        here = self.numbers[: self.filled]
        rows = np.searchsorted(here, numbers)
        inside = rows < self.filled
        inside[inside] = here[rows[inside]] == numbers[inside]
        return inside, rows[inside]


class VectorIndex:
    """Numbered vectors that many threads search while one thread at a time adds and removes.

    Readers take the current tuple of segments and keep it. Writers never change what a view shows, except
    that a removed row becomes infinitely far in place, for every view at once. New vectors go after the last
    row of any view, or into a new segment, so nothing is copied and no reader waits.
    """

    def __init__(self, dim: int, segment_rows: int = SEGMENT_ROWS) -> None:
        self.dim = dim
        self._segment_rows = segment_rows
        self._segments: tuple[_Segment, ...] = ()
        self._writing = threading.Lock()

    def __len__(self) -> int:
        return sum(segment.filled - segment.removed for segment in self._segments)

    @property
    def last_number(self) -> int:
        """The highest number ever added; 0 if there is none."""
        segments = self._segments
        return int(segments[-1].numbers[segments[-1].filled - 1]) if segments else 0

    def add(self, numbers: Numbers, vectors: Vectors, ids: Ids) -> None:
        """Add vectors under new numbers.

        Args:
            numbers: (n,) ascending and above `last_number`.
            vectors: (n, dim) of unit length.
            ids: (n, 16) ids of the templates. A restored database reuses numbers, but never ids.

        Raises:
            ValueError: If the numbers do not ascend or the vectors have another dimension.
        """
        vectors = np.ascontiguousarray(vectors, dtype=np.float32)
        if vectors.shape != (len(numbers), self.dim):
            raise ValueError(f"{len(numbers)} vectors of {self.dim} were expected, not {vectors.shape}.")
        with self._writing:
            if len(numbers) and (numbers[0] <= self.last_number or np.any(np.diff(numbers) <= 0)):
                raise ValueError("Numbers must ascend from the last one added.")
            done = 0
            while done < len(numbers):
                done += self._append(numbers[done:], vectors[done:], ids[done:])

    def _append(self, numbers: Numbers, vectors: Vectors, ids: Ids) -> int:
        """Fill the last segment, or start one; returns how many fitted."""
        *full, last = self._segments or (_create_segment(self._segment_rows, self.dim),)
        if last.filled == len(last.numbers):
            full, last = [*full, last], _create_segment(self._segment_rows, self.dim)
        count = min(len(numbers), len(last.numbers) - last.filled)
        end = last.filled + count
        last.vectors[last.filled : end] = vectors[:count]
        last.numbers[last.filled : end] = numbers[:count]
        last.ids[last.filled : end] = ids[:count]
        self._segments = (*full, replace(last, filled=end))
        return count

    def remove(self, numbers: Numbers) -> int:
        """Remove vectors; ignores unknown numbers. Returns how many were removed.

        The vector itself is overwritten, and no search that starts after this returns it.
        """
        numbers = np.unique(numbers)
        with self._writing:
            segments = [_remove_from(segment, numbers) for segment in self._segments]
            gone = sum(new.removed - old.removed for new, old in zip(segments, self._segments, strict=True))
            # Not the last segment, which still grows: compacting it would lose rows that no view shows yet.
            worn = [_compact(segment) if _needs_compacting(segment) else segment for segment in segments[:-1]]
            self._segments = (*(segment for segment in worn if segment.filled), *segments[-1:])
            return gone

    def search(self, query: Vectors, k: int) -> NearestRows:
        """The k nearest vectors, or as many as there are.

        Args:
            query: (dim,) of unit length.
            k: At least 1.
        """
        found = _search_segments(query, self._segments, k)
        if not found:
            return NearestRows(np.empty(0, np.float32), np.empty(0, np.int64))
        d = np.concatenate([part.d for part in found])
        numbers = np.concatenate([part.numbers for part in found])
        order = np.argsort(d, kind="stable")[:k]
        return NearestRows(d[order], numbers[order])

    def take(self, numbers: Numbers) -> Taken:
        """The vectors of those numbers that exist."""
        numbers = np.unique(numbers)
        taken = [_take_from(segment, numbers) for segment in self._segments]
        if not taken:
            return Taken(
                np.empty(0, np.int64), np.empty((0, self.dim), np.float32), np.empty((0, 16), np.uint8)
            )
        return Taken(*(np.concatenate(parts) for parts in zip(*taken, strict=True)))


def compute_distances(query: Vectors, vectors: Vectors) -> NDArray[np.float64]:
    """d between one vector (dim,) and each of (n, dim), computed as `embedding.template.distance` does."""
    differences = vectors.astype(np.float64) - query.astype(np.float64)
    d: NDArray[np.float64] = np.einsum("nd,nd->n", differences, differences)
    return np.minimum(d, 4.0)


def k_nearest(
    queries: Vectors, base: Vectors, k: int, *, query_rows: int = 4096, base_rows: int = 262_144
) -> Iterator[tuple[int, Vectors, Numbers]]:
    """The k nearest rows of `base` for every query, one block of queries at a time, in bounded memory.

    Exact up to rounding: many queries are compared as ‖q‖² + ‖b‖² − 2 q·b, where small d lose digits
    (about 1e-6).
    Both may be memory-mapped; only one block of each is read at a time.

    Args:
        queries: (n, dim) float32.
        base: (m, dim) float32.
        k: How many; if m < k, the rest has row −1 and infinite d.
        query_rows: Queries in one block.
        base_rows: Rows of the base in one block.

    Yields:
        The first query of the block, d (block, k) ascending, and rows of the base (block, k).
    """
    for start in range(0, len(queries), query_rows):
        block = np.ascontiguousarray(queries[start : start + query_rows], dtype=np.float32)
        d = np.full((len(block), k), np.inf, np.float32)
        rows = np.full((len(block), k), -1, np.int64)
        with _limit_threads(os.cpu_count() or 1):
            for first in range(0, len(base), base_rows):
                part = np.ascontiguousarray(base[first : first + base_rows], dtype=np.float32)
                near, near_rows = faiss.knn(block, part, min(k, len(part)))
                d, rows = _merge(d, rows, near, near_rows + first, k)
        yield start, d, rows


def find_pairs_within(vectors: Vectors, max_d: float, *, rows: int = 256) -> Iterator[tuple[int, int, float]]:
    """Every pair of rows i < j with d <= max_d, in bounded memory (besides the pairs themselves).

    Args:
        vectors: (n, dim) of unit length.
        max_d: Largest squared distance.
        rows: Rows compared with all others at a time.
    """
    for start in range(0, len(vectors), rows):
        block = vectors[start : start + rows]
        rest = vectors[start:]
        # A little more than required, because the products round; then exactly.
        near = np.argwhere(block @ rest.T >= 1.0 - max_d / 2.0 - 1e-5)
        for i, j in near[near[:, 0] < near[:, 1]]:
            d = float(compute_distances(block[i], rest[j : j + 1])[0])
            if d <= max_d:
                yield start + int(i), start + int(j), d


def k_means(vectors: Vectors, k: int, *, seed: int = 0) -> Numbers:
    """(n, dim) → (n,) the cluster of each vector, of k ≤ n: the best of five random starts."""
    few_or_many = {"min_points_per_centroid": 1, "max_points_per_centroid": len(vectors)}
    clustering = faiss.Kmeans(vectors.shape[1], k, niter=20, nredo=5, seed=seed, **few_or_many)
    clustering.train(np.ascontiguousarray(vectors, np.float32))
    return np.asarray(clustering.assign(vectors)[1], np.int64)


def _create_segment(rows: int, dim: int) -> _Segment:
    # Pages that are never written to cost no memory, so a segment is allocated in full.
    return _Segment(
        np.empty((rows, dim), np.float32), np.empty(rows, np.int64), np.empty((rows, 16), np.uint8), filled=0
    )


def _take_from(segment: _Segment, numbers: Numbers) -> Taken:
    inside, rows = segment.rows_of(numbers)
    vectors = segment.vectors[rows]
    alive = np.isfinite(vectors[:, 0])
    return Taken(numbers[inside][alive], vectors[alive], segment.ids[rows][alive])


def _remove_from(segment: _Segment, numbers: Numbers) -> _Segment:
    rows = segment.rows_of(numbers)[1]
    rows = rows[np.isfinite(segment.vectors[rows, 0])]
    # FAISS never returns an infinite distance. A concurrent reader sees old numbers, or some infinite ones,
    # whose sum is infinite: never a wrong finite d.
    segment.vectors[rows] = np.inf
    return replace(segment, removed=segment.removed + len(rows)) if len(rows) else segment


def _needs_compacting(segment: _Segment) -> bool:
    return segment.removed > _COMPACT_AT * segment.filled


def _compact(segment: _Segment) -> _Segment:
    alive = np.isfinite(segment.vectors[: segment.filled, 0])
    vectors = segment.vectors[: segment.filled][alive]
    numbers, ids = segment.numbers[: segment.filled][alive], segment.ids[: segment.filled][alive]
    return _Segment(vectors, numbers, ids, filled=len(vectors))


def _search_segments(query: Vectors, segments: Sequence[_Segment], k: int) -> list[NearestRows]:
    """Search every segment and return the results in order; the caller searches, and idle threads help.

    A search is limited by memory, not by arithmetic, so a second core shortens it. If all cores are busy, no
    helper starts, and the caller does all the work without waiting.
    """
    waiting = iter(enumerate(segments))
    found: dict[int, NearestRows] = {}

    def work() -> None:
        for place, segment in waiting:
            found[place] = _search_block(query, segment.vectors[: segment.filled], segment.numbers, k)

    helping = [_helper_pool().submit(work) for _ in range(min(_HELPERS, len(segments) - 1))]
    work()
    for helper in helping:
        if not helper.cancel():
            helper.result()
    return [found[place] for place in sorted(found)]


@cache
def _helper_pool() -> ThreadPoolExecutor:
    """Created by the first search that needs it, and therefore not before a process forks."""
    return ThreadPoolExecutor(_HELPERS, "search")


@contextmanager
def _limit_threads(count: int) -> Iterator[None]:
    """Limit OpenMP's threads for a block; torch may share the setting, so it is restored for a training."""
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(count)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


def _search_block(query: Vectors, vectors: Vectors, numbers: Numbers, k: int) -> NearestRows:
    # OpenMP keeps this number per calling thread. Many requests search at once, each in its own thread; a
    # team of threads per query would make them wait for each other (measured: five times the work).
    with _limit_threads(1):
        d, rows = faiss.knn(query.reshape(1, -1), vectors, min(k, len(vectors)))
    there = rows[0] >= 0
    return NearestRows(d[0][there], numbers[rows[0][there]])


def _merge(d: Vectors, rows: Numbers, more_d: Vectors, more_rows: Numbers, k: int) -> tuple[Vectors, Numbers]:
    """The k nearest of two sorted lists per query."""
    d = np.concatenate([d, more_d], axis=1)
    rows = np.concatenate([rows, more_rows], axis=1)
    order = np.argsort(d, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(d, order, axis=1), np.take_along_axis(rows, order, axis=1)
