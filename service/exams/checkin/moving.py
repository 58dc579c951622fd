"""Going out, coming back by a document, leaving, and taking that back."""

from datetime import datetime
from typing import Literal, Self
from uuid import UUID

from pydantic import Field, model_validator
from sqlalchemy import select
from sqlalchemy.orm import Session as OrmSession

from index.audit import Origin
from index.ids import uuid7
from index.tables import utc_now
from service.exams.checkin.document import DocumentType
from service.exams.checkin.numbers import number_meant
from service.exams.checkin.overrides import OPERATOR
from service.exams.checkin.rules import (
    Arrival,
    Expected,
    begun,
    decline,
    entry_named,
    record,
    require_open,
)
from service.exams.context import Desk
from service.exams.errors import (
    CheckinRefused,
    ExitNotAllowed,
    MovementNotFound,
    MovementSuperseded,
    ReasonRequired,
    SessionClosed,
)
from service.exams.exams import live_exam_row
from service.exams.movement.reading import read_whereabouts, whereabouts_of
from service.exams.movement.recording import record_movement, require_move
from service.exams.movement.rules import no_exit_until
from service.exams.schemas import Candidate, Movement, Verdict
from service.exams.sessions import session_row
from service.exams.states import RETURN, Move
from service.exams.status import MANUAL, candidates_of
from service.exams.tables import MovementRow, RosterEntryRow, SessionRow
from service.exams.terms import Reason, Terms
from service.exams.views import movement_documents
from service.fields import Label, Moment, ShortLabel


class MovementTerms(Terms):
    """Who goes out, comes back or leaves."""

    candidate: Label = Field(description="external id")
    kind: Literal[Move.EXIT, Move.RETURN, Move.END] = Field(
        description="`exit`: goes out; `return`: comes back, identified by a document; `end`: leaves for good"
    )
    document_type: DocumentType | None = Field(default=None, description="of a return, which needs one")
    reason: Reason = None
    operator: Label | None = Field(default=None, description=OPERATOR)
    kiosk: ShortLabel | None = Field(default=None, description="which kiosk, in your own words")
    client_time: Moment | None = None

    @model_validator(mode="after")
    def _name_the_document_of_a_return(self) -> Self:
        if (self.kind is Move.RETURN) != (self.document_type is not None):
            raise ValueError("a return names the type of document, and nothing else does")
        return self


class UndoTerms(Terms):
    """Why a movement is taken back."""

    reason: str = Field(min_length=3, max_length=500)


def move(
    desk: Desk,
    session_id: UUID,
    terms: MovementTerms,
    origin: Origin,
    movement_id: UUID | None = None,
    *,
    by_person: bool,
) -> Movement:
    """Record a movement; the same `movement_id` again gives what was recorded.

    A kiosk keeps to the session's rules; a person may record with a reason what happened against them.

    Raises:
        SessionNotFound, ExamArchived: If there is no such session, or none that may change.
        NotOnRoster, NotCheckedIn, MovementImpossible: If the candidate cannot move so.
        SessionClosed: If it has not opened, or is closed and a kiosk asks.
        ExitNotAllowed: If nobody goes out now and a kiosk asks.
        ReasonRequired: If nobody goes out now and a person gives no reason.
    """
    movement_id = movement_id or uuid7()
    arrival = Arrival(session_id, terms.candidate, kiosk=terms.kiosk)
    try:
        with desk.database.write() as db:
            row = db.get(MovementRow, movement_id)
            if row is None:
                row = moved_now(db, desk, terms, origin, arrival, movement_id, by_person=by_person)
            return movement_documents(db, [row])[0]
    except CheckinRefused as error:
        decline(desk, arrival, error.code, origin)
        raise


def moved_now(
    db: OrmSession,
    desk: Desk,
    terms: MovementTerms,
    origin: Origin,
    arrival: Arrival,
    movement_id: UUID,
    *,
    by_person: bool,
) -> MovementRow:
    """The row of a movement that is made now; raises as `move`."""
    session = session_row(db, arrival.session_id)
    exam = live_exam_row(db, session.exam_id)
    number = number_meant(db, session.id, terms.candidate, desk.numbers)
    entry = entry_named(db, session.id, number)
    require_begun(session) if by_person else require_open(session)
    require_move(db, session, entry, terms.kind)
    until = None if terms.kind is Move.RETURN else no_exit_until(session, exam, entry, utc_now())
    if until is not None and not by_person:
        raise ExitNotAllowed(until)
    if until is not None and terms.reason is None:
        raise ReasonRequired([f"going out before {until:%H:%M} UTC"])
    if terms.kind is Move.RETURN:
        expected = Expected(session, exam, entry)
        return returned_by_document(db, expected, entry, terms, origin, movement_id)
    return record_movement(
        db,
        session,
        entry,
        terms.kind,
        origin,
        movement_id=movement_id,
        reason=terms.reason,
        operator=terms.operator,
        kiosk=terms.kiosk,
        client_time=terms.client_time,
    )


