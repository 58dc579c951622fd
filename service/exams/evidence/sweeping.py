"""Sweeps: what is past its time is announced, and goes a day later at the earliest.

A wrong clock, a changed date or an emptied field makes much look overdue at once. The day between gives
whoever reads the audit trail the time to put it right.
"""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, delete, select
from sqlalchemy.orm import Session as OrmSession

from index.audit import Origin
from index.clock import CONFIRMED, NOTICE, find_latest_notice, require_steady
from index.crops import purge_crops
from index.database.database import Database
from index.tables import AuditEventRow, utc_now
from service.exams.audit import note
from service.exams.errors import ExamNotFound, RetentionRunning
from service.exams.evidence.retention import Purge, purge_exam
from service.exams.guard import due_at
from service.exams.tables import ExamRow, ThumbnailRow

ANNOUNCED = "retention.announced"


@dataclass(frozen=True)
class Swept:
    """What one sweep removed, and which exams it announced for the next ones."""

    purges: list[Purge] = field(default_factory=list)
    thumbnails: int = 0
    crops: int = 0
    announced: list[UUID] = field(default_factory=list)


def sweep(database: Database, origin: Origin, now: datetime | None = None) -> Swept:
    """Remove what an earlier sweep has announced, a day ago or longer; announce what is due now.

    Args:
        database: All of it: exams, their pictures, kept crops.
        origin: In whose name.
        now: By default what the clock says.

    Raises:
        ClockLeapt: If the clock is in doubt; then nothing goes and nothing is announced.
    """
    now = now or utc_now()
    with database.read() as db:
        # Before nobody else can write. An exam that is purged is looked at once more when its turn comes.
        due = due_exams(db, now)
    with database.write() as db:
        require_steady(db, now)
        notice = newest_notice(db, AuditEventRow.at <= find_latest_notice(db, now))
        thumbnails = purge_thumbnails(db, until_of(notice), origin) if notice else 0
        thumbnails += purge_cases(db, now, origin)
        announce(db, due, now, origin)
    if notice is None:
        return Swept(thumbnails=thumbnails, announced=due)
    announced = set(map(UUID, notice.details["exams"]))
    purges = [purge for one in due if one in announced for purge in purged(database, one, origin, now)]
    crops = purge_crops(database, until=until_of(notice), actor=origin.actor)
    return Swept(purges, thumbnails, crops, [one for one in due if one not in announced])


def newest_notice(db: OrmSession, condition: ColumnElement[bool]) -> AuditEventRow | None:
    """The newest announcement since somebody last confirmed the clock."""
    confirmed = select(AuditEventRow.seq).where(AuditEventRow.action == CONFIRMED)
    newest = db.scalar(confirmed.order_by(AuditEventRow.seq.desc()).limit(1)) or 0
    query = select(AuditEventRow).where(AuditEventRow.action == ANNOUNCED, AuditEventRow.seq > newest)
    return db.scalar(query.where(condition).order_by(AuditEventRow.seq.desc()).limit(1))


def until_of(notice: AuditEventRow) -> datetime:
    """Up to which expiry pictures were announced."""
    return datetime.fromisoformat(notice.details["until"])


def due_exams(db: OrmSession, now: datetime) -> list[UUID]:
    """The exams whose rows have to go by now, in the order they were made."""
    kept = db.scalars(select(ExamRow).where(ExamRow.purged_at.is_(None)).order_by(ExamRow.id)).all()
    return [exam.id for exam in kept if (due := due_at(db, exam, exam.id)) is not None and due <= now]


def announce(db: OrmSession, due: list[UUID], now: datetime, origin: Origin) -> None:
    """Write down what is due: once a day, which also shows that the clock goes on, and for every new exam."""
    last = newest_notice(db, AuditEventRow.at > now - NOTICE)
    told = set(last.details["exams"]) if last else set()
    names = [str(one) for one in due]
    if last is None or not told.issuperset(names):
        # What was told of today keeps its date: a new exam must not put off the others.
        note(db, ANNOUNCED, origin, until=now.isoformat(), exams=names)


def purge_thumbnails(db: OrmSession, until: datetime, origin: Origin) -> int:
    """Remove the pictures whose days were over at `until`; returns how many."""
    return remove_thumbnails(db, ThumbnailRow.expires_at <= until, origin)


def purge_cases(db: OrmSession, now: datetime, origin: Origin) -> int:
    """Remove the pictures of cases that nobody has decided in time; returns how many.

    They were promised to go then, and no evidence rests on them: no day of notice.
    """
    return remove_thumbnails(db, ThumbnailRow.until_settled & (ThumbnailRow.expires_at <= now), origin)


def remove_thumbnails(db: OrmSession, over: ColumnElement[bool], origin: Origin) -> int:
    """Remove pictures; returns how many."""
    gone = len(db.scalars(delete(ThumbnailRow).where(over).returning(ThumbnailRow.checkin_id)).all())
    if gone:
        note(db, "thumbnails.purged", origin, thumbnails=gone)
    return gone


def purged(database: Database, exam_id: UUID, origin: Origin, now: datetime) -> list[Purge]:
    """The purge of one exam; nothing where it is gone or is kept for longer by now."""
    try:
        return [purge_exam(database, exam_id, origin, now=now)]
    except (ExamNotFound, RetentionRunning):
        return []
