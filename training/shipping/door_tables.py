"""The tables of error rates at the door."""

from collections.abc import Callable, Sequence

from embedding.bundle import Bundle
from training.evaluation.door import AS_IT_IS, WEBCAM, DoorFigures, Gate
from training.evaluation.transactions import Share, TransactionRates
from training.shipping.figures import Figures
from training.shipping.markdown import MATCH_FMR, REFER_FMR, format_fmr, format_table

COLUMNS: Sequence[tuple[str, Callable[[TransactionRates], Share], float]] = (
    ("Right person not matched", lambda rates: rates.fnmr, MATCH_FMR),
    ("not even referred", lambda rates: rates.fnmr, REFER_FMR),
    ("Stranger matched", lambda rates: rates.fmr, MATCH_FMR),
    ("referred or matched", lambda rates: rates.fmr, REFER_FMR),
)


def door(_: Bundle, figures: Figures) -> str:
    """Pictures as they are, and as a webcam takes them; then hard crops, which no gate sees."""
    rows = [
        (
            f"{each.collection}, {condition.name}",
            f"{condition.gate.refused} of {condition.gate.shown}",
            *_rates(condition.rates),
        )
        for each in figures.door
        for condition in each.conditions
        if condition.name in (AS_IT_IS, WEBCAM)
    ]
    test = figures.own.test
    crops = (f"Hard crops of {test.identities} people, no gate", "", *_rates(test.transactions))
    return _table(figures, [*rows, crops])


def door_conditions(_: Bundle, figures: Figures) -> str:
    """Each alteration of the pictures, and the reasons for turning them away."""
    rows = [
        (f"{each.collection}, {condition.name}", _format_refused(condition.gate), *_rates(condition.rates))
        for each in figures.door
        for condition in each.conditions
    ]
    return _table(figures, rows)


def _table(figures: Figures, rows: Sequence[Sequence[str]]) -> str:
    columns = [f"{name} (FMR {format_fmr(fmr)})" for name, _, fmr in COLUMNS]
    header = ("Pictures", "Turned away", f"{columns[0]}, one try / best of three", *columns[1:])
    return "\n\n".join(
        [" ".join(_format_enrolled(each) for each in figures.door), format_table(header, *rows)]
    )


def _rates(measured: Sequence[TransactionRates]) -> list[str]:
    """A cell for each column: one try / best of three."""
    return [
        " / ".join(_share(kind(rates)) for rates in measured if rates.at_fmr == fmr)
        for _, kind, fmr in COLUMNS
    ]


def _format_enrolled(measured: DoorFigures) -> str:
    return (
        f"{measured.collection}: {measured.people} people with two pictures or more, {measured.enrolled} of "
        f"them enrolled with {measured.templates} templates; turned away from enrolment "
        f"{_format_refused(measured.gate)}."
    )


def _format_refused(gate: Gate) -> str:
    """`4 of 90 pictures (3 low_sharpness, 1 occluded)`."""
    reasons = ", ".join(f"{count} {reason}" for reason, count in gate.turned_away.items())
    return f"{gate.refused} of {gate.shown} pictures" + (f" ({reasons})" if reasons else "")


def _share(share: Share) -> str:
    if share.value is None:
        return f"too few to tell ({share.trials:,})"
    if not share.value:
        return f"0 of {share.trials:,}"
    decimals = 1 if share.value >= 1e-2 else 3
    if share.interval is None:
        return f"{100 * share.value:.{decimals}f} % of {share.trials:,}"
    low, high = (100 * each for each in share.interval)
    return f"{100 * share.value:.{decimals}f} % ({low:.{decimals}f} to {high:.{decimals}f})"
