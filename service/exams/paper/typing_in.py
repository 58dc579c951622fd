"""Lines of a room sheet become check-ins and movements with `source = paper` and the paper's own times.

Each line is a transaction of its own: what is wrong with one stops no other. Typed again, a line changes
nothing. One admission counts: who is in already otherwise than paper says is shown, and nothing is merged.
"""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, Field
from sqlalchemy import select
from sqlalchemy.orm import Session as OrmSession

from index.audit import Origin
from index.errors import ExternalIdAmbiguous
from index.tables import utc_now
from service.exams.checkin.document import DocumentType
from service.exams.checkin.moving import require_begun
from service.exams.checkin.numbers import number_meant
from service.exams.checkin.rules import (
    Arrival,
    Expected,
    begun,
    entry_named,
    record,
    require_not_in_another_room,
)
from service.exams.context import Desk
from service.exams.errors import (
    AlreadyCheckedIn,
    CandidateRefused,
    ExamError,
    MovementImpossible,
    NotCheckedIn,
    PaperConflict,
    PaperError,
    PaperIncomplete,
    PaperRepeated,
    ReasonRequired,
    TimeNotPossible,
)
from service.exams.exams import live_exam_row
from service.exams.movement.reading import whereabouts_of
from service.exams.movement.recording import record_movement
from service.exams.movement.rules import find_entry_end
from service.exams.schemas import Person, Source, Verdict
from service.exams.sessions import session_row
from service.exams.states import AFTER, PAPER, Move
from service.exams.status import MANUAL, NEVER_CAME, read_statuses
from service.exams.tables import AdmissionRow, CheckinRow, MovementRow, RosterEntryRow
from service.exams.terms import Terms
from service.fields import Label, Moment, Note

MOST_LINES = 2_000
MOST_BREAKS = 20
LATE = timedelta(minutes=60)
"""How long after the end of the exam and the doors somebody may still be written as leaving."""


class PaperBreak(Terms):
    """A time outside the room."""

    out_at: Moment
    back_at: Moment | None = Field(default=None, description="null: nobody saw the candidate come back")


class PaperLine(Terms):
    """One line of a room sheet."""

    candidate: Label = Field(description="external id, or what a card or the sheet's code says")
    arrived_at: Moment | None = Field(
        default=None, description="null: was let in before, and only what came after is on paper"
    )
    document_type: DocumentType | None = Field(default=None, description="of an arrival, which needs one")
    breaks: list[PaperBreak] = Field(
        default_factory=list,
        max_length=MOST_BREAKS,
        description="times outside the room, the first one first",
    )
    left_at: Moment | None = Field(default=None, description="when the candidate left for good")
    note: Note | None = Field(
        default=None,
        description="needed for a document type `other`, and for an arrival after the last entry",
    )


@dataclass(frozen=True)
class Unreadable:
    """A line of a file that could not be read, and why."""

    candidate: str
    error: PaperError


class Recorded(BaseModel):
    """How a candidate is in already."""

    source: Source
    outcome: Verdict
    at: datetime
    seat: str | None
    document_type: str | None
    checkin_id: UUID
    left_at: datetime | None


class PaperResult(BaseModel):
    """What became of one line."""

    line: int = Field(description="from 1, in the order they were sent")
    candidate: str
    person: Person | None = Field(description="whom the number means on the roster")
    result: Literal["recorded", "unchanged", "conflict", "refused"] = Field(
        description="`unchanged`: typed in before; `conflict`: recorded otherwise, a person has to look"
    )
    code: str | None = None
    detail: str | None = None
    existing: Recorded | None = Field(default=None, description="how the candidate is in, of a conflict")
    checkin_id: UUID | None = None
    movement_id: UUID | None = Field(default=None, description="the last movement that the line has added")


class PaperReport(BaseModel):
    """What became of a typed-in sheet."""

    dry_run: bool
    recorded: int = 0
    unchanged: int = 0
    conflict: int = 0
    refused: int = 0
    lines: list[PaperResult]


CONFLICTS = (PaperConflict, AlreadyCheckedIn, CandidateRefused)


