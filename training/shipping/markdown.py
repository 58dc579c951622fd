"""What all tables of documents share."""

from collections.abc import Sequence

from training.evaluation.bootstrap import Interval

MATCH_FMR, REFER_FMR = 1e-4, 1e-3
"""The service's own, unless it is told otherwise."""


def grid(header: Sequence[str], *rows: Sequence[str]) -> str:
    """A table in Markdown."""
    return "\n".join(f"| {' | '.join(row)} |" for row in (header, ["---"] * len(header), *rows))


def percent(share: float, interval: Interval | None = None) -> str:
    """`24.6 %`, or `24.6 % (17.3 to 30.3)`."""
    inside = "" if interval is None else f" ({100 * interval[0]:.1f} to {100 * interval[1]:.1f})"
    return f"{100 * share:.1f} %{inside}"


def fmr_in_words(fmr: float) -> str:
    """`1e-3` and `1e-4` as people write them."""
    return f"{fmr:g}" if fmr > 1e-3 else f"{fmr:.0e}".replace("e-0", "e-")
