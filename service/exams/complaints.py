"""Complaints about check-ins: when each came, by when it is answered, and what the answer was.

What the answer may rest on is on hold until then. Neither the complaint's words nor the answer's go into the
audit trail, which outlives both.
"""

from calendar import monthrange
from collections.abc import Collection, Sequence
from datetime import date, datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator
from sqlalchemy import Select, select
from sqlalchemy.orm import Session as OrmSession

from index.audit import Origin
from index.database.batches import batches
from index.ids import uuid7
from index.tables import HoldRow, utc_now
from service.exams.audit import note
from service.exams.context import Desk
from service.exams.errors import CheckinNotFound, ComplaintAnswered, ComplaintNotFound
from service.exams.holds import HoldKind, NewHold, add_hold, lift, name_of
from service.exams.tables import CheckinRow, ComplaintRow

TAKEN, ANSWERED = "complaint.taken", "complaint.answered"
MOST_OPEN = 500


class NewComplaint(BaseModel):
    """A complaint as it came."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field(min_length=3, max_length=10_000, description="what it says; not in the audit trail")
    received_on: date | None = Field(default=None, description="by default today (UTC)")
    due_on: date | None = Field(
        default=None, description="by default a month after it came (GDPR, article 12(3))"
    )

    @model_validator(mode="after")
    def is_in_order(self) -> "NewComplaint":
        """Refuse a complaint of tomorrow, and one that is due before it came."""
        today = utc_now().date()
        received = self.received_on or today
        if received > today:
            raise ValueError("it cannot have come after today")
        if self.due_on is not None and self.due_on < received:
            raise ValueError("it cannot be due before it came")
        return self


class ComplaintAnswer(BaseModel):
    """How a complaint was answered."""

    model_config = ConfigDict(extra="forbid")

    answer: str = Field(min_length=3, max_length=10_000, description="not in the audit trail")


class Complaint(BaseModel):
    """A complaint about a check-in, with its answer once there is one."""

    id: UUID
    exam_id: UUID
    session_id: UUID
    checkin_id: UUID
    external_id: str | None
    text: str
    received_on: date
    due_on: date
    is_overdue: bool = Field(description="open, and its day has passed (UTC)")
    taken_by: str
    created_at: datetime
    answer: str | None
    answered_at: datetime | None
    answered_by: str | None


def month_after(day: date) -> date:
    """The same day of the next month, or that month's last."""
    year, month = (day.year, day.month + 1) if day.month < 12 else (day.year + 1, 1)
    return date(year, month, min(day.day, monthrange(year, month)[1]))


def take_complaint(
    desk: Desk, checkin_id: UUID, new: NewComplaint, origin: Origin, complaint_id: UUID | None = None
) -> Complaint:
    """Record a complaint and put its exam on hold; the same `complaint_id` again gives the one recorded.

    Raises:
        CheckinNotFound: If there is no such check-in.
    """
    with desk.database.write() as db:
        row = db.get(ComplaintRow, complaint_id) if complaint_id else None
        if row is None:
            row = add_complaint(db, checkin_id, new, origin, complaint_id or uuid7())
        return complaint_document(row, db.get_one(CheckinRow, row.checkin_id))


def add_complaint(
    db: OrmSession, checkin_id: UUID, new: NewComplaint, origin: Origin, complaint_id: UUID
) -> ComplaintRow:
    """The rows of a new complaint and of its hold."""
    checkin = db.get(CheckinRow, checkin_id)
    if checkin is None:
        raise CheckinNotFound(checkin_id)
    why = NewHold(exam_id=checkin.exam_id, kind=HoldKind.COMPLAINT, reason=str(complaint_id))
    received = new.received_on or utc_now().date()
    row = ComplaintRow(
        id=complaint_id,
        exam_id=checkin.exam_id,
        checkin_id=checkin_id,
        hold_id=add_hold(db, why, origin).id,
        text=new.text,
        received_on=received,
        due_on=new.due_on or month_after(received),
        taken_by=name_of(origin),
        created_at=utc_now(),
    )
    db.add(row)
    db.flush()
    about = {"exam_id": row.exam_id, "checkin_id": checkin_id, "complaint_id": row.id}
    note(db, TAKEN, origin, subject_id=checkin.subject_id, **about, due_on=row.due_on.isoformat())
    return row


def answer_complaint(desk: Desk, complaint_id: UUID, terms: ComplaintAnswer, origin: Origin) -> Complaint:
    """Record the answer and lift the complaint's hold.

    Raises:
        ComplaintNotFound: If there is no such complaint.
        ComplaintAnswered: If it has an answer.
    """
    with desk.database.write() as db:
        row = db.get(ComplaintRow, complaint_id)
        if row is None:
            raise ComplaintNotFound(complaint_id)
        if row.answered_at is not None:
            raise ComplaintAnswered(row.answered_at)
        row.answer, row.answered_at, row.answered_by = terms.answer, utc_now(), name_of(origin)
        hold = db.get(HoldRow, row.hold_id)
        if hold is not None and hold.lifted_at is None:
            lift(db, hold, f"complaint {row.id} was answered", origin)
        checkin = db.get_one(CheckinRow, row.checkin_id)
        about = {"exam_id": row.exam_id, "checkin_id": row.checkin_id, "complaint_id": row.id}
        note(db, ANSWERED, origin, subject_id=checkin.subject_id, **about)
        return complaint_document(row, checkin)


def list_complaints(
    desk: Desk,
    *,
    answered: bool = False,
    checkin_id: UUID | None = None,
    only: Collection[UUID] | None = None,
) -> list[Complaint]:
    """The open complaints, the first due first, or those with an answer.

    Args:
        answered: Those with an answer instead.
        checkin_id: About this check-in alone.
        only: Of these exams alone.
    """
    state = ComplaintRow.answered_at.is_not(None) if answered else ComplaintRow.answered_at.is_(None)
    query = with_checkin().where(state).order_by(ComplaintRow.due_on, ComplaintRow.id).limit(MOST_OPEN)
    if checkin_id is not None:
        query = query.where(ComplaintRow.checkin_id == checkin_id)
    if only is not None:
        query = query.where(ComplaintRow.exam_id.in_(list(only)))
    with desk.database.read() as db:
        return [complaint_document(row, checkin) for row, checkin in db.execute(query)]


def complaints_about(db: OrmSession, checkin_ids: Sequence[UUID]) -> list[Complaint]:
    """The complaints about some check-ins, open and answered, oldest first."""
    found = [
        complaint_document(row, checkin)
        for some in batches(checkin_ids)
        for row, checkin in db.execute(with_checkin().where(ComplaintRow.checkin_id.in_(some)))
    ]
    return sorted(found, key=lambda one: one.id)


def with_checkin() -> Select[ComplaintRow, CheckinRow]:
    """Complaints, each with its check-in."""
    return select(ComplaintRow, CheckinRow).join(CheckinRow, CheckinRow.id == ComplaintRow.checkin_id)


def complaint_document(row: ComplaintRow, checkin: CheckinRow) -> Complaint:
    """A complaint as it leaves."""
    names = Complaint.model_fields.keys() - {"session_id", "external_id", "is_overdue"}
    return Complaint(
        **{name: getattr(row, name) for name in names},
        session_id=checkin.session_id,
        external_id=checkin.external_id,
        is_overdue=row.answered_at is None and row.due_on < utc_now().date(),
    )
