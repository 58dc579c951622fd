"""Measure groups of people separately (ISO/IEC 19795-10): failures, rates and shifts of d.

The thresholds are the same for all groups. A group of few people is left out: its rates would be random, and
might reveal single people.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.evaluation.bootstrap import bootstrap, percentiles
from training.evaluation.comparisons import BIN_WIDTH, Comparisons, Indices, compare_all
from training.evaluation.error_rates import smallest_supported_fmr
from training.evaluation.evaluation import GroupFigures, GroupRate, GroupsLeftOut, Rate

SMALLEST_GROUP = 20
"""People."""
REPLICATES = 200


@dataclass(frozen=True)
class GroupedSamples:
    """The requested pictures, and the results.

    Attributes:
        asked: Identity of each picture that was asked for.
        failed: Identity of each that gave no template.
        vectors: (n, dim) templates.
        people: (n,) identity of each.
    """

    asked: Sequence[str]
    failed: Sequence[str]
    vectors: NDArray[np.float32]
    people: Sequence[str]


def measure_groups(
    samples: GroupedSamples,
    everybody: Comparisons,
    group_of: Mapping[str, str],
    thresholds: Sequence[tuple[float, float]],
) -> tuple[list[GroupFigures], GroupsLeftOut]:
    """Figures of each group with enough people, and what was left out.

    Args:
        samples: Of everybody.
        everybody: Their comparisons.
        group_of: Identity → group; who is not in it is in no group.
        thresholds: Pairs of FMR and d that everybody meets.
    """
    of_sample = np.array([group_of.get(person, "") for person in samples.people], dtype=str)
    mated, non_mated = median_mated(everybody), median_non_mated(everybody)
    figures, left_out = [], []
    for name, people in _list_members(group_of, samples.asked):
        if len(people) < SMALLEST_GROUP:
            left_out.append(len(people))
            continue
        inside = of_sample == name
        identity = np.unique(np.array(samples.people, dtype=str)[inside], return_inverse=True)[1]
        compared = compare_all(samples.vectors[inside], identity.astype(np.int64))
        figures.append(
            GroupFigures(
                group=name,
                identities=len(people),
                fta=_measure_failures(people, samples),
                mated=len(compared.mated),
                non_mated=compared.non_mated,
                mated_shift=_subtract(median_mated(compared), mated),
                non_mated_shift=_subtract(median_non_mated(compared), non_mated),
                rates=_measure_rates(compared, thresholds),
            )
        )
    return figures, GroupsLeftOut(len(left_out), sum(left_out))


def median_mated(compared: Comparisons) -> float | None:
    """Median d of the mated comparisons; None without any."""
    return float(np.median(compared.mated.d)) if len(compared.mated) else None


def median_non_mated(compared: Comparisons) -> float | None:
    """Median d of the non-mated comparisons, to a bin; None without any."""
    if not compared.non_mated:
        return None
    return float((np.searchsorted(np.cumsum(compared.counts), compared.non_mated / 2) + 1) * BIN_WIDTH)


def _list_members(group_of: Mapping[str, str], asked: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    present = frozenset(asked)
    for name in sorted(set(group_of.values())):
        yield (
            name,
            sorted(person for person, group in group_of.items() if group == name and person in present),
        )


def _measure_failures(people: Sequence[str], samples: GroupedSamples) -> Rate:
    """FTA, with its interval over people."""
    asked, failed = (_count_samples(people, names) for names in (samples.asked, samples.failed))
    random = np.random.default_rng(0)
    drawn = random.integers(len(people), size=(REPLICATES, len(people)))
    shares = failed[drawn].sum(axis=1) / asked[drawn].sum(axis=1)
    return Rate(float(failed.sum() / asked.sum()), percentiles(shares))


def _count_samples(people: Sequence[str], names: Sequence[str]) -> Indices:
    place = {person: index for index, person in enumerate(people)}
    return np.bincount([place[name] for name in names if name in place], minlength=len(people))


def _subtract(own: float | None, of_all: float | None) -> float | None:
    return None if own is None or of_all is None else own - of_all


def _measure_rates(compared: Comparisons, thresholds: Sequence[tuple[float, float]]) -> list[GroupRate]:
    if not len(compared.mated) or not compared.non_mated:
        return [GroupRate(fmr, threshold, None, None) for fmr, threshold in thresholds]
    replicates = bootstrap(compared)
    found = []
    for fmr, threshold in thresholds:
        supported = fmr >= smallest_supported_fmr(compared.non_mated) and threshold <= compared.reach
        wrong = float((compared.close.d <= threshold).sum()) / compared.non_mated
        found.append(
            GroupRate(
                fmr,
                threshold,
                Rate(float(np.mean(compared.mated.d > threshold)), replicates.fnmr_beyond(threshold)),
                Rate(wrong, replicates.fmr_at(threshold)) if supported else None,
            )
        )
    return found
