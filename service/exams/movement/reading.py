"""Where candidates are now, read from the admissions and movements."""

from collections import defaultdict
from collections.abc import Collection
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session as OrmSession

from service.exams.states import ABSENT, Move, Moved, Whereabouts, follow_moves
from service.exams.tables import AdmissionRow, MovementRow


def read_whereabouts(
    db: OrmSession, session_id: UUID, only: Collection[UUID] | None = None
) -> dict[UUID, Whereabouts]:
    """Where everybody is who was let in, by roster entry."""
    admissions = select(AdmissionRow).where(AdmissionRow.session_id == session_id)
    moves = select(MovementRow).where(MovementRow.session_id == session_id).order_by(MovementRow.number)
    if only is not None:
        admissions = admissions.where(AdmissionRow.entry_id.in_(only))
        moves = moves.where(MovementRow.entry_id.in_(only))
    by_entry: dict[UUID, list[MovementRow]] = defaultdict(list)
    for row in db.scalars(moves):
        by_entry[row.entry_id].append(row)
    return {
        one.entry_id: follow_moves(
            one.at,
            [moved(row) for row in by_entry[one.entry_id] if row.number > one.movements_before],
        )
        for one in db.scalars(admissions)
    }


def moved(row: MovementRow) -> Moved:
    """A movement's row for the states."""
    return Moved(row.id, Move(row.kind), row.taken_at or row.created_at, row.undoes)


def whereabouts_of(db: OrmSession, session_id: UUID, entry_id: UUID) -> Whereabouts:
    """Where one candidate is."""
    return read_whereabouts(db, session_id, [entry_id]).get(entry_id, ABSENT)
