"""How much a rate varies with the people measured: the bootstrap over identities.

Comparisons that share a person are not independent, so people are drawn, not comparisons: an identity drawn w
times counts its mated comparisons w times, and a comparison of two identities w_a · w_b times (Bolle, Ratha,
Pankanti, "Error analysis of pattern recognition systems", CVIU 2004). Intervals that draw comparisons one by
one are several times too narrow.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.evaluation.comparisons import Comparisons, Indices, Pairs
from training.evaluation.error_rates import Vector, equal_error_rate, last_at_most

GRID = 2000
"""Thresholds at which replicates are counted; spaced evenly in log FMR, 1 % apart in rate or closer."""

Interval = tuple[float, float]


@dataclass(frozen=True)
class Replicates:
    """Error rates of the same comparisons with other people drawn.

    Attributes:
        thresholds: (k,) ascending, up to the reach of the comparisons.
        fmr: (replicates, k), ascending in each row.
        fnmr: (replicates, k), descending in each row.
    """

    thresholds: Vector
    fmr: NDArray[np.float64]
    fnmr: NDArray[np.float64]

    def eer(self) -> Interval | None:
        """95 % interval of the equal error rate; None where the kept comparisons do not reach it."""
        if (self.fmr[:, -1] < self.fnmr[:, -1]).any():
            return None
        return percentiles([equal_error_rate(*row) for row in zip(self.fmr, self.fnmr, strict=True)])

    def fnmr_at(self, fmr: float) -> Interval | None:
        """95 % interval of FNMR at a false match rate; None where the kept comparisons do not reach it."""
        values = self.fnmr_values(fmr)
        return None if values is None else percentiles(values)

    def fnmr_values(self, fmr: float) -> Vector | None:
        """(replicates,) FNMR of each at a false match rate; None as above."""
        at = self.places(fmr)
        return None if at is None else self.fnmr[np.arange(len(at)), at]

    def threshold_at(self, fmr: float) -> Interval | None:
        """95 % interval of the threshold at a false match rate; None as above."""
        at = self.places(fmr)
        return None if at is None else percentiles(self.thresholds[at])

    def fmr_at(self, threshold: float) -> Interval | None:
        """95 % interval of FMR at a threshold; None as above."""
        k = last_at_most(self.thresholds, threshold)
        return percentiles(self.fmr[:, k]) if threshold <= self.thresholds[-1] else None

    def fnmr_beyond(self, threshold: float) -> Interval | None:
        """95 % interval of FNMR at a threshold; None where the kept comparisons do not reach it."""
        k = last_at_most(self.thresholds, threshold)
        return percentiles(self.fnmr[:, k]) if threshold <= self.thresholds[-1] else None

    def places(self, fmr: float) -> Indices | None:
        """(replicates,) where in `thresholds` each reaches a false match rate; None as above."""
        if (self.fmr[:, -1] < min(1.0, fmr)).any():
            return None
        return np.array([last_at_most(rates, fmr) for rates in self.fmr], np.int64)


def percentiles(values: Sequence[float] | Vector) -> Interval:
    """The 95 % interval of (replicates,) values."""
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)


def bootstrap(
    comparisons: Comparisons,
    replicates: int = 200,
    seed: int = 0,
    within: NDArray[np.bool_] | None = None,
) -> Replicates:
    """Draw as many identities as there are, with replacement, and count again.

    A draw without any mated comparison is repeated. The draw depends on the seed and on the people, not on
    distances: two models compared on the same people draw the same ones.

    Args:
        comparisons: What was compared.
        replicates: Draws.
        seed: Of the draws.
        within: (identities,) count only comparisons among these; the draws and thresholds stay the same, and
            a rate over nothing is NaN.
    """
    random = np.random.default_rng(seed)
    identities = len(comparisons.sizes)
    thresholds = _grid(comparisons)
    mated, close = comparisons.mated, comparisons.close
    mated_of, first, second = (comparisons.identity[index] for index in (mated.a, close.a, close.b))
    mated_at, close_at = np.searchsorted(thresholds, mated.d), np.searchsorted(thresholds, close.d)
    fmr: list[Vector] = []
    fnmr: list[Vector] = []
    while len(fmr) < replicates:
        drawn = np.bincount(random.integers(identities, size=identities), minlength=identities)
        weight = drawn[mated_of]
        cross = drawn[first] * drawn[second]
        total = _non_mated_weight(comparisons, drawn, cross)
        if not weight.any() or not total:
            continue
        if within is not None:
            drawn = drawn * within
            weight, cross = drawn[mated_of], drawn[first] * drawn[second]
            total = _non_mated_weight(comparisons, drawn, cross)
        with np.errstate(invalid="ignore"):
            fnmr.append(1 - _cumulative(mated_at, weight, len(thresholds)) / weight.sum())
            fmr.append(_cumulative(close_at, cross, len(thresholds)) / np.int64(total))
    return Replicates(thresholds, np.stack(fmr), np.stack(fnmr))


def _cumulative(at: Indices, weight: Indices, length: int) -> Vector:
    """(length,) weight up to each threshold; values beyond the last are not counted."""
    return np.cumsum(np.bincount(at, weights=weight, minlength=length)[:length])


def _non_mated_weight(comparisons: Comparisons, drawn: Indices, cross: Indices) -> int:
    """How many non-mated comparisons a draw stands for."""
    if not comparisons.is_all_pairs:
        return int(cross.sum())
    samples = drawn * comparisons.sizes
    left_out = (samples[comparisons.left_out[:, 0]] * samples[comparisons.left_out[:, 1]]).sum()
    return int((samples.sum() ** 2 - np.square(samples).sum()) // 2 - left_out)


def _grid(comparisons: Comparisons) -> Vector:
    """Thresholds, dense at low FMR and even in FNMR; the first is below every distance."""
    count = len(comparisons.close)
    ranks = np.unique(np.geomspace(1, max(1, count), GRID).astype(np.int64)) - 1
    close = comparisons.close.d[ranks] if count else np.empty(0, np.float32)
    mated = _evenly(comparisons.mated, GRID // 2)
    inside = np.concatenate([close, mated[mated <= comparisons.reach], [comparisons.reach]])
    values = np.unique(inside.astype(np.float64))
    return np.concatenate([[np.nextafter(values[0], -np.inf)], values])


def _evenly(pairs: Pairs, count: int) -> NDArray[np.float32]:
    """About `count` of the distances, evenly spaced in rank."""
    return pairs.d[:: max(1, len(pairs) // count)]
