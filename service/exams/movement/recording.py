"""Writing a movement: its row of evidence and its event, in the transaction of whatever led to it."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session as OrmSession

from index.audit import Origin
from index.ids import uuid7
from index.tables import utc_now
from service.exams.audit import MOVEMENT_RECORDED, evidence_digest, note
from service.exams.errors import MovementImpossible, NotCheckedIn
from service.exams.movement.reading import whereabouts_of
from service.exams.states import AFTER, LIVE, PAPER, Move
from service.exams.tables import MovementRow, RosterEntryRow, SessionRow


def record_movement(
    db: OrmSession,
    session: SessionRow,
    entry: RosterEntryRow,
    kind: Move,
    origin: Origin,
    *,
    movement_id: UUID | None = None,
    undoes: UUID | None = None,
    checkin_id: UUID | None = None,
    reason: str | None = None,
    operator: str | None = None,
    kiosk: str | None = None,
    client_time: datetime | None = None,
    taken_at: datetime | None = None,
) -> MovementRow:
    """Write one movement; `taken_at` is when it happened by a room sheet that is typed in.

    Raises:
        NotCheckedIn, MovementImpossible: If it does not lead from where the candidate is.
    """
    if kind is not Move.UNDO:
        require_move(db, session, entry, kind)
    row = MovementRow(
        id=movement_id or uuid7(),
        exam_id=session.exam_id,
        session_id=session.id,
        entry_id=entry.id,
        number=count_movements(db, entry.id) + 1,
        kind=str(kind),
        undoes=undoes,
        checkin_id=checkin_id,
        reason=reason,
        actor=origin.actor,
        operator=origin.operator or operator,
        kiosk=kiosk,
        client_time=client_time,
        source=LIVE if taken_at is None else PAPER,
        taken_at=taken_at,
        created_at=utc_now(),
        request_id=origin.request_id,
    )
    db.add(row)
    db.flush()
    note(
        db,
        MOVEMENT_RECORDED,
        origin,
        subject_id=entry.subject_id,
        exam_id=row.exam_id,
        session_id=row.session_id,
        entry_id=row.entry_id,
        movement_id=row.id,
        movement=row.kind,
        evidence=evidence_digest(row),
    )
    return row


def require_move(db: OrmSession, session: SessionRow, entry: RosterEntryRow, kind: Move) -> None:
    """Refuse a movement that does not lead from where the candidate is.

    Raises:
        NotCheckedIn: If the candidate was not let in.
        MovementImpossible: With where the candidate is.
    """
    now = whereabouts_of(db, session.id, entry.id)
    if now.presence == "absent":
        raise NotCheckedIn
    if (now.presence, kind) not in AFTER:
        raise MovementImpossible(now.presence, now.at)


def count_movements(db: OrmSession, entry_id: UUID | None) -> int:
    """How many movements of a candidate are recorded, those that were taken back among them."""
    return (
        db.scalar(select(func.count()).select_from(MovementRow).where(MovementRow.entry_id == entry_id)) or 0
    )
