"""Sessions: one room, one window of time, the exam's rules or its own."""

from collections.abc import Collection
from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session as OrmSession

from index.audit import Origin
from index.ids import uuid7
from index.tables import ApiKeyRow, utc_now
from service.access.keys import add_once, new_row
from service.access.scopes import Scope
from service.errors import SessionNotFound
from service.exams.audit import SESSION_CHANGED, note
from service.exams.case_pictures import follow_closing
from service.exams.context import Desk
from service.exams.errors import SessionClosed
from service.exams.exams import check_window, exam_row, live_exam_row
from service.exams.guard import By, changed_values, guard_session, refuse_higher_rates
from service.exams.policies import exam_rates, policy_in_force, rates_in_force, require_rates
from service.exams.schemas import KioskKey, ReasonCode, Session
from service.exams.tables import ExamRow, RosterEntryRow, SessionRow
from service.exams.terms import SessionChanges, SessionTerms, columns_of, merged

RULES = (
    "last_entry_minutes",
    "late_entry",
    "no_exit_first_minutes",
    "no_exit_last_minutes",
    "no_entry_after_exit",
)
"""What a session says about coming late, going out and leaving."""


def create_session(
    desk: Desk, exam_id: UUID, terms: SessionTerms, origin: Origin, session_id: UUID | None = None
) -> Session:
    """Make a session of an exam; the same `session_id` again gives the session that was made.

    Raises:
        ExamNotFound, ExamArchived: If there is no such exam, or none that may change.
        ExamInvalid: If times or rates make no sense.
    """
    with desk.database.write() as db:
        exam = live_exam_row(db, exam_id)
        check_session(desk, exam, terms)
        # As changing one would: else a second session beside the first goes round the guard.
        refuse_higher_rates(exam_rates(desk, exam), rates_in_force(desk, terms, exam), origin)
        row = db.get(SessionRow, session_id) if session_id else None
        if row is None:
            values = columns_of(terms)
            row = SessionRow(id=session_id or uuid7(), exam_id=exam_id, created_at=utc_now(), **values)
            db.add(row)
            note(db, "session.created", origin, exam_id=exam_id, session_id=row.id)
        return session_document(desk, db, row, exam)


def change_session(desk: Desk, session_id: UUID, changes: SessionChanges, origin: Origin) -> Session:
    """Change what was given; the keys of its kiosks follow the window until it has closed once.

    A session that is opened again needs new keys: the old tablets may be anywhere.

    Raises:
        SessionNotFound: If there is no such session.
        ExamArchived, ExamInvalid: As `create_session`.
    """
    with desk.database.write() as db:
        row = session_row(db, session_id)
        exam = live_exam_row(db, row.exam_id)
        terms = merged(SessionTerms, row, changes)
        check_session(desk, exam, terms)
        rates = (rates_in_force(desk, row, exam), rates_in_force(desk, terms, exam))
        guard_session(db, row, terms, rates, By(origin=origin, reason=changes.reason))
        values = columns_of(terms)
        changed = changed_values({name: getattr(row, name) for name in values}, values)
        for name, value in values.items():
            setattr(row, name, value)
        follow_closing(db, row)
        mine = (ApiKeyRow.session_id == session_id) & ApiKeyRow.revoked_at.is_(None)
        mine &= ApiKeyRow.expires_at > utc_now()
        db.execute(update(ApiKeyRow).where(mine).values(expires_at=row.closes_at))
        note(
            db,
            SESSION_CHANGED,
            origin,
            exam_id=exam.id,
            session_id=row.id,
            fields=sorted(changes.model_fields_set - {"reason"}),
            changes=changed,
            reason=changes.reason,
        )
        return session_document(desk, db, row, exam)


def create_kiosk_key(desk: Desk, session_id: UUID, name: str, origin: Origin, key_id: UUID) -> KioskKey:
    """A key that can do nothing but check people in to this session until it closes.

    The window is read in the transaction that writes the key: who changes it later changes the key, too.

    Raises:
        SessionNotFound: If there is no such session.
        SessionClosed, ExamArchived: If it is over.
    """
    key, text = new_row(name, (Scope.CHECKIN,), key_id)
    with desk.database.write() as db:
        row = unclosed_session(db, session_id)
        key.session_id, key.expires_at = session_id, row.closes_at
        facts = add_once(db, key, origin.actor, origin.request_id)
        return KioskKey(
            id=facts.id, name=facts.name, session_id=session_id, expires_at=row.closes_at, key=text
        )


