"""What the door does not decide of a candidate: by document, erased, a known twin.

A consent that is withdrawn, a basis that ends by the clock, an erasure and a twin who is enrolled are no
events of a session. So a board compares who stands out with who did; it looks when somebody was written
about, and when the next basis ends.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, exists, func, or_, select
from sqlalchemy.orm import Session as OrmSession

from index.consent.legal_basis import has_ended
from index.tables import AuditEventRow, SubjectRow, TwinRow, utc_now
from service.exams.audit import CHECKIN_DECLINED, CHECKIN_RECORDED, MOVEMENT_RECORDED, OVERRIDE_RECORDED
from service.exams.tables import RosterEntryRow

OF_THE_DOOR = (CHECKIN_RECORDED, CHECKIN_DECLINED, OVERRIDE_RECORDED, MOVEMENT_RECORDED)


@dataclass(frozen=True)
class Marks:
    """The candidates of a session who stand out.

    Attributes:
        by_entry: Why, by roster entry; who does not is left out.
        seq: The newest event of the audit chain that this knows.
        until: When the next legal basis ends; None where none does.
        read_at: When it was read.
    """

    by_entry: Mapping[UUID, frozenset[str]]
    seq: int
    until: datetime | None
    read_at: datetime

    def changed(self, other: "Marks") -> set[UUID]:
        """The entries that stand otherwise in the other."""
        entries = self.by_entry.keys() | other.by_entry.keys()
        return {entry for entry in entries if self.by_entry.get(entry) != other.by_entry.get(entry)}


def read_marks(db: OrmSession, session_id: UUID) -> Marks:
    """How the candidates of a session stand now."""
    now, marks = utc_now(), dict[UUID, set[str]]()
    mine = RosterEntryRow.session_id == session_id
    seq = db.scalar(select(func.max(AuditEventRow.seq))) or 0
    known = select(RosterEntryRow.id).join(SubjectRow, SubjectRow.id == RosterEntryRow.subject_id)
    for name, query in {
        "by document": known.where(mine, has_ended(now)),
        "erased": select(RosterEntryRow.id).where(mine, RosterEntryRow.subject_id.is_(None)),
        "twin": select(RosterEntryRow.id).where(mine, is_twin()),
    }.items():
        for entry_id in db.scalars(query):
            marks.setdefault(entry_id, set()).add(name)
    frozen = {entry_id: frozenset(names) for entry_id, names in marks.items()}
    return Marks(frozen, seq, next_end(db, session_id, now), now)


def read_again(db: OrmSession, session_id: UUID, before: Marks, newest: int) -> Marks:
    """How they stand now; without looking at anybody where nothing can have changed.

    Args:
        db: For reading.
        session_id: Which session.
        before: How they stood.
        newest: The number of the audit chain's newest event.
    """
    if before.until is None or utc_now() < before.until:
        if newest == before.seq:
            return before
        if not somebody_changed(db, before.seq):
            return replace(before, seq=newest)
    return read_marks(db, session_id)


def may_have_moved(db: OrmSession, session_id: UUID, since: AuditEventRow) -> bool:
    """Whether somebody may stand otherwise than when an event was written."""
    if somebody_changed(db, since.seq):
        return True
    first = next_end(db, session_id, since.at)
    return first is not None and first <= utc_now()


def somebody_changed(db: OrmSession, after_seq: int) -> bool:
    """Whether a person was written about behind an event, elsewhere than at a door."""
    of_people = AuditEventRow.subject_id.is_not(None) & AuditEventRow.action.not_in(OF_THE_DOOR)
    return bool(db.scalar(select(exists().where(AuditEventRow.seq > after_seq, of_people))))


def next_end(db: OrmSession, session_id: UUID, after: datetime) -> datetime | None:
    """When the first legal basis of a session's candidates ends after a moment."""
    return db.scalar(
        select(func.min(SubjectRow.basis_expires_at))
        .join(RosterEntryRow, RosterEntryRow.subject_id == SubjectRow.id)
        .where(RosterEntryRow.session_id == session_id, SubjectRow.basis_expires_at > after)
    )


def is_twin() -> ColumnElement[bool]:
    """The condition for candidates who were enrolled in spite of somebody else's face, or the other way."""
    own = RosterEntryRow.subject_id
    pair = select(TwinRow.template_id).where(or_(TwinRow.subject_id == own, TwinRow.other_id == own))
    return pair.correlate(RosterEntryRow).exists()
