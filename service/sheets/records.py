"""A list of people as it arrives, in any form that we read: records of cells and where the file has them."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass

from service.sheets.spreadsheet import WORKBOOK, NotAList, delimiter_of, text_of_sheet
from service.sheets.workbook import NotAWorkbook, read_workbook


@dataclass(frozen=True)
class Sheet:
    """The records of a list.

    Attributes:
        records: Each with the line that it begins in, blank ones left out; raises NotAList if it is no CSV.
        is_whole: Whether nothing can be missing at its end.
        name: The sheet's, of a workbook.
    """

    records: Iterator[tuple[int, list[str]]]
    is_whole: bool = True
    name: str | None = None


def open_sheet(data: bytes) -> Sheet:
    """The list in a file: an Excel workbook, or CSV as `text_of_sheet` reads it.

    Raises:
        NotAList: If it is neither.
    """
    if data.startswith(WORKBOOK):
        try:
            name, lines = read_workbook(data)
        except NotAWorkbook as error:
            raise NotAList(str(error)) from error
        return Sheet(iter(lines), name=name)
    text = text_of_sheet(data)
    return Sheet(_csv_records(text), is_whole=text.endswith(("\n", "\r")))


def _csv_records(text: str) -> Iterator[tuple[int, list[str]]]:
    delimiter, start = delimiter_of(text)
    reader = csv.reader(io.StringIO(text[start:], newline=""), delimiter=delimiter, strict=True)
    before = line = 1 if start else 0
    try:
        for record in reader:
            if any(record):
                yield line + 1, record
            line = before + reader.line_num
    except csv.Error as error:
        raise NotAList(f"it is not CSV: {error}", before + reader.line_num) from error
