"""CSV that a spreadsheet program opens without running what somebody wrote into a name."""

import csv
from collections.abc import Iterable
from typing import TextIO

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


def inert(text: str) -> str:
    """The text as a cell that no spreadsheet program takes for a formula (CWE-1236)."""
    # Some programs trim the spaces first, and then see the formula behind them.
    return "'" + text if text.lstrip(" ").startswith(FORMULA_STARTS) else text


class SheetWriter:
    """Writes rows of text as RFC 4180, each cell inert."""

    def __init__(self, file: TextIO, columns: Iterable[str]) -> None:
        self._writer = csv.writer(file)
        self._writer.writerow(columns)

    def write(self, cells: Iterable[object]) -> None:
        """One row; an absent value is an empty cell."""
        self._writer.writerow("" if cell is None else inert(str(cell)) for cell in cells)
