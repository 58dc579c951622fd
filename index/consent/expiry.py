"""Erase people some time after the end of their legal basis, if the operator has set how long.

An audit event first announces each erasure. It follows a day later at the earliest, if the basis still ends
at the announced time, so that a wrong date or clock can be corrected in between.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import Session

from index import audit
from index.clock import CONFIRMED, find_latest_notice, require_steady
from index.consent.erasure import erase_subject
from index.database.batches import batches
from index.database.database import Database
from index.holds import select_held_subjects
from index.tables import AuditEventRow, SubjectRow, utc_now

ANNOUNCED = "subject.erasure_announced"
_PEOPLE_IN_ONE_TURN = 200
"""People per transaction: other writers run in between, since thousands of people may be due on one day."""

_ENDED_AT = func.coalesce(SubjectRow.withdrawn_at, SubjectRow.basis_expires_at)


@dataclass(frozen=True)
class ExpirySweep:
    """How many people one sweep announced, and how many it erased."""

    announced: int = 0
    erased: int = 0


def sweep_expired(
    database: Database,
    after: timedelta,
    *,
    actor: str,
    now: datetime | None = None,
    spared: Callable[[datetime | None], Select[UUID]] = select_held_subjects,
) -> ExpirySweep:
    """Erase the people announced at least a day ago by an earlier sweep; announce those who are due now.

    Args:
        database: With the subjects.
        after: Time from the end of a basis, or its withdrawal, to the erasure.
        actor: Who erases, for the audit chain.
        now: The machine's clock by default.
        spared: A query for the subjects on hold, and those whose hold was lifted after a moment.

    Raises:
        ClockLeapt: If the clock is in doubt; nobody is then erased or announced.
        DatabaseError: If it could not be written; finished work is kept.
    """
    now = now or utc_now()
    announced = erased = 0
    last: UUID | None = None
    while True:
        with database.write() as db:
            require_steady(db, now)
            latest = find_latest_notice(db, now)
            due = find_due_subjects(db, now - after, last, spared(None))
            told, resting = find_announcements(db, due), set(db.scalars(spared(latest)))
            for subject_id, ended_at in due:
                if (at := told.get((subject_id, ended_at.isoformat()))) is None:
                    details = {"ended_at": ended_at.isoformat()}
                    audit.record(db, action=ANNOUNCED, actor=actor, subject_id=subject_id, details=details)
                    announced += 1
                elif at <= latest and subject_id not in resting:
                    erase_subject(db, subject_id, actor=actor)
                    erased += 1
        if len(due) < _PEOPLE_IN_ONE_TURN:
            break
        last = due[-1][0]
    if erased:
        database.settle()
    return ExpirySweep(announced, erased)


def is_due(until: datetime) -> ColumnElement[bool]:
    """The condition for subjects whose basis ended by then."""
    return until >= _ENDED_AT


def find_due_subjects(
    db: Session, until: datetime, after: UUID | None, spared: Select[UUID]
) -> Sequence[tuple[UUID, datetime]]:
    """One block of the subjects whose basis ended by then, by id, with the time of its end."""
    query = select(SubjectRow.id, SubjectRow.withdrawn_at, SubjectRow.basis_expires_at)
    query = query.where(is_due(until), SubjectRow.id.not_in(spared))
    query = query.order_by(SubjectRow.id).limit(_PEOPLE_IN_ONE_TURN)
    if after is not None:
        query = query.where(SubjectRow.id > after)
    return [(row.id, row.withdrawn_at or row.basis_expires_at) for row in db.execute(query)]


def find_announcements(db: Session, due: Sequence[tuple[UUID, datetime]]) -> dict[tuple[UUID, str], datetime]:
    """When each erasure was first announced since the clock was last confirmed."""
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


def find_waiting(db: Session, until: datetime, spared: Select[UUID]) -> list[datetime | None]:
    """When the erasure of each subject whose basis ended by then was announced; None where it was not."""
    query = select(SubjectRow.id, _ENDED_AT).where(is_due(until), SubjectRow.id.not_in(spared))
    due = [(subject_id, ended_at) for subject_id, ended_at in db.execute(query)]
    told: dict[tuple[UUID, str], datetime] = {}
    for batch in batches(due):
        told |= find_announcements(db, batch)
    return [told.get((subject_id, ended_at.isoformat())) for subject_id, ended_at in due]
