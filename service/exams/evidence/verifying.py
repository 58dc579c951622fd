"""Whether the evidence is what was written, and all of it: every row and every removal has an event.

Rows that a purge has removed are not missing, as far as its event counts them. What somebody removed past the
program is: a row of its own, or before a purge that then counted fewer than were recorded.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import cast
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy import func, select
from sqlalchemy.orm import Session as OrmSession

from index import audit
from index.database.database import Database
from index.tables import AuditEventRow
from index.trail.anchor_lines import EXAM_DELETED, EXAM_PURGED
from service.exams.audit import (
    CHECKIN_RECORDED,
    MOVEMENT_RECORDED,
    OVERRIDE_RECORDED,
    ROSTER_IMPORTED,
    EvidenceRow,
    evidence_digest,
)
from service.exams.tables import CheckinRow, MovementRow, OverrideRow, RosterEntryRow

RECORDED = (CHECKIN_RECORDED, OVERRIDE_RECORDED, MOVEMENT_RECORDED)
Evidence = type[CheckinRow] | type[OverrideRow] | type[MovementRow]
Counts = defaultdict[str, Counter[str]]
"""By exam: how many rows of each kind its events tell of."""


class Tampering(BaseModel):
    """Evidence that is not as it was written, is gone before its time, or that no event tells of.

    Attributes:
        seq: The event that it contradicts; 0 where there is none.
        row_id: The row, or whose rows were counted: the exam's or the session's.
    """

    seq: int
    row_id: UUID
    reason: str


def verify_evidence(database: Database) -> list[Tampering]:
    """Compare every row of evidence with the chain; empty when all are as they were written."""
    found: list[Tampering] = []
    recorded: Counts = defaultdict(Counter)
    kept: Counter[str] = Counter()
    # One state: what is recorded meanwhile would be a row without its event, or an event without its row.
    with database.snapshot() as db:
        purges = {one.details["exam_id"]: one for one in audit.list_events_after(db, 0, action=EXAM_PURGED)}
        for event in evidence_events(db):
            exam_id, kind = event.details["exam_id"], evidence_of(event)[0].__tablename__
            purge = purges.get(exam_id)
            if purge is None or purge.seq < event.seq:
                wrong = tampering(db, event)
                kept[kind] += all(one.reason != "missing" for one in wrong)
                found += wrong
            else:
                recorded[exam_id][kind] += 1
        found += wrong_rosters(db, purges, recorded)
        found += miscounted(purges, recorded)
        for row in (CheckinRow, OverrideRow, MovementRow):
            if (db.scalar(select(func.count()).select_from(row)) or 0) > kept[row.__tablename__]:
                found += unrecorded(db, row, purges)
    return found


def evidence_events(db: OrmSession) -> Iterator[AuditEventRow]:
    """The chain's events that hold the digest of a row, oldest first."""
    events = audit.list_events_after(db, 0, action=RECORDED)
    return (event for event in events if "evidence" in event.details)


def evidence_of(event: AuditEventRow) -> tuple[Evidence, UUID]:
    """The row that an event is about: of which kind, and its id."""
    if event.action == CHECKIN_RECORDED:
        return CheckinRow, UUID(event.details["checkin_id"])
    if event.action == MOVEMENT_RECORDED:
        return MovementRow, UUID(event.details["movement_id"])
    return OverrideRow, UUID(event.details["override_id"])


def tampering(db: OrmSession, event: AuditEventRow) -> list[Tampering]:
    """What is wrong with the row that an event is about; mostly nothing."""
    kind, row_id = evidence_of(event)
    row = cast("EvidenceRow | None", db.get(kind, row_id))
    if row is None:
        return [Tampering(seq=event.seq, row_id=row_id, reason="missing")]
    if evidence_digest(row) != event.details["evidence"]:
        return [Tampering(seq=event.seq, row_id=row_id, reason="changed")]
    return []


def unrecorded(db: OrmSession, kind: Evidence, purges: dict[str, AuditEventRow]) -> list[Tampering]:
    """Rows that no event tells of: somebody wrote them past the program, or put back what was purged."""
    told = set()
    for event in evidence_events(db):
        of, row_id = evidence_of(event)
        purge = purges.get(event.details["exam_id"])
        if of is kind and (purge is None or purge.seq < event.seq):
            told.add(row_id)
    unknown = (row_id for row_id in db.scalars(select(kind.id)) if row_id not in told)
    return [Tampering(seq=0, row_id=row_id, reason="not recorded, or purged") for row_id in unknown]


def wrong_rosters(db: OrmSession, purges: dict[str, AuditEventRow], recorded: Counts) -> list[Tampering]:
    """Rosters that hold other numbers of candidates than their imports came to.

    Those of purged exams are added to `recorded`, for the purge to be compared with.
    """
    sizes: dict[str, int] = defaultdict(int)
    newest: dict[str, AuditEventRow] = {}
    for event in audit.list_events_after(db, 0, action=ROSTER_IMPORTED):
        session_id = event.details["session_id"]
        sizes[session_id] += event.details["added"] - event.details["removed"]
        newest[session_id] = event
    deleted = {one.details["exam_id"] for one in audit.list_events_after(db, 0, action=EXAM_DELETED)}
    query = select(RosterEntryRow.session_id, func.count()).group_by(RosterEntryRow.session_id)
    present = {str(session_id): count for session_id, count in db.execute(query)}
    found = []
    for session_id, size in sizes.items():
        exam_id, actual = newest[session_id].details["exam_id"], present.get(session_id, 0)
        if exam_id in purges:
            recorded[exam_id][RosterEntryRow.__tablename__] += size
        elif exam_id not in deleted and actual != size:
            reason = f"miscounted: the imports came to {size} candidates, the roster has {actual}"
            found.append(Tampering(seq=newest[session_id].seq, row_id=UUID(session_id), reason=reason))
    return found


def miscounted(purges: dict[str, AuditEventRow], recorded: Counts) -> list[Tampering]:
    """Purges that counted other numbers of rows than were recorded before them."""
    kinds = {
        "checkins": CheckinRow.__tablename__,
        "overrides": OverrideRow.__tablename__,
        "movements": MovementRow.__tablename__,
        "roster_entries": RosterEntryRow.__tablename__,
    }
    return [
        Tampering(
            seq=purge.seq,
            row_id=UUID(exam_id),
            reason=f"miscounted: {recorded[exam_id][kind]} {name} were recorded, the purge removed "
            f"{purge.details.get(name, 0)}",
        )
        for exam_id, purge in purges.items()
        for name, kind in kinds.items()
        if recorded[exam_id][kind] != purge.details.get(name, 0)
    ]
