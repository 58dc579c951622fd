"""Everything about one candidate in one document.

The audit chain holds the SHA-256 of every row of evidence. Whoever has the document can compute the digests
again; whoever has the database can compare all of them (`invigil audit verify`).
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field
from sqlalchemy import select
from sqlalchemy.orm import Session as OrmSession

from index.audit import Origin
from index.tables import AuditEventRow, utc_now
from service.audit_event import AuditEvent
from service.decisions.scores import SCORED_ROW
from service.exams.audit import (
    CHECKIN_DECLINED,
    CHECKIN_RECORDED,
    EVIDENCE_EXPORTED,
    MOVEMENT_RECORDED,
    OVERRIDE_RECORDED,
    EvidenceRow,
    evidence_content,
    evidence_digest,
    note,
)
from service.exams.checkin.rules import entry_named
from service.exams.complaints import Complaint, complaints_about
from service.exams.context import Desk
from service.exams.exams import exam_document, exam_row
from service.exams.schemas import Candidate, Checkin, Exam, Movement, Session
from service.exams.sessions import session_document, session_row
from service.exams.status import candidates_of
from service.exams.tables import CheckinRow, MovementRow, OverrideRow, RosterEntryRow
from service.exams.views import checkin_documents, movement_documents, overrides_of

FORMAT = "invigil-evidence/1"
ABOUT_CANDIDATES = (
    CHECKIN_RECORDED,
    CHECKIN_DECLINED,
    OVERRIDE_RECORDED,
    MOVEMENT_RECORDED,
    EVIDENCE_EXPORTED,
)


class SealedRow(BaseModel):
    """A row of evidence as it is digested, and its digest now; the chain holds the one of then.

    Who may not see scores gets the row without them, and cannot compute its digest again.
    """

    table: str
    row: dict[str, Any] = Field(json_schema_extra=SCORED_ROW)
    digest: str


class Evidence(BaseModel):
    """What is known about one candidate of one session, and how it can be checked."""

    format: str = FORMAT
    exported_at: datetime
    exam: Exam
    session: Session
    candidate: Candidate
    checkins: list[Checkin]
    movements: list[Movement]
    complaints: list[Complaint]
    rows: list[SealedRow]
    events: list[AuditEvent]
    intact: bool


def export_evidence(desk: Desk, session_id: UUID, external_id: str, origin: Origin) -> Evidence:
    """One candidate's evidence. That it was exported goes into the audit chain.

    Only the event is written under the writers' lock: the chain may hold years, and nobody at a door waits
    while it is read. What is recorded between the two is in the next export.

    Raises:
        SessionNotFound: If there is no such session.
        NotOnRoster: If the candidate is not on its roster, or no longer.
    """
    evidence, entry = read_evidence(desk, session_id, external_id)
    with desk.database.write() as db:
        note(
            db,
            EVIDENCE_EXPORTED,
            origin,
            subject_id=entry.subject_id,
            session_id=session_id,
            entry_id=entry.id,
        )
    return evidence


def read_evidence(desk: Desk, session_id: UUID, external_id: str) -> tuple[Evidence, RosterEntryRow]:
    """One candidate's evidence, and whose it is.

    Raises:
        SessionNotFound, NotOnRoster: As `export_evidence`.
    """
    # One state: what is recorded meanwhile would be a row without its event, or an event without its row.
    with desk.database.snapshot() as db:
        row = session_row(db, session_id)
        exam = exam_row(db, row.exam_id)
        entry = entry_named(db, session_id, external_id)
        checkins = attempts_about(db, entry.id)
        overrides = overrides_of(db, [one.id for one in checkins])
        moves = movements_about(db, entry.id)
        decisions = [one for found in overrides.values() for one in found]
        evidence_rows: list[EvidenceRow] = [*checkins, *decisions, *moves]
        rows = [sealed(one) for one in evidence_rows]
        events = events_about(db, entry.id, {one.id for one in checkins})
        evidence = Evidence(
            exported_at=utc_now(),
            exam=exam_document(desk, exam),
            session=session_document(desk, db, row, exam),
            candidate=candidates_of(db, session_id, [entry.id])[entry.id],
            checkins=checkin_documents(db, checkins),
            movements=movement_documents(db, moves),
            complaints=complaints_about(db, [one.id for one in checkins]),
            rows=rows,
            events=events,
            intact={one.digest for one in rows} == {one.details.get("evidence") for one in events} - {None},
        )
        return evidence, entry


def sealed(row: EvidenceRow) -> SealedRow:
    """A row as its digest saw it."""
    return SealedRow(table=row.__tablename__, row=evidence_content(row), digest=evidence_digest(row))


def movements_about(db: OrmSession, entry_id: UUID) -> Sequence[MovementRow]:
    """The movements of one roster entry, oldest first."""
    query = select(MovementRow).where(MovementRow.entry_id == entry_id)
    return db.scalars(query.order_by(MovementRow.number)).all()


def attempts_about(db: OrmSession, entry_id: UUID) -> Sequence[CheckinRow]:
    """The attempts of one roster entry, and those that a person has found to be its, oldest first."""
    named = select(OverrideRow.checkin_id).where(OverrideRow.entry_id == entry_id)
    about = (CheckinRow.entry_id == entry_id) | CheckinRow.id.in_(named)
    return db.scalars(select(CheckinRow).where(about).order_by(CheckinRow.created_at, CheckinRow.id)).all()


def events_about(db: OrmSession, entry_id: UUID, checkin_ids: Collection[UUID]) -> list[AuditEvent]:
    """The chain's events about one roster entry and these attempts, oldest first."""
    details, attempts = AuditEventRow.details, [str(checkin_id) for checkin_id in checkin_ids]
    # The database picks them out: the chain may hold years.
    about = details["entry_id"].as_string() == str(entry_id)
    about |= details["checkin_id"].as_string().in_(attempts)
    query = select(AuditEventRow).where(AuditEventRow.action.in_(ABOUT_CANDIDATES), about)
    return [
        AuditEvent.model_validate(event, from_attributes=True)
        for event in db.scalars(query.order_by(AuditEventRow.seq))
    ]
