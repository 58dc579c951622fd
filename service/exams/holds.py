"""Holds on exams and candidates: an appeal, a complaint, a lawsuit. Nothing of theirs is swept meanwhile.

An exam waits as a whole for a candidate on hold: the audit trail counts its evidence as one.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator
from sqlalchemy import ColumnElement, Select, or_, select, union
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.orm import Session as OrmSession

from index import audit
from index.audit import Origin
from index.database.database import Database
from index.errors import SubjectNotFound
from index.holds import find_holds_of, is_in_force, select_held_exams, select_held_subjects
from index.ids import uuid7
from index.tables import HoldRow, SubjectRow, utc_now
from index.trail.anchor_lines import HELD, LIFTED
from service.exams.audit import note
from service.exams.errors import ExamOnHold, ExamPurged, HoldLifted, HoldNotFound
from service.exams.exams import exam_row
from service.exams.tables import CheckinRow, ExamRow, RosterEntryRow, SessionRow

Why = Annotated[str, Field(min_length=3, max_length=500, description="why; goes into the audit trail")]


class HoldKind(StrEnum):
    """What something is kept for."""

    APPEAL = "appeal"
    COMPLAINT = "complaint"
    LEGAL = "legal"


class NewHold(BaseModel):
    """A hold on one exam, or on one subject."""

    model_config = ConfigDict(extra="forbid")

    exam_id: UUID | None = None
    subject_id: UUID | None = None
    kind: HoldKind
    reason: Why

    @model_validator(mode="after")
    def names_one(self) -> "NewHold":
        """Refuse a hold on nothing, or on two things."""
        if (self.exam_id is None) == (self.subject_id is None):
            raise ValueError("name an exam or a subject, one of the two")
        return self


class Hold(BaseModel):
    """A hold, with how it ended where it did."""

    id: UUID
    exam_id: UUID | None
    subject_id: UUID | None
    kind: HoldKind
    reason: str
    put_by: str
    created_at: datetime
    lifted_at: datetime | None
    lifted_by: str | None
    lifted_because: str | None


def put_hold(database: Database, new: NewHold, origin: Origin, hold_id: UUID | None = None) -> Hold:
    """Keep an exam or a subject from every sweep; the same `hold_id` again gives the hold that was put.

    Raises:
        ExamNotFound, SubjectNotFound: If there is no such exam or subject.
        ExamPurged: If the exam's rows have gone already.
    """
    with database.write() as db:
        row = db.get(HoldRow, hold_id) if hold_id else None
        if row is None:
            row = add_hold(db, new, origin, hold_id)
        return Hold.model_validate(row, from_attributes=True)


def lift_hold(database: Database, hold_id: UUID, reason: str, origin: Origin) -> Hold:
    """End a hold: what is past its time is announced anew, and goes a day later at the earliest.

    Raises:
        HoldNotFound: If there is no such hold.
        HoldLifted: If somebody has lifted it already.
    """
    with database.write() as db:
        row = db.get(HoldRow, hold_id)
        if row is None:
            raise HoldNotFound(hold_id)
        if row.lifted_at is not None:
            raise HoldLifted(row.lifted_at)
        lift(db, row, reason, origin)
        return Hold.model_validate(row, from_attributes=True)


def put_returned(
    database: Database, held: Iterable[audit.EventSeen], lifted: Iterable[audit.EventSeen], origin: Origin
) -> int:
    """Put the holds again that an older database lacks; returns how many.

    A hold that was lifted since, as far as the anchor tells, is left out. Kind and reason are lost with the
    database, so each is put as `legal` until a person says otherwise.

    Args:
        database: The database that came back.
        held: Every hold on record that was put.
        lifted: Every one that was lifted; `subject_id` of both is the subject or the exam.
        origin: In whose name.
    """
    with database.read() as db:
        lost = audit.find_lost_events(db, held, action=HELD)
        ended = Counter(one.subject_id for one in audit.find_lost_events(db, lifted, action=LIFTED))
    again = 0
    for one in lost:
        if ended[one.subject_id] > 0:
            ended[one.subject_id] -= 1
            continue
        with database.write() as db:
            # Another process may have put it meanwhile.
            if audit.find_lost_events(db, [one], action=HELD):
                again += _put_again(db, one, origin)
    return again


def _put_again(db: OrmSession, seen: audit.EventSeen, origin: Origin) -> bool:
    """Put one lost hold; not on what is gone."""
    exam = db.get(ExamRow, seen.subject_id)
    is_subject = db.get(SubjectRow, seen.subject_id) is not None
    if not is_subject and (exam is None or exam.purged_at is not None):
        return False
    target = {"subject_id": seen.subject_id} if is_subject else {"exam_id": seen.subject_id}
    reason = f"on hold when an older database came back (event {seen.seq})"
    add_hold(db, NewHold(kind=HoldKind.LEGAL, reason=reason, **target), origin, again=seen.digest)
    return True


def add_hold(
    db: OrmSession, new: NewHold, origin: Origin, hold_id: UUID | None = None, **details: str
) -> HoldRow:
    """Put a hold in the caller's transaction, with further details for the trail; raises as `put_hold`."""
    require_there(db, new)
    row = HoldRow(id=hold_id or uuid7(), **new.model_dump(), put_by=name_of(origin), created_at=utc_now())
    db.add(row)
    db.flush()
    what = {"hold_id": row.id, "exam_id": new.exam_id, "kind": new.kind, "reason": new.reason}
    note(db, HELD, origin, subject_id=new.subject_id, **what, **details)
    return row


