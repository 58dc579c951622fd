"""A claim, before any picture: who says they are here, and whether a photograph of them is to be taken."""

from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session as OrmSession

from index.audit import Origin
from index.external_ids import build_external_key
from index.gallery.coverage import models_of
from index.tables import utc_now
from service.exams.checkin.numbers import number_meant
from service.exams.checkin.rules import (
    Arrival,
    Expected,
    decline,
    expect,
    find_entry,
    require_not_in,
    require_open,
    require_photograph,
    return_attempts,
)
from service.exams.context import Desk
from service.exams.errors import (
    CandidateRequired,
    CheckinRefused,
    NothingToCompare,
    NotOnRoster,
    NumberInvalid,
)
from service.exams.exams import live_exam_row
from service.exams.movement.reading import whereabouts_of
from service.exams.movement.rules import no_exit_until
from service.exams.schemas import Presence
from service.exams.sessions import attempts_of, session_row
from service.exams.states import RETURN
from service.exams.status import NEVER_CAME, read_statuses
from service.exams.tables import AdmissionRow, ExamRow, RosterEntryRow, SessionRow

DOCUMENT_WANTED = "document_wanted"
"""Somebody at a kiosk prefers a document; the same standing, and no reason is asked for."""


@dataclass(frozen=True)
class Claim:
    """Somebody of whom a photograph may be taken now.

    Attributes:
        made: Photographs that were compared.
        allowed: How many may be.
        presence: Where the candidate is; who is `present` may go out, and no photograph is taken.
        stays_until: Until when nobody goes out; None where the candidate may.
    """

    external_id: str
    display_name: str | None
    seat: str | None
    made: int
    allowed: int
    presence: Presence = "absent"
    stays_until: datetime | None = None


def check_claim(desk: Desk, arrival: Arrival, origin: Origin) -> Claim:
    """Whether the claimed candidate may be looked at; a check-in is refused for the same reasons.

    Raises:
        SessionNotFound: If there is no such session.
        CandidateRequired: If nobody is claimed.
        NumberInvalid: If the text is no candidate's number; nobody has to come for that.
        CheckinRefused: If no photograph is to be taken; that somebody was turned away is recorded.
        DatabaseError: If the database cannot be reached.
    """
    if arrival.external_id is None:
        raise CandidateRequired
    try:
        with desk.database.read() as db:
            arrival = meant(db, desk, arrival)
            return read_claim(db, desk, arrival)
    except CheckinRefused as error:
        decline(desk, arrival, error.code, origin)
        raise


def meant(db: OrmSession, desk: Desk, arrival: Arrival) -> Arrival:
    """The arrival by the number that its text means on the roster; raises as `number_meant`."""
    if arrival.external_id is None:
        return arrival
    number = number_meant(db, arrival.session_id, arrival.external_id, desk.numbers)
    return replace(arrival, external_id=number)


def read_claim(db: OrmSession, desk: Desk, arrival: Arrival) -> Claim:
    """The claim as the roster has it; raises as `check_claim`, and records nothing."""
    expected = expect_here(db, arrival)
    entry = expected.entry
    if entry is None:
        raise CandidateRequired
    if arrival.kind == RETURN and (moving := claim_of_present(db, expected, entry)):
        return moving
    require_photograph(db, expected, entry, arrival.kind)
    known_to = models_of(db, [entry.subject_id]).values() if entry.subject_id else []
    if all(models.isdisjoint(desk.serving.ids) for models in known_to):
        raise NothingToCompare("The candidate")
    current = read_statuses(db, entry.session_id, [entry.id]).get(entry.id, NEVER_CAME)
    made = return_attempts(db, entry) if arrival.kind == RETURN else current.attempts
    allowed = attempts_of(expected.session, expected.exam, entry)
    where = whereabouts_of(db, entry.session_id, entry.id)
    return Claim(entry.external_id, entry.display_name, entry.seat, made, allowed, where.presence)


def claim_of_present(db: OrmSession, expected: Expected, entry: RosterEntryRow) -> Claim | None:
    """The claim of somebody who is in the room and may go out; None of anybody else."""
    where = whereabouts_of(db, entry.session_id, entry.id)
    if where.presence != "present":
        return None
    until = no_exit_until(expected.session, expected.exam, entry, utc_now())
    seat = db.get_one(AdmissionRow, entry.id).seat
    return Claim(entry.external_id, entry.display_name, seat, 0, 0, where.presence, until)


def ask_for_document(desk: Desk, arrival: Arrival, origin: Origin) -> None:
    """Let somebody at a kiosk wait for a person who looks at a document; no photograph is taken.

    A number that is not on the roster, or none, waits as well: a person finds out who it is.

    Raises:
        SessionNotFound: If there is no such session.
        ExamArchived, SessionClosed: If nobody is checked in here now.
        AlreadyCheckedIn: If the candidate is in.
        ExternalIdAmbiguous: If several candidates have an equal id.
    """
    with desk.database.read() as db:
        try:
            arrival = meant(db, desk, arrival)
        except NumberInvalid:
            arrival = replace(arrival, external_id=None)
        row = session_row(db, arrival.session_id)
        live_exam_row(db, row.exam_id)
        require_open(row)
        entry = find_entry(db, row.id, arrival.external_id)
        if entry is not None and whereabouts_of(db, row.id, entry.id).presence != "out":
            require_not_in(db, entry)
    decline(desk, arrival, DOCUMENT_WANTED, origin)


def expect_here(db: OrmSession, arrival: Arrival) -> Expected:
    """As `expect`; whoever is expected in another room at this time is told which."""
    try:
        return expect(db, arrival)
    except NotOnRoster as error:
        room = room_elsewhere(db, arrival)
        if room is None:
            raise
        raise NotOnRoster(arrival.external_id or "", room) from error


def room_elsewhere(db: OrmSession, arrival: Arrival) -> str | None:
    """The room of another session at the same time that expects the claimed number."""
    here = session_row(db, arrival.session_id)
    query = (
        select(SessionRow.room)
        .join(ExamRow, ExamRow.id == SessionRow.exam_id)
        .join(RosterEntryRow, RosterEntryRow.session_id == SessionRow.id)
        .where(
            RosterEntryRow.external_key == build_external_key(arrival.external_id or ""),
            ExamRow.archived_at.is_(None),
            SessionRow.opens_at < here.closes_at,
            SessionRow.closes_at > here.opens_at,
        )
    )
    # Of two rooms neither is named: the wrong one would send somebody through the house.
    rooms = db.scalars(query.limit(2)).all()
    return rooms[0] if len(rooms) == 1 else None
