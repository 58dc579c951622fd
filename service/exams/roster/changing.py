"""What an invigilator changes about one candidate: the seat, and whether a machine may admit."""

from typing import Annotated
from uuid import UUID

from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import Session as OrmSession

from index.audit import Origin
from service.exams.audit import CANDIDATE_CHANGED, note
from service.exams.checkin.rules import entry_named
from service.exams.context import Desk
from service.exams.errors import SeatTaken
from service.exams.exams import live_exam_row
from service.exams.guard import By, changed_values
from service.exams.schemas import Candidate
from service.exams.sessions import session_row
from service.exams.status import candidates_of
from service.exams.tables import AdmissionRow, RosterEntryRow
from service.exams.terms import Reason, Terms
from service.fields import ShortLabel

WITHOUT_REASON = frozenset({"seat", "private_check"})
"""Why somebody is checked apart may be a matter of health or belief: it is neither asked for nor kept."""


class CandidateChanges(Terms):
    """What is to change about one candidate of a session."""

    seat: ShortLabel | None = Field(default=None, description="a free seat of the room")
    twin: bool | None = Field(
        default=None, description="a look-alike is expected: from now on only a person admits; with a reason"
    )
    extra_attempts: Annotated[int, Field(ge=0, le=20)] | None = Field(
        default=None, description="photographs allowed beyond those of the session; with a reason"
    )
    extra_minutes: Annotated[int, Field(ge=0, le=600)] | None = Field(
        default=None, description="how much longer than the others the candidate may write; with a reason"
    )
    private_check: bool | None = Field(
        default=None, description="checked apart, by a person; no reason is asked for"
    )
    reason: Reason = None


def change_candidate(
    desk: Desk, session_id: UUID, external_id: str, changes: CandidateChanges, origin: Origin
) -> Candidate:
    """Change a candidate's seat, marks, time or number of attempts; what was decided stays.

    Raises:
        SessionNotFound, NotOnRoster: If there is no such session or candidate.
        ExamArchived: If the exam takes no change.
        SeatTaken: If somebody else has the seat.
        ReasonRequired: If more than the seat and the check apart is to change without a reason.
    """
    with desk.database.write() as db:
        session = session_row(db, session_id)
        live_exam_row(db, session.exam_id)
        entry = entry_named(db, session_id, external_id)
        values = changes.model_dump(
            include={"seat", "private_check", "twin", "extra_attempts", "extra_minutes"}, exclude_none=True
        )
        changed = changed_values({name: getattr(entry, name) for name in values}, values)
        explained = sorted(changed.keys() - WITHOUT_REASON)
        By(origin=origin, reason=changes.reason).require_reason(explained)
        if "seat" in changed:
            move(db, entry, values["seat"])
        for name in changed.keys() - {"seat"}:
            setattr(entry, name, values[name])
        if changed:
            db.flush()
            about = {"exam_id": session.exam_id, "session_id": session_id, "entry_id": entry.id}
            note(
                db,
                CANDIDATE_CHANGED,
                origin,
                subject_id=entry.subject_id,
                **about,
                changes=changed,
                reason=changes.reason,
            )
        return candidates_of(db, session_id, [entry.id])[entry.id]


def move(db: OrmSession, entry: RosterEntryRow, seat: str) -> None:
    """Give a candidate another seat; whoever is in already sits there from now on.

    Raises:
        SeatTaken: If somebody else is expected there, or sits there.
    """
    of_others = RosterEntryRow.id != entry.id, RosterEntryRow.seat == seat
    reserved = db.scalar(
        select(RosterEntryRow.id).where(RosterEntryRow.session_id == entry.session_id, *of_others)
    )
    in_use = AdmissionRow.session_id == entry.session_id, AdmissionRow.seat == seat
    taken = db.scalar(select(AdmissionRow.entry_id).where(*in_use, AdmissionRow.entry_id != entry.id))
    if reserved or taken:
        raise SeatTaken(seat)
    entry.seat = seat
    admission = db.get(AdmissionRow, entry.id)
    if admission is not None:
        admission.seat = seat
