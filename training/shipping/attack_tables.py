"""The tables of what changed pictures do."""

from collections.abc import Sequence

from embedding.bundle import Bundle
from training.evaluation.attack_figures import NOISE, NOTHING, PGD_ALONE, AttackChange, AttackFigures, Way
from training.evaluation.transactions import Share
from training.shipping.figures import Figures
from training.shipping.markdown import format_fmr, format_percent, format_table

NOT_MEASURED = "Not measured: `invigil attack` does."


def attack(_: Bundle, figures: Figures) -> str:
    """What changes at the largest noise, and at every size of PGD, do."""
    return NOT_MEASURED if figures.attack is None else format_attack(figures.attack, short=True)


def attacks(_: Bundle, figures: Figures) -> str:
    """All changes, then ways of looking."""
    return NOT_MEASURED if figures.attack is None else format_attack(figures.attack)


def format_attack(measured: AttackFigures, *, short: bool = False) -> str:
    """As Markdown."""
    columns = _columns([outcome.at_fmr for outcome in measured.changes[0].outcomes])
    intro = f"{measured.people} people held out for tests, {measured.steps} steps of PGD."
    largest = max(change.epsilon for change in measured.changes)
    shown = [
        change
        for change in measured.changes
        if not short
        or change.name in (NOTHING, PGD_ALONE)
        or (change.name, change.epsilon) == (NOISE, largest)
    ]
    table = format_table(("Change", "ε / 255", *columns), *(_change(each) for each in shown))
    return f"{intro}\n\n{table}" if short else f"{intro}\n\n{table}\n\n{_ways(measured)}"


def _columns(fmrs: Sequence[float]) -> list[str]:
    return [
        f"{what} at FMR {format_fmr(fmr)}"
        for what in ("taken for somebody else", "not taken for themselves")
        for fmr in sorted(fmrs)
    ]


def _change(change: AttackChange) -> list[str]:
    return [change.name, str(change.epsilon) if change.epsilon else "", *_outcomes(change)]


def _outcomes(change: AttackChange) -> list[str]:
    by_fmr = sorted(change.outcomes, key=lambda outcome: outcome.at_fmr)
    return [
        *(_share(outcome.impersonated) for outcome in by_fmr),
        *(_share(outcome.dodged) for outcome in by_fmr),
    ]


def _ways(measured: AttackFigures) -> str:
    fmrs = sorted(rate.fmr for rate in measured.ways[0].rates)
    header = (
        "The face is looked at",
        "Times the work",
        *(f"FNMR at FMR {format_fmr(fmr)}" for fmr in fmrs),
        *(f"PGD at {measured.ways[0].change.epsilon} / 255: {column}" for column in _columns(fmrs)),
    )
    return format_table(header, *(_way(way) for way in measured.ways))


def _way(way: Way) -> list[str]:
    rates = sorted(way.rates, key=lambda rate: rate.fmr)
    return [
        way.name,
        str(way.looks),
        *(format_percent(rate.fnmr, rate.interval) for rate in rates),
        *_outcomes(way.change),
    ]


def _share(share: Share) -> str:
    return "" if share.value is None else format_percent(share.value, share.interval)
