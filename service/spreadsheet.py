"""CSV as spreadsheet programs write it, and CSV in which they run nothing that somebody wrote into a name."""

import csv
import re
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


DELIMITERS = ",;\t"
_SEPARATOR_LINE = re.compile(r'"?sep=([,;\t])"?[;,]*(?:\r\n|\r|\n)', re.IGNORECASE)
# Spreadsheets write so a number of more than eleven digits, and the formula that keeps leading zeros.
_SHORTENED = re.compile(r"[+-]?\d+(?:[.,]\d+)?E[+-]\d+", re.IGNORECASE)
_AS_FORMULA = re.compile(r'="[^"]*"')


def delimiter_of(text: str) -> tuple[str, int]:
    """What parts the cells, and where the heading begins: behind Excel's `sep=;` where the file has it."""
    stated = _SEPARATOR_LINE.match(text)
    if stated:
        return stated[1], stated.end()
    heading = re.split(r"[\r\n]", text, maxsplit=1)[0]
    return max(DELIMITERS, key=heading.count), 0


def is_mangled(cell: str) -> bool:
    """Whether a spreadsheet program has made a number of an id: `1.23457E+11`, or the formula `="00123"`."""
    return bool(_SHORTENED.fullmatch(cell) or _AS_FORMULA.fullmatch(cell))


class SheetWriter:
    """Writes rows of text as RFC 4180, each cell inert."""

    def __init__(self, file: TextIO, columns: Iterable[str]) -> None:
        self._writer = csv.writer(file)
        self._writer.writerow(columns)

    def write(self, cells: Iterable[object]) -> None:
        """One row; an absent value is an empty cell."""
        self._writer.writerow("" if cell is None else inert(str(cell)) for cell in cells)
