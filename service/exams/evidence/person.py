"""One person's own file (GDPR, article 15): everything that is held about them, over all exams.

Templates and pictures are named and not included: a template is a key to the person's face, and pictures are
shown where they are kept. What is said of others is left out: neither twins nor the people of a conflict are
named.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field
from sqlalchemy import select
from sqlalchemy.orm import Session as OrmSession

from index.audit import Origin
from index.errors import SubjectNotFound
from index.tables import (
    AuditEventRow,
    CropRow,
    EnrolmentLinkRow,
    HoldRow,
    PortraitRow,
    ProposalRow,
    SubjectRow,
    TemplateRow,
    TwinRow,
    WithdrawalLinkRow,
    utc_now,
)
from service.audit_event import AuditEvent
from service.exams.audit import PERSON_EXPORTED, note
from service.exams.complaints import Complaint, complaints_about
from service.exams.context import Desk
from service.exams.evidence.export import attempts_about, movements_about
from service.exams.exams import exam_row
from service.exams.schemas import Candidate, Checkin, Movement
from service.exams.sessions import session_row
from service.exams.status import candidates_of
from service.exams.tables import CardRow, CheckinRow, RosterEntryRow
from service.exams.views import checkin_documents, movement_documents

FORMAT = "invigil-person/1"


class HeldTemplate(BaseModel):
    """A template that is kept, without its numbers."""

    id: UUID
    model_id: str
    created_at: datetime
    quality: dict[str, Any] = Field(description="of the picture that it was made from")
    from_kept_crop: bool


class HeldPicture(BaseModel):
    """A picture that is kept, encrypted."""

    id: UUID
    kind: str = Field(
        description="`crop` of an enrolment, `portrait` of the office, `proposal` sent by the person"
    )
    created_at: datetime
    expires_at: datetime | None


class HeldLink(BaseModel):
    """A link that was given out to the person."""

    kind: str = Field(description="`enrolment` or `withdrawal`")
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None


class HeldHold(BaseModel):
    """A hold that keeps what is held from every sweep."""

    kind: str
    reason: str
    created_at: datetime
    lifted_at: datetime | None


class LookAlike(BaseModel):
    """Another person with the same face, enrolled as well: why, and never who."""

    reason: str
    created_at: datetime


class PersonExam(BaseModel):
    """One session of one exam as it concerned the person."""

    exam_id: UUID
    exam: str
    session_id: UUID
    room: str
    opens_at: datetime
    closes_at: datetime
    candidate: Candidate
    checkins: list[Checkin] = Field(description="with each decision of a person; `conflicts` are left out")
    movements: list[Movement]
    complaints: list[Complaint]


class PersonFile(BaseModel):
    """What is held about one person."""

    format: str = FORMAT
    made_at: datetime
    subject_id: UUID
    external_id: str | None
    display_name: str | None
    metadata: dict[str, Any] | None
    further_numbers: list[str]
    legal_basis: dict[str, Any] | None
    withdrawn_at: datetime | None
    created_at: datetime
    changed_at: datetime
    templates: list[HeldTemplate]
    pictures: list[HeldPicture]
    links: list[HeldLink]
    look_alikes: list[LookAlike]
    holds: list[HeldHold]
    exams: list[PersonExam]
    events: list[AuditEvent] = Field(description="of the audit trail, by the person's id")


def export_person(desk: Desk, subject_id: UUID, origin: Origin) -> PersonFile:
    """The person's file. That it was made goes into the audit trail.

    Args:
        desk: With the database.
        subject_id: Whose file.
        origin: Who asks.

    Raises:
        SubjectNotFound: If the person is not there any more.
    """
    # One state: what is recorded meanwhile would be a check-in without its event.
    with desk.database.snapshot() as db:
        row = db.get(SubjectRow, subject_id)
        if row is None:
            raise SubjectNotFound(subject_id)
        found = read_person(db, row)
    with desk.database.write() as db:
        note(db, PERSON_EXPORTED, origin, subject_id=subject_id)
    return found


def read_person(db: OrmSession, row: SubjectRow) -> PersonFile:
    """What is held about a person, in the state that is read."""
    about = AuditEventRow.subject_id == row.id
    return PersonFile(
        made_at=utc_now(),
        subject_id=row.id,
        external_id=row.external_id,
        display_name=row.display_name,
        metadata=row.details,
        further_numbers=list(
            db.scalars(select(CardRow.number).where(CardRow.subject_id == row.id).order_by(CardRow.number))
        ),
        legal_basis=row.legal_basis,
        withdrawn_at=row.withdrawn_at,
        created_at=row.created_at,
        changed_at=row.changed_at,
        templates=list(templates_of(db, row.id)),
        pictures=list(pictures_of(db, row.id)),
        links=list(links_of(db, row.id)),
        look_alikes=list(look_alikes_of(db, row.id)),
        holds=list(holds_of(db, row.id)),
        exams=[exam_of(db, entry) for entry in entries_about(db, row.id)],
        events=[
            AuditEvent.model_validate(event, from_attributes=True)
            for event in db.scalars(select(AuditEventRow).where(about).order_by(AuditEventRow.seq))
        ],
    )


def templates_of(db: OrmSession, subject_id: UUID) -> Iterator[HeldTemplate]:
    """The templates of a person, oldest first."""
    query = select(TemplateRow).where(TemplateRow.subject_id == subject_id).order_by(TemplateRow.number)
    for row in db.scalars(query):
        yield HeldTemplate(
            id=row.id,
            model_id=row.model_id,
            created_at=row.created_at,
            quality=row.quality,
            from_kept_crop=row.crop_id is not None,
        )


def pictures_of(db: OrmSession, subject_id: UUID) -> Iterator[HeldPicture]:
    """The pictures that are kept of a person, but those of check-ins, which say so themselves."""
    columns = CropRow.id, CropRow.created_at, CropRow.expires_at
    for one in db.execute(select(*columns).where(CropRow.subject_id == subject_id)):
        yield HeldPicture(kind="crop", **one._asdict())
    portraits = select(PortraitRow.id, PortraitRow.created_at).where(PortraitRow.subject_id == subject_id)
    for portrait in db.execute(portraits):
        yield HeldPicture(kind="portrait", expires_at=None, **portrait._asdict())
    sent = ProposalRow.id, ProposalRow.created_at, ProposalRow.expires_at
    for one in db.execute(select(*sent).where(ProposalRow.subject_id == subject_id)):
        yield HeldPicture(kind="proposal", **one._asdict())


def links_of(db: OrmSession, subject_id: UUID) -> Iterator[HeldLink]:
    """The links that were given out to a person."""
    for kind, table in (("enrolment", EnrolmentLinkRow), ("withdrawal", WithdrawalLinkRow)):
        query = select(table.created_at, table.expires_at, table.used_at)
        for one in db.execute(query.where(table.subject_id == subject_id).order_by(table.created_at)):
            yield HeldLink(kind=kind, **one._asdict())


def look_alikes_of(db: OrmSession, subject_id: UUID) -> Iterator[LookAlike]:
    """Why somebody with the same face is enrolled as well."""
    mine = (TwinRow.subject_id == subject_id) | (TwinRow.other_id == subject_id)
    query = select(TwinRow.reason, TwinRow.created_at).where(mine).order_by(TwinRow.created_at)
    for one in db.execute(query):
        yield LookAlike(**one._asdict())


def holds_of(db: OrmSession, subject_id: UUID) -> Iterator[HeldHold]:
    """The holds on a person, of before as well."""
    columns = HoldRow.kind, HoldRow.reason, HoldRow.created_at, HoldRow.lifted_at
    query = select(*columns).where(HoldRow.subject_id == subject_id).order_by(HoldRow.created_at)
    for one in db.execute(query):
        yield HeldHold(**one._asdict())


def entries_about(db: OrmSession, subject_id: UUID) -> Sequence[RosterEntryRow]:
    """The roster entries of a person, and those that were the person's when somebody checked in."""
    then = select(CheckinRow.entry_id).where(CheckinRow.subject_id == subject_id)
    mine = (RosterEntryRow.subject_id == subject_id) | RosterEntryRow.id.in_(then)
    return db.scalars(select(RosterEntryRow).where(mine).order_by(RosterEntryRow.id)).all()


def exam_of(db: OrmSession, entry: RosterEntryRow) -> PersonExam:
    """What one roster entry led to."""
    session = session_row(db, entry.session_id)
    rows = attempts_about(db, entry.id)
    checkins = checkin_documents(db, rows)
    return PersonExam(
        exam_id=session.exam_id,
        exam=exam_row(db, session.exam_id).name,
        session_id=session.id,
        room=session.room,
        opens_at=session.opens_at,
        closes_at=session.closes_at,
        candidate=candidates_of(db, session.id, [entry.id])[entry.id],
        # Who else looked like the person is about somebody else.
        checkins=[one.model_copy(update={"conflicts": []}) for one in checkins],
        movements=movement_documents(db, movements_about(db, entry.id)),
        complaints=complaints_about(db, [one.id for one in rows]),
    )
