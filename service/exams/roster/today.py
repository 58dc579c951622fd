"""Who of a session was let in to another exam today: somebody has looked at them already."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import aliased

from index.tables import utc_now
from service.exams.checkin.comparison import SAME_DAY
from service.exams.context import Desk
from service.exams.schemas import Person, Verdict
from service.exams.sessions import session_row
from service.exams.tables import AdmissionRow, ExamRow, RosterEntryRow, SessionRow


class LetInToday(Person):
    """A candidate, and where somebody or the machine has let the same person in within the last 24 hours."""

    exam: str
    room: str
    at: datetime
    outcome: Verdict = Field(description="`admitted` by the face, or `identified_manually` by a document")


def read_let_in_today(
    desk: Desk, session_id: UUID, external_id: str | None = None, only: Collection[UUID] | None = None
) -> list[LetInToday]:
    """The candidates of a session who were let in to another exam today, the latest admission first.

    Args:
        desk: With the database.
        session_id: Whose candidates.
        external_id: This candidate alone.
        only: Exams that are there for who asks; None: all.

    Raises:
        SessionNotFound: If there is no such session.
    """
    other = aliased(RosterEntryRow)
    query = (
        select(RosterEntryRow, ExamRow.name, SessionRow.room, AdmissionRow.at, AdmissionRow.outcome)
        .join(other, other.subject_id == RosterEntryRow.subject_id)
        .join(AdmissionRow, AdmissionRow.entry_id == other.id)
        .join(SessionRow, SessionRow.id == other.session_id)
        .join(ExamRow, ExamRow.id == SessionRow.exam_id)
        .where(RosterEntryRow.session_id == session_id, AdmissionRow.at > utc_now() - SAME_DAY)
        .order_by(AdmissionRow.at.desc(), RosterEntryRow.id)
    )
    if external_id is not None:
        query = query.where(RosterEntryRow.external_id == external_id)
    if only is not None:
        query = query.where(ExamRow.id.in_(only))
    with desk.database.read() as db:
        exam_id = session_row(db, session_id).exam_id
        return [
            LetInToday(
                external_id=entry.external_id,
                display_name=entry.display_name,
                seat=entry.seat,
                exam=exam,
                room=room,
                at=at,
                outcome=Verdict(outcome),
            )
            for entry, exam, room, at, outcome in db.execute(query.where(SessionRow.exam_id != exam_id))
        ]
