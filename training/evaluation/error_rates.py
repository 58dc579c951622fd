"""Error rates of verification: two people match, or one person does not (ISO/IEC 19795-1:2021).

`d` is a distance: a comparison matches when d <= threshold. Everything here is NumPy and works on distances
computed elsewhere. An undefined rate is an error, not 0.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from embedding.errors import FmrNotSupported

Vector = NDArray[np.float64]

RULE_OF_THREE = 3.0
"""If n comparisons have no error, the rate is below 3 / n with 95 % confidence (Hanley, JAMA 1983)."""


def error_rates(mated: ArrayLike, non_mated: ArrayLike, threshold: float) -> tuple[float, float]:
    """FMR and FNMR at one threshold.

    Args:
        mated: (m,) d(A, B) of comparisons within one person.
        non_mated: (n,) d(A, B) of comparisons between two people.
        threshold: A comparison matches when d <= threshold.

    Raises:
        ValueError: If either is empty; a rate over nothing is not zero.

    >>> error_rates([0.2, 0.4, 1.1], [0.9, 1.5, 1.8, 2.1], threshold=1.0)
    (0.25, 0.3333333333333333)
    """
    same, different = np.asarray(mated), np.asarray(non_mated)
    _refuse_empty(same.size, different.size)
    return float(np.mean(different <= threshold)), float(np.mean(same > threshold))


def _refuse_empty(mated: float, non_mated: float) -> None:
    if not mated:
        raise ValueError("There is no mated comparison, so FNMR is undefined.")
    if not non_mated:
        raise ValueError("There is no non-mated comparison, so FMR is undefined.")


@dataclass(frozen=True)
class RateCurve:
    """FMR and FNMR at every threshold that tells comparisons apart.

    Attributes:
        thresholds: (k,) strictly ascending; nothing matches at the first, everything at the last.
        mated_matches: (k,) mated comparisons with d <= threshold.
        non_mated_matches: (k,) non-mated comparisons with d <= threshold.
    """

    thresholds: Vector
    mated_matches: Vector
    non_mated_matches: Vector

    @classmethod
    def of_distances(cls, mated: ArrayLike, non_mated: ArrayLike) -> "RateCurve":
        """The exact curve of (m,) mated and (n,) non-mated distances."""
        same, different = np.asarray(mated, np.float64), np.asarray(non_mated, np.float64)
        return cls.of_counts(
            np.concatenate([same, different]),
            np.repeat([1.0, 0.0], [same.size, different.size]),
            np.repeat([0.0, 1.0], [same.size, different.size]),
        )

    @classmethod
    def of_counts(cls, values: ArrayLike, mated: ArrayLike, non_mated: ArrayLike) -> "RateCurve":
        """The curve of (k,) distances that occur (k,) times among mated and non-mated comparisons.

        Raises:
            ValueError: If there is no mated or no non-mated comparison, or a distance is not a number.
        """
        distances, of_value = np.unique(np.asarray(values, np.float64), return_inverse=True)
        same = np.bincount(of_value, weights=np.asarray(mated, np.float64))
        different = np.bincount(of_value, weights=np.asarray(non_mated, np.float64))
        _refuse_empty(same.sum(), different.sum())
        if not np.isfinite(distances).all():
            raise ValueError("A distance is not a finite number.")
        nothing = np.nextafter(distances[0], -np.inf)
        return cls(
            np.concatenate([[nothing], distances]),
            np.concatenate([[0.0], np.cumsum(same)]),
            np.concatenate([[0.0], np.cumsum(different)]),
        )

    @property
    def mated(self) -> int:
        """How many mated comparisons."""
        return round(float(self.mated_matches[-1]))

    @property
    def non_mated(self) -> int:
        """How many non-mated comparisons."""
        return round(float(self.non_mated_matches[-1]))

    @property
    def fmr(self) -> Vector:
        """(k,) false match rate at each threshold, ascending from 0 to 1."""
        return np.asarray(self.non_mated_matches / self.non_mated_matches[-1])

    @property
    def fnmr(self) -> Vector:
        """(k,) false non-match rate at each threshold, descending from 1 to 0."""
        return np.asarray(1 - self.mated_matches / self.mated_matches[-1])


def equal_error_rate(fmr: Vector, fnmr: Vector) -> float:
    """Where the DET curve, drawn with straight lines between its (k,) points, crosses FMR = FNMR.

    Only the order of distances counts, so any ascending map of d leaves it unchanged.
    """
    right = int(np.argmax(fmr >= fnmr))
    left = max(0, right - 1)
    before, after = fnmr[left] - fmr[left], fmr[right] - fnmr[right]
    if before + after == 0:
        return float(fmr[right])
    share = before / (before + after)
    return float(fmr[left] + share * (fmr[right] - fmr[left]))


def smallest_supported_fmr(non_mated: int) -> float:
    """The smallest false match rate that this many comparisons support (rule of three)."""
    return min(1.0, RULE_OF_THREE / non_mated)


@dataclass(frozen=True)
class OperatingPoint:
    """The largest threshold whose FMR does not exceed a target.

    Attributes:
        target: The false match rate asked for.
        threshold: In units of d.
        fmr: The rate observed there, <= target.
        fnmr: The false non-match rate observed there.
    """

    target: float
    threshold: float
    fmr: float
    fnmr: float


def operating_point(curve: RateCurve, target: float) -> OperatingPoint:
    """The threshold for a false match rate.

    Raises:
        FmrNotSupported: If there are fewer than 3 / target non-mated comparisons.
    """
    smallest = smallest_supported_fmr(curve.non_mated)
    if not smallest <= target <= 1:
        raise FmrNotSupported(target, smallest, 1.0)
    at = last_at_most(curve.fmr, target)
    return OperatingPoint(target, float(curve.thresholds[at]), float(curve.fmr[at]), float(curve.fnmr[at]))


def last_at_most(rates: Vector, target: float) -> int:
    """The last index of ascending (k,) rates with a rate <= target, up to rounding (3 / 30 against 0.1)."""
    return int(np.searchsorted(rates, target * (1 + 1e-12), side="right")) - 1


def area_under_roc(curve: RateCurve) -> float:
    """The chance that a mated comparison is nearer than a non-mated one; a tie counts one half."""
    return float(np.trapezoid(1 - curve.fnmr, curve.fmr))


@dataclass(frozen=True)
class Accuracy:
    """Share of correct answers, each fold with the threshold chosen on the others.

    Attributes:
        mean: Over folds.
        deviation: Standard deviation over folds (population).
        threshold: Mean of the chosen thresholds.
        folds: How many.
    """

    mean: float
    deviation: float
    threshold: float
    folds: int


def best_threshold(d: Vector, same: NDArray[np.bool_]) -> float:
    """The threshold with the most correct answers on (n,) comparisons; halfway to the next distance."""
    order = np.argsort(d, kind="stable")
    gain = np.cumsum(np.where(same[order], 1, -1))  # right answers, less those with nothing matching
    values = d[order]
    last_of_value = np.append(values[1:] > values[:-1], True)
    at = int(np.argmax(np.where(last_of_value, gain, np.iinfo(np.int64).min)))
    if gain[at] <= 0:
        return float(np.nextafter(values[0], -np.inf))
    return float(values[at] if at + 1 == len(values) else (values[at] + values[at + 1]) / 2)


def fold_accuracy(d: Vector, same: NDArray[np.bool_], fold: NDArray[np.int64]) -> Accuracy:
    """Accuracy over the folds of a list of pairs (the protocol of LFW View 2).

    Args:
        d: (n,) distances; NaN where a picture could not be acquired, which counts as a wrong answer.
        same: (n,) whether the pair shows one person.
        fold: (n,) number of the fold.

    Raises:
        ValueError: If there is one fold only, or a fold's counterpart has no comparison.
    """
    folds = np.unique(fold)
    if len(folds) < 2:
        raise ValueError("One fold has no other folds to choose its threshold.")
    acquired = np.isfinite(d)
    rates, thresholds = [], []
    for number in folds:
        others, mine = acquired & (fold != number), fold == number
        if not others.any():
            raise ValueError(f"Beside fold {number} there is no comparison to choose a threshold from.")
        threshold = best_threshold(d[others], same[others])
        right = acquired & ((d <= threshold) == same)
        thresholds.append(threshold)
        rates.append(right[mine].mean())
    return Accuracy(float(np.mean(rates)), float(np.std(rates)), float(np.mean(thresholds)), len(folds))
