"""When an exam's evidence has served its purpose it goes; the counts and the audit chain stay."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session as OrmSession

from index.audit import Origin
from index.clock import require_steady
from index.database.database import Database
from index.tables import ShadowDisagreementRow, utc_now
from index.trail.anchor_lines import EXAM_PURGED
from service.exams.audit import note
from service.exams.errors import RetentionRunning
from service.exams.exams import exam_row
from service.exams.guard import due_at
from service.exams.holds import refuse_held_exam
from service.exams.status import counts_of
from service.exams.tables import (
    AdmissionRow,
    AdmissionTemplateRow,
    CheckinRow,
    ComplaintRow,
    DeliveryRow,
    ExamRow,
    MovementRow,
    OverrideRow,
    QueueKeyRow,
    RosterEntryRow,
    SessionRow,
    ThumbnailRow,
)
from service.exams.use.counting import keep_use


class Purge(BaseModel):
    """What went, or would go, of one exam."""

    exam_id: UUID
    due_at: datetime | None
    purged: bool
    sessions: int
    roster_entries: int
    checkins: int
    overrides: int
    movements: int = 0
    thumbnails: int


def purge_exam(
    database: Database, exam_id: UUID, origin: Origin, *, dry_run: bool = False, now: datetime | None = None
) -> Purge:
    """Remove the rosters, attempts, overrides and pictures of an exam whose retention has ended.

    An exam that was purged already is left as it is.

    Args:
        database: With the exam.
        exam_id: Which one.
        origin: Who asks.
        dry_run: Only say what would go.
        now: By default what the clock says.

    Raises:
        ClockLeapt: If the clock is in doubt, and it is no dry run.
        ExamNotFound: If there is no such exam.
        ExamOnHold: If it, or one of its candidates, is on hold, and it is no dry run.
        RetentionRunning: If its time has not come, and it is no dry run.
    """
    now = now or utc_now()
    transaction = database.read() if dry_run else database.write()
    with transaction as db:
        exam = exam_row(db, exam_id)
        due = due_at(db, exam, exam.id)
        purge = Purge(exam_id=exam_id, due_at=due, purged=not dry_run, **sizes(db, exam_id))
        if dry_run or exam.purged_at is not None:
            return purge
        if due is None or due > now:
            raise RetentionRunning(due)
        refuse_held_exam(db, exam_id)
        require_steady(db, now)
        remove_evidence(db, exam, purge, origin, now)
        return purge


def purge_returned(database: Database, exam_ids: Collection[UUID], origin: Origin) -> int:
    """Purge again the exams whose rows came back with an older database; returns how many.

    Their time had come before: nothing is announced anew, and no clock is asked.
    """
    wanted, again = list(exam_ids), 0
    is_back = select(ExamRow.id).where(ExamRow.id.in_(wanted), ExamRow.purged_at.is_(None))
    with database.read() as db:
        if not db.scalars(is_back).all():
            return 0
    with database.write() as db:
        for exam_id in db.scalars(is_back).all():
            exam = exam_row(db, exam_id)
            due = due_at(db, exam, exam_id)
            purge = Purge(exam_id=exam_id, due_at=due, purged=True, **sizes(db, exam_id))
            remove_evidence(db, exam, purge, origin, utc_now())
            again += 1
    database.settle()
    return again


def remove_evidence(db: OrmSession, exam: ExamRow, purge: Purge, origin: Origin, now: datetime) -> None:
    """Remove an exam's rows, keep its counts, and write down what went."""
    keep_tallies(db, exam.id)
    keep_use(db, exam.id)
    remove_rows(db, exam.id)
    exam.purged_at = now
    details = purge.model_dump(mode="json", exclude={"exam_id", "due_at", "purged"})
    note(db, EXAM_PURGED, origin, exam_id=exam.id, **details)


def keep_tallies(db: OrmSession, exam_id: UUID) -> None:
    """Write down how each session stood."""
    for row in db.scalars(select(SessionRow).where(SessionRow.exam_id == exam_id)):
        row.tally = counts_of(db, row).model_dump()
    db.flush()


def remove_rows(db: OrmSession, exam_id: UUID) -> None:
    """Remove what names or measures a person, the dependent rows first."""
    sessions = select(SessionRow.id).where(SessionRow.exam_id == exam_id)
    checkins = select(CheckinRow.id).where(CheckinRow.exam_id == exam_id)
    for statement in (
        delete(DeliveryRow).where(DeliveryRow.session_id.in_(sessions)),
        delete(QueueKeyRow).where(QueueKeyRow.session_id.in_(sessions)),
        delete(ShadowDisagreementRow).where(ShadowDisagreementRow.checkin_id.in_(checkins)),
        delete(AdmissionTemplateRow).where(AdmissionTemplateRow.session_id.in_(sessions)),
        delete(ThumbnailRow).where(ThumbnailRow.checkin_id.in_(checkins)),
        delete(ComplaintRow).where(ComplaintRow.exam_id == exam_id),
        delete(OverrideRow).where(OverrideRow.checkin_id.in_(checkins)),
        delete(MovementRow).where(MovementRow.exam_id == exam_id),
        delete(AdmissionRow).where(AdmissionRow.session_id.in_(sessions)),
        delete(CheckinRow).where(CheckinRow.exam_id == exam_id),
        delete(RosterEntryRow).where(RosterEntryRow.session_id.in_(sessions)),
    ):
        db.execute(statement.execution_options(synchronize_session=False))


def sizes(db: OrmSession, exam_id: UUID) -> dict[str, int]:
    """How many rows an exam has."""
    return sizes_of(db, [exam_id])[exam_id]


def sizes_of(db: OrmSession, exam_ids: Collection[UUID]) -> dict[UUID, dict[str, int]]:
    """How many rows each exam has, of every kind that a purge removes."""
    of_session, of_checkin = SessionRow.exam_id, CheckinRow.exam_id
    session, checkin = SessionRow.id, CheckinRow.id
    queries = {
        "sessions": (of_session, select(of_session, func.count())),
        "roster_entries": (
            of_session,
            select(of_session, func.count()).join(RosterEntryRow, RosterEntryRow.session_id == session),
        ),
        "checkins": (of_checkin, select(of_checkin, func.count())),
        "overrides": (
            of_checkin,
            select(of_checkin, func.count()).join(OverrideRow, OverrideRow.checkin_id == checkin),
        ),
        "movements": (MovementRow.exam_id, select(MovementRow.exam_id, func.count())),
        "thumbnails": (
            of_checkin,
            select(of_checkin, func.count()).join(ThumbnailRow, ThumbnailRow.checkin_id == checkin),
        ),
    }
    found: dict[UUID, dict[str, int]] = {one: dict.fromkeys(queries, 0) for one in exam_ids}
    for name, (of, query) in queries.items():
        for exam_id, n in db.execute(query.where(of.in_(exam_ids)).group_by(of)):
            found[exam_id][name] = n
    return found
