"""A claim, before any picture: who says they are here, and whether a photograph of them is to be taken."""

from dataclasses import dataclass, replace

from sqlalchemy import select
from sqlalchemy.orm import Session as OrmSession

from index.audit import Origin
from index.external_ids import build_external_key
from index.gallery.coverage import models_of
from service.exams.checkin.numbers import number_meant
from service.exams.checkin.rules import (
    Arrival,
    Expected,
    decline,
    expect,
    find_entry,
    require_another_photograph,
    require_not_in,
    require_open,
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
from service.exams.sessions import attempts_of, session_row
from service.exams.status import NEVER_CAME, read_statuses
from service.exams.tables import ExamRow, RosterEntryRow, SessionRow

DOCUMENT_WANTED = "document_wanted"
"""Somebody at a kiosk prefers a document; the same standing, and no reason is asked for."""


@dataclass(frozen=True)
class Claim:
    """Somebody of whom a photograph may be taken now.

    Attributes:
        made: Photographs that were compared.
        allowed: How many may be.
    """

    external_id: str
    display_name: str | None
    seat: str | None
    made: int
    allowed: int


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
    require_another_photograph(db, expected, entry)
    known_to = models_of(db, [entry.subject_id]).values() if entry.subject_id else []
    if all(models.isdisjoint(desk.serving.ids) for models in known_to):
        raise NothingToCompare("The candidate")
    current = read_statuses(db, entry.session_id, [entry.id]).get(entry.id, NEVER_CAME)
    allowed = attempts_of(expected.session, expected.exam, entry)
    return Claim(entry.external_id, entry.display_name, entry.seat, current.attempts, allowed)


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
        if entry is not None:
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
