"""The figures of an evaluation, and the data behind them."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.evaluation.acquire import AcquireFailure
from training.evaluation.bootstrap import Interval
from training.evaluation.comparisons import Comparisons, Indices
from training.evaluation.error_rates import Accuracy, RateCurve
from training.evaluation.retrieval import Retrieval
from training.evaluation.transactions import Share, TransactionRates

SUSPECT_D = 0.1
"""Two identities this near are one photograph under two labels, or one person with two names.

Of 129,466 comparisons of two photographs of one person 0.02 % are nearer (held-out half of a set, a public
MobileFaceNet); of 23 million comparisons of two people none was below 0.88."""


@dataclass(frozen=True)
class Rate:
    """A measured value, with its 95 % interval over identities; None if unknown."""

    value: float
    interval: Interval | None


@dataclass(frozen=True)
class AtFmr:
    """FNMR at one false match rate; both rates are None if the comparisons do not support it."""

    fmr: float
    fnmr: Rate | None
    threshold: Rate | None


@dataclass(frozen=True)
class GroupRate:
    """A group's rates at the threshold for one FMR over everybody; None if it has too few comparisons."""

    at_fmr: float
    threshold: float
    fnmr: Rate | None
    fmr: Rate | None


@dataclass(frozen=True)
class GroupFigures:
    """One group of people, compared within itself.

    Attributes:
        group: Its name.
        identities: Its people among the requested pictures.
        fta: Share of their pictures that gave no template.
        mated: Comparisons within one person.
        non_mated: Comparisons of two people of the group.
        mated_shift: Median d of the mated ones, less that of everybody.
        non_mated_shift: The same of the non-mated ones; below 0 strangers of the group look more alike.
        rates: At the thresholds that everybody meets.
    """

    group: str
    identities: int
    fta: Rate
    mated: int
    non_mated: int
    mated_shift: float | None
    non_mated_shift: float | None
    rates: Sequence[GroupRate]


@dataclass(frozen=True)
class GroupsLeftOut:
    """Groups with too few people to report, and their total number of people."""

    groups: int
    identities: int


@dataclass(frozen=True)
class Evaluation:
    """The figures; all of them are in the JSON.

    Attributes:
        model_id: Of the bundle.
        calibration_id: Of the bundle; None where it has none.
        images: Where the pictures lie.
        protocol: `pairs` or `all pairs`.
        pictures: How many were asked for.
        identities: People among those acquired.
        failures: Pictures that gave no template.
        set_aside: Pictures that were not asked for, of people with more than `PER_PERSON`.
        several_faces: Pictures whose central face was taken among several.
        mated: Comparisons within one person.
        non_mated: Comparisons between two people.
        accuracy: Of listed pairs, those with a failed picture being wrong answers; of balanced pairs drawn
            from all pairs. None where no folds can be made.
        eer: Equal error rate.
        auc: Area under the ROC.
        at_fmr: FNMR at each target.
        smallest_fmr: The smallest false match rate these comparisons support (rule of three).
        retrieval: None where identities are not known.
        nmi: Agreement of a k-means clustering with the identities; None as above.
        suspects: Non-mated comparisons with d < SUSPECT_D: look at the labels. They are counted all the same.
        transactions: Several templates and tries, at thresholds of the bundle's calibration or else of these
            comparisons; none of listed pairs.
        groups: Those that were asked for, without the small ones.
        groups_left_out: The small ones.
    """

    model_id: str
    calibration_id: str | None
    images: str
    protocol: str
    pictures: int
    identities: int
    failures: Sequence[AcquireFailure]
    set_aside: int
    several_faces: int
    mated: int
    non_mated: int
    accuracy: Accuracy | None
    eer: Rate
    auc: float
    at_fmr: Sequence[AtFmr]
    smallest_fmr: float
    retrieval: Retrieval | None
    nmi: float | None
    suspects: int
    transactions: Sequence[TransactionRates] = ()
    groups: Sequence[GroupFigures] = ()
    groups_left_out: GroupsLeftOut | None = None

    @property
    def fta(self) -> float:
        """Failure-to-acquire rate: the share of pictures that gave no template."""
        return len(self.failures) / self.pictures

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        return {**asdict(self), "fta": self.fta}


