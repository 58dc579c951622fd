"""The gallery's change log, and how to detect that its history has been replaced.

A standby without the last commits, or a restored backup, continues with another history, in which the same
numbers mean other changes. So a change is identified by its number and its content.
"""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Row, bindparam, select
from sqlalchemy.orm import Session

from index.tables import GalleryChangeRow

# Every search runs the first; built once, because building costs more than running.
_CHANGE = select(GalleryChangeRow.seq, GalleryChangeRow.created_at, GalleryChangeRow.template_number)
_NEWEST = _CHANGE.order_by(GalleryChangeRow.seq.desc()).limit(1)
_NUMBERED = _CHANGE.where(GalleryChangeRow.seq == bindparam("seq"))


class GalleryChange(NamedTuple):
    """One gallery change; no other history has the same change under its number."""

    seq: int
    at: datetime | None
    template_number: int


NO_CHANGE = GalleryChange(0, None, 0)
"""The start of every history, before any change."""


def find_newest_change(db: Session) -> GalleryChange:
    """The newest change visible to this session."""
    return _build_change(db.execute(_NEWEST).one_or_none())


def is_in_history(db: Session, change: GalleryChange) -> bool:
    """Whether the log visible to this session has the change."""
    return (
        change == NO_CHANGE
        or _build_change(db.execute(_NUMBERED, {"seq": change.seq}).one_or_none()) == change
    )


def _build_change(row: Row[int, datetime, int] | None) -> GalleryChange:
    return GalleryChange(*row) if row else NO_CHANGE
