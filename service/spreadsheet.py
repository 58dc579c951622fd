"""CSV that a spreadsheet program opens without running what somebody wrote into a name."""

import csv
import unicodedata
from collections.abc import Iterable
from typing import TextIO

FORMULA_STARTS = ("=", "+", "-", "@")
LINE_STARTS = ("\t", "\r", "\n")
UNSEEN = frozenset({"Cc", "Cf", "Zl", "Zp", "Zs"})
"""Control and format characters and spaces of any kind (Unicode general categories)."""


def inert(text: str) -> str:
    """The text as a cell that no spreadsheet program takes for a formula (CWE-1236)."""
    # Some programs trim what is not seen first, and take full-width signs for the usual ones.
    seen = next((one for one in text if unicodedata.category(one) not in UNSEEN), "")
    is_formula = unicodedata.normalize("NFKC", seen).startswith(FORMULA_STARTS)
    return "'" + text if is_formula or text.startswith(LINE_STARTS) else text


class SheetWriter:
    """Writes rows of text as RFC 4180, each cell inert."""

    def __init__(self, file: TextIO, columns: Iterable[str]) -> None:
        self._writer = csv.writer(file)
        self._writer.writerow(columns)

    def write(self, cells: Iterable[object]) -> None:
        """One row; an absent value is an empty cell."""
        self._writer.writerow("" if cell is None else inert(str(cell)) for cell in cells)
