"""Withdrawn consent: templates and crops are removed at once, the person's name stays (GDPR, article 7(3)).

A person can withdraw with a link, without an account: the link is random, only a digest of its token is
stored, and it works once.
"""

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from index import audit
from index.consent.erasure import empty_responses, remove_biometrics
from index.database.database import Database
from index.errors import LinkInvalid, SubjectNotFound
from index.ids import uuid7
from index.tables import SubjectRow, WithdrawalLinkRow, utc_now

WITHDRAWN = "subject.withdrawn"
BY_LINK = "the person's own link"
_TOKEN_BYTES = 32


@dataclass(frozen=True)
class WithdrawalReceipt:
    """What was removed and when. It identifies the person only by id."""

    subject_id: UUID
    withdrawn_at: datetime
    templates: int
    crops: int
    responses: int
    audit_seq: int


@dataclass(frozen=True)
class WithdrawalLink:
    """A newly issued link; `token` cannot be read again."""

    token: str
    expires_at: datetime


def withdraw_subject(
    db: Session,
    subject_id: UUID,
    *,
    actor: str,
    withdrawn_at: datetime | None = None,
    request_id: str | None = None,
    **details: Any,
) -> WithdrawalReceipt:
    """Remove a person's templates, crops and stored responses; the change log informs every process.

    A repeated withdrawal returns a receipt with the time of the first one.

    Args:
        db: An ordered transaction of `Database.write`.
        subject_id: The subject whose consent ends.
        actor: Who withdraws, for the audit chain.
        withdrawn_at: When the person withdrew; now by default.
        request_id: Id of the request.
        details: Further details for the audit chain.

    Raises:
        SubjectNotFound: If there is no such subject.
    """
    row = db.get(SubjectRow, subject_id)
    if row is None:
        raise SubjectNotFound(subject_id)
    template_ids, crops = remove_biometrics(db, subject_id)
    responses = empty_responses(db, subject_id, template_ids)
    row.withdrawn_at = row.withdrawn_at or withdrawn_at or utc_now()
    row.changed_at = utc_now()
    event = audit.record(
        db,
        action=WITHDRAWN,
        actor=actor,
        subject_id=subject_id,
        request_id=request_id,
        details={"templates": len(template_ids), "crops": crops, "responses": responses, **details},
    )
    return WithdrawalReceipt(subject_id, row.withdrawn_at, len(template_ids), crops, responses, event.seq)


def issue_link(
    db: Session, subject_id: UUID, *, days: int, actor: str, request_id: str | None = None
) -> WithdrawalLink:
    """Issue a link for one person, valid for this many days; earlier links stay valid.

    Raises:
        SubjectNotFound: If there is no such subject.
    """
    if db.get(SubjectRow, subject_id) is None:
        raise SubjectNotFound(subject_id)
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    expires_at = utc_now() + timedelta(days=days)
    db.add(
        WithdrawalLinkRow(
            id=uuid7(), token_digest=_digest(token), subject_id=subject_id, expires_at=expires_at
        )
    )
    audit.record(
        db,
        action="withdrawal_link.issued",
        actor=actor,
        subject_id=subject_id,
        request_id=request_id,
        details={"expires_at": expires_at.isoformat()},
    )
    return WithdrawalLink(token, expires_at)


def find_subject_of_link(db: Session, token: str) -> UUID:
    """The subject of a link.

    Raises:
        LinkInvalid: If it is used, expired or was never issued.
    """
    query = select(WithdrawalLinkRow).where(WithdrawalLinkRow.token_digest == _digest(token))
    row = db.scalars(query).one_or_none()
    if row is None or row.used_at is not None or row.expires_at <= utc_now():
        raise LinkInvalid
    return row.subject_id


def withdraw_by_link(db: Session, token: str, *, request_id: str | None = None) -> WithdrawalReceipt:
    """Withdraw the consent of the link's person; none of their links works afterwards.

    Raises:
        LinkInvalid: As `subject_of_link`.
    """
    subject_id = find_subject_of_link(db, token)
    mine = (WithdrawalLinkRow.subject_id == subject_id) & WithdrawalLinkRow.used_at.is_(None)
    db.execute(update(WithdrawalLinkRow).where(mine).values(used_at=utc_now()))
    return withdraw_subject(db, subject_id, actor=BY_LINK, request_id=request_id)


def withdraw_returned(database: Database, seen: Iterable[audit.EventSeen], *, actor: str) -> int:
    """Repeat the withdrawals of people who came back with an older database; returns how many.

    Withdrawals in the database are left alone: the person may have agreed again since.
    """
    with database.read() as db:
        lost = audit.find_lost_events(db, seen, action=WITHDRAWN)
    again = 0
    for one in lost:
        with database.write() as db:
            # Another process may have repeated it, or erased the person, meanwhile.
            if db.get(SubjectRow, one.subject_id) and audit.find_lost_events(db, [one], action=WITHDRAWN):
                withdraw_subject(db, one.subject_id, actor=actor, again=one.digest)
                again += 1
    if again:
        database.settle()
    return again


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
