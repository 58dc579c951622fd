"""Identification by a document: as good a way in as a photograph, without any biometrics."""

from enum import StrEnum
from typing import Self
from uuid import UUID

from pydantic import Field, model_validator
from sqlalchemy.orm import Session as OrmSession

from index.audit import Origin
from index.ids import uuid7
from service.exams.checkin.overrides import OPERATOR, newest_decision, require_undecided_since
from service.exams.checkin.rules import (
    Arrival,
    Expected,
    begun,
    decline,
    expect,
    record,
    require_entry_open,
    require_not_in,
    require_not_in_another_room,
)
from service.exams.context import Desk
from service.exams.errors import CheckinRefused
from service.exams.schemas import Checkin, Verdict
from service.exams.status import MANUAL
from service.exams.tables import CheckinRow
from service.exams.terms import Reason, Terms
from service.exams.views import checkin_documents
from service.fields import Label, Moment, Note, ShortLabel


class DocumentType(StrEnum):
    """What a person was identified by."""

    PASSPORT = "passport"
    IDENTITY_CARD = "identity_card"
    STUDENT_CARD = "student_card"
    DRIVING_LICENCE = "driving_licence"
    RESIDENCE_PERMIT = "residence_permit"
    OTHER = "other"


class IdentificationTerms(Terms):
    """Who was identified, by what, and by whom. The document's number is not asked for and not stored."""

    candidate: Label = Field(description="external id")
    document_type: DocumentType
    note: Note | None = Field(default=None, description="needed where the document type is `other`")
    seat: ShortLabel | None = None
    operator: Label | None = Field(default=None, description=OPERATOR)
    client_time: Moment | None = None
    late_reason: Reason = None

    @model_validator(mode="after")
    def _say_which_other(self) -> Self:
        if self.document_type is DocumentType.OTHER and not self.note:
            raise ValueError("a note has to say which other document it was")
        return self


def identify(
    desk: Desk, session_id: UUID, terms: IdentificationTerms, origin: Origin, checkin_id: UUID | None = None
) -> Checkin:
    """Let a candidate in whom a person has identified; the same `checkin_id` again gives what was recorded.

    It is open to everybody on the roster, whatever a photograph has said before, except to those who are in.

    Raises:
        SessionNotFound: If there is no such session.
        CheckinRefused: If the session is closed, the candidate is not expected or is in already, or it is too
            late to come in: with a reason a person may, unless the session says never.
        DecidedMeanwhile: If somebody else decided on the candidate at the same time.
    """
    checkin_id = checkin_id or uuid7()
    arrival = Arrival(session_id, terms.candidate, terms.seat, client_time=terms.client_time)
    with desk.database.read() as db:
        seen = newest_decision(db, session_id, terms.candidate)
    try:
        with desk.database.write() as db:
            row = db.get(CheckinRow, checkin_id)
            if row is None:
                expected = expect(db, arrival)
                require_undecided_since(db, session_id, terms.candidate, seen)
                row = identified(db, expected, arrival, terms, origin, checkin_id)
                record(db, row, origin)
            return checkin_documents(db, [row])[0]
    except CheckinRefused as error:
        decline(desk, arrival, error.code, origin)
        raise


def identified(
    db: OrmSession,
    expected: Expected,
    arrival: Arrival,
    terms: IdentificationTerms,
    origin: Origin,
    checkin_id: UUID,
) -> CheckinRow:
    """The row of evidence: who, by what, by whom; nothing was measured."""
    if expected.entry is not None:
        require_not_in(db, expected.entry)
        require_entry_open(db, expected, terms.late_reason)
        require_not_in_another_room(db, expected.session, expected.exam, expected.entry)
    return begun(
        db,
        expected,
        expected.entry,
        arrival,
        origin,
        id=checkin_id,
        mode=MANUAL,
        outcome=str(Verdict.IDENTIFIED_MANUALLY),
        reasons=[],
        conflicts=[],
        document_type=str(terms.document_type),
        note=" · ".join(filter(None, (terms.note, terms.late_reason))) or None,
        operator=origin.operator or terms.operator,
    )
