"""What a kiosk holds in case its network fails: who is expected, without any template or portrait."""

import base64
from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, Field
from sqlalchemy import select
from sqlalchemy.orm import Session as OrmSession

from index.database.batches import batches
from index.external_ids import build_external_key
from index.gallery.coverage import models_of
from index.tables import utc_now
from service.exams.context import Desk
from service.exams.exams import exam_row, has_faces_on, is_pilot
from service.exams.movement.rules import find_entry_end
from service.exams.offline.sealing import public_key_of
from service.exams.schemas import Candidate, Offline
from service.exams.sessions import ended_at, session_row
from service.exams.states import LET_IN
from service.exams.status import candidates_page
from service.exams.tables import CardRow, ExamRow, SessionRow


class PackPerson(BaseModel):
    """Somebody who is expected."""

    external_id: str
    display_name: str | None
    seat: str | None
    numbers: list[str] = Field(description="what the candidate's cards say, as numbers are compared")
    is_in: bool
    may_be_photographed: bool = Field(description="otherwise a person looks at a document")


class Pack(BaseModel):
    """What a kiosk holds of its session; it forgets it when the session or the kiosk ends."""

    session_id: UUID
    exam_name: str
    room: str
    opens_at: datetime
    closes_at: datetime
    entry_ends_at: datetime | None = Field(description="nobody comes in later, by a rule of the session")
    rule: Offline
    public_key: str | None = Field(
        description="seals what is taken without network (P-256, base64url); null: nothing may be taken"
    )
    card_prefix: str = Field(description="in front of each number on a card of this site")
    people: list[PackPerson]
    server_time: datetime


def build_pack(desk: Desk, session_id: UUID) -> Pack:
    """What the kiosks of a session hold now; of an exam without faces, or one that is over, nobody.

    Raises:
        SessionNotFound: If there is no such session.
        DatabaseError: If the key of its queues cannot be written.
    """
    with desk.database.write() as db:
        session = session_row(db, session_id)
        exam = exam_row(db, session.exam_id)
        now = utc_now()
        is_of_use = has_faces_on(exam) and ended_at(session, exam, now) is None
        return Pack(
            session_id=session.id,
            exam_name=exam.name,
            room=session.room,
            opens_at=session.opens_at,
            closes_at=session.closes_at,
            entry_ends_at=entry_end_of(db, session, exam),
            rule=rule_of(exam),
            public_key=encoded(public_key_of(db, desk, session_id)) if is_of_use else None,
            card_prefix=desk.numbers.prefix,
            people=people_of(db, desk, candidates_page(db, session_id)) if is_of_use else [],
            server_time=now,
        )


def rule_of(exam: ExamRow) -> Offline:
    """What a kiosk does with whom it cannot compare; a pilot lets nobody in, so neither does its kiosk."""
    return "hold" if is_pilot(exam) else exam.offline  # type: ignore[return-value]


def entry_end_of(db: OrmSession, session: SessionRow, exam: ExamRow) -> datetime | None:
    """Until when people come in by the session's rules, as far as that is known now."""
    closed = find_entry_end(db, session, exam, session.closes_at)
    return closed.since if closed else None


def encoded(key: bytes | None) -> str | None:
    """A key in base64url without padding, as JSON Web Keys have them."""
    return base64.urlsafe_b64encode(key).rstrip(b"=").decode() if key else None


def people_of(db: OrmSession, desk: Desk, candidates: Sequence[Candidate]) -> list[PackPerson]:
    """The candidates as a kiosk knows them."""
    subjects = {one.subject_id for one in candidates if one.subject_id}
    models, cards = models_of(db, subjects), cards_of(db, subjects)
    return [
        PackPerson(
            external_id=one.external_id,
            display_name=one.display_name,
            seat=one.seat,
            numbers=[build_external_key(one.external_id), *cards[one.subject_id]],
            is_in=one.status in LET_IN,
            may_be_photographed=may_be_photographed(one, desk, models),
        )
        for one in candidates
    ]


def cards_of(db: OrmSession, subjects: Collection[UUID]) -> dict[UUID | None, list[str]]:
    """The further numbers of subjects, as they are compared."""
    found: dict[UUID | None, list[str]] = defaultdict(list)
    for batch in batches(subjects):
        for card in db.scalars(select(CardRow).where(CardRow.subject_id.in_(batch))):
            found[card.subject_id].append(card.number_key)
    return found


def may_be_photographed(one: Candidate, desk: Desk, models: dict[UUID, set[str]]) -> bool:
    """Whether a claim would lead to a picture, as far as that does not change by the minute."""
    known = one.subject_id is not None and not models.get(one.subject_id, set()).isdisjoint(desk.serving.ids)
    is_free = one.status in ("expected", "referred") and not one.flags.is_for_a_person
    return known and is_free and one.attempts < one.attempts_allowed
