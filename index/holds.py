"""Holds: what is known of a held exam or subject is kept from every sweep, for an appeal or a court.

A hold stops what would go by itself. A withdrawal of consent goes through: that is the person's own.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import cast
from uuid import UUID

from sqlalchemy import ColumnElement, Select, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from index.tables import HoldRow


def is_in_force(since: datetime | None = None) -> ColumnElement[bool]:
    """The condition for holds that nobody has lifted, or that somebody has lifted after a moment.

    Sweeps remove nothing whose hold was lifted since their notice: a hold that was lifted by mistake can be
    put again within that time.
    """
    if since is None:
        return HoldRow.lifted_at.is_(None)
    return or_(HoldRow.lifted_at.is_(None), HoldRow.lifted_at > since)


def select_held_subjects(since: datetime | None = None) -> Select[UUID]:
    """A query for the ids of subjects on hold; never with a null, so that `NOT IN` works."""
    return _ids(HoldRow.subject_id, since)


def select_held_exams(since: datetime | None = None) -> Select[UUID]:
    """A query for the ids of exams that are on hold themselves; never with a null."""
    return _ids(HoldRow.exam_id, since)


def find_holds_of(db: Session, subject_id: UUID) -> Sequence[UUID]:
    """The ids of the holds of a subject itself, oldest first."""
    mine = select(HoldRow.id).where(HoldRow.subject_id == subject_id, is_in_force())
    return db.scalars(mine.order_by(HoldRow.id)).all()


def _ids(column: InstrumentedAttribute[UUID | None], since: datetime | None) -> Select[UUID]:
    return cast("Select[UUID]", select(column).where(column.is_not(None), is_in_force(since)))
