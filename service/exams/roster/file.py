"""A roster as it arrives: a list (CSV or Excel) or JSON → candidates, and every cell that is wrong.

Spreadsheets write a byte order mark, a line `sep=;`, semicolons where the decimal sign is a comma, line ends
of any kind, an empty cell too many, UTF-16, a title above the heading, columns in any order; all of that is
read. What would have to be guessed (another encoding, a row with a field too many, an id of which Excel has
made a date) is refused by its place, all cells at once.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from index.external_ids import build_external_key, normalise_external_id
from index.fields import holds_controls
from service.exams.errors import RosterUnreadable
from service.exams.roster.headings import Heading, Layout, find_heading
from service.sheets.records import Sheet, open_sheet
from service.sheets.spreadsheet import NotAList, NotText
from service.sheets.workbook import Spoilt

MAX_ROWS = 100_000
MAX_FIELD_CHARACTERS = 1_000
LIMITS = {"external_id": 255, "display_name": 255, "seat": 64, "accommodation": 255}
COLUMNS = frozenset({*LIMITS, "manual_identification", "private_check", "twin", "exam", "room"})
LISTED = 200
# In the languages of the pages, with the truth values that a spreadsheet exports there.
YES = frozenset(
    {
        "1",
        "true",
        "yes",
        "y",
        "x",
        "wahr",
        "ja",
        "vrai",
        "oui",
        "verdadero",
        "sí",
        "si",
        "prawda",
        "tak",
        "نعم",
    }
)
NO = frozenset({"", "0", "false", "no", "n", "falsch", "nein", "faux", "non", "falso", "fałsz", "nie", "لا"})


@dataclass(frozen=True)
class Row:
    """One candidate of a roster. An empty text is None.

    Attributes:
        row: Counts candidates from 1 below the header.
        stated: The columns that the file has; of a candidate who is there already the others stay.
        line: Where the file has it; blank lines, the header and `sep=` are counted. 0 in JSON.
    """

    row: int
    external_id: str
    display_name: str | None = None
    seat: str | None = None
    manual_identification: bool = False
    private_check: bool = False
    twin: bool = False
    accommodation: str | None = None
    exam: str | None = None
    room: str | None = None
    line: int = field(default=0, compare=False)
    stated: frozenset[str] = field(default=COLUMNS, compare=False)

    @property
    def key(self) -> str:
        """What the external id is compared by."""
        return build_external_key(self.external_id)


class RosterCandidate(BaseModel):
    """One candidate of a roster in JSON; of one who is there already, what is left out stays as it is."""

    model_config = ConfigDict(extra="forbid")

    external_id: str = Field(min_length=1, max_length=255)
    display_name: str | None = Field(default=None, max_length=255)
    seat: str | None = Field(default=None, max_length=64)
    manual_identification: bool = False
    private_check: bool | None = Field(
        default=None, description="checked apart, by a person; null leaves it as it is"
    )
    twin: bool = False
    accommodation: str | None = Field(default=None, max_length=255)


class RosterDocument(BaseModel):
    """A roster in JSON."""

    model_config = ConfigDict(extra="forbid")

    candidates: list[RosterCandidate] = Field(max_length=MAX_ROWS)


@dataclass
class Reading:
    """What was read of a roster, and what could not be.

    Attributes:
        rows: The candidates whose every cell can be read.
        findings: The cells that cannot, the first of them.
        total: How many cannot.
        unread_keys: Keys of candidates of whom another cell cannot be read.
        heading: Of a list.
        sheet: Of a workbook, the name of the sheet.
    """

    rows: list[Row] = field(default_factory=list)
    findings: list[dict[str, object]] = field(default_factory=list)
    total: int = 0
    unread_keys: set[str] = field(default_factory=set)
    unread_ids: int = 0
    heading: Heading | None = None
    sheet: str | None = None
    _bad_rows: int = 0
    _first: RosterUnreadable | None = None

    @property
    def refusal(self) -> RosterUnreadable | None:
        """The error that names every cell; None where all can be read."""
        if self._first is None:
            return None
        return self._first.among(self.findings, self.total, self._bad_rows - 1)

    def add(self, number: int, line: int, fields: Mapping[str, object] | RosterUnreadable) -> None:
        """Take up one candidate, or what is wrong with it."""
        wrong = [fields] if isinstance(fields, RosterUnreadable) else []
        values = {} if isinstance(fields, RosterUnreadable) else values_of(number, fields, wrong)
        if not wrong and not isinstance(fields, RosterUnreadable):
            self.rows.append(Row(row=number, line=line, stated=stated_columns(fields), **values))
            return
        self._bad_rows += 1
        self.total += len(wrong)
        self._first = self._first or wrong[0]
        room = LISTED - len(self.findings)
        self.findings += [{**one.members, "line": line or None, "detail": str(one)} for one in wrong[:room]]
        if (external_id := values.get("external_id")) is not None:
            self.unread_keys.add(build_external_key(external_id))
        else:
            self.unread_ids += 1


def rows_of_document(document: RosterDocument) -> list[Row]:
    """The candidates of a JSON roster.

    Raises:
        RosterUnreadable: If a field holds control characters.
    """
    return all_rows(read_document(document))


def rows_of_csv(data: bytes) -> list[Row]:
    """The candidates of a list with the columns' own names.

    Raises:
        RosterUnreadable: As `read_list`, and if a cell cannot be read: naming all such cells.
    """
    return all_rows(read_list(data))


def all_rows(reading: Reading) -> list[Row]:
    """The candidates of a roster in which everything can be read.

    Raises:
        RosterUnreadable: If something cannot.
    """
    if (refusal := reading.refusal) is not None:
        raise refusal
    return reading.rows


def read_document(document: RosterDocument) -> Reading:
    """A JSON roster."""
    return take_up(
        (number, 0, one.model_dump(exclude_unset=True)) for number, one in enumerate(document.candidates, 1)
    )


def read_list(data: bytes, layouts: Sequence[Layout] = (), *, chosen: Layout | None = None) -> Reading:
    """A roster in a list: CSV, or the first sheet of an Excel workbook.

    Args:
        data: The file.
        layouts: How lists with other headings are laid out; tried where the columns' own names are missing.
        chosen: The one that the list is laid out by, whatever it looks like.

    Raises:
        RosterUnreadable: If its encoding is not known, no heading says which column is which, or it has too
            many rows.
    """
    try:
        sheet = open_sheet(data)
        heading, rest = heading_of(sheet, layouts, chosen)
        reading = take_up(numbered(rest, heading, is_whole=sheet.is_whole))
    except NotAList as error:
        at = "" if isinstance(error, NotText) or error.line is None else f"line {error.line}: "
        raise RosterUnreadable(at + str(error)) from error
    reading.heading, reading.sheet = heading, sheet.name
    return reading


HEADING_WITHIN = 20
"""A title and the exam's particulars may stand above the heading."""


