"""The rules of a session: until when people come in, and when nobody goes out."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session as OrmSession

from service.exams.states import Move
from service.exams.tables import ExamRow, MovementRow, RosterEntryRow, SessionRow

LAST_ENTRY = "last_entry"
FIRST_EXIT = "first_exit"


@dataclass(frozen=True)
class Closed:
    """Since when nobody comes in any more, and by which rule."""

    rule: str
    since: datetime


def find_entry_end(db: OrmSession, session: SessionRow, exam: ExamRow, now: datetime) -> Closed | None:
    """Why nobody comes in any more; None while people do."""
    if session.last_entry_minutes is not None:
        last = exam.starts_at + timedelta(minutes=session.last_entry_minutes)
        if now > last:
            return Closed(LAST_ENTRY, last)
    if session.no_entry_after_exit:
        first = first_leave(db, session)
        if first is not None:
            return Closed(FIRST_EXIT, first)
    return None


def first_leave(db: OrmSession, session: SessionRow) -> datetime | None:
    """When somebody first left for good."""
    mine = MovementRow.session_id == session.id
    undone = select(MovementRow.undoes).where(mine, MovementRow.undoes.is_not(None))
    query = select(func.min(func.coalesce(MovementRow.taken_at, MovementRow.created_at)))
    return db.scalar(query.where(mine, MovementRow.kind == str(Move.END), MovementRow.id.not_in(undone)))


def no_exit_until(
    session: SessionRow, exam: ExamRow, entry: RosterEntryRow, now: datetime
) -> datetime | None:
    """Until when a candidate stays in; None where the candidate may go out now."""
    first = exam.starts_at + timedelta(minutes=session.no_exit_first_minutes)
    if exam.starts_at <= now < first:
        return first
    end = exam.ends_at + timedelta(minutes=entry.extra_minutes)
    if end - timedelta(minutes=session.no_exit_last_minutes) <= now < end:
        return end
    return None
