"""Sweeps: what is past its time is announced, and goes a day later at the earliest.

A wrong clock, a changed date or an emptied field makes much look overdue at once. The day between gives
whoever reads the audit trail the time to put it right.
"""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, delete, func, select
from sqlalchemy.orm import Session as OrmSession

from index.audit import Origin
from index.clock import CONFIRMED, NOTICE, find_latest_notice, require_steady
from index.crops import purge_crops
from index.database.database import Database
from index.tables import AuditEventRow, utc_now
from service.exams.audit import note
from service.exams.errors import ExamNotFound, ExamOnHold, RetentionRunning
from service.exams.evidence.retention import Purge, purge_exam
from service.exams.guard import due_by, ends_of
from service.exams.holds import held_checkins, is_held
from service.exams.tables import ExamRow, ThumbnailRow

ANNOUNCED = "retention.announced"
MOST_NOTICES = 20
"""There is one a day, and one for each exam more; what they name goes after a day."""


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
        latest = find_latest_notice(db, now)
        notice = newest_notice(db, AuditEventRow.at <= latest)
        # A hold that was lifted by mistake can be put again within the time of a notice.
        resting = set(db.scalars(select(ExamRow.id).where(is_held(ExamRow.id, latest))))
        is_free = ThumbnailRow.checkin_id.not_in(held_checkins(latest))
        thumbnails = purge_thumbnails(db, until_of(notice), is_free, origin) if notice else 0
        thumbnails += purge_cases(db, now, is_free, origin)
        announce(db, due, now, origin)
    if notice is None:
        return Swept(thumbnails=thumbnails, announced=due)
    announced = set(map(UUID, notice.details["exams"])) - resting
    purges = [purge for one in due if one in announced for purge in purged(database, one, origin, now)]
    crops = purge_crops(database, until=until_of(notice), actor=origin.actor, held_since=latest)
    return Swept(purges, thumbnails, crops, [one for one in due if one not in announced])


def plan_sweep(database: Database, origin: Origin, now: datetime | None = None) -> Swept:
    """The exams that `sweep` would remove or announce now; changes nothing, and counts no pictures."""
    now = now or utc_now()
    with database.read() as db:
        due, latest = due_exams(db, now), find_latest_notice(db, now)
        notice = newest_notice(db, AuditEventRow.at <= latest)
        resting = set(db.scalars(select(ExamRow.id).where(is_held(ExamRow.id, latest))))
    announced = set(map(UUID, notice.details["exams"])) - resting if notice else set()
    purges = [purge_exam(database, one, origin, dry_run=True, now=now) for one in due if one in announced]
    return Swept(purges, announced=[one for one in due if one not in announced])


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
    """The exams whose rows have to go by now, in the order they were made; none that is on hold."""
    left = select(ExamRow).where(ExamRow.purged_at.is_(None), ~is_held(ExamRow.id))
    kept = db.scalars(left.order_by(ExamRow.id)).all()
    ends = ends_of(db, [exam.id for exam in kept])
    return [exam.id for exam in kept if (due := due_by(exam, *ends[exam.id])) is not None and due <= now]


def announced_exams(db: OrmSession) -> dict[UUID, datetime]:
    """The exams that wait for their day, with the time of the first of the notices that name them."""
    found: dict[UUID, datetime] = {}
    confirmed = select(func.max(AuditEventRow.seq)).where(AuditEventRow.action == CONFIRMED)
    notices = select(AuditEventRow).where(
        AuditEventRow.action == ANNOUNCED, AuditEventRow.seq > (db.scalar(confirmed) or 0)
    )
    still: set[UUID] | None = None
    for notice in db.scalars(notices.order_by(AuditEventRow.seq.desc()).limit(MOST_NOTICES)):
        named = set(map(UUID, notice.details["exams"]))
        still = named if still is None else still & named
        found |= dict.fromkeys(still, notice.at)
        if not still:
            break
    return found


def announce(db: OrmSession, due: list[UUID], now: datetime, origin: Origin) -> None:
    """Write down what is due: once a day, which also shows that the clock goes on, and for every new exam."""
    last = newest_notice(db, AuditEventRow.at > now - NOTICE)
    told = set(last.details["exams"]) if last else set()
    names = [str(one) for one in due]
    if last is None or not told.issuperset(names):
        # What was told of today keeps its date: a new exam must not put off the others.
        note(db, ANNOUNCED, origin, until=now.isoformat(), exams=names)


def purge_thumbnails(db: OrmSession, until: datetime, is_free: ColumnElement[bool], origin: Origin) -> int:
    """Remove the pictures whose days were over at `until` and that are not on hold; returns how many."""
    return remove_thumbnails(db, (ThumbnailRow.expires_at <= until) & is_free, origin)


def purge_cases(db: OrmSession, now: datetime, is_free: ColumnElement[bool], origin: Origin) -> int:
    """Remove the pictures of cases that nobody has decided in time; returns how many.

    They were promised to go then, and no evidence rests on them: no day of notice.
    """
    is_over = ThumbnailRow.until_settled & (ThumbnailRow.expires_at <= now)
    return remove_thumbnails(db, is_over & is_free, origin)


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
    except (ExamNotFound, ExamOnHold, RetentionRunning):
        return []
