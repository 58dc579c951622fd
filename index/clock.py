"""Whether the machine's clock can be trusted: the audit chain shows its earlier times.

Data that is deleted because of a wrong clock does not come back when the clock is corrected. So a clock that
leaps, forwards or backwards, stops all deletion until somebody confirms it.
"""

import json
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from embedding.files import write_file
from index import audit
from index.database.database import Database
from index.errors import ClockLeapt
from index.tables import (
    AuditEventRow,
    EnrolmentLinkRow,
    OperatorLinkRow,
    PageSessionRow,
    ProposalRow,
    utc_now,
)

AHEAD = timedelta(days=2)
"""A sweep writes an event every day, so a longer gap is a leap, or the machine was off."""

BACK = timedelta(minutes=5)
"""The clocks of several machines that write to one chain differ by less."""

NOTICE = timedelta(days=1)
"""Time between the announcement of a deletion and the deletion."""

PAUSE = timedelta(hours=2)
"""A process looks every hour: who has not looked for longer was not there."""

CONFIRMED = "clock.confirmed"
LEAPT = "clock.leapt"
UNWATCHED = "clock.unwatched"
CLOCK_FILE = "clock.json"
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


@dataclass(frozen=True)
class Sight:
    """The clock beside one that nobody sets, at one moment.

    Attributes:
        at: What the clock said.
        steady: Seconds of the other one; they mean something during one boot of the machine only.
        seq: The newest event.
    """

    at: datetime
    steady: float
    seq: int


class ClockWatch:
    """Compares the clock with one that nobody sets; used by one thread.

    The times of events show a leap of days only: a machine may have been off over night. What was seen last
    is kept in a file, so that a leap between two runs is found as long as the machine was not started anew.
    Where it was, nobody can tell a leap from a pause: the time between is written down as unwatched, and no
    notice of a deletion runs during it.
    """

    def __init__(self, database: Database, file: Path | None = None) -> None:
        """Prepare; the first look begins.

        Args:
            database: With the audit chain.
            file: Where one run leaves to the next what it has seen; None where there is no next.
        """
        self._database = database
        self._file = file
        self._begun: Sight | None = None

    def look(self, now: datetime | None = None) -> bool:
        """Whether the clock has leapt since the last look; it is written down, by one process of several.

        Raises:
            DatabaseError: If it cannot be written; the next look finds the same.
        """
        now, steady = now or utc_now(), read_steady_seconds()
        if self._begun is None:
            self._begun = self._begin(now, steady)
        expected = self._begun.at + timedelta(seconds=steady - self._begun.steady)
        has_leapt = abs(now - expected) > BACK
        if has_leapt:
            with self._database.write() as db:
                if not audit.list_events(db, limit=1, after_seq=self._begun.seq, action=LEAPT):
                    details = {"expected": expected.isoformat(), "found": now.isoformat()}
                    audit.record(db, action=LEAPT, actor="clock", details=details)
                newest = audit.find_newest_head(db)[0]
            self._begun = Sight(now, steady, newest)
        self._keep(Sight(now, steady, self._begun.seq))
        return has_leapt

    def _begin(self, now: datetime, steady: float) -> Sight:
        kept = self._read_kept()
        if kept is not None and kept[0] == read_boot_id():
            return kept[1]
        at = kept[1].at if kept is not None else None
        with self._database.read() as db:
            seq, last = _find_last_seen(db, at)
        if last is not None and now - last > PAUSE:
            with self._database.write() as db:
                # Another process may have been quicker.
                seq, last = _find_last_seen(db, at)
                if last is not None and now - last > PAUSE:
                    details = {"from": last.isoformat(), "to": now.isoformat()}
                    seq = audit.record(db, action=UNWATCHED, actor="clock", details=details).seq
        return Sight(now, steady, seq)

    def _read_kept(self) -> tuple[str, Sight] | None:
        """The boot and what was seen last in it; None where nothing was kept, or it cannot be read."""
        if self._file is None or read_boot_id() is None:
            return None
        try:
            kept = json.loads(self._file.read_text(encoding="ascii"))
            at = datetime.fromisoformat(kept["at"]).astimezone(UTC)
            return str(kept["boot"]), Sight(at, float(kept["steady"]), int(kept["seq"]))
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def _keep(self, sight: Sight) -> None:
        """Leave it to the next run; where that cannot be written, an older sight is as good."""
        boot = read_boot_id()
        if self._file is None or boot is None:
            return
        kept = {"boot": boot, "at": sight.at.isoformat(), "steady": sight.steady, "seq": sight.seq}
        with suppress(OSError):
            write_file(self._file, json.dumps(kept).encode(), mode=0o600)


def _find_last_seen(db: Session, kept_at: datetime | None) -> tuple[int, datetime | None]:
    """The newest event, and the last time at which anybody is known to have been there."""
    seq = audit.find_newest_head(db)[0]
    at = db.scalar(select(AuditEventRow.at).where(AuditEventRow.seq == seq))
    return seq, max(filter(None, (at, kept_at)), default=None)


def find_latest_notice(db: Session, now: datetime) -> datetime:
    """When a deletion must have been announced, at the latest, to be carried out now.

    That is `NOTICE` ago, not counting the time in which nobody watched the clock.
    """
    confirmed = db.scalar(select(func.max(AuditEventRow.seq)).where(AuditEventRow.action == CONFIRMED)) or 0
    pauses = select(AuditEventRow.details).where(
        AuditEventRow.action == UNWATCHED, AuditEventRow.seq > confirmed
    )
    left, until = NOTICE, now
    for details in db.scalars(pauses.order_by(AuditEventRow.seq.desc())):
        begun, ended = (datetime.fromisoformat(details[name]) for name in ("from", "to"))
        watched = until - ended
        if watched >= left:
            break
        left, until = left - max(watched, timedelta(0)), min(begun, until)
    return until - left


def read_boot_id() -> str | None:
    """Names the time since the machine was started; None where the system has no name for it."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return None


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


def is_in_force(created_at: datetime, expires_at: datetime, now: datetime) -> bool:
    """Whether something that ends by itself holds now; not if it was made by a clock that was ahead.

    It would last longer by as much as that clock was ahead. `confirm_clock` ends it for good.
    """
    return created_at - BACK <= now < expires_at


def confirm_clock(db: Session, *, actor: str) -> AuditEventRow:
    """Record that somebody has confirmed the clock: deletions may start again, each announced again.

    Links and sign-ins of a clock that was ahead end; sent pictures wait from now on, not from a day to come.
    """
    now = utc_now()
    for table in (OperatorLinkRow, EnrolmentLinkRow, PageSessionRow):
        db.execute(delete(table).where(table.created_at > now + BACK))
    for row in db.scalars(select(ProposalRow).where(ProposalRow.created_at > now + BACK)):
        row.created_at, row.expires_at = now, now + (row.expires_at - row.created_at)
    return audit.record(db, action=CONFIRMED, actor=actor)
