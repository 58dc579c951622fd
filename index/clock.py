"""Whether the machine's clock can be believed: the audit chain shows what it said before.

What is deleted because its time has come does not come back when the clock is put right. So a clock that
leaps, ahead or back, stops all deleting until somebody says that it is right.
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
"""A sweep writes an event every day, so a longer silence is a leap, or a machine that was off for as long."""

BACK = timedelta(minutes=5)
"""Clocks of several machines that write one chain differ by less."""

NOTICE = timedelta(days=1)
"""Between the announcement of a deletion and the deletion."""

CONFIRMED = "clock.confirmed"
STEADY = (CONFIRMED, "retention.announced")
"""Events that are written only where every event before them was in order."""


@dataclass(frozen=True)
class Leap:
    """Two events, or an event and now, whose times do not go together."""

    before: datetime
    after: datetime


def find_leap(db: Session, now: datetime) -> Leap | None:
    """The first leap since the clock was last in order; None where there is none."""
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
    """Somebody has looked at the clock, and it is right: deleting may begin again, announced anew."""
    return audit.record(db, action=CONFIRMED, actor=actor)
