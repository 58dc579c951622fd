"""Links for self-enrolment: the office sends one, and the person sends a picture by it (see `proposals`)."""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, or_, select
from sqlalchemy.orm import Session

from index import audit
from index.clock import is_in_force, require_steady
from index.consent.legal_basis import require_basis
from index.database.database import Database
from index.errors import KeyMissing, LegalBasisExpired, LinkInvalid, SubjectNotFound
from index.ids import uuid7
from index.sealing.cipher import TemplateCipher
from index.subjects.portraits import find_with_portrait
from index.tables import EnrolmentLinkRow, utc_now

MOST_PICTURES = 10
"""Of one link: enough to find better light, too few to try many faces."""
_TOKEN_BYTES = 32


@dataclass(frozen=True)
class EnrolmentLink:
    """A newly issued link; `token` cannot be read again."""

    id: UUID
    subject_id: UUID
    token: str
    expires_at: datetime
    direct: bool


@dataclass(frozen=True)
class OpenLink:
    """A link that works."""

    id: UUID
    pictures_left: int
    expires_at: datetime


class EnrolmentLinks:
    """The links of one installation. Thread-safe."""

    def __init__(self, database: Database, cipher: TemplateCipher | None) -> None:
        self._database = database
        self._cipher = cipher

    def issue(
        self,
        subject_ids: Sequence[UUID],
        *,
        days: int,
        actor: str,
        request_id: str | None = None,
        direct: bool = False,
    ) -> list[EnrolmentLink]:
        """A link for each of these people, in place of their former ones.

        Args:
            subject_ids: Whom for.
            days: How long the links work.
            actor: Who issues them, for the audit chain.
            request_id: Id of the request.
            direct: Let the links of those whose portrait the office keeps be direct: a picture that matches
                it is enrolled at once.

        Raises:
            KeyMissing: If there is no key to seal pictures with.
            SubjectNotFound: If one of them does not exist.
            LegalBasisExpired: If somebody's basis has ended.
        """
        if self._cipher is None:
            raise KeyMissing
        expires_at = utc_now() + timedelta(days=days)
        with self._database.write() as db:
            shown = find_with_portrait(db, subject_ids) if direct else set()
            return [
                self._issue_one(db, one, expires_at, actor, request_id, direct=one in shown)
                for one in subject_ids
            ]

    def _issue_one(
        self,
        db: Session,
        subject_id: UUID,
        expires_at: datetime,
        actor: str,
        request_id: str | None,
        *,
        direct: bool,
    ) -> EnrolmentLink:
        require_basis(db, subject_id)
        mine = EnrolmentLinkRow.subject_id == subject_id
        db.execute(delete(EnrolmentLinkRow).where(mine))
        token, link_id = secrets.token_urlsafe(_TOKEN_BYTES), uuid7()
        row = {"token_digest": _digest(token), "subject_id": subject_id, "expires_at": expires_at}
        db.add(EnrolmentLinkRow(id=link_id, direct=direct, **row))
        db.flush()
        audit.record(
            db,
            action="enrolment_link.issued",
            actor=actor,
            subject_id=subject_id,
            request_id=request_id,
            details={"link_id": str(link_id), "expires_at": expires_at.isoformat(), "direct": direct},
        )
        return EnrolmentLink(link_id, subject_id, token, expires_at, direct)

    def look(self, token: str) -> OpenLink:
        """A link that works; looking at it uses nothing up.

        Raises:
            LinkInvalid: If it is used, over or unknown, or its person may not be enrolled now.
        """
        with self._database.read() as db:
            row = open_link(db, token)
            return OpenLink(row.id, MOST_PICTURES - row.pictures, row.expires_at)

    def count_picture(self, token: str) -> None:
        """Count a picture that came by a link, before it is looked at; raises as `look`."""
        with self._database.write() as db:
            open_link(db, token).pictures += 1

    def purge(self) -> int:
        """Remove links that are over; returns how many.

        Raises:
            ClockLeapt: If the clock is in doubt; then nothing goes.
        """
        now = utc_now()
        over = or_(EnrolmentLinkRow.expires_at <= now, EnrolmentLinkRow.used_at.is_not(None))
        with self._database.write() as db:
            require_steady(db, now)
            return len(db.scalars(delete(EnrolmentLinkRow).where(over).returning(EnrolmentLinkRow.id)).all())


def end_links(database: Database) -> int:
    """Let no link work any more: in a database that went back, nobody knows which were used since."""
    with database.write() as db:
        return len(db.scalars(delete(EnrolmentLinkRow).returning(EnrolmentLinkRow.id)).all())


def open_link(db: Session, token: str, most: int = MOST_PICTURES) -> EnrolmentLinkRow:
    """The row of a link that works; raises as `EnrolmentLinks.look`."""
    query = select(EnrolmentLinkRow).where(EnrolmentLinkRow.token_digest == _digest(token))
    row = db.scalars(query).one_or_none()
    if row is None or row.used_at is not None or row.pictures >= most:
        raise LinkInvalid
    if not is_in_force(row.created_at, row.expires_at, utc_now()):
        raise LinkInvalid
    try:
        require_basis(db, row.subject_id)
    except (LegalBasisExpired, SubjectNotFound) as error:
        # Whoever holds the link does not learn what has become of the person.
        raise LinkInvalid from error
    return row


def _digest(token: str) -> str:
    return hashlib.sha256(b"invigil enrolment link\0" + token.encode(errors="replace")).hexdigest()
