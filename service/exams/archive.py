"""Taking exams away: one with an attempt is archived, for it is evidence; another one is deleted.

An archived exam stays readable in every part, and its retention goes on. It takes no check-in, no roster, no
change and no override, and no list of exams shows it unless it is asked for. The keys of its kiosks end
either way.
"""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.orm import Session as OrmSession

from index.audit import Origin
from index.database.database import Database
from index.tables import ApiKeyRow, HoldRow, utc_now
from index.trail.anchor_lines import EXAM_ARCHIVED, EXAM_DELETED
from service.access.keys import revoke_row
from service.exams.audit import note
from service.exams.context import Desk
from service.exams.errors import SessionOpen
from service.exams.evidence.retention import remove_rows, sizes
from service.exams.exams import exam_document, exam_row
from service.exams.guard import By, last_attempt, open_sessions
from service.exams.holds import refuse_held_exam
from service.exams.schemas import Exam
from service.exams.tables import CheckinRow, ExamRow, SessionRow


def remove_exam(desk: Desk, exam_id: UUID, origin: Origin, reason: str | None) -> Exam | None:
    """Archive an exam that has an attempt, and delete one that has none; the same call again changes nothing.

    Args:
        desk: With the database.
        exam_id: Which one.
        origin: Who asks.
        reason: Why; needed, from an administrator, while one of its sessions is open.

    Returns:
        The archived exam; None where it was deleted.

    Raises:
        ExamNotFound: If there is no such exam.
        ExamOnHold: If it would be deleted, and it or one of its candidates is on hold.
        SessionOpen: If a session is open and there is no reason.
        Forbidden: If a session is open and no administrator asks.
    """
    with desk.database.write() as db:
        row = exam_row(db, exam_id)
        if row.archived_at is None:
            refuse_while_open_without_reason(db, row, By(origin, reason))
            # What is archived stays; what would be deleted would be gone.
            if row.purged_at is None and last_attempt(db, CheckinRow.exam_id == exam_id) is None:
                refuse_held_exam(db, exam_id)
                delete_rows(db, row, origin, reason)
                return None
            archive_row(db, row, origin, reason)
        return exam_document(desk, row)


def archive_returned(
    database: Database, archived: Collection[UUID], deleted: Collection[UUID], origin: Origin
) -> int:
    """Take away again the exams that came back with an older database; returns how many.

    One that was deleted and has an attempt by now is archived, as it would be today.
    """
    wanted, again = list({*archived, *deleted}), 0
    is_back = select(ExamRow.id).where(ExamRow.id.in_(wanted), ExamRow.archived_at.is_(None))
    with database.read() as db:
        if not db.scalars(is_back).all():
            return 0
    with database.write() as db:
        for exam_id in db.scalars(is_back).all():
            row = exam_row(db, exam_id)
            if exam_id in deleted and last_attempt(db, CheckinRow.exam_id == exam_id) is None:
                delete_rows(db, row, origin, None)
            else:
                archive_row(db, row, origin, None)
            again += 1
    return again


def archive_row(db: OrmSession, row: ExamRow, origin: Origin, reason: str | None) -> None:
    """Archive an exam; its kiosks end."""
    row.archived_at = utc_now()
    end_kiosks(db, row.id, origin)
    note(db, EXAM_ARCHIVED, origin, exam_id=row.id, reason=reason)


def refuse_while_open_without_reason(db: OrmSession, row: ExamRow, by: By) -> None:
    """Refuse to take an exam away from under a door."""
    found = open_sessions(db, SessionRow.exam_id == row.id)
    if found and by.reason is None:
        raise SessionOpen("Taking the exam away", found)
    if found:
        by.require_admin(["taking an exam away while a session is open"])


def end_kiosks(db: OrmSession, exam_id: UUID, origin: Origin) -> None:
    """Revoke the keys of an exam's kiosks, for good: the tablets may be anywhere."""
    mine = select(SessionRow.id).where(SessionRow.exam_id == exam_id)
    keys = select(ApiKeyRow).where(ApiKeyRow.session_id.in_(mine), ApiKeyRow.revoked_at.is_(None))
    for key in db.scalars(keys).all():
        # Each with an event of its own: a backup that is put back must not bring it back.
        revoke_row(db, key, actor=origin.actor, request_id=origin.request_id)


def delete_rows(db: OrmSession, row: ExamRow, origin: Origin, reason: str | None) -> None:
    """Delete an exam that nobody has been at, with its rosters."""
    end_kiosks(db, row.id, origin)
    counts = sizes(db, row.id)
    remove_rows(db, row.id)
    of_exam = delete(SessionRow).where(SessionRow.exam_id == row.id)
    db.execute(of_exam.execution_options(synchronize_session=False))
    db.execute(delete(HoldRow).where(HoldRow.exam_id == row.id))
    db.delete(row)
    gone: dict[str, Any] = {name: counts[name] for name in ("sessions", "roster_entries")}
    note(db, EXAM_DELETED, origin, exam_id=row.id, reason=reason, **gone)