def require_begun(session: SessionRow) -> None:
    """Refuse what comes before a session has opened; a person may still record after it has closed.

    Raises:
        SessionClosed: With the window and the server's clock.
    """
    now = utc_now()
    if now < session.opens_at:
        raise SessionClosed(session.opens_at, session.closes_at, now)


def returned_by_document(
    db: OrmSession,
    expected: Expected,
    entry: RosterEntryRow,
    terms: MovementTerms,
    origin: Origin,
    movement_id: UUID,
) -> MovementRow:
    """A return and the check-in that it rests on."""
    arrival = Arrival(entry.session_id, entry.external_id, client_time=terms.client_time, kind=RETURN)
    checkin = begun(
        db,
        expected,
        entry,
        arrival,
        origin,
        mode=MANUAL,
        outcome=str(Verdict.IDENTIFIED_MANUALLY),
        reasons=[],
        conflicts=[],
        document_type=str(terms.document_type),
        note=terms.reason,
        operator=origin.operator or terms.operator,
    )
    record(db, checkin, origin, movement_id=movement_id)
    return db.get_one(MovementRow, movement_id)


def undo_movement(desk: Desk, movement_id: UUID, terms: UndoTerms, origin: Origin, undo_id: UUID) -> Movement:
    """Take a candidate's newest movement back; the same `undo_id` again gives what was recorded.

    Raises:
        MovementNotFound: If there is no such movement.
        MovementSuperseded: If the candidate has moved since, or it was taken back.
        ExamArchived: If the exam takes no change.
    """
    with desk.database.write() as db:
        made = db.get(MovementRow, undo_id)
        if made is None:
            row = db.get(MovementRow, movement_id)
            if row is None:
                raise MovementNotFound(movement_id)
            session, entry = session_row(db, row.session_id), db.get_one(RosterEntryRow, row.entry_id)
            live_exam_row(db, row.exam_id)
            if whereabouts_of(db, session.id, entry.id).newest != movement_id:
                raise MovementSuperseded
            made = record_movement(
                db,
                session,
                entry,
                Move.UNDO,
                origin,
                movement_id=undo_id,
                undoes=movement_id,
                reason=terms.reason,
            )
        return movement_documents(db, [made])[0]


def movements_page(
    desk: Desk, session_id: UUID, limit: int, before: UUID | None = None, external_id: str | None = None
) -> list[Movement]:
    """Up to `limit` movements of a session, newest first, from the one made before `before`.

    Raises:
        SessionNotFound: If there is no such session.
        NotOnRoster: If the named candidate is not expected in the session.
    """
    query = select(MovementRow).where(MovementRow.session_id == session_id)
    query = query.order_by(MovementRow.id.desc()).limit(limit)
    if before is not None:
        query = query.where(MovementRow.id < before)
    with desk.database.read() as db:
        session_row(db, session_id)
        if external_id is not None:
            query = query.where(MovementRow.entry_id == entry_named(db, session_id, external_id).id)
        return movement_documents(db, db.scalars(query).all())


def who_is_out(desk: Desk, session_id: UUID) -> list[Candidate]:
    """Who has gone out and is not back, longest first.

    Raises:
        SessionNotFound: If there is no such session.
    """
    with desk.database.read() as db:
        session_row(db, session_id)
        return out_of(db, session_id)


def out_of(db: OrmSession, session_id: UUID) -> list[Candidate]:
    """Who has gone out and is not back, longest first."""
    found = read_whereabouts(db, session_id)
    out = [entry_id for entry_id, one in found.items() if one.presence == "out"]
    return sorted(candidates_of(db, session_id, out).values(), key=since_when)


def since_when(candidate: Candidate) -> tuple[datetime | None, str]:
    """Since when a candidate is out."""
    return candidate.presence_at, candidate.external_id
