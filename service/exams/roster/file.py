"""A roster as it arrives: CSV (RFC 4180) or JSON → candidates, or where the file is wrong.

Spreadsheets write a byte order mark, a line `sep=;`, semicolons where the decimal sign is a comma, line ends
of any kind, an empty cell too many, UTF-16, and columns in any order; all of that is read. What would have to
be guessed (another encoding, a row with a field too many) is refused by its place, all rows at once.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict, Field

from index.external_ids import build_external_key, normalise_external_id
from index.fields import holds_controls
from service.exams.errors import RosterUnreadable
from service.spreadsheet import NotText, delimiter_of, text_of_sheet

MAX_ROWS = 100_000
MAX_FIELD_CHARACTERS = 1_000
LIMITS = {"external_id": 255, "display_name": 255, "seat": 64, "accommodation": 255}
COLUMNS = frozenset({*LIMITS, "manual_identification", "twin", "exam", "room"})
LISTED = 200
YES = frozenset({"1", "true", "yes", "y", "x"})
NO = frozenset({"", "0", "false", "no", "n"})


@dataclass(frozen=True)
class Row:
    """One candidate of a roster. An empty text is None.

    Attributes:
        row: Counts candidates from 1 below the header.
        line: Where the file has it; blank lines, the header and `sep=` are counted. 0 in JSON.
    """

    row: int
    external_id: str
    display_name: str | None = None
    seat: str | None = None
    manual_identification: bool = False
    twin: bool = False
    accommodation: str | None = None
    exam: str | None = None
    room: str | None = None
    line: int = field(default=0, compare=False)

    @property
    def key(self) -> str:
        """What the external id is compared by."""
        return build_external_key(self.external_id)


class RosterCandidate(BaseModel):
    """One candidate of a roster in JSON."""

    model_config = ConfigDict(extra="forbid")

    external_id: str = Field(min_length=1, max_length=255)
    display_name: str | None = Field(default=None, max_length=255)
    seat: str | None = Field(default=None, max_length=64)
    manual_identification: bool = False
    twin: bool = False
    accommodation: str | None = Field(default=None, max_length=255)


class RosterDocument(BaseModel):
    """A roster in JSON."""

    model_config = ConfigDict(extra="forbid")

    candidates: list[RosterCandidate] = Field(max_length=MAX_ROWS)


def rows_of_document(document: RosterDocument) -> list[Row]:
    """The candidates of a JSON roster.

    Raises:
        RosterUnreadable: If a field holds control characters.
    """
    return every_row((number, 0, one.model_dump()) for number, one in enumerate(document.candidates, 1))


def rows_of_csv(data: bytes) -> list[Row]:
    """The candidates of a CSV roster.

    Raises:
        RosterUnreadable: If its encoding is not known, it lacks the `external_id` column, has rows of another
            length, fields that are too long, or flags that are neither yes nor no; it names all such rows.
    """
    text = text_of(data)
    records = csv_records(text)
    header = header_of(next(records, (0, []))[1])
    return every_row(numbered(records, header, is_whole=text.endswith(("\n", "\r"))))


def numbered(
    records: Iterator[tuple[int, list[str]]], header: Sequence[str], *, is_whole: bool
) -> Iterator[tuple[int, int, Mapping[str, object] | RosterUnreadable]]:
    """Number, line and fields of each candidate, or why the record has none.

    Some programs leave empty cells at a row's end out. The last row of a file without a line end may have
    been cut off instead, and has to be complete.

    Args:
        records: Behind the header.
        header: The columns.
        is_whole: Whether the file ends with a line end.

    Raises:
        RosterUnreadable: If there are too many.
    """
    ahead, number = next(records, None), 0
    while ahead is not None:
        (line, record), ahead, number = ahead, next(records, None), number + 1
        if number > MAX_ROWS:
            raise RosterUnreadable(f"a roster has at most {MAX_ROWS:,} candidates")
        is_cut = len(record) < len(header) and ahead is None and not is_whole
        if is_cut or any(record[len(header) :]):
            reason = f"has {len(record)} fields; the header has {len(header)}"
            yield number, line, RosterUnreadable(reason, row=number)
        else:
            yield number, line, dict(zip(header, record, strict=False))


def every_row(found: Iterable[tuple[int, int, Mapping[str, object] | RosterUnreadable]]) -> list[Row]:
    """The candidates.

    Raises:
        RosterUnreadable: If some cannot be read: of the first, naming all.
    """
    rows: list[Row] = []
    findings: list[dict[str, object]] = []
    first: RosterUnreadable | None = None
    total = 0
    for number, line, fields in found:
        try:
            if isinstance(fields, RosterUnreadable):
                raise fields
            rows.append(read_row(number, fields, line))
        except RosterUnreadable as error:
            total += 1
            first = first or error
            if total <= LISTED:
                findings.append({**error.members, "line": line or None, "detail": str(error)})
    if first is not None:
        raise first.among(findings, total)
    return rows


def text_of(data: bytes) -> str:
    """The file as text, without its byte order mark.

    Raises:
        RosterUnreadable: If its encoding would have to be guessed.
    """
    try:
        return text_of_sheet(data)
    except NotText as error:
        raise RosterUnreadable(str(error)) from error


def csv_records(text: str) -> Iterator[tuple[int, list[str]]]:
    """The records of the file with the lines that they begin in, without blank ones.

    Raises:
        RosterUnreadable: If quotes do not match, or a field is far too long.
    """
    delimiter, start = delimiter_of(text)
    reader = csv.reader(io.StringIO(text[start:], newline=""), delimiter=delimiter, strict=True)
    before = line = 1 if start else 0
    try:
        for record in reader:
            if any(record):
                yield line + 1, record
            line = before + reader.line_num
    except csv.Error as error:
        raise RosterUnreadable(f"line {before + reader.line_num}: {error}") from error


def header_of(record: Sequence[str]) -> list[str]:
    """The names of the columns, in lower case, spaces as underscores.

    Raises:
        RosterUnreadable: If `external_id` is missing or a column is there twice.
    """
    names = [name.strip().lower().replace(" ", "_")[:100] for name in record]
    if "external_id" not in names:
        found = ", ".join(names[:10]) or "nothing"
        raise RosterUnreadable(f"the header has no column external_id; it has {found}")
    twice = sorted({name for name in names if name in COLUMNS and names.count(name) > 1})
    if twice:
        raise RosterUnreadable(f"the header has the column {twice[0]} twice")
    return names


def read_row(number: int, fields: Mapping[str, object], line: int = 0) -> Row:
    """One candidate, every field checked.

    Raises:
        RosterUnreadable: Naming the row and the column.
    """
    external_id = text_field(number, "external_id", fields)
    if external_id is None:
        raise RosterUnreadable("is empty", row=number, column="external_id")
    try:
        external_id = normalise_external_id(external_id)
    except ValueError as error:
        raise RosterUnreadable(str(error), row=number, column="external_id") from error
    return Row(
        row=number,
        line=line,
        external_id=external_id,
        display_name=text_field(number, "display_name", fields),
        seat=text_field(number, "seat", fields),
        manual_identification=flag_field(number, "manual_identification", fields),
        twin=flag_field(number, "twin", fields),
        accommodation=text_field(number, "accommodation", fields),
        exam=text_field(number, "exam", fields),
        room=text_field(number, "room", fields),
    )


def text_field(number: int, column: str, fields: Mapping[str, object]) -> str | None:
    """A text without spaces around it, or None where it is empty or missing."""
    value = fields.get(column)
    text = value.strip() if isinstance(value, str) else ""
    limit = LIMITS.get(column, MAX_FIELD_CHARACTERS)
    if len(text) > limit:
        raise RosterUnreadable(
            f"has {len(text):,} characters; {limit} are allowed", row=number, column=column
        )
    if holds_controls(text):
        raise RosterUnreadable("holds control characters", row=number, column=column)
    return text or None


def flag_field(number: int, column: str, fields: Mapping[str, object]) -> bool:
    """A flag; empty or missing is no."""
    value = fields.get(column)
    text = value.strip().lower() if isinstance(value, str) else ("yes" if value else "")
    if text not in YES | NO:
        raise RosterUnreadable(f"{text[:20]!r} is neither yes nor no", row=number, column=column)
    return text in YES
