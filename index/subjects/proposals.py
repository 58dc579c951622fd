"""Self-enrolment: a person sends a picture by a link of the office, and somebody there accepts or refuses it.

Whoever holds the link must not be able to become the candidate. So a picture is a proposal: it is sealed, no
template is made of it, and nothing is compared with it, until a person has seen it beside a portrait or a
document. What the sender is told depends on the picture alone, never on who is enrolled.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from index import audit
from index.clock import find_latest_notice, require_steady
from index.crops import crop_of, find_with_crop, open_crop
from index.database.batches import batches
from index.database.database import Database
from index.errors import KeyMissing, ProposalNotFound, ProposalTaken
from index.holds import select_held_subjects
from index.ids import uuid7
from index.resealing import SealedTable
from index.sealing.cipher import TemplateCipher, build_binding
from index.subjects.enrolment_links import MOST_PICTURES, open_link
from index.subjects.portraits import find_with_portrait, open_portrait, portrait_row
from index.tables import ProposalRow, SubjectRow, TemplateRow, utc_now

BY_LINK = "the person's own link"
PROPOSAL_DAYS = 30
CLAIM_SECONDS = 60


def proposal_binding(proposal_id: UUID, subject_id: UUID) -> bytes:
    """The associated data that binds a picture to its row and subject."""
    return build_binding("proposal", proposal_id, subject_id)


PROPOSALS = SealedTable(
    "proposals",
    ProposalRow.id,
    ProposalRow.id,
    ProposalRow.picture,
    ProposalRow.key_id,
    lambda _, row: proposal_binding(row.id, row.subject_id),
)


@dataclass(frozen=True)
class Proposal:
    """A picture that waits, without the picture.

    Attributes:
        templates: How many templates the person has already.
        has_portrait: Whether a portrait, or a crop of an enrolment, is kept to look at beside it.
    """

    id: UUID
    subject_id: UUID
    external_id: str | None
    display_name: str | None
    consent: dict[str, Any]
    created_at: datetime
    expires_at: datetime
    templates: int
    has_portrait: bool


@dataclass(frozen=True)
class Proposed:
    """A picture that has just come; `direct` where the portrait may decide on it."""

    id: UUID
    subject_id: UUID
    direct: bool


@dataclass(frozen=True)
class ProposalClaim:
    """A proposal that is being decided: nobody else decides it meanwhile."""

    id: UUID
    subject_id: UUID
    picture: bytes
    consent: dict[str, Any]


class Proposals:
    """The proposals of one installation. Thread-safe."""

    def __init__(self, database: Database, cipher: TemplateCipher | None) -> None:
        self._database = database
        self._cipher = cipher

    def propose(
        self, token: str, picture: bytes, consent: Mapping[str, Any], *, request_id: str | None = None
    ) -> Proposed:
        """Keep a picture for a person to decide; the link is used up. Raises as
        `EnrolmentLinks.look`.

        Args:
            token: Of the link, whose picture has been counted.
            picture: A JPEG of which a template can be made.
            consent: What the person has agreed to: text digest, language, moment.
            request_id: Id of the request.
        """
        cipher = self._require_cipher()
        with self._database.write() as db:
            # Counted before: the tenth picture is still one.
            row = open_link(db, token, most=MOST_PICTURES + 1)
            row.used_at = utc_now()
            proposal_id = uuid7()
            sealed, key_id = cipher.seal(proposal_binding(proposal_id, row.subject_id), picture)
            db.add(
                ProposalRow(
                    id=proposal_id,
                    subject_id=row.subject_id,
                    picture=sealed,
                    key_id=key_id,
                    consent=dict(consent),
                    expires_at=utc_now() + timedelta(days=PROPOSAL_DAYS),
                )
            )
            audit.record(
                db,
                action="enrolment.proposed",
                actor=BY_LINK,
                subject_id=row.subject_id,
                request_id=request_id,
                details={"link_id": str(row.id), "proposal_id": str(proposal_id), "consent": dict(consent)},
            )
            return Proposed(proposal_id, row.subject_id, row.direct)

    def page(self, *, limit: int = 50, after: UUID | None = None) -> list[Proposal]:
        """The proposals that wait, oldest first."""
        query = select(ProposalRow.id, ProposalRow.subject_id, ProposalRow.consent, ProposalRow.created_at)
        query = query.add_columns(ProposalRow.expires_at, SubjectRow.external_id, SubjectRow.display_name)
        query = query.join(SubjectRow, SubjectRow.id == ProposalRow.subject_id)
        query = query.where(ProposalRow.expires_at > utc_now()).order_by(ProposalRow.id).limit(limit)
        with self._database.read() as db:
            rows = db.execute(query if after is None else query.where(ProposalRow.id > after)).all()
            people = [row.subject_id for row in rows]
            of_people = select(TemplateRow.subject_id).where(TemplateRow.subject_id.in_(people))
            enrolled = list(db.scalars(of_people))
            kept = find_with_crop(db, people) | find_with_portrait(db, people)
        return [
            Proposal(
                **row._mapping,
                templates=enrolled.count(row.subject_id),
                has_portrait=row.subject_id in kept,
            )
            for row in rows
        ]

    def open_picture(self, proposal_id: UUID, *, actor: str, request_id: str | None = None) -> bytes:
        """The picture of a proposal, as JPEG; that it was looked at is recorded.

        Raises:
            ProposalNotFound: If there is none, or no longer.
            TemplateUnreadable: If it was sealed with another key.
        """
        with self._database.write() as db:
            row = _require_waiting(db, proposal_id)
            picture = self._open(row)
            self._note(db, "proposal.viewed", row, actor, request_id)
        return picture

    def open_portrait(self, proposal_id: UUID, *, actor: str, request_id: str | None = None) -> bytes:
        """The office's portrait of the person, as JPEG, or else the kept crop of an enrolment, as PNG.

        Raises as `open_picture`.
        """
        cipher = self._require_cipher()
        with self._database.write() as db:
            row = _require_waiting(db, proposal_id)
            if find_with_portrait(db, [row.subject_id]):
                portrait = portrait_row(db, row.subject_id)
                self._note(db, "portrait.viewed", row, actor, request_id, portrait_id=str(portrait.id))
                return open_portrait(cipher, portrait)
            kept = crop_of(db, row.subject_id, None)
            if kept is None:
                raise ProposalNotFound(proposal_id)
            picture = open_crop(cipher, kept)
            self._note(db, "crop.viewed", row, actor, request_id, crop_id=str(kept.id))
        return picture

    def claim(self, proposal_id: UUID) -> ProposalClaim:
        """Begin to decide; ended by `settle` or `release`, or by itself after a minute.

        Raises:
            ProposalNotFound: If there is none, or no longer.
            ProposalTaken: If somebody else is deciding it at this moment.
            TemplateUnreadable: If its picture was sealed with another key.
        """
        now = utc_now()
        with self._database.write() as db:
            row = _require_waiting(db, proposal_id)
            if row.claimed_until is not None and row.claimed_until > now:
                raise ProposalTaken(proposal_id)
            row.claimed_until = now + timedelta(seconds=CLAIM_SECONDS)
            return ProposalClaim(row.id, row.subject_id, self._open(row), row.consent)

    def release(self, proposal_id: UUID) -> None:
        """Let others decide again."""
        with self._database.write() as db:
            mine = ProposalRow.id == proposal_id
            db.execute(update(ProposalRow).where(mine).values(claimed_until=None))

    def settle(
        self, claim: ProposalClaim, outcome: str, *, actor: str, request_id: str | None = None, **details: Any
    ) -> None:
        """Remove a decided proposal with its picture; how it was decided goes into the audit chain."""
        with self._database.write() as db:
            db.execute(delete(ProposalRow).where(ProposalRow.id == claim.id))
            audit.record(
                db,
                action=f"proposal.{outcome}",
                actor=actor,
                subject_id=claim.subject_id,
                request_id=request_id,
                details={"proposal_id": str(claim.id), **details},
            )
        self._database.settle()

    def purge(self, *, actor: str, now: datetime | None = None) -> int:
        """Remove proposals that nobody has decided in time; returns how many.

        Raises:
            ClockLeapt: If the clock is in doubt; then nothing goes.
        """
        now = now or utc_now()
        with self._database.write() as db:
            require_steady(db, now)
            is_free = ProposalRow.subject_id.not_in(select_held_subjects(find_latest_notice(db, now)))
            old = delete(ProposalRow).where(ProposalRow.expires_at <= now, is_free)
            gone = len(db.scalars(old.returning(ProposalRow.id)).all())
            if gone:
                audit.record(db, action="proposals.purged", actor=actor, details={"proposals": gone})
        if gone:
            self._database.settle()
        return gone

    def _open(self, row: ProposalRow) -> bytes:
        binding = proposal_binding(row.id, row.subject_id)
        return self._require_cipher().open(row.id, binding, row.picture, row.key_id)

    def _require_cipher(self) -> TemplateCipher:
        if self._cipher is None:
            raise KeyMissing
        return self._cipher

    def _note(
        self, db: Session, action: str, row: ProposalRow, actor: str, request_id: str | None, **details: str
    ) -> None:
        audit.record(
            db,
            action=action,
            actor=actor,
            subject_id=row.subject_id,
            request_id=request_id,
            details={"proposal_id": str(row.id), **details},
        )


def remove_refused(database: Database, proposal_ids: Collection[UUID], *, actor: str) -> int:
    """Remove again the refused pictures that came back with an older database; returns how many."""
    removed = 0
    for batch in batches(proposal_ids):
        back = ProposalRow.id.in_(batch)
        with database.read() as db:
            if db.scalars(select(ProposalRow.id).where(back).limit(1)).first() is None:
                continue
        with database.write() as db:
            gone = db.scalars(delete(ProposalRow).where(back).returning(ProposalRow.id)).all()
            audit.record(db, action="proposals.purged", actor=actor, details={"proposals": len(gone)})
        removed += len(gone)
    if removed:
        database.settle()
    return removed


def _require_waiting(db: Session, proposal_id: UUID) -> ProposalRow:
    row = db.get(ProposalRow, proposal_id)
    if row is None or row.expires_at <= utc_now():
        raise ProposalNotFound(proposal_id)
    return row
