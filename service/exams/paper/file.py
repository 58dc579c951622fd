"""A typed-in sheet as a table: the room's as it is now to fill in, and a filled-in one to read."""

import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from service.exams.checkin.document import DocumentType
from service.exams.context import Desk
from service.exams.errors import PaperError, PaperUnreadable, RosterUnreadable
from service.exams.evidence.attendance import Room
from service.exams.paper.typing_in import MOST_LINES, PaperBreak, PaperLine, Unreadable
from service.exams.sessions import session_row
from service.languages import LANGUAGES, texts
from service.sheets.records import open_sheet
from service.sheets.spreadsheet import BYTE_ORDER_MARK, NotAList, SheetWriter

COLUMNS = ("external_id", "display_name", "seat", "arrived", "document", "breaks", "left", "remark")
READ = {"external_id", "arrived", "document", "breaks", "left", "remark"}
_CLOCK = re.compile(r"(\d{1,2})[:.h](\d{2})(?::\d{2}(?:\.0+)?)?")
_BETWEEN_BREAKS = re.compile(r"\s*[;,\n]\s*")
_FROM_TO = re.compile(r"\s*[-–—]\s*")
_WORDS_APART = re.compile(r"[\s_-]+")
T = TypeVar("T")


def sheet_to_fill(room: Room, delimiter: str) -> str:
    """The room by seat with empty columns to type into."""
    target = io.StringIO()
    target.write(BYTE_ORDER_MARK)
    writer = SheetWriter(target, COLUMNS, delimiter)
    for one in room.candidates:
        writer.write((one.external_id, one.display_name, one.seat, *[""] * 5))
    return target.getvalue()


def read_sheet(desk: Desk, session_id: UUID, data: bytes, zone: ZoneInfo) -> list[PaperLine | Unreadable]:
    """The filled-in lines of a CSV or Excel file; times like 09:15 are of the session's day in the zone.

    Lines that nobody wrote into are left out.

    Raises:
        SessionNotFound: If there is no such session.
        RosterUnreadable: If it is no list, has no such columns, or too many lines.
    """
    with desk.database.read() as db:
        opens_at = session_row(db, session_id).opens_at
    try:
        records = open_sheet(data).records
        columns = columns_of(next(records, (1, []))[1])
        reading = Reading(opens_at, zone)
        lines = [reading.line(cells) for cells in filled(records, columns)]
    except NotAList as error:
        raise RosterUnreadable(str(error)) from error
    if len(lines) > MOST_LINES:
        raise RosterUnreadable(f"{len(lines):,} lines are more than {MOST_LINES:,}")
    return lines


def columns_of(heading: Sequence[str]) -> dict[str, int]:
    """Which column is where.

    Raises:
        RosterUnreadable: If there is none for the number, or none with a time.
    """
    found = {_WORDS_APART.sub("_", name.strip().casefold()): place for place, name in enumerate(heading)}
    known = {name: place for name, place in found.items() if name in READ}
    if "external_id" not in known or not {"arrived", "breaks", "left"} & known.keys():
        raise RosterUnreadable(f"the first line has to name the columns {', '.join(sorted(READ))}", row=0)
    return known


def filled(records: Iterator[tuple[int, list[str]]], columns: Mapping[str, int]) -> Iterator[dict[str, str]]:
    """The cells of each line that somebody has written into."""
    for _, record in records:
        cells = {
            name: record[place].strip() if place < len(record) else "" for name, place in columns.items()
        }
        if any(cells.get(name) for name in ("arrived", "document", "breaks", "left", "remark")):
            yield cells


@dataclass(frozen=True)
class Reading:
    """How the cells of a sheet are read."""

    opens_at: datetime
    zone: ZoneInfo

    def line(self, cells: Mapping[str, str]) -> PaperLine | Unreadable:
        """A line, or what cannot be read in it."""
        candidate = cells["external_id"].removeprefix("'")
        try:
            return PaperLine(
                candidate=candidate,
                arrived_at=read_cell(cells, "arrived", self.moment),
                document_type=read_cell(cells, "document", document_named),
                breaks=read_cell(cells, "breaks", self.breaks) or [],
                left_at=read_cell(cells, "left", self.moment),
                note=cells.get("remark") or None,
            )
        except PaperError as error:
            return Unreadable(candidate[:255], error)
        except ValidationError as error:
            column = str(error.errors()[0]["loc"][0])
            return Unreadable(candidate[:255], PaperUnreadable(column, cells.get(column, "")))

    def breaks(self, text: str) -> list[PaperBreak]:
        """Times outside, such as `10:15-10:22; 11:00-11:05`; without the second time nobody came back."""
        found = []
        for one in filter(None, _BETWEEN_BREAKS.split(text)):
            out, *back = (_CLOCK.fullmatch(part.strip()) for part in _FROM_TO.split(one))
            if out is None or len(back) > 1 or None in back:
                raise ValueError(one)
            moments = [self.moment(part[0]) for part in (out, *back) if part]
            found.append(PaperBreak(out_at=moments[0], back_at=moments[1] if len(moments) > 1 else None))
        return found

    def moment(self, text: str) -> datetime:
        """A time of the session's day, or a whole moment (RFC 3339); without a zone it is of ours."""
        clock = _CLOCK.fullmatch(text)
        if clock is None:
            moment = datetime.fromisoformat(text)
            return moment if moment.tzinfo else moment.replace(tzinfo=self.zone)
        start = self.opens_at.astimezone(self.zone).replace(second=0, microsecond=0)
        at = start.replace(hour=int(clock[1]), minute=int(clock[2]))
        # Of a session over midnight.
        return at if at >= start else at + timedelta(days=1)


def read_cell(cells: Mapping[str, str], column: str, read: Callable[[str], T]) -> T | None:
    """What a cell says; None where it is empty.

    Raises:
        PaperUnreadable: If it says nothing that can be read.
    """
    text = cells.get(column)
    try:
        return read(text) if text else None
    except (ValueError, OverflowError) as error:
        raise PaperUnreadable(column, text or "") from error


def document_named(text: str) -> DocumentType:
    """The type of document by its code or its name in any language of the pages.

    Raises:
        ValueError: If there is none.
    """
    wanted = _WORDS_APART.sub("_", text.strip().casefold())
    return document_names().get(wanted) or DocumentType(wanted)


@cache
def document_names() -> dict[str, DocumentType]:
    """Each type of document by its names."""
    return {
        _WORDS_APART.sub("_", str(texts(language)[f"document.{kind}"]).casefold()): kind
        for language in LANGUAGES
        for kind in DocumentType
    }
