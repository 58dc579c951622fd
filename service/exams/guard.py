"""What may change once an exam counts: who may do it, with which reason, and what stays for how long.

A rate, the time that evidence is kept and the window that an attempt lies in are what a decision can be
appealed with. Whoever plans exams may not take them away.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, inspect, select
from sqlalchemy.orm import Session as OrmSession

from index.audit import Origin
from index.database.database import Database
from index.tables import utc_now
from service.access.scopes import Scope
from service.errors import Forbidden
from service.exams.audit import note, plain_value
from service.exams.errors import ReasonRequired, SessionOpen
from service.exams.tables import CheckinRow, ExamRow, SessionRow
from service.exams.terms import ExamTerms, SessionTerms

KEPT_AFTER_LAST_ATTEMPT = timedelta(days=30)
"""Nothing of an exam goes sooner, whatever its dates are changed to: attempts carry the server's own time."""

Rates = tuple[float, float]
"""Match and refer rate in force."""


def last_attempt(db: OrmSession, of: ColumnElement[bool]) -> datetime | None:
    """When the newest attempt of an exam or of a session was recorded; None where there is none."""
    return db.scalar(select(func.max(CheckinRow.created_at)).where(of))


def due_at(db: OrmSession, terms: ExamRow | ExamTerms, exam_id: UUID) -> datetime | None:
    """When an exam's rows have to go by its terms; None keeps them."""
    return due_by(terms, *ends_of(db, [exam_id]).get(exam_id, (None, None)))


def ends_of(
    db: OrmSession, exam_ids: Collection[UUID]
) -> dict[UUID, tuple[datetime | None, datetime | None]]:
    """When the last session of each exam closes, and when its last attempt was."""
    closing = select(SessionRow.exam_id, func.max(SessionRow.closes_at)).group_by(SessionRow.exam_id)
    trying = select(CheckinRow.exam_id, func.max(CheckinRow.created_at)).group_by(CheckinRow.exam_id)
    closes = dict(db.execute(closing.where(SessionRow.exam_id.in_(exam_ids))).all())
    last = dict(db.execute(trying.where(CheckinRow.exam_id.in_(exam_ids))).all())
    return {one: (closes.get(one), last.get(one)) for one in exam_ids}


def due_by(terms: ExamRow | ExamTerms, closes: datetime | None, last: datetime | None) -> datetime | None:
    """When an exam's rows have to go, by its terms and the ends of `ends_of`; None keeps them.

    Never before its last session closes, and never within `KEPT_AFTER_LAST_ATTEMPT`.
    """
    if terms.retention_days is None:
        return None
    due = (terms.appeal_ends_at or terms.ends_at) + timedelta(days=terms.retention_days)
    return max(filter(None, (due, closes, last and last + KEPT_AFTER_LAST_ATTEMPT)))


def guard_session(
    db: OrmSession, row: SessionRow, terms: SessionTerms, rates: tuple[Rates, Rates], by: "By"
) -> None:
    """Refuse a change of a session that its caller may not make.

    Args:
        db: The writer's transaction.
        row: The session as it is.
        terms: As it would be.
        rates: In force before and after.
        by: Who asks, and why.

    Raises:
        Forbidden: If it takes an administrator.
        ReasonRequired: If it takes a reason.
    """
    now, last = utc_now(), last_attempt(db, CheckinRow.session_id == row.id)
    was_open = row.opens_at <= now < row.closes_at
    will_be_open = terms.opens_at <= now < terms.closes_at
    moved = (row.opens_at, row.closes_at) != (terms.opens_at, terms.closes_at)
    uncovered = ends_before(last, row.closes_at, terms.closes_at, "closes_at")
    mine = CheckinRow.session_id == row.id
    uncovered += starts_after(db, mine, row.opens_at, terms.opens_at, "opens_at")
    by.require_admin(raised(rates) + uncovered)
    if moved and (was_open or will_be_open or last):
        by.require_reason(["a window that is open or has attempts"])


