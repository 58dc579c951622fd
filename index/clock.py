"""Whether the machine's clock can be trusted: the audit chain shows its earlier times.

Data that is deleted because of a wrong clock does not come back when the clock is corrected. So a clock that
leaps, forwards or backwards, stops all deletion until somebody confirms it.
"""

import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from index import audit
from index.database.database import Database
from index.errors import ClockLeapt
from index.tables import AuditEventRow, utc_now

AHEAD = timedelta(days=2)
"""A sweep writes an event every day, so a longer gap is a leap, or the machine was off."""

BACK = timedelta(minutes=5)
"""The clocks of several machines that write to one chain differ by less."""

NOTICE = timedelta(days=1)
"""Time between the announcement of a deletion and the deletion."""

CONFIRMED = "clock.confirmed"
LEAPT = "clock.leapt"
STEADY = (CONFIRMED, "retention.announced")
"""Events that are written only if every earlier event was in order."""


@dataclass(frozen=True)
class Leap:
    """Two events, or an event and now, whose times contradict each other."""

    before: datetime
    after: datetime


def find_leap(db: Session, now: datetime) -> Leap | None:
    """The first leap since the clock was last in order; None if there is none."""
    confirmed = select(func.max(AuditEventRow.seq)).where(AuditEventRow.action == CONFIRMED)
    if seen := audit.list_events(db, limit=1, after_seq=db.scalar(confirmed) or 0, action=LEAPT):
        details = seen[0].details
        return Leap(datetime.fromisoformat(details["expected"]), datetime.fromisoformat(details["found"]))
    start = db.scalar(select(func.max(AuditEventRow.seq)).where(AuditEventRow.action.in_(STEADY))) or 0
    since = select(AuditEventRow.at).where(AuditEventRow.seq >= start).order_by(AuditEventRow.seq)
    times = [*db.scalars(since), now]
    for before, after in pairwise(times):
        if not -BACK <= after - before <= AHEAD:
            return Leap(before, after)
    return None


class ClockWatch:
    """Compares the clock with one that nobody sets, for as long as a process lives; used by one thread.

    The times of events show a leap of days only: a machine may have been off over night.
    """

    def __init__(self, database: Database) -> None:
        """Prepare; the first look begins."""
        self._database = database
        self._begun: tuple[datetime, float, int] | None = None

    def look(self, now: datetime | None = None) -> bool:
        """Whether the clock has leapt since the last look; it is written down, by one process of several.

        Raises:
            DatabaseError: If it cannot be written; the next look finds the same.
        """
        now, steady = now or utc_now(), read_steady_seconds()
        if self._begun is None:
            with self._database.read() as db:
                self._begun = now, steady, audit.find_newest_head(db)[0]
            return False
        at, steady_then, seen = self._begun
        expected = at + timedelta(seconds=steady - steady_then)
        if abs(now - expected) <= BACK:
            return False
        with self._database.write() as db:
            if not audit.list_events(db, limit=1, after_seq=seen, action=LEAPT):
                details = {"expected": expected.isoformat(), "found": now.isoformat()}
                audit.record(db, action=LEAPT, actor="clock", details=details)
            newest = audit.find_newest_head(db)[0]
        self._begun = now, steady, newest
        return True


def read_steady_seconds() -> float:
    """Seconds since some moment, those asleep too; no correction of the clock changes them."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


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
