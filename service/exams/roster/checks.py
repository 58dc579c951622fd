"""What a roster is checked against: itself, the one that is there, the subjects, the exam's other rooms."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session as OrmSession

from index.tables import SubjectRow, TemplateRow
from service.exams.roster.file import Row
from service.exams.roster.report import Findings, RosterReport
from service.exams.tables import CheckinRow, ExamRow, OverrideRow, RosterEntryRow, SessionRow

# Both databases take far more parameters in one statement (SQLite 32,766).
IDS_IN_ONE_QUERY = 5_000

T = TypeVar("T")


class Entry(NamedTuple):
    """What an import has to know of a roster entry; whole entries would cost seconds for a large roster."""

    id: UUID
    subject_id: UUID | None
    external_id: str
    display_name: str | None
    seat: str | None
    manual_identification: bool
    twin: bool
    accommodation: str | None


@dataclass(frozen=True)
class Known:
    """What was there before: the session's entries and the subjects, by external id; who was at the door."""

    entries: dict[str, Entry]
    subjects: dict[str, UUID]
    at_the_door: frozenset[UUID]


def batches(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """The items in portions that fit into one statement."""
    for start in range(0, len(items), IDS_IN_ONE_QUERY):
        yield items[start : start + IDS_IN_ONE_QUERY]


def known_to(session: OrmSession, session_id: UUID, external_ids: Sequence[str]) -> Known:
    """What the database knows about the session's roster and about these candidates."""
    columns = [getattr(RosterEntryRow, name) for name in Entry._fields]
    rows = session.execute(select(*columns).where(RosterEntryRow.session_id == session_id))
    entries = [Entry(*row) for row in rows]
    subjects: dict[str, UUID] = {}
    for batch in batches(external_ids):
        query = select(SubjectRow.external_id, SubjectRow.id).where(SubjectRow.external_id.in_(batch))
        subjects |= {
            external_id: subject_id for external_id, subject_id in session.execute(query) if external_id
        }
    return Known({entry.external_id: entry for entry in entries}, subjects, came_to(session, session_id))


def came_to(session: OrmSession, session_id: UUID) -> frozenset[UUID]:
    """The entries that evidence points to: an attempt's own, or the one that a person named for it."""
    mine = CheckinRow.session_id == session_id
    own = select(CheckinRow.entry_id).where(mine)
    named = select(OverrideRow.entry_id).join(CheckinRow, CheckinRow.id == OverrideRow.checkin_id).where(mine)
    return frozenset(entry_id for entry_id in session.scalars(own.union(named)) if entry_id)


def check_rows(
    rows: Sequence[Row], session: SessionRow, exam: ExamRow, known: Known, *, merge: bool
) -> tuple[dict[str, Row], RosterReport]:
    """The candidates by external id, and a report of what the rows contradict."""
    wanted: dict[str, Row] = {}
    conflicting = []
    for row in rows:
        first = wanted.setdefault(row.external_id, row)
        if first is not row and replace(row, row=first.row) != first:
            conflicting.append({"row": row.row, "first_row": first.row, "external_id": row.external_id})
    report = RosterReport(dry_run=False, applied=False, rows=len(rows), candidates=len(wanted))
    report.repeated_rows = len(rows) - len(wanted) - len(conflicting)
    report.conflicting_rows = Findings.of(conflicting)
    report.duplicate_seats = Findings.of(duplicate_seats(wanted, known, merge=merge))
    report.other_exam = Findings.of(from_elsewhere(rows, session, exam))
    return wanted, report


def duplicate_seats(wanted: dict[str, Row], known: Known, *, merge: bool) -> Iterator[dict[str, Any]]:
    """Two candidates on one seat, in the file or, when merging, between the file and the roster."""
    taken: dict[str, Row] = {}
    if merge:
        stay = (entry for entry in known.entries.values() if entry.external_id not in wanted and entry.seat)
        taken = {entry.seat or "": Row(0, entry.external_id) for entry in stay}
    for row in wanted.values():
        first = taken.setdefault(row.seat, row) if row.seat else row
        if first is not row:
            yield {
                "row": row.row,
                "first_row": first.row or None,
                "external_id": row.external_id,
                "seat": row.seat,
                "other": first.external_id,
            }


def from_elsewhere(rows: Sequence[Row], session: SessionRow, exam: ExamRow) -> Iterator[dict[str, Any]]:
    """Rows whose `exam` or `room` column names another one: somebody has picked the wrong file."""
    exams = {str(exam.id), exam.name, exam.reference}
    for row in rows:
        if row.exam is not None and row.exam not in exams:
            yield {"row": row.row, "external_id": row.external_id, "other": row.exam}
        elif row.room is not None and row.room != session.room:
            yield {"row": row.row, "external_id": row.external_id, "other": row.room}


def without_template(
    session: OrmSession, model_ids: Sequence[str], wanted: dict[str, Row], known: Known
) -> Findings:
    """Candidates who cannot be verified yet. They never stop an import: there is time to enrol them."""
    subject_ids = [known.subjects[one] for one in wanted if one in known.subjects]
    enrolled: set[UUID] = set()
    for batch in batches(subject_ids):
        mine = TemplateRow.subject_id.in_(batch) & TemplateRow.model_id.in_(model_ids)
        enrolled.update(session.scalars(select(TemplateRow.subject_id).where(mine).distinct()))
    return Findings.of(
        {"row": row.row, "external_id": row.external_id, "display_name": row.display_name}
        for row in wanted.values()
        if not row.manual_identification and known.subjects.get(row.external_id) not in enrolled
    )


def overlapping(session: OrmSession, row: SessionRow, wanted: dict[str, Row]) -> Findings:
    """Candidates who are expected in another room of the exam at the same time."""
    elsewhere = (
        select(RosterEntryRow.external_id, SessionRow.room)
        .join(SessionRow, SessionRow.id == RosterEntryRow.session_id)
        .where(SessionRow.exam_id == row.exam_id, SessionRow.id != row.id)
        .where(SessionRow.opens_at < row.closes_at, SessionRow.closes_at > row.opens_at)
        .order_by(RosterEntryRow.external_id)
    )
    return Findings.of(
        {"row": wanted[external_id].row, "external_id": external_id, "other": room}
        for external_id, room in session.execute(elsewhere)
        if external_id in wanted
    )
