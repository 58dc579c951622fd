"""What is kept of people and exams, until when, what was announced, and what is on hold.

Everything is asked of the rows and functions by which the sweeps decide.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from math import ceil
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.orm import Session as OrmSession

from index.clock import NOTICE, find_leap
from index.consent.expiry import find_waiting
from index.database.database import Database
from index.holds import is_in_force, select_held_subjects
from index.subjects.proposals import PROPOSAL_DAYS
from index.tables import (
    AuditEventRow,
    CropRow,
    HoldRow,
    IdempotencyRecordRow,
    PageSessionRow,
    PortraitRow,
    ProposalRow,
    SignInRow,
    SubjectRow,
    TemplateRow,
    WebhookDeliveryRow,
    utc_now,
)
from index.webhooks.webhooks import KEPT as KEPT_MESSAGES
from service.access.sign_ins import KNOWN_FOR
from service.exams.case_pictures import KEPT_AFTER_CLOSING
from service.exams.evidence.retention import sizes_of
from service.exams.evidence.sweeping import announced_exams, due_exams, newest_notice, until_of
from service.exams.guard import due_by, ends_of
from service.exams.holds import Hold, has_held_candidate, held_checkins, held_people, is_held
from service.exams.tables import ExamRow, ThumbnailRow

_BLOCK_EXAMS = 200


class Standing(StrEnum):
    """Where an exam stands on its way out."""

    KEPT = "kept"
    FOR_EVER = "for_ever"
    DUE = "due"
    ANNOUNCED = "announced"
    HELD = "held"
    PURGED = "purged"


class ClockDoubt(BaseModel):
    """Two moments between which the clock leapt: nothing goes before somebody confirms it."""

    before: datetime
    after: datetime


class KeptKind(BaseModel):
    """One kind of data."""

    kind: str = Field(examples=["crops"])
    kept: int = Field(description="how many rows there are; of `exams` and `subjects` how many of them")
    days: int | None = Field(description="after how many days it goes; null where something else ends it")
    next: int = Field(description="past its time: the next sweep announces it, or removes it without notice")
    announced: int = Field(description="announced, and gone a day later at the earliest")
    goes_at: datetime | None = Field(description="when what was announced goes, at the earliest")
    held: int = Field(description="on hold: no sweep removes it")


class Retention(BaseModel):
    """What is kept, and what goes next."""

    now: datetime
    clock_leap: ClockDoubt | None
    announced_at: datetime | None = Field(description="when a sweep has announced last")
    kinds: list[KeptKind]


class ExamRetention(BaseModel):
    """What is kept of one exam, and until when."""

    exam_id: UUID
    name: str
    reference: str | None
    ends_at: datetime
    appeal_ends_at: datetime
    retention_days: int | None
    archived_at: datetime | None
    purged_at: datetime | None
    due_at: datetime | None = Field(description="null: for as long as nobody sets `retention_days`")
    standing: Standing
    announced_at: datetime | None
    goes_at: datetime | None = Field(description="at the earliest; null while nothing of it may go")
    roster_entries: int
    checkins: int
    overrides: int
    movements: int
    thumbnails: int = Field(description="kept pictures of its attempts")
    holds: list[Hold] = Field(description="of the exam itself")
    candidates_on_hold: bool = Field(description="a candidate is on hold, so the whole exam waits")


@dataclass(frozen=True)
class Rules:
    """What the installation is set to.

    Attributes:
        crop_days: How long crops are kept; None where none are made.
        erase_days: When people are erased after the end of their legal basis; None: nobody by itself.
        answer_hours: How long answers are kept for replay.
        job_folders: How many folders of jobs there are.
    """

    crop_days: int | None
    erase_days: int | None
    answer_hours: float
    job_folders: int


def survey(database: Database, rules: Rules, now: datetime | None = None) -> Retention:
    """Every kind of data; reading it changes nothing."""
    now = now or utc_now()
    with database.read() as db:
        leap = find_leap(db, now)
        notice = newest_notice(db, AuditEventRow.at <= now)
        return Retention(
            now=now,
            clock_leap=ClockDoubt(before=leap.before, after=leap.after) if leap else None,
            announced_at=notice.at if notice else None,
            kinds=list(kinds_of(db, rules, now, notice)),
        )


def kinds_of(db: OrmSession, rules: Rules, now: datetime, notice: AuditEventRow | None) -> Iterator[KeptKind]:
    """The kinds, in the order in which they concern a person."""
    yield people(db, rules, now)
    yield simply(db, "templates", TemplateRow.id, held=TemplateRow.subject_id.in_(select_held_subjects()))
    yield simply(db, "portraits", PortraitRow.id, held=PortraitRow.subject_id.in_(select_held_subjects()))
    free = CropRow.subject_id.not_in(select_held_subjects())
    yield with_notice(db, "crops", CropRow.id, CropRow.expires_at, free, now, notice, days=rules.crop_days)
    yield exams(db, now)
    untouched = ThumbnailRow.checkin_id.not_in(held_checkins())
    settled = ThumbnailRow.until_settled.is_(True)
    yield with_notice(
        db, "pictures", ThumbnailRow.checkin_id, ThumbnailRow.expires_at, untouched, now, notice, of=~settled
    )
    yield at_once(
        db,
        "case_pictures",
        ThumbnailRow.checkin_id,
        ThumbnailRow.expires_at,
        untouched,
        now,
        of=settled,
        days=KEPT_AFTER_CLOSING.days,
    )
    is_free = ProposalRow.subject_id.not_in(select_held_subjects())
    yield at_once(db, "proposals", ProposalRow.id, ProposalRow.expires_at, is_free, now, days=PROPOSAL_DAYS)
    yield simply(db, "answers", IdempotencyRecordRow.key, days=ceil(rules.answer_hours / 24))
    yield simply(db, "page_sessions", PageSessionRow.id_digest)
    yield simply(db, "sign_ins", SignInRow.id, days=KNOWN_FOR.days)
    yield simply(db, "webhook_messages", WebhookDeliveryRow.id, days=KEPT_MESSAGES.days)
    yield KeptKind(
        kind="job_reports", kept=rules.job_folders, days=None, next=0, announced=0, goes_at=None, held=0
    )


def count(db: OrmSession, of: InstrumentedAttribute[Any], *where: ColumnElement[bool]) -> int:
    """How many rows there are of which everything is true."""
    return db.scalar(select(func.count(of)).where(*where)) or 0


def simply(
    db: OrmSession,
    kind: str,
    of: InstrumentedAttribute[Any],
    *,
    days: int | None = None,
    held: ColumnElement[bool] | None = None,
) -> KeptKind:
    """What goes with something else, or at its time without anybody being asked."""
    on_hold = count(db, of, held) if held is not None else 0
    return KeptKind(kind=kind, kept=count(db, of), days=days, next=0, announced=0, goes_at=None, held=on_hold)


def at_once(
    db: OrmSession,
    kind: str,
    row: InstrumentedAttribute[Any],
    expires_at: InstrumentedAttribute[datetime],
    is_free: ColumnElement[bool],
    now: datetime,
    *,
    of: ColumnElement[bool] | None = None,
    days: int | None = None,
) -> KeptKind:
    """What the next sweep removes when its time is over, without a notice."""
    mine = [of] if of is not None else []
    return KeptKind(
        kind=kind,
        kept=count(db, row, *mine),
        days=days,
        next=count(db, row, *mine, expires_at <= now, is_free),
        announced=0,
        goes_at=None,
        held=count(db, row, *mine, ~is_free),
    )


def with_notice(
    db: OrmSession,
    kind: str,
    row: InstrumentedAttribute[Any],
    expires_at: InstrumentedAttribute[Any],
    is_free: ColumnElement[bool],
    now: datetime,
    notice: AuditEventRow | None,
    *,
    of: ColumnElement[bool] | None = None,
    days: int | None = None,
) -> KeptKind:
    """What is announced a day before it goes."""
    mine = [of] if of is not None else []
    over = count(db, row, *mine, expires_at <= now, is_free)
    told = count(db, row, *mine, expires_at <= until_of(notice), is_free) if notice else 0
    return KeptKind(
        kind=kind,
        kept=count(db, row, *mine),
        days=days,
        next=over - told,
        announced=told,
        goes_at=notice.at + NOTICE if notice and told else None,
        held=count(db, row, *mine, ~is_free),
    )


def people(db: OrmSession, rules: Rules, now: datetime) -> KeptKind:
    """Subjects: where the installation says so, they are erased some time after their basis has ended."""
    waiting = []
    if rules.erase_days is not None:
        waiting = find_waiting(db, now - timedelta(days=rules.erase_days), held_people())
    told = [at for at in waiting if at is not None]
    return KeptKind(
        kind="subjects",
        kept=count(db, SubjectRow.id),
        days=rules.erase_days,
        next=len(waiting) - len(told),
        announced=len(told),
        goes_at=min(told) + NOTICE if told else None,
        held=count(db, SubjectRow.id, SubjectRow.id.in_(held_people())),
    )


def exams(db: OrmSession, now: datetime) -> KeptKind:
    """Exams with their rosters, attempts and decisions."""
    due, told = due_exams(db, now), announced_exams(db)
    waiting = [told[one] for one in due if one in told]
    kept = ExamRow.purged_at.is_(None)
    return KeptKind(
        kind="exams",
        kept=count(db, ExamRow.id, kept),
        days=None,
        next=len(due) - len(waiting),
        announced=len(waiting),
        goes_at=min(waiting) + NOTICE if waiting else None,
        held=count(db, ExamRow.id, kept, is_held(ExamRow.id)),
    )


def exams_page(
    database: Database,
    limit: int,
    before: UUID | None = None,
    *,
    standing: Standing | None = None,
    now: datetime | None = None,
) -> list[ExamRetention]:
    """Up to `limit` exams, the archive's among them, the newest first: all, or those of one standing."""
    now, found = now or utc_now(), list[ExamRetention]()
    with database.read() as db:
        told = announced_exams(db)
        while len(found) < limit:
            rows = db.scalars(block_of_exams(before)).all()
            if not rows:
                break
            found += [one for one in describe(db, rows, told, now) if standing in (None, one.standing)]
            before = rows[-1].id
    return found[:limit]


