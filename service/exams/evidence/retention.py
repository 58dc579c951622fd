"""When an exam's evidence has served its purpose it goes; the counts and the audit chain stay."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session as OrmSession

from index.database import Database
from index.tables import utc_now
from service.exams.audit import note
from service.exams.context import Origin
from service.exams.errors import RetentionRunning
from service.exams.exams import exam_row
from service.exams.status import counts_of
from service.exams.tables import (
    AdmissionRow,
    CheckinRow,
    ExamRow,
    OverrideRow,
    RosterEntryRow,
    SessionRow,
    ThumbnailRow,
)


class Purge(BaseModel):
    """What went, or would go, of one exam."""

    exam_id: UUID
    due_at: datetime | None
    purged: bool
    sessions: int
    roster_entries: int
    checkins: int
    overrides: int
    thumbnails: int


@dataclass(frozen=True)
class Swept:
    """What one round of retention removed."""

    purges: list[Purge]
    thumbnails: int


def due_at(session: OrmSession, exam: ExamRow) -> datetime | None:
    """When the exam's rows have to go, which is never before its last session closes; None keeps them."""
    if exam.retention_days is None:
        return None
    due = (exam.appeal_ends_at or exam.ends_at) + timedelta(days=exam.retention_days)
    last = session.scalar(select(func.max(SessionRow.closes_at)).where(SessionRow.exam_id == exam.id))
    return max(due, last) if last else due


def purge_exam(database: Database, exam_id: UUID, origin: Origin, *, dry_run: bool = False) -> Purge:
    """Remove the rosters, attempts, overrides and pictures of an exam whose retention has ended.

    An exam that was purged already is left as it is.

    Raises:
        ExamNotFound: If there is no such exam.
        RetentionRunning: If its time has not come, and it is no dry run.
    """
    transaction = database.read() if dry_run else database.write()
    with transaction as session:
        exam = exam_row(session, exam_id)
        due = due_at(session, exam)
        purge = Purge(exam_id=exam_id, due_at=due, purged=not dry_run, **sizes(session, exam_id))
        if dry_run or exam.purged_at is not None:
            return purge
        if due is None or due > utc_now():
            raise RetentionRunning(due)
        keep_tallies(session, exam_id)
        remove_rows(session, exam_id)
        exam.purged_at = utc_now()
        details = purge.model_dump(mode="json", exclude={"exam_id", "due_at", "purged"})
        note(session, "exam.purged", origin, exam_id=exam_id, **details)
        return purge


def sweep(database: Database, origin: Origin) -> Swept:
    """Purge every exam whose time has come, and every picture whose days are over; for a job or a command."""
    now = utc_now()
    with database.write() as session:
        old = delete(ThumbnailRow).where(ThumbnailRow.expires_at <= now).returning(ThumbnailRow.checkin_id)
        thumbnails = len(session.scalars(old).all())
        if thumbnails:
            note(session, "thumbnails.purged", origin, thumbnails=thumbnails)
        open_exams = session.scalars(select(ExamRow).where(ExamRow.purged_at.is_(None))).all()
        due = [exam.id for exam in open_exams if (when := due_at(session, exam)) is not None and when <= now]
    return Swept([purge_exam(database, exam_id, origin) for exam_id in due], thumbnails)


def keep_tallies(session: OrmSession, exam_id: UUID) -> None:
    """Write down how each session stood."""
    for row in session.scalars(select(SessionRow).where(SessionRow.exam_id == exam_id)):
        row.tally = counts_of(session, row).model_dump()
    session.flush()


def remove_rows(session: OrmSession, exam_id: UUID) -> None:
    """Remove what names or measures a person, the dependent rows first."""
    sessions = select(SessionRow.id).where(SessionRow.exam_id == exam_id)
    checkins = select(CheckinRow.id).where(CheckinRow.exam_id == exam_id)
    for statement in (
        delete(ThumbnailRow).where(ThumbnailRow.checkin_id.in_(checkins)),
        delete(OverrideRow).where(OverrideRow.checkin_id.in_(checkins)),
        delete(AdmissionRow).where(AdmissionRow.session_id.in_(sessions)),
        delete(CheckinRow).where(CheckinRow.exam_id == exam_id),
        delete(RosterEntryRow).where(RosterEntryRow.session_id.in_(sessions)),
    ):
        session.execute(statement.execution_options(synchronize_session=False))


def sizes(session: OrmSession, exam_id: UUID) -> dict[str, int]:
    """How many rows an exam has."""
    sessions = select(SessionRow.id).where(SessionRow.exam_id == exam_id)
    checkins = select(CheckinRow.id).where(CheckinRow.exam_id == exam_id)
    conditions = {
        "sessions": SessionRow.exam_id == exam_id,
        "roster_entries": RosterEntryRow.session_id.in_(sessions),
        "checkins": CheckinRow.exam_id == exam_id,
        "overrides": OverrideRow.checkin_id.in_(checkins),
        "thumbnails": ThumbnailRow.checkin_id.in_(checkins),
    }
    return {name: session.scalar(select(func.count()).where(one)) or 0 for name, one in conditions.items()}