def lift(db: OrmSession, row: HoldRow, reason: str, origin: Origin) -> None:
    """End a hold that is in force, in the caller's transaction."""
    row.lifted_at, row.lifted_by, row.lifted_because = utc_now(), name_of(origin), reason
    note(db, LIFTED, origin, subject_id=row.subject_id, hold_id=row.id, exam_id=row.exam_id, reason=reason)


def list_holds(
    database: Database,
    limit: int,
    before: UUID | None = None,
    *,
    lifted: bool = False,
    exam_id: UUID | None = None,
    subject_id: UUID | None = None,
) -> list[Hold]:
    """The holds in force, or those that were lifted; the newest first."""
    query = select(HoldRow).where(HoldRow.lifted_at.is_not(None) if lifted else is_in_force())
    if before is not None:
        query = query.where(HoldRow.id < before)
    if exam_id is not None:
        query = query.where(HoldRow.exam_id == exam_id)
    if subject_id is not None:
        query = query.where(HoldRow.subject_id == subject_id)
    with database.read() as db:
        rows = db.scalars(query.order_by(HoldRow.id.desc()).limit(limit)).all()
        return [Hold.model_validate(row, from_attributes=True) for row in rows]


def require_there(db: OrmSession, new: NewHold) -> None:
    """Refuse a hold on what does not exist, or has nothing left to keep."""
    if new.subject_id is not None and db.get(SubjectRow, new.subject_id) is None:
        raise SubjectNotFound(new.subject_id)
    if new.exam_id is not None and (gone := exam_row(db, new.exam_id).purged_at) is not None:
        raise ExamPurged(gone)


def name_of(origin: Origin) -> str:
    """Who puts or lifts a hold, as people know them."""
    return origin.operator or origin.actor


def is_held(exam_id: InstrumentedAttribute[UUID], since: datetime | None = None) -> ColumnElement[bool]:
    """The condition for exams on hold: themselves, or for one of their candidates."""
    return or_(exam_id.in_(select_held_exams(since)), has_held_candidate(exam_id, since))


def has_held_candidate(
    exam_id: InstrumentedAttribute[UUID], since: datetime | None = None
) -> ColumnElement[bool]:
    """The condition for exams with a candidate on hold."""
    people = select_held_subjects(since)
    came = select(CheckinRow.exam_id).where(CheckinRow.subject_id.in_(people))
    expected = select(SessionRow.exam_id).join(RosterEntryRow, RosterEntryRow.session_id == SessionRow.id)
    expected = expected.where(RosterEntryRow.subject_id.in_(people))
    return or_(exam_id.in_(came), exam_id.in_(expected))


def held_checkins(since: datetime | None = None) -> Select[UUID]:
    """A query for the ids of the attempts whose pictures are kept: of an exam or a candidate on hold."""
    of_exam = CheckinRow.exam_id.in_(select_held_exams(since))
    return select(CheckinRow.id).where(of_exam | CheckinRow.subject_id.in_(select_held_subjects(since)))


def held_people(since: datetime | None = None) -> Select[UUID]:
    """A query for the ids of the subjects who are on hold, or are candidates of an exam that is."""
    exams = select_held_exams(since)
    came = select(CheckinRow.subject_id).where(
        CheckinRow.exam_id.in_(exams), CheckinRow.subject_id.is_not(None)
    )
    expected = select(RosterEntryRow.subject_id).join(SessionRow, SessionRow.id == RosterEntryRow.session_id)
    expected = expected.where(SessionRow.exam_id.in_(exams), RosterEntryRow.subject_id.is_not(None))
    found = union(select_held_subjects(since), came, expected).subquery()
    return select(found.c[0])


def find_holds_of_person(db: OrmSession, subject_id: UUID) -> Sequence[UUID]:
    """The ids of the holds that an erasure would ignore: of the subject, and of exams they are known to."""
    came = select(CheckinRow.exam_id).where(CheckinRow.subject_id == subject_id)
    expected = select(SessionRow.exam_id).join(RosterEntryRow, RosterEntryRow.session_id == SessionRow.id)
    expected = expected.where(RosterEntryRow.subject_id == subject_id)
    of_exams = select(HoldRow.id).where(
        is_in_force(), or_(HoldRow.exam_id.in_(came), HoldRow.exam_id.in_(expected))
    )
    return [*find_holds_of(db, subject_id), *db.scalars(of_exams.order_by(HoldRow.id))]


def refuse_held_exam(db: OrmSession, exam_id: UUID) -> None:
    """Refuse to remove an exam on hold.

    Raises:
        ExamOnHold: If it is.
    """
    if db.scalar(select(ExamRow.id).where(ExamRow.id == exam_id, is_held(ExamRow.id))) is not None:
        raise ExamOnHold(exam_id)