def unclosed_session(db: OrmSession, session_id: UUID) -> SessionRow:
    """The row of a session that a kiosk may be made for.

    Raises:
        SessionNotFound: If there is no such session.
        SessionClosed, ExamArchived: If it is over.
    """
    row, now = session_row(db, session_id), utc_now()
    live_exam_row(db, row.exam_id)
    if state_of(row, now) == "closed":
        raise SessionClosed(row.opens_at, row.closes_at, now)
    return row


def find_session(desk: Desk, session_id: UUID) -> Session:
    """One session.

    Raises:
        SessionNotFound: If there is no such session.
    """
    with desk.database.read() as db:
        row = session_row(db, session_id)
        return session_document(desk, db, row, exam_row(db, row.exam_id))


def sessions_page(desk: Desk, exam_id: UUID, limit: int, after: UUID | None = None) -> list[Session]:
    """Up to `limit` sessions of an exam in the order they were made, after the one named.

    Raises:
        ExamNotFound: If there is no such exam.
    """
    query = select(SessionRow).where(SessionRow.exam_id == exam_id).order_by(SessionRow.id).limit(limit)
    if after is not None:
        query = query.where(SessionRow.id > after)
    with desk.database.read() as db:
        exam = exam_row(db, exam_id)
        return [session_document(desk, db, row, exam) for row in db.scalars(query)]


def sessions_of(
    desk: Desk, exam_ids: Collection[UUID], limit: int, after: UUID | None = None
) -> list[Session]:
    """Up to `limit` sessions of these exams in the order they were made, after the one named."""
    query = select(SessionRow, ExamRow).join(ExamRow, ExamRow.id == SessionRow.exam_id)
    query = query.where(ExamRow.id.in_(list(exam_ids))).order_by(SessionRow.id).limit(limit)
    if after is not None:
        query = query.where(SessionRow.id > after)
    with desk.database.read() as db:
        return [session_document(desk, db, row, exam) for row, exam in db.execute(query)]


def session_row(db: OrmSession, session_id: UUID) -> SessionRow:
    """The session's row.

    Raises:
        SessionNotFound: If there is none.
    """
    row = db.get(SessionRow, session_id)
    if row is None:
        raise SessionNotFound(session_id)
    return row


def attempts_of(row: SessionRow, exam: ExamRow, entry: RosterEntryRow | None = None) -> int:
    """How many photographs a candidate may have taken; of one candidate, with those that a person added."""
    allowed = exam.attempts_allowed if row.attempts_allowed is None else row.attempts_allowed
    return allowed + (entry.extra_attempts if entry else 0)


def state_of(row: SessionRow, now: datetime) -> Literal["upcoming", "open", "closed"]:
    """`upcoming`, `open` or `closed` by the server's clock; `closes_at` itself is closed."""
    if now < row.opens_at:
        return "upcoming"
    return "open" if now < row.closes_at else "closed"


def ended_at(row: SessionRow, exam: ExamRow, now: datetime) -> datetime | None:
    """When a session was over, by its window or because its exam was archived; None while it is not."""
    ends = [row.closes_at] if row.closes_at <= now else []
    return min([*ends, exam.archived_at] if exam.archived_at else ends, default=None)


def check_session(desk: Desk, exam: ExamRow, terms: SessionTerms) -> None:
    """Refuse a session that could not be held.

    Raises:
        ExamInvalid: Naming the field.
    """
    check_window("closes_at", terms.opens_at, terms.closes_at)
    require_rates(desk, rates_in_force(desk, terms, exam))


def session_document(desk: Desk, db: OrmSession, row: SessionRow, exam: ExamRow) -> Session:
    """The session with the rates in force."""
    now, policy = utc_now(), policy_in_force(desk, row, exam)
    mine = RosterEntryRow.session_id == row.id
    return Session(
        id=row.id,
        exam_id=exam.id,
        exam_name=exam.name,
        room=row.room,
        opens_at=row.opens_at,
        closes_at=row.closes_at,
        state="closed" if exam.archived_at else state_of(row, now),
        match_fmr=policy.match_fmr,
        refer_fmr=policy.refer_fmr,
        attempts_allowed=attempts_of(row, exam),
        identification=exam.identification,
        faces=exam.faces,  # type: ignore[arg-type]
        motion=exam.motion,  # type: ignore[arg-type]
        candidates=db.scalar(select(func.count()).select_from(RosterEntryRow).where(mine)) or 0,
        starts_at=exam.starts_at,
        ends_at=exam.ends_at,
        **{name: getattr(row, name) for name in RULES},
        reason_codes=[ReasonCode(**one) for one in exam.reason_codes],
        server_time=now,
        created_at=row.created_at,
    )
