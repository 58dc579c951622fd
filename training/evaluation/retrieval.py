"""How well nearest neighbours find the same person: R@K, P@1, R-precision, MAP@R, and NMI of a clustering.

Definitions of Musgrave, Belongie, Lim, "A Metric Learning Reality Check", ECCV 2020: every sample with at
least one other sample of its identity is a query against all other samples.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from index.vectors import k_means

BLOCK = 1024
"""Queries at a time: memory is BLOCK × n distances, never n²."""


@dataclass(frozen=True)
class Retrieval:
    """Means over queries.

    Attributes:
        queries: Samples whose identity has another sample.
        recall: K → share of queries with a sample of their identity among the K nearest.
        precision_at_1: Share of queries whose nearest sample is of their identity.
        r_precision: With R other samples of the identity, the share of them among the R nearest.
        map_at_r: As R-precision, but each hit weighs by the precision up to it.
    """

    queries: int
    recall: dict[int, float]
    precision_at_1: float
    r_precision: float
    map_at_r: float


def measure_retrieval(
    vectors: NDArray[np.float32], labels: ArrayLike, ks: Sequence[int] = (1, 2, 4, 8)
) -> Retrieval:
    """Measure (n, dim) vectors with (n,) identities.

    Raises:
        ValueError: If no identity has two samples, or there is no second identity.
    """
    _, label, size = np.unique(np.asarray(labels), return_inverse=True, return_counts=True)
    wanted = size[label] - 1  # (n,) R of each sample
    if not wanted.any() or len(size) < 2:
        raise ValueError("Retrieval needs an identity with two samples, and a second identity.")
    ks = [k for k in ks if k < len(label)]
    depth = max(int(wanted.max()), *ks, 1)
    at_r = np.arange(1, depth + 1) <= wanted[:, None]  # (n, depth): the first R ranks of each query
    hits = np.concatenate(list(_find_hits(vectors, label, depth)))  # (n, depth)
    precision = np.cumsum(hits, axis=1) / np.arange(1, depth + 1)
    query = wanted > 0
    r = wanted[query]
    return Retrieval(
        queries=int(query.sum()),
        recall={k: float(hits[query, :k].any(axis=1).mean()) for k in ks},
        precision_at_1=float(hits[query, 0].mean()),
        r_precision=float(((hits & at_r)[query].sum(axis=1) / r).mean()),
        map_at_r=float(((precision * (hits & at_r))[query].sum(axis=1) / r).mean()),
    )


def _find_hits(
    vectors: NDArray[np.float32], label: NDArray[np.int64], depth: int
) -> Iterator[NDArray[np.bool_]]:
    """Blocks of (block, depth): is the neighbour at this rank of the query's identity."""
    length = np.square(vectors).sum(axis=1)
    for start in range(0, len(label), BLOCK):
        rows = np.arange(start, min(start + BLOCK, len(label)))
        d = length - 2 * (vectors[rows] @ vectors.T)  # up to a constant of each row
        d[np.arange(len(rows)), rows] = np.inf  # a query must not retrieve itself
        near = np.argpartition(d, depth - 1, axis=1)[:, :depth]
        order = np.argsort(np.take_along_axis(d, near, axis=1), axis=1, kind="stable")
        yield label[np.take_along_axis(near, order, axis=1)] == label[rows, None]


def normalized_mutual_information(a: ArrayLike, b: ArrayLike) -> float:
    """NMI of two assignments of the same (n,) samples: I(a; b) over the mean of both entropies.

    Two assignments into one single group agree entirely: 1.

    Raises:
        ValueError: If they are empty or differ in length.
    """
    x, y = np.asarray(a), np.asarray(b)
    if not x.size or x.shape != y.shape:
        raise ValueError(f"Two assignments of {x.size} and {y.size} samples cannot be compared.")
    _, i = np.unique(x, return_inverse=True)
    _, j = np.unique(y, return_inverse=True)
    cells, joint = np.unique(np.stack([i, j]), axis=1, return_counts=True)
    p, p_i, p_j = joint / x.size, np.bincount(i) / x.size, np.bincount(j) / x.size
    information = float((p * np.log(p / (p_i[cells[0]] * p_j[cells[1]]))).sum())
    entropy = -float((p_i * np.log(p_i)).sum() + (p_j * np.log(p_j)).sum()) / 2
    return information / entropy if entropy > 0 else 1.0


def measure_clustering_nmi(vectors: NDArray[np.float32], labels: ArrayLike, seed: int = 0) -> float:
    """NMI between identities and a k-means clustering into as many clusters; moves a little with `seed`."""
    label = np.asarray(labels)
    return normalized_mutual_information(label, k_means(vectors, len(np.unique(label)), seed=seed))