def block_of_exams(before: UUID | None) -> Any:
    """A query for the next exams, the newest first."""
    query = select(ExamRow).order_by(ExamRow.id.desc()).limit(_BLOCK_EXAMS)
    return query if before is None else query.where(ExamRow.id < before)


def describe(db: OrmSession, rows: Any, told: dict[UUID, datetime], now: datetime) -> Iterator[ExamRetention]:
    """What is kept of these exams."""
    ids = [row.id for row in rows]
    ends, sizes = ends_of(db, ids), sizes_of(db, ids)
    of_candidates = set(
        db.scalars(select(ExamRow.id).where(ExamRow.id.in_(ids), has_held_candidate(ExamRow.id)))
    )
    mine = select(HoldRow).where(HoldRow.exam_id.in_(ids), is_in_force()).order_by(HoldRow.id)
    holds = [Hold.model_validate(one, from_attributes=True) for one in db.scalars(mine)]
    for row in rows:
        due = due_by(row, *ends[row.id])
        own = [one for one in holds if one.exam_id == row.id]
        is_held = bool(own) or row.id in of_candidates
        standing = stand(row, due, now, is_held=is_held, is_told=row.id in told)
        announced_at = told.get(row.id) if standing == Standing.ANNOUNCED else None
        yield ExamRetention(
            exam_id=row.id,
            name=row.name,
            reference=row.reference,
            ends_at=row.ends_at,
            appeal_ends_at=row.appeal_ends_at or row.ends_at,
            retention_days=row.retention_days,
            archived_at=row.archived_at,
            purged_at=row.purged_at,
            due_at=due,
            standing=standing,
            announced_at=announced_at,
            goes_at=announced_at + NOTICE if announced_at else None,
            holds=own,
            candidates_on_hold=row.id in of_candidates,
            **{name: n for name, n in sizes[row.id].items() if name != "sessions"},
        )


def stand(row: ExamRow, due: datetime | None, now: datetime, *, is_held: bool, is_told: bool) -> Standing:
    """Where an exam stands."""
    if row.purged_at is not None:
        return Standing.PURGED
    if is_held:
        return Standing.HELD
    if due is None:
        return Standing.FOR_EVER
    if due > now:
        return Standing.KEPT
    return Standing.ANNOUNCED if is_told else Standing.DUE