@dataclass(frozen=True)
class Evidence:
    """The data behind the figures, for the report.

    Attributes:
        names: (n) pictures.
        vectors: (n, dim) their templates.
        identity: (n,) whom they show, as numbers.
        comparisons: Of those pictures; a and b index `names`.
        curve: Its error rates.
    """

    names: Sequence[str]
    vectors: NDArray[np.float32]
    identity: Indices
    comparisons: Comparisons
    curve: RateCurve


def format_evaluation(evaluation: Evaluation) -> str:
    """Format the figures for people, one per line."""
    lines = [
        f"{evaluation.protocol}: {evaluation.mated:,} mated and {evaluation.non_mated:,} non-mated "
        f"comparisons of {evaluation.identities:,} people in {evaluation.pictures:,} pictures",
        f"FTA       {evaluation.fta:.4f} ({len(evaluation.failures)} pictures gave no template)",
        f"EER       {rate(evaluation.eer)}",
        f"AUC       {evaluation.auc:.5f}",
        *(f"FNMR      {fnmr(at)}" for at in evaluation.at_fmr),
    ]
    if evaluation.accuracy is not None:
        accuracy = evaluation.accuracy
        lines.insert(1, f"accuracy  {accuracy.mean:.4f} ± {accuracy.deviation:.4f} ({accuracy.folds} folds)")
    if evaluation.retrieval is not None:
        found = evaluation.retrieval
        lines += [
            "R@K       " + ", ".join(f"R@{k} {share:.4f}" for k, share in found.recall.items()),
            f"P@1       {found.precision_at_1:.4f}",
            f"RP        {found.r_precision:.4f}",
            f"MAP@R     {found.map_at_r:.4f}",
            f"NMI       {evaluation.nmi:.4f}",
        ]
    lines += [format_transaction(each) for each in evaluation.transactions]
    lines += [format_group(each) for each in evaluation.groups]
    if evaluation.groups_left_out is not None and evaluation.groups_left_out.groups:
        out = evaluation.groups_left_out
        lines.append(f"{out.groups} groups of few people are left out, {out.identities} people together")
    if evaluation.set_aside:
        lines.append(f"{evaluation.set_aside:,} pictures of people with very many were set aside")
    if evaluation.suspects:
        lines.append(f"{evaluation.suspects} non-mated comparisons look like one photograph: see the labels")
    return "\n".join(lines)


def rate(measured: Rate) -> str:
    """A rate with its 95 % interval."""
    if measured.interval is None:
        return f"{measured.value:.4f}"
    return f"{measured.value:.4f} ({measured.interval[0]:.4f} to {measured.interval[1]:.4f})"


def fnmr(at: AtFmr) -> str:
    """Format the FNMR at one false match rate, or that it is not supported."""
    if at.fnmr is None or at.threshold is None:
        return f"at FMR {at.fmr:g}: too few comparisons to tell"
    return f"at FMR {at.fmr:g}: {rate(at.fnmr)}, d <= {at.threshold.value:.4f}"


def format_transaction(rates: TransactionRates) -> str:
    """Format the rates of transactions at one threshold."""
    tries = "one try" if rates.tries == 1 else f"up to {rates.tries} tries"
    return (
        f"{tries}, d <= {rates.threshold:.4f} (FMR {rates.at_fmr:g}): FNMR {share(rates.fnmr)}, "
        f"FMR {share(rates.fmr)}"
    )


def share(told: Share) -> str:
    """Format a rate with its interval and its basis."""
    if told.value is None:
        return f"too few to tell ({told.trials:,})"
    inside = "" if told.interval is None else f"{told.interval[0]:.2g} to {told.interval[1]:.2g} "
    return f"{told.value:.2g} ({inside}of {told.trials:,})"


def format_group(figures: GroupFigures) -> str:
    """Format one group, with one line per threshold."""
    lines = [
        f"group {figures.group!r}: {figures.identities} people, FTA {rate(figures.fta)}, median d against "
        f"everybody's {_format_shift(figures.mated_shift)} mated, "
        f"{_format_shift(figures.non_mated_shift)} non-mated"
    ]
    for each in figures.rates:
        rates = ["too few to tell" if kind is None else rate(kind) for kind in (each.fnmr, each.fmr)]
        lines.append(f"  d <= {each.threshold:.4f} (FMR {each.at_fmr:g}): FNMR {rates[0]}, FMR {rates[1]}")
    return "\n".join(lines)


def _format_shift(shift: float | None) -> str:
    return "untold" if shift is None else f"{shift:+.3f}"