def heading_of(
    sheet: Sheet, layouts: Sequence[Layout], chosen: Layout | None
) -> tuple[Heading, Iterator[tuple[int, list[str]]]]:
    """The heading, and the records behind it."""
    first = list(islice(sheet.records, HEADING_WITHIN))
    position, heading = find_heading(first, layouts, chosen, COLUMNS)
    return heading, chain(first[position + 1 :], sheet.records)


def numbered(
    records: Iterator[tuple[int, list[str]]], heading: Heading, *, is_whole: bool
) -> Iterator[tuple[int, int, Mapping[str, object] | RosterUnreadable]]:
    """Number, line and fields of each candidate, or why the record has none.

    Some programs leave empty cells at a row's end out. The last row of a file without a line end may have
    been cut off instead, and has to be complete.

    Args:
        records: Behind the heading.
        heading: Which column is which.
        is_whole: Whether the file ends with a line end.

    Raises:
        RosterUnreadable: If there are too many.
    """
    ahead, number, width = next(records, None), 0, len(heading.names)
    while ahead is not None:
        (line, record), ahead, number = ahead, next(records, None), number + 1
        if number > MAX_ROWS:
            raise RosterUnreadable(f"a roster has at most {MAX_ROWS:,} candidates")
        is_cut = len(record) < width and ahead is None and not is_whole
        if is_cut or any(record[width:]):
            reason = f"has {len(record)} fields; the header has {width}"
            yield number, line, RosterUnreadable(reason, row=number, why="fields")
        else:
            yield number, line, heading.fields_of(record)


def take_up(found: Iterable[tuple[int, int, Mapping[str, object] | RosterUnreadable]]) -> Reading:
    """The candidates, and what cannot be read."""
    reading = Reading()
    for number, line, fields in found:
        reading.add(number, line, fields)
    return reading


def values_of(number: int, fields: Mapping[str, object], wrong: list[RosterUnreadable]) -> dict[str, Any]:
    """The fields of one candidate that can be read; what is wrong with the others goes into `wrong`."""
    values: dict[str, Any] = {}
    for column, read in READERS.items():
        try:
            values[column] = read(number, column, fields)
        except RosterUnreadable as error:
            wrong.append(error)
    return values


def id_field(number: int, column: str, fields: Mapping[str, object]) -> str:
    """A candidate's number as it is stored."""
    external_id = text_field(number, column, fields)
    if external_id is None:
        raise RosterUnreadable("is empty", row=number, column=column, why="empty")
    try:
        return normalise_external_id(external_id)
    except ValueError as error:
        raise RosterUnreadable(str(error), row=number, column=column, why="characters") from error


SPOILT = {
    "excel_date": "is a date: the spreadsheet has changed what was typed",
    "excel_digits": "is a number with more digits than a spreadsheet keeps",
    "excel_error": "holds an error of the spreadsheet",
}


def text_field(number: int, column: str, fields: Mapping[str, object]) -> str | None:
    """A text without spaces around it, or None where it is empty or missing."""
    value = fields.get(column)
    if isinstance(value, Spoilt):
        raise RosterUnreadable(SPOILT[value.why], row=number, column=column, why=value.why)
    text = value.strip() if isinstance(value, str) else ""
    limit = LIMITS.get(column, MAX_FIELD_CHARACTERS)
    if len(text) > limit:
        reason = f"has {len(text):,} characters; {limit} are allowed"
        raise RosterUnreadable(reason, row=number, column=column, why="too_long")
    if holds_controls(text):
        raise RosterUnreadable("holds control characters", row=number, column=column, why="characters")
    return text or None


def flag_field(number: int, column: str, fields: Mapping[str, object]) -> bool:
    """A flag; empty or missing is no."""
    value = fields.get(column)
    text = value.strip().lower() if isinstance(value, str) else ("yes" if value else "")
    if text not in YES | NO:
        raise RosterUnreadable(
            f"{text[:20]!r} is neither yes nor no", row=number, column=column, why="yes_or_no"
        )
    return text in YES


def stated_columns(fields: Mapping[str, object]) -> frozenset[str]:
    """The columns that say something; an empty text does, a flag without a value does not."""
    return frozenset(name for name, value in fields.items() if value is not None or name in LIMITS)


READERS: Mapping[str, Callable[[int, str, Mapping[str, object]], object]] = {
    "external_id": id_field,
    "display_name": text_field,
    "seat": text_field,
    "manual_identification": flag_field,
    "private_check": flag_field,
    "twin": flag_field,
    "accommodation": text_field,
    "exam": text_field,
    "room": text_field,
}
