"""How two models compare within groups of people, at the threshold that each uses for everybody."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.evaluation.bootstrap import Replicates, bootstrap, percentiles
from training.evaluation.comparisons import Comparisons
from training.evaluation.error_rates import Vector, smallest_supported_fmr

Mask = NDArray[np.bool_]
Both = tuple[Comparisons, Comparisons]
KINDS = ("fnmr", "fmr")


def compare_groups(
    comparisons: Both,
    replicates: tuple[Replicates, Replicates],
    group_of: Sequence[str],
    thresholds: Mapping[float, tuple[float, float]],
) -> list[dict[str, Any]]:
    """One entry for each group, as `training/evaluation/gate.py` describes it.

    Args:
        comparisons: Of the incumbent and of the candidate, on the same people.
        replicates: Of both.
        group_of: (identities,) group of each; "" where it is not known.
        thresholds: False match rate → threshold of both.
    """
    names = np.array(group_of, dtype=str)
    found = []
    for group in sorted(set(group_of) - {""}):
        within = names == group
        inside = [_Inside.of(each, within) for each in comparisons]
        counted = [
            bootstrap(each, len(r.fmr), within=within)
            for each, r in zip(comparisons, replicates, strict=True)
        ]
        found.append(
            {
                "group": group,
                "identities": int(within.sum()),
                "mated": len(inside[0].mated),
                "non_mated": inside[0].non_mated,
                "rates": [
                    _compare_rate(fmr, at, inside, counted, [r.places(fmr) for r in replicates])
                    for fmr, at in thresholds.items()
                ],
            }
        )
    return found


@dataclass(frozen=True)
class _Inside:
    """The comparisons within one group.

    Attributes:
        mated: (m,) distances.
        close: (c,) distances of the close non-mated ones.
        non_mated: How many there are in all.
    """

    mated: Vector
    close: Vector
    non_mated: int

    @classmethod
    def of(cls, comparisons: Comparisons, within: Mask) -> "_Inside":
        identity, sizes = comparisons.identity, comparisons.sizes * within
        close = within[identity[comparisons.close.a]] & within[identity[comparisons.close.b]]
        left_out = (sizes[comparisons.left_out[:, 0]] * sizes[comparisons.left_out[:, 1]]).sum()
        return cls(
            comparisons.mated.d[within[identity[comparisons.mated.a]]].astype(np.float64),
            comparisons.close.d[close].astype(np.float64),
            int((sizes.sum() ** 2 - np.square(sizes).sum()) // 2 - left_out),
        )

    def rates(self, fmr: float, threshold: float) -> dict[str, float | None]:
        """FNMR and FMR of the group; None where it has nothing to compare, or too little for such a rate."""
        supported = self.non_mated > 0 and fmr >= smallest_supported_fmr(self.non_mated)
        return {
            "fnmr": float(np.mean(self.mated > threshold)) if len(self.mated) else None,
            "fmr": float((self.close <= threshold).sum() / self.non_mated) if supported else None,
        }


def _compare_rate(
    fmr: float,
    thresholds: tuple[float, float],
    inside: Sequence[_Inside],
    counted: Sequence[Replicates],
    places: Sequence[NDArray[np.int64] | None],
) -> dict[str, Any]:
    """One rate of one group, of both models, and what the candidate is worse in."""
    points = [each.rates(fmr, at) for each, at in zip(inside, thresholds, strict=True)]
    sides: list[dict[str, Any]] = [{}, {}]
    difference: dict[str, Any] = {}
    worse = []
    for kind in KINDS:
        values = [
            None if at is None or point[kind] is None else _read_values(getattr(each, kind), at)
            for each, at, point in zip(counted, places, points, strict=True)
        ]
        for side, point, drawn in zip(sides, points, values, strict=True):
            side |= {kind: point[kind], f"{kind}_interval": _build_interval(drawn)}
        old, new = (point[kind] for point in points)
        both = None if values[0] is None or values[1] is None else values[1] - values[0]
        interval = _build_interval(both)
        change = None if old is None or new is None else new - old
        difference |= {kind: change, f"{kind}_interval": interval}
        worse += [kind.upper()] if interval is not None and interval[0] > 0 else []
    return {
        "fmr": fmr,
        "incumbent": sides[0],
        "candidate": sides[1],
        "difference": difference,
        "worse": worse,
    }


def _read_values(rates: NDArray[np.float64], at: NDArray[np.int64]) -> Vector | None:
    """(replicates,) rates at each one's threshold; None if some draw has nobody of the group."""
    values: Vector = rates[np.arange(len(at)), at]
    return None if np.isnan(values).any() else values


def _build_interval(values: Vector | None) -> list[float] | None:
    return None if values is None else list(percentiles(values))
