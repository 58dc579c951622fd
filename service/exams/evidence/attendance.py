"""Who was there: one room or all of an exam, as a list on paper (PDF) or as a plain one (CSV).

Times are those of the zone that is asked for. A list printed before the day has empty columns to write in.
"""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from math import ceil
from uuid import UUID
from zoneinfo import ZoneInfo

from fpdf.enums import TableBordersLayout
from fpdf.fonts import FontFace
from fpdf.table import Table
from sqlalchemy import select
from sqlalchemy.orm import Session as OrmSession

from service.exams.context import Desk
from service.exams.errors import TooManyForPaper
from service.exams.evidence.clocks import local_time
from service.exams.evidence.paper import MAX_PRINTED, Paper
from service.exams.exams import exam_row
from service.exams.schemas import Candidate
from service.exams.sessions import session_row
from service.exams.states import PAPER
from service.exams.status import candidates_page
from service.exams.tables import SessionRow
from service.sheets.spreadsheet import BYTE_ORDER_MARK, SheetWriter

WORDS = {
    "expected": "",
    "admitted": "by photograph",
    "identified_manually": "by document",
    "referred": "not decided",
    "refused": "refused",
}
COLUMNS = (
    "exam",
    "room",
    "seat",
    "external_id",
    "display_name",
    "status",
    "present",
    "time",
    "left",
    "absences",
    "absent_minutes",
    "source",
    "held",
)
HEADINGS = ("Seat", "Number", "Name", "Present", "Time", "Signature")
WIDTHS = (14, 26, 66, 30, 16, 38)


@dataclass(frozen=True)
class Room:
    """One room with its candidates in the order of their seats."""

    exam: str
    room: str
    opens_at: datetime
    closes_at: datetime
    candidates: Sequence[Candidate]

    @property
    def present(self) -> int:
        """How many are in."""
        return sum(is_present(one) for one in self.candidates)


def is_present(candidate: Candidate) -> bool:
    """Whether a candidate is in."""
    return candidate.status in ("admitted", "identified_manually")


def room_of(desk: Desk, session_id: UUID) -> list[Room]:
    """One session.

    Raises:
        SessionNotFound: If there is no such session.
    """
    with desk.database.read() as db:
        return [_room(db, session_row(db, session_id))]


def rooms_of(desk: Desk, exam_id: UUID) -> list[Room]:
    """Every session of an exam, by room.

    Raises:
        ExamNotFound: If there is no such exam.
    """
    with desk.database.read() as db:
        exam_row(db, exam_id)
        query = select(SessionRow).where(SessionRow.exam_id == exam_id)
        rows = db.scalars(query.order_by(SessionRow.room, SessionRow.opens_at, SessionRow.id)).all()
        return [_room(db, row) for row in rows]


def _room(db: OrmSession, row: SessionRow) -> Room:
    candidates = sorted(candidates_page(db, row.id), key=by_seat)
    return Room(exam_row(db, row.exam_id).name, row.room, row.opens_at, row.closes_at, candidates)


def by_seat(candidate: Candidate) -> tuple[bool, list[tuple[bool, int, str]], str]:
    """Seats as people count them, 2 before 10; those without one at the end, by number."""
    seat = candidate.seat or ""
    parts, digits = [], ""
    for character in seat:
        if character.isdecimal() and character.isascii():
            digits += character
            continue
        if digits:
            parts.append((False, int(digits), ""))
            digits = ""
        parts.append((True, 0, character))
    if digits:
        parts.append((False, int(digits), ""))
    return not seat, parts, candidate.external_id


def format_absences(one: Candidate, zone: ZoneInfo) -> str:
    """The times outside; one without an end is of somebody who never came back."""
    clock = partial(local_time, zone=zone, time_format="%H:%M")
    return "; ".join(f"{clock(away.since)}–{clock(away.until)}" for away in one.absences)


def absent_minutes(one: Candidate) -> int | str:
    """How many minutes somebody was outside and came back from, rounded up; empty for none."""
    seconds = sum((away.until - away.since).total_seconds() for away in one.absences if away.until)
    return ceil(seconds / 60) or ""


