"""The gallery's change log, and how to tell that it is another one than before.

A standby that had not heard of the last commits, or a backup that was put back, goes on with another history:
it gives the same numbers to other changes. So a change is known by its number and by what it says.
"""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Row, bindparam, select
from sqlalchemy.orm import Session

from index.tables import GalleryChangeRow

# Every search asks the first; built once, for building costs more than asking.
_CHANGE = select(GalleryChangeRow.seq, GalleryChangeRow.created_at, GalleryChangeRow.template_number)
_NEWEST = _CHANGE.order_by(GalleryChangeRow.seq.desc()).limit(1)
_NUMBERED = _CHANGE.where(GalleryChangeRow.seq == bindparam("seq"))


class Change(NamedTuple):
    """One gallery change; no other history has the same one under its number."""

    seq: int
    at: datetime | None
    template_number: int


NO_CHANGE = Change(0, None, 0)
"""Where nothing has happened yet; every history begins with it."""


def find_newest_change(db: Session) -> Change:
    """The newest change that this session sees."""
    return _build_change(db.execute(_NEWEST).one_or_none())


def is_in_history(db: Session, change: Change) -> bool:
    """Whether the log that this session sees has the change."""
    return (
        change == NO_CHANGE
        or _build_change(db.execute(_NUMBERED, {"seq": change.seq}).one_or_none()) == change
    )


def _build_change(row: Row[int, datetime, int] | None) -> Change:
    return Change(*row) if row else NO_CHANGE
