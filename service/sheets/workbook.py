"""The first sheet of an Excel workbook (.xlsx) as the rows of text that a CSV of it would have.

A workbook is a ZIP of XML: what it says of its own size is added up before anything is unpacked, and nothing
is unpacked beyond that. Rows are read one after another, never as a whole.
"""

import datetime
import io
import threading
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any

from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

MAX_UNPACKED_BYTES = 48 * 1024 * 1024
"""Of all parts together: a sheet of 100,000 candidates in eight columns. It takes half a minute to read."""
MAX_PARTS = 2_000
MAX_COLUMNS = 100
MAX_LINES = 1_048_576
"""As many lines as a sheet can have; a file that says otherwise would be counted up for ever."""
MOST_DIGITS = 15
"""A spreadsheet keeps no more digits of a number."""
WAIT_SECONDS = 30

# A damaged workbook fails in the library wherever it is damaged.
_DAMAGES = (
    InvalidFileException,
    zipfile.BadZipFile,
    zlib.error,
    OSError,
    EOFError,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    ArithmeticError,
    SyntaxError,
    NotImplementedError,
    RuntimeError,
)
_ONE_AT_A_TIME = threading.Lock()
"""A workbook at its limits takes some hundred megabytes while it is read."""


class NotAWorkbook(ValueError):
    """A file that cannot be read as a workbook, or is larger than we read."""


class Spoilt(str):
    """The text of a cell in which the spreadsheet has changed what somebody typed; `why` is a code."""

    why: str

    def __new__(cls, text: str, why: str) -> "Spoilt":
        """The text as the file has it, and why it is not what was typed."""
        made = super().__new__(cls, text)
        made.why = why
        return made


def read_workbook(data: bytes) -> tuple[str, list[tuple[int, list[str]]]]:
    """The name of the first sheet that is not empty, and its lines with their numbers, empty ones left out.

    Raises:
        NotAWorkbook: Saying why.
    """
    check_size(data)
    if not _ONE_AT_A_TIME.acquire(timeout=WAIT_SECONDS):
        raise NotAWorkbook("other workbooks are being read; try again in a minute")
    try:
        return _read(data)
    except NotAWorkbook:
        raise
    except _DAMAGES as error:
        raise NotAWorkbook("the file is no Excel workbook, or a damaged one") from error
    finally:
        _ONE_AT_A_TIME.release()


def check_size(data: bytes) -> None:
    """Refuse what would unpack to more than a list of people has.

    Raises:
        NotAWorkbook: If it would.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as parts:
            sizes = [one.file_size for one in parts.infolist()]
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise NotAWorkbook("the file is no Excel workbook, or a damaged one") from error
    if len(sizes) > MAX_PARTS or sum(sizes) > MAX_UNPACKED_BYTES:
        limit = MAX_UNPACKED_BYTES // 2**20
        raise NotAWorkbook(f"the workbook unpacks to more than {limit} MB; save the list alone, or as CSV")


def _read(data: bytes) -> tuple[str, list[tuple[int, list[str]]]]:
    book = load_workbook(io.BytesIO(data), read_only=True, data_only=True, keep_links=False)
    try:
        for sheet in book.worksheets:
            if getattr(sheet, "sheet_state", "visible") == "visible":
                lines = list(_lines(sheet))
                if lines:
                    return str(sheet.title), lines
    finally:
        book.close()
    return "", []


def _lines(sheet: Any) -> Iterator[tuple[int, list[str]]]:
    # Some programs say that a sheet ends at A1.
    sheet.reset_dimensions()
    former = None
    for number, row in enumerate(sheet.iter_rows(max_col=MAX_COLUMNS), 1):
        if number > MAX_LINES:
            raise NotAWorkbook(f"the sheet says that it has more than {MAX_LINES:,} lines")
        # The library gives the same empty row for every line that the file leaves out.
        if row is former:
            continue
        former = row
        cells = [text_of_cell(cell) for cell in row]
        while cells and not cells[-1]:
            cells.pop()
        if cells:
            yield number, cells


def text_of_cell(cell: Any) -> str:
    """What a person reads in the cell; `Spoilt` where that is not what was typed."""
    value = cell.value
    match value:
        case None:
            return ""
        case str():
            return Spoilt(value, "excel_error") if cell.data_type == "e" else value
        case bool():
            return "yes" if value else "no"
        case int() | float():
            return text_of_number(value, str(cell.number_format or ""))
        case datetime.datetime() | datetime.date() | datetime.time() | datetime.timedelta():
            return Spoilt(str(value), "excel_date")
        case _:
            return str(value)


def text_of_number(value: float, number_format: str) -> str:
    """A number as the cell shows it where that are digits alone: `0007` of 7 formatted as `0000`."""
    if isinstance(value, float) and not value.is_integer():
        return repr(value)
    if abs(value) >= 10**MOST_DIGITS:
        return Spoilt(f"{value:.6E}", "excel_digits")
    digits = str(int(value))
    is_padded = bool(number_format) and not number_format.strip("0")
    return digits.zfill(len(number_format)) if is_padded and value >= 0 else digits
