"""Whether the machine's clock can be trusted: the audit chain shows its earlier times.

Data that is deleted because of a wrong clock does not come back when the clock is corrected. So a clock that
leaps, forwards or backwards, stops all deletion until somebody confirms it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from index import audit
from index.errors import ClockLeapt
from index.tables import AuditEventRow

AHEAD = timedelta(days=2)
"""A sweep writes an event every day, so a longer gap is a leap, or the machine was off."""

BACK = timedelta(minutes=5)
"""The clocks of several machines that write to one chain differ by less."""

NOTICE = timedelta(days=1)
"""Time between the announcement of a deletion and the deletion."""

CONFIRMED = "clock.confirmed"
STEADY = (CONFIRMED, "retention.announced")
"""Events that are written only if every earlier event was in order."""


@dataclass(frozen=True)
class Leap:
    """Two events, or an event and now, whose times contradict each other."""

    before: datetime
    after: datetime


def find_leap(db: Session, now: datetime) -> Leap | None:
    """The first leap since the clock was last in order; None if there is none."""
    start = db.scalar(select(func.max(AuditEventRow.seq)).where(AuditEventRow.action.in_(STEADY))) or 0
    since = select(AuditEventRow.at).where(AuditEventRow.seq >= start).order_by(AuditEventRow.seq)
    times = [*db.scalars(since), now]
    for before, after in pairwise(times):
        if not -BACK <= after - before <= AHEAD:
            return Leap(before, after)
    return None


def require_steady(db: Session, now: datetime) -> None:
    """Refuse to delete while the clock is in doubt.

    Raises:
        ClockLeapt: Naming both times.
    """
    leap = find_leap(db, now)
    if leap is not None:
        raise ClockLeapt(leap.before, leap.after)


def confirm_clock(db: Session, *, actor: str) -> AuditEventRow:
    """Record that somebody has confirmed the clock: deletions may start again, each announced again."""
    return audit.record(db, action=CONFIRMED, actor=actor)
