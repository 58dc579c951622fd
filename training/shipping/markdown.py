"""Helpers for the tables of documents."""

from collections.abc import Sequence

from training.evaluation.bootstrap import Interval

MATCH_FMR, REFER_FMR = 1e-4, 1e-3
"""The service's default rates."""


def format_table(header: Sequence[str], *rows: Sequence[str]) -> str:
    """A table in Markdown."""
    return "\n".join(f"| {' | '.join(row)} |" for row in (header, ["---"] * len(header), *rows))


def format_percent(share: float, interval: Interval | None = None) -> str:
    """`24.6 %`, or `24.6 % (17.3 to 30.3)`."""
    inside = "" if interval is None else f" ({100 * interval[0]:.1f} to {100 * interval[1]:.1f})"
    return f"{100 * share:.1f} %{inside}"


def format_fmr(fmr: float) -> str:
    """`1e-3` and `1e-4` as people write them."""
    return f"{fmr:g}" if fmr > 1e-3 else f"{fmr:.0e}".replace("e-0", "e-")