def type_in(
    desk: Desk,
    session_id: UUID,
    lines: Iterable[PaperLine | Unreadable],
    origin: Origin,
    *,
    dry_run: bool = False,
) -> PaperReport:
    """Record what a sheet says; with `dry_run`, only say what would become of each line.

    Raises:
        SessionNotFound, ExamArchived: If there is no such session, or none that may change.
        SessionClosed: If it has not opened yet.
    """
    with desk.database.read() as db:
        session = session_row(db, session_id)
        live_exam_row(db, session.exam_id)
        require_begun(session)
    typing = Typing(desk, session_id, origin, dry_run)
    results = [typing.take(number, line) for number, line in enumerate(lines, 1)]
    report = PaperReport(dry_run=dry_run, lines=results)
    for one in results:
        setattr(report, one.result, getattr(report, one.result) + 1)
    return report


class Typing:
    """One sheet as it is typed in."""

    def __init__(self, desk: Desk, session_id: UUID, origin: Origin, dry_run: bool) -> None:
        self._desk, self._session_id, self._origin, self._dry_run = desk, session_id, origin, dry_run
        self._seen: set[UUID] = set()

    def take(self, number: int, line: PaperLine | Unreadable) -> PaperResult:
        """Record one line, or say why not."""
        result = PaperResult(line=number, candidate=line.candidate, person=None, result="refused")
        try:
            with self._transaction() as db:
                self._record(db, line, result)
        except (ExamError, ExternalIdAmbiguous) as error:
            result.result = "conflict" if isinstance(error, CONFLICTS) else "refused"
            result.code, result.detail = error.code, str(error)
            result.checkin_id = result.movement_id = None
        return result

    def _transaction(self) -> AbstractContextManager[OrmSession]:
        return self._desk.database.read() if self._dry_run else self._desk.database.write()

    def _record(self, db: OrmSession, line: PaperLine | Unreadable, result: PaperResult) -> None:
        meant = number_meant(db, self._session_id, line.candidate, self._desk.numbers)
        entry = entry_named(db, self._session_id, meant)
        result.person = Person(
            external_id=entry.external_id, display_name=entry.display_name, seat=entry.seat
        )
        if isinstance(line, Unreadable):
            raise line.error
        if entry.id in self._seen:
            raise PaperRepeated
        self._seen.add(entry.id)
        result.existing = recorded_of(db, entry)
        due = check_line(db, entry, line, result.existing)
        result.existing = None
        result.result = "recorded" if due.arrives or due.moves else "unchanged"
        if not self._dry_run:
            write_line(db, due, line, self._origin, result)


Moving = tuple[Move, datetime]
"""A movement, and when it happened."""
FIELD = {Move.EXIT: "out_at", Move.RETURN: "back_at", Move.END: "left_at"}


@dataclass(frozen=True)
class Due:
    """What a line adds to what is recorded."""

    expected: Expected
    entry: RosterEntryRow
    arrives: bool
    moves: list[Moving]


def recorded_of(db: OrmSession, entry: RosterEntryRow) -> Recorded | None:
    """How a candidate is in; None where the candidate is not."""
    admission = db.get(AdmissionRow, entry.id)
    if admission is None:
        return None
    checkin = db.get_one(CheckinRow, admission.checkin_id)
    where = whereabouts_of(db, entry.session_id, entry.id)
    return Recorded(
        source=checkin.source,  # type: ignore[arg-type]
        outcome=Verdict(admission.outcome),
        at=admission.at,
        seat=admission.seat,
        document_type=checkin.document_type,
        checkin_id=checkin.id,
        left_at=where.at if where.presence == "left" else None,
    )


def check_line(db: OrmSession, entry: RosterEntryRow, line: PaperLine, is_in: Recorded | None) -> Due:
    """What a line adds to how the candidate is in.

    Raises:
        PaperError, CheckinRefused, ReasonRequired: If it cannot be, or something else is recorded.
    """
    session = session_row(db, entry.session_id)
    expected = Expected(session, live_exam_row(db, session.exam_id), entry)
    moved = bool(line.breaks) or line.left_at is not None
    if line.arrived_at is None and (not moved or line.document_type is not None):
        raise PaperIncomplete("the time of arrival")
    arrives = line.arrived_at is not None and check_arrival(db, expected, entry, line, line.arrived_at, is_in)
    return Due(expected, entry, arrives, check_moves(db, expected, entry, line))


