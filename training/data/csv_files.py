"""Read and write CSV: UTF-8, with or without a byte order mark, columns named by the first line."""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from embedding.files import write_file


@dataclass(frozen=True)
class CsvFile:
    """The content of a CSV file.

    Attributes:
        columns: Names of the columns, without surrounding white space.
        rows: Column → text. A row with too many fields has the key None, one with too few has values None.
        lines: Number of the line in which each row ends.
    """

    columns: list[str]
    rows: list[dict[str, Any]]
    lines: list[int]


def read_csv(path: Path) -> CsvFile:
    """Read a whole file.

    Raises:
        OSError: If it cannot be read.
        UnicodeDecodeError: If it is not UTF-8.
        csv.Error: If its quotes do not match.
    """
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file, strict=True)
        reader.fieldnames = [name.strip() for name in reader.fieldnames or ()]
        numbered = [(reader.line_num, row) for row in reader]
    return CsvFile(list(reader.fieldnames), [row for _, row in numbered], [line for line, _ in numbered])


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a file for `read_csv`, completely or not at all.

    Raises:
        OSError: If it cannot be written.
    """
    text = io.StringIO(newline="")
    table = csv.writer(text)
    table.writerow(columns)
    table.writerows(rows)
    write_file(path, text.getvalue().encode())
