"""Erasing people whose legal basis has ended, where the operator has set after how long.

Each of them is announced by an event of the audit chain first, and goes a day later at the earliest, if the
basis still ends at the moment that was announced. A wrong date or a wrong clock can be put right in between.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from index import audit
from index.clock import CONFIRMED, NOTICE, require_steady
from index.consent.erasure import erase_subject
from index.database.database import Database
from index.tables import AuditEventRow, SubjectRow, utc_now

ANNOUNCED = "subject.erasure_announced"
_PEOPLE_IN_ONE_TURN = 200
"""Other writers come in between; thousands of people may be due on one day."""

_ENDED_AT = func.coalesce(SubjectRow.withdrawn_at, SubjectRow.basis_expires_at)


@dataclass(frozen=True)
class ExpirySweep:
    """How many people one sweep has announced, and how many it has erased."""

    announced: int = 0
    erased: int = 0


def sweep_expired(
    database: Database, after: timedelta, *, actor: str, now: datetime | None = None
) -> ExpirySweep:
    """Erase whom an earlier sweep has announced, a day ago or longer; announce who is due now.

    Args:
        database: With the subjects.
        after: How long after its end, or its withdrawal, a basis is waited for.
        actor: In whose name.
        now: By default what the clock says.

    Raises:
        ClockLeapt: If the clock is in doubt; then nobody goes and nobody is announced.
        DatabaseError: If it could not be written; what was done stays done.
    """
    now = now or utc_now()
    announced = erased = 0
    last: UUID | None = None
    while True:
        with database.write() as db:
            require_steady(db, now)
            due = find_due_subjects(db, now - after, last)
            told = find_announcements(db, due)
            for subject_id, ended_at in due:
                if (at := told.get((subject_id, ended_at.isoformat()))) is None:
                    details = {"ended_at": ended_at.isoformat()}
                    audit.record(db, action=ANNOUNCED, actor=actor, subject_id=subject_id, details=details)
                    announced += 1
                elif at <= now - NOTICE:
                    erase_subject(db, subject_id, actor=actor)
                    erased += 1
        if len(due) < _PEOPLE_IN_ONE_TURN:
            break
        last = due[-1][0]
    if erased:
        database.settle()
    return ExpirySweep(announced, erased)


def find_due_subjects(db: Session, until: datetime, after: UUID | None) -> Sequence[tuple[UUID, datetime]]:
    """Some of those whose basis had ended by then, by id, with when it did."""
    query = select(SubjectRow.id, SubjectRow.withdrawn_at, SubjectRow.basis_expires_at)
    query = query.where(until >= _ENDED_AT).order_by(SubjectRow.id).limit(_PEOPLE_IN_ONE_TURN)
    if after is not None:
        query = query.where(SubjectRow.id > after)
    return [(row.id, row.withdrawn_at or row.basis_expires_at) for row in db.execute(query)]


def find_announcements(db: Session, due: Sequence[tuple[UUID, datetime]]) -> dict[tuple[UUID, str], datetime]:
    """When the erasure of each was first announced, since somebody last confirmed the clock."""
    confirmed = db.scalar(select(func.max(AuditEventRow.seq)).where(AuditEventRow.action == CONFIRMED)) or 0
    query = select(AuditEventRow).where(
        AuditEventRow.action == ANNOUNCED,
        AuditEventRow.seq > confirmed,
        AuditEventRow.subject_id.in_([subject_id for subject_id, _ in due]),
    )
    found: dict[tuple[UUID, str], datetime] = {}
    for event in db.scalars(query.order_by(AuditEventRow.seq)):
        if event.subject_id is not None:
            found.setdefault((event.subject_id, event.details["ended_at"]), event.at)
    return found
