"""The rows of the experiments, in Markdown."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.experiments.changes import EXPERIMENTS
from benchmarks.experiments.run import Outcome
from training.evaluation.bootstrap import Replicates, bootstrap, percentiles
from training.evaluation.error_rates import RateCurve, operating_point

FMRS = (1e-2, 1e-3, 1e-4)
HEADER = (
    "| Run | What is other | FNMR at FMR 1e-2 | against the baseline | at 1e-3 | against the baseline "
    "| at 1e-4 | against the baseline | Samples | Seconds of a core |\n|" + " --- |" * 10
)


@dataclass(frozen=True)
class Judged:
    """Error rates of one run, and with other people drawn."""

    curve: RateCurve
    replicates: Replicates

    @classmethod
    def of(cls, outcome: Outcome) -> "Judged":
        """The same people are drawn for every run."""
        return cls(outcome.comparisons.curve(), bootstrap(outcome.comparisons))

    def fnmr(self, fmr: float) -> float:
        """At the threshold for a false match rate."""
        return operating_point(self.curve, fmr).fnmr

    def drawn(self, fmr: float) -> NDArray[np.float64]:
        """(replicates,) the same with other people drawn."""
        values = self.replicates.fnmr_values(fmr)
        assert values is not None  # so few people have all comparisons kept
        return values


def write_table(outcomes: Mapping[str, Outcome]) -> str:
    """A row for each run, and the difference to what it is compared with, the same people drawn for both."""
    judged = {name: Judged.of(outcome) for name, outcome in outcomes.items()}
    rows = [HEADER]
    for name, experiment in EXPERIMENTS.items():
        if name not in judged:
            continue
        other = judged.get(experiment.against) if experiment.against != name else None
        cells = [cell for fmr in FMRS for cell in _cells_at(fmr, judged[name], other)]
        seen, seconds = f"{outcomes[name].samples:,}", f"{outcomes[name].seconds:,.0f}"
        rows.append("| " + " | ".join([f"`{name}`", experiment.told, *cells, seen, seconds]) + " |")
    return "\n".join(rows)


def _cells_at(fmr: float, run: Judged, other: Judged | None) -> tuple[str, str]:
    """FNMR, and what it is less the other's; each with its 95 % interval over people."""
    low, high = percentiles(run.drawn(fmr))
    rate = f"{100 * run.fnmr(fmr):.1f} % ({100 * low:.1f} to {100 * high:.1f})"
    if other is None:
        return rate, ""
    low, high = percentiles(run.drawn(fmr) - other.drawn(fmr))
    change = 100 * (run.fnmr(fmr) - other.fnmr(fmr))
    return rate, f"{change:+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"