def held_word(one: Candidate) -> str:
    """What a kiosk without network did with somebody who is not confirmed; empty of everybody else."""
    if not one.held:
        return ""
    return "let in" if one.provisional else "not let in"


def attendance_csv(rooms: Sequence[Room], zone: ZoneInfo, delimiter: str) -> str:
    """The plain list."""
    target = io.StringIO()
    target.write(BYTE_ORDER_MARK)
    writer = SheetWriter(target, COLUMNS, delimiter)
    for room in rooms:
        for one in room.candidates:
            time = local_time(one.status_at, zone) if is_present(one) else ""
            present = "yes" if is_present(one) else "no"
            who = (one.seat, one.external_id, one.display_name)
            left = local_time(one.presence_at, zone) if one.presence == "left" else ""
            out = (left, format_absences(one, zone), absent_minutes(one), one.source, held_word(one))
            writer.write((room.exam, room.room, *who, one.status, present, time, *out))
    return target.getvalue()


def texts_of(room: Room) -> Iterator[str]:
    """Every text of a room that people have written."""
    yield from (room.exam, room.room)
    for one in room.candidates:
        yield from (one.external_id, one.display_name or "", one.seat or "")


def require_paper(rooms: Sequence[Room]) -> None:
    """Refuse more people than are printed at once.

    Raises:
        TooManyForPaper: With how many are.
    """
    people = sum(len(room.candidates) for room in rooms)
    if people > MAX_PRINTED:
        raise TooManyForPaper(people, MAX_PRINTED)


def attendance_pdf(rooms: Sequence[Room], zone: ZoneInfo) -> bytes:
    """The list on paper, A4; each room begins on a page of its own.

    Raises:
        TooManyForPaper: If there are more people than are printed at once.
    """
    require_paper(rooms)
    page = Page("Attendance", zone, (text for room in rooms for text in texts_of(room)))
    for room in rooms:
        page.print_room(room)
    return bytes(page.output())


class Page(Paper):
    """The list of several rooms."""

    def print_room(self, room: Room) -> None:
        """A room on sheets of its own, with its heading, the list and the counts."""
        self.add_page()
        self.set_font_size(15)
        self.multi_cell(0, 8, room.exam, new_x="LMARGIN", new_y="NEXT")
        self.set_font_size(11)
        closes = local_time(room.closes_at, self.zone, "%H:%M")
        when = f"{local_time(room.opens_at, self.zone)} – {closes} ({self.zone.key})"
        self.multi_cell(0, 7, f"{room.room} · {when}", new_x="LMARGIN", new_y="NEXT")
        self.set_font_size(9)
        counts = f"{room.present} of {len(room.candidates)} present"
        self.multi_cell(0, 7, counts, new_x="LMARGIN", new_y="NEXT")
        self.print_list(room)
        self.ln(10)
        self.multi_cell(0, 7, "Invigilator: ________________________________", new_x="LMARGIN", new_y="NEXT")

    def print_list(self, room: Room) -> None:
        """The candidates; the heading stands on every sheet."""
        with self.table(
            col_widths=WIDTHS,
            line_height=6,
            borders_layout=TableBordersLayout.HORIZONTAL_LINES,
            headings_style=FontFace(emphasis=None, fill_color=(235, 235, 235)),
            text_align="LEFT",
        ) as table:
            add = partial(_add_row, table)
            add(HEADINGS)
            for one in room.candidates:
                add(tuple(self.cells_of(one)))

    def cells_of(self, one: Candidate) -> Iterator[str]:
        """A candidate's line."""
        yield one.seat or ""
        yield one.external_id
        more = f"+{one.extra_minutes} min" if one.extra_minutes else ""
        yield "\n".join(filter(None, (one.display_name, more)))
        away = format_absences(one, self.zone)
        word = "let in, not confirmed" if one.provisional else WORDS[one.status]
        how = f"{word}, on paper" if one.source == PAPER else word
        yield f"{how}\nout {away}" if away else how
        yield local_time(one.status_at, self.zone, "%H:%M") if is_present(one) else ""
        yield ""


def _add_row(table: Table, cells: Sequence[str]) -> None:
    row = table.row()
    for text in cells:
        row.cell(text)
