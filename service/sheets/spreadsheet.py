"""CSV as spreadsheet programs write it, and CSV in which they run nothing that somebody wrote into a name."""

import codecs
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


_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""Byte order marks; those of UTF-32 first, for one of UTF-16 begins alike."""
WORKBOOK = b"PK\x03\x04"
"""How an .xlsx begins."""
_OLD_WORKBOOK = b"\xd0\xcf\x11\xe0"
_STATES_SEPARATOR = re.compile(rb'"?sep=', re.IGNORECASE)
_LINE_END = re.compile(r"\r\n|\r|\n")
SAVE_AS = "save the file as “CSV UTF-8”"


class NotAList(ValueError):
    """A file that cannot be read as a list; `line` counts from 1, and is None where no line is to blame."""

    def __init__(self, reason: str, line: int | None = None) -> None:
        super().__init__(reason)
        self.line = line


class NotText(NotAList):
    """A file whose letters would have to be guessed; the reason names the line."""

    def __init__(self, reason: str, line: int | None = None) -> None:
        super().__init__(f"{reason}; {SAVE_AS}", line)


def text_of_sheet(data: bytes) -> str:
    """The text of a CSV file, as any spreadsheet program writes it: the one decoder of every list we read.

    UTF-8, with a byte order mark or without; UTF-16 and UTF-32 with one ("Unicode text"); and Windows-1252
    where the file begins with `sep=`, which Excel alone writes, and is no UTF-8. Any other encoding would
    have to be guessed, and a wrong guess spoils names in silence.

    Raises:
        NotText: Naming the first line that cannot be read.
    """
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), None)
    if encoding is not None:
        return _decoded(data, encoding)
    if data.startswith(_OLD_WORKBOOK):
        raise NotText("the file is an Excel workbook of the old form (.xls), or has a password")
    if b"\0" in data[:2]:
        raise NotText("the file seems to be UTF-16, and has no byte order mark")
    try:
        return _decoded(data, "utf-8")
    except NotText:
        if not _STATES_SEPARATOR.match(data):
            raise
        return _decoded(data, "cp1252")


def _decoded(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding).lstrip("\ufeff")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode(encoding, "ignore")
        line = len(_LINE_END.findall(before)) + 1
        name = {"cp1252": "Windows-1252"}.get(encoding, encoding.upper())
        raise NotText(f"line {line} is not {name} (byte 0x{data[error.start]:02x})", line) from error


DELIMITERS = ",;\t"
_QUOTED = re.compile(r'"[^"]*"')
_FIRST_LINES, _FIRST_CHARACTERS = 20, 20_000
_SEPARATOR_LINE = re.compile(r'"?sep=([,;\t])"?[;,]*(?:\r\n|\r|\n)', re.IGNORECASE)
# Spreadsheets write so a number of more than eleven digits, and the formula that keeps leading zeros.
_SHORTENED = re.compile(r"[+-]?\d+(?:[.,]\d+)?E[+-]\d+", re.IGNORECASE)
_AS_FORMULA = re.compile(r'="[^"]*"')


def delimiter_of(text: str) -> tuple[str, int]:
    """What parts the cells, and where the heading begins: behind Excel's `sep=;` where the file has it."""
    stated = _SEPARATOR_LINE.match(text)
    if stated:
        return stated[1], stated.end()
    lines = [_QUOTED.sub("", line) for line in re.split(r"[\r\n]+", text[:_FIRST_CHARACTERS])[:_FIRST_LINES]]
    found = [max(DELIMITERS, key=line.count) for line in lines]
    # A title above the heading may hold a comma that means nothing: the line below has none.
    for delimiter, line, below in zip(found, lines, lines[1:], strict=False):
        if delimiter in line and delimiter in below:
            return delimiter, 0
    return found[0], 0


def is_mangled(cell: str) -> bool:
    """Whether a spreadsheet program has made a number of an id: `1.23457E+11`, or the formula `="00123"`."""
    return bool(_SHORTENED.fullmatch(cell) or _AS_FORMULA.fullmatch(cell))


BYTE_ORDER_MARK = "\ufeff"
"""Without it, spreadsheet programs take UTF-8 for something else and spoil names."""


class SheetWriter:
    """Writes rows of text as RFC 4180, each cell inert."""

    def __init__(self, file: TextIO, columns: Iterable[str], delimiter: str = ",") -> None:
        self._writer = csv.writer(file, delimiter=delimiter)
        self._writer.writerow(columns)

    def write(self, cells: Iterable[object]) -> None:
        """One row; an absent value is an empty cell."""
        self._writer.writerow("" if cell is None else inert(str(cell)) for cell in cells)
