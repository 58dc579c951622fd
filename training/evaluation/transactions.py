"""Error rates of whole transactions: somebody with several templates tries up to three times.

A try matches when the nearest of the person's templates lies within the threshold, a transaction when one of
its tries does. So FNMR is lower than for single comparisons, and FMR is higher.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.evaluation.bootstrap import Interval, percentiles
from training.evaluation.comparisons import Indices
from training.evaluation.error_rates import smallest_supported_fmr

TEMPLATES = 3
"""Most templates per person; also at most half of the pictures, so that others are left to try."""
TRIES = (1, 3)
"""Most tries per transaction."""
REPLICATES = 200
BLOCK = 1024
"""Rows of the distance matrix at a time."""


@dataclass(frozen=True)
class Share:
    """A rate, its 95 % interval over people, and what it is a rate of.

    Attributes:
        value: None if there is nothing to count, or too little for the rate.
        interval: None without a value, or if there are too few people to draw from.
        trials: Transactions, or non-mated pairs of a transaction and a person.
    """

    value: float | None
    interval: Interval | None
    trials: int


@dataclass(frozen=True)
class TransactionRates:
    """The rates of transactions at one threshold.

    Attributes:
        at_fmr: What the threshold promises of a single comparison.
        threshold: In d.
        tries: In one transaction, at most.
        fnmr: Mated transactions that do not match.
        fmr: Non-mated ones that do.
    """

    at_fmr: float
    threshold: float
    tries: int
    fnmr: Share
    fmr: Share


@dataclass(frozen=True)
class GallerySamples:
    """Templates (t, dim) of people, ordered by (t,) owner: 0 … people - 1."""

    vectors: NDArray[np.float32]
    owner: Indices


@dataclass(frozen=True)
class Probes:
    """What is tried: (p, dim) vectors, of (p,) people of the gallery's numbering, each person's together."""

    vectors: NDArray[np.float32]
    owner: Indices


def split_in_order(identity: Indices) -> tuple[Indices, Indices]:
    """Which samples are templates, half of each person's and at most three, and which are tries.

    Args:
        identity: (n,) whom each sample shows.

    Returns:
        Indices of both, ordered by person; whoever has one sample has one try and no template.
    """
    order = np.argsort(identity, kind="stable")
    start = np.searchsorted(identity[order], identity[order])
    place = np.arange(len(order)) - start
    templates = np.minimum(np.bincount(identity)[identity[order]] // 2, TEMPLATES)
    return order[place < templates], order[place >= templates]


def measure_transactions(
    gallery: GallerySamples, probes: Probes, people: int, thresholds: Sequence[tuple[float, float]]
) -> list[TransactionRates]:
    """Rates of transactions at thresholds, for one try and for up to three.

    Args:
        gallery: Templates.
        probes: Tries, in the order in which they are made.
        people: Everybody, also those without a template or a try.
        thresholds: Pairs of FMR and d.
    """
    return [
        _compute_rates(_count(gallery, probes, people, threshold, tries), fmr, threshold, tries)
        for fmr, threshold in thresholds
        for tries in TRIES
    ]


@dataclass(frozen=True)
class _Counts:
    """Transactions of each person, and how many matched whom.

    Attributes:
        made: (people,) transactions.
        enrolled: (people,) whether there is a template.
        right: (people,) transactions that matched their own template.
        first: (k,) who made transactions that matched somebody else.
        second: (k,) whom.
        wrong: (k,) how many.
    """

    made: Indices
    enrolled: NDArray[np.bool_]
    right: Indices
    first: Indices
    second: Indices
    wrong: Indices


def _count(gallery: GallerySamples, probes: Probes, people: int, threshold: float, tries: int) -> _Counts:
    owners, starts = np.unique(gallery.owner, return_index=True)
    enrolled = np.isin(np.arange(people), owners)
    visit, visitor = _number_visits(probes.owner, tries)
    found = [np.empty((0, 2), np.int64)]
    if len(owners):
        for start in range(0, len(probes.vectors), BLOCK):
            rows = probes.vectors[start : start + BLOCK]
            near = np.maximum.reduceat(rows @ gallery.vectors.T, starts, axis=1) >= 1 - threshold / 2
            row, column = np.nonzero(near)
            found.append(np.stack([visit[start + row], owners[column]], axis=1))
    # A transaction matches a person once, with however many of its tries.
    matched = np.unique(np.concatenate(found), axis=0)
    by, whom = visitor[matched[:, 0]], matched[:, 1]
    pairs, wrong = np.unique(np.stack([by, whom], axis=1)[by != whom], axis=0, return_counts=True)
    return _Counts(
        made=np.bincount(visitor, minlength=people),
        enrolled=enrolled,
        right=np.bincount(by[by == whom], minlength=people),
        first=pairs[:, 0],
        second=pairs[:, 1],
        wrong=wrong,
    )


def _number_visits(owner: Indices, tries: int) -> tuple[Indices, Indices]:
    """(p,) the transaction of each try, and (v,) who makes each transaction."""
    if not len(owner):
        return owner, owner
    begins = np.append(True, owner[1:] != owner[:-1])
    first = np.maximum.accumulate(np.where(begins, np.arange(len(owner)), 0))
    new = (np.arange(len(owner)) - first) % tries == 0
    return np.cumsum(new) - 1, owner[new]


def _compute_rates(counts: _Counts, fmr: float, threshold: float, tries: int) -> TransactionRates:
    people = len(counts.made)
    everybody = np.ones(people, np.int64)
    mated, non_mated = _count_trials(counts, everybody)
    random = np.random.default_rng(0)
    drawn = [np.bincount(random.integers(people, size=people), minlength=people) for _ in range(REPLICATES)]
    return TransactionRates(
        fmr,
        threshold,
        tries,
        Share(
            _rejection_rate(counts, everybody),
            _build_interval([_rejection_rate(counts, each) for each in drawn]),
            mated,
        ),
        Share(
            _acceptance_rate(counts, everybody)
            if non_mated and fmr >= smallest_supported_fmr(non_mated)
            else None,
            _build_interval([_acceptance_rate(counts, each) for each in drawn])
            if len(counts.wrong)
            else None,
            non_mated,
        ),
    )


def _count_trials(counts: _Counts, drawn: Indices) -> tuple[int, int]:
    """Mated transactions, and pairs of one and another person, with each person as often as drawn."""
    made, enrolled = drawn * counts.made, drawn * counts.enrolled
    mated = int((made * counts.enrolled).sum())
    return mated, int(made.sum() * enrolled.sum() - (made * enrolled).sum())


def _rejection_rate(counts: _Counts, drawn: Indices) -> float | None:
    mated, _ = _count_trials(counts, drawn)
    return 1 - float((drawn * counts.right).sum()) / mated if mated else None


def _acceptance_rate(counts: _Counts, drawn: Indices) -> float | None:
    _, non_mated = _count_trials(counts, drawn)
    wrong = (drawn[counts.first] * drawn[counts.second] * counts.wrong).sum()
    return float(wrong) / non_mated if non_mated else None


def _build_interval(values: Sequence[float | None]) -> Interval | None:
    told = [value for value in values if value is not None]
    return percentiles(told) if len(told) == len(values) else None