def check_arrival(
    db: OrmSession,
    expected: Expected,
    entry: RosterEntryRow,
    line: PaperLine,
    at: datetime,
    is_in: Recorded | None,
) -> bool:
    """Whether the arrival is to be recorded; False where it was typed in before."""
    session, exam = expected.session, expected.exam
    if line.document_type is None:
        raise PaperIncomplete("the document")
    if line.document_type is DocumentType.OTHER and line.note is None:
        raise PaperIncomplete("the remark that says which other document it was")
    if is_in is not None:
        if (is_in.source, is_in.at, is_in.document_type) == (PAPER, at, str(line.document_type)):
            return False
        raise PaperConflict(is_in.source, is_in.at)
    require_time("arrived_at", at, session.opens_at, session.closes_at)
    current = read_statuses(db, session.id, [entry.id]).get(entry.id, NEVER_CAME)
    if current.status == Verdict.REFUSED and current.checkin_id is not None:
        raise CandidateRefused(current.checkin_id)
    require_not_in_another_room(db, session, exam, entry)
    if line.note is None and find_entry_end(db, session, exam, at) is not None:
        raise ReasonRequired(["an arrival after the last entry"])
    return True


def check_moves(db: OrmSession, expected: Expected, entry: RosterEntryRow, line: PaperLine) -> list[Moving]:
    """The movements of a line that were not typed in before, in their order.

    Raises:
        PaperError, NotCheckedIn, MovementImpossible: If one of them cannot be, or something else is recorded.
    """
    done = typed_moves(db, entry)
    moves = [one for one in moves_of(line) if one not in done]
    where = whereabouts_of(db, entry.session_id, entry.id)
    presence, since = where.presence, where.at
    if presence == "absent":
        presence, since = "present", line.arrived_at
    end = max(expected.session.closes_at, expected.exam.ends_at) + timedelta(minutes=entry.extra_minutes)
    for kind, at in moves:
        if since is None:
            raise NotCheckedIn
        if (presence, kind) not in AFTER:
            if where.newest is None or presence != where.presence:
                raise MovementImpossible(presence, since)
            raise PaperConflict(db.get_one(MovementRow, where.newest).source, since)
        require_time(FIELD[kind], at, since, end + LATE)
        presence, since = AFTER[presence, kind], at
    return moves


def moves_of(line: PaperLine) -> Iterator[Moving]:
    """The movements of a line, as they follow each other."""
    for one in line.breaks:
        yield Move.EXIT, one.out_at
        if one.back_at is not None:
            yield Move.RETURN, one.back_at
    if line.left_at is not None:
        yield Move.END, line.left_at


def typed_moves(db: OrmSession, entry: RosterEntryRow) -> set[Moving]:
    """The movements of a candidate that were typed in, and not taken back."""
    rows = db.scalars(select(MovementRow).where(MovementRow.entry_id == entry.id)).all()
    undone = {row.undoes for row in rows}
    return {(Move(row.kind), row.taken_at) for row in rows if row.taken_at and row.id not in undone}


def require_time(field: str, at: datetime, since: datetime, until: datetime) -> None:
    """Refuse a time that cannot be; paper has no seconds.

    Raises:
        TimeNotPossible: With what can be.
    """
    since, until = since.replace(second=0, microsecond=0), min(until, utc_now())
    if not since <= at <= until:
        raise TimeNotPossible(field, since, until)


def write_line(db: OrmSession, due: Due, line: PaperLine, origin: Origin, result: PaperResult) -> None:
    """Write the check-in and the movement that a line adds."""
    entry, session = due.entry, due.expected.session
    if due.arrives:
        row = begun(
            db,
            due.expected,
            entry,
            Arrival(session.id, entry.external_id),
            origin,
            mode=MANUAL,
            outcome=str(Verdict.IDENTIFIED_MANUALLY),
            reasons=[],
            conflicts=[],
            document_type=str(line.document_type),
            note=line.note,
            operator=origin.operator,
            source=PAPER,
            taken_at=line.arrived_at,
        )
        record(db, row, origin)
        result.checkin_id = row.id
    for kind, at in due.moves:
        reason = line.note if kind is Move.END else None
        moved = record_movement(db, session, entry, kind, origin, reason=reason, taken_at=at)
        result.movement_id = moved.id