def guard_exam(db: OrmSession, row: ExamRow, terms: ExamTerms, rates: tuple[Rates, Rates], by: "By") -> None:
    """Refuse a change of an exam that its caller may not make; arguments and errors as `guard_session`."""
    last = last_attempt(db, CheckinRow.exam_id == row.id)
    shortened: list[str] = []
    if last is not None:
        before, after = due_at(db, row, row.id), due_at(db, terms, row.id)
        if after is not None and (before is None or after < before):
            shortened.append("retention that ends sooner")
        if terms.thumbnail_retention_days < row.thumbnail_retention_days:
            shortened.append("fewer thumbnail_retention_days")
    uncovered = ends_before(last, row.ends_at, terms.ends_at, "ends_at")
    mine = CheckinRow.exam_id == row.id
    uncovered += starts_after(db, mine, row.starts_at, terms.starts_at, "starts_at")
    by.require_admin(raised(rates) + shortened + uncovered)


def refuse_higher_rates(before: Rates, after: Rates, origin: Origin) -> None:
    """Refuse new terms with higher rates than would hold without them, unless an administrator sets them.

    Raises:
        Forbidden: If it takes an administrator.
    """
    if (higher := raised((before, after))) and not origin.is_admin:
        raise Forbidden(f"This takes an administrator: {', '.join(higher)}.", (Scope.ADMIN,))


def raised(rates: tuple[Rates, Rates]) -> list[str]:
    """The rates that would let more strangers in than before."""
    before, after = rates
    names = ("match_fmr", "refer_fmr")
    return [f"a higher {name}" for name, old, new in zip(names, before, after, strict=True) if new > old]


def ends_before(last: datetime | None, before: datetime, after: datetime, field: str) -> list[str]:
    """An end that would be moved before a recorded attempt."""
    return [f"{field} before a recorded attempt"] if last and after < before and after <= last else []


def starts_after(
    db: OrmSession, of: ColumnElement[bool], before: datetime, after: datetime, field: str
) -> list[str]:
    """A beginning that would be moved behind an attempt that it covered; others came before it anyway."""
    between = (CheckinRow.created_at >= before) & (CheckinRow.created_at < after)
    is_uncovered = after > before and db.scalar(select(CheckinRow.id).where(of, between).limit(1))
    return [f"{field} after a recorded attempt"] if is_uncovered else []


@dataclass(frozen=True)
class By:
    """Who asks for a change, and why."""

    origin: Origin
    reason: str | None

    def require_reason(self, changes: Sequence[str]) -> None:
        """Refuse changes without a reason."""
        if changes and self.reason is None:
            raise ReasonRequired(changes)

    def require_admin(self, changes: Sequence[str]) -> None:
        """Refuse changes that take an administrator and a reason."""
        if changes and not self.origin.is_admin:
            raise Forbidden(f"This takes an administrator: {', '.join(changes)}.", (Scope.ADMIN,))
        self.require_reason(changes)


def changed_values(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """Old and new value of every field that differs, as plain JSON, for the audit chain."""
    return {
        name: {"from": plain_value(before[name]), "to": plain_value(value)}
        for name, value in after.items()
        if before[name] != value
    }


def open_sessions(db: OrmSession, *of: ColumnElement[bool]) -> list[UUID]:
    """The sessions that are open now: all, or those of which something is true."""
    query = _open_windows().join(ExamRow, ExamRow.id == SessionRow.exam_id)
    return list(db.scalars(query.where(ExamRow.archived_at.is_(None), *of)))


def open_windows(db: OrmSession) -> list[UUID]:
    """The sessions whose window is open, an archived exam's among them, in tables of any revision.

    An upgrade asks before it: the tables may lack every column that came after the first ones.
    """
    if not inspect(db.connection()).has_table(SessionRow.__tablename__):
        return []
    return list(db.scalars(_open_windows()))


def _open_windows() -> Select[UUID]:
    now = utc_now()
    query = select(SessionRow.id).where(SessionRow.opens_at <= now, SessionRow.closes_at > now)
    return query.order_by(SessionRow.id)


def refuse_while_open(
    database: Database,
    what: str,
    forced_because: str | None,
    find: Callable[[OrmSession], list[UUID]] = open_sessions,
) -> list[UUID]:
    """Refuse what would change decisions while somebody is at a door; returns the open sessions where forced.

    Raises:
        SessionOpen: If a session is open and nothing is forced.
    """
    with database.read() as db:
        found = find(db)
    if found and forced_because is None:
        raise SessionOpen(what, found)
    return found


def note_override(database: Database, what: str, by: By, sessions: Sequence[UUID]) -> None:
    """Write down what was done although sessions were open; nothing where none was."""
    if sessions:
        with database.write() as db:
            named = [str(one) for one in sessions]
            note(db, "open_session.overridden", by.origin, what=what, reason=by.reason, sessions=named)
