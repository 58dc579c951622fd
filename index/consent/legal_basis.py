"""The legal basis of a subject: whether it is in force, and whom comparisons leave out.

A basis ends at its `expires_at` or with its withdrawal. Expiry alone removes nothing: the person is left out
of every comparison until the basis is renewed.
"""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, bindparam, or_, select
from sqlalchemy.orm import Session

from index.database.batches import batches
from index.errors import LegalBasisExpired, SubjectInvalid, SubjectNotFound
from index.tables import SubjectRow, utc_now

# Built once, because every verification runs it.
_BASIS = select(SubjectRow.basis_expires_at, SubjectRow.withdrawn_at).where(SubjectRow.id == bindparam("key"))

WARNED_BEFORE = timedelta(days=30)
"""Default time before its end from which a basis counts as expiring."""


class BasisState(StrEnum):
    """How a subject's legal basis stands; without a recorded end it is in force."""

    NONE = "none"
    IN_FORCE = "in_force"
    EXPIRING = "expiring"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


def state_of(row: SubjectRow, now: datetime, warned_before: timedelta) -> BasisState:
    """The state of one subject's basis."""
    if row.withdrawn_at is not None:
        return BasisState.WITHDRAWN
    if row.basis_expires_at is None:
        return BasisState.NONE if row.legal_basis is None else BasisState.IN_FORCE
    if row.basis_expires_at <= now:
        return BasisState.EXPIRED
    soon = row.basis_expires_at <= now + warned_before
    return BasisState.EXPIRING if soon else BasisState.IN_FORCE


def is_in_state(state: BasisState, now: datetime, warned_before: timedelta) -> ColumnElement[bool]:
    """The condition for subjects in this state; follows the same rules as `state_of`."""
    withdrawn = SubjectRow.withdrawn_at.is_not(None)
    end, warned_until = SubjectRow.basis_expires_at, now + warned_before
    match state:
        case BasisState.WITHDRAWN:
            return withdrawn
        case BasisState.EXPIRED:
            return ~withdrawn & (end <= now)
        case BasisState.EXPIRING:
            return ~withdrawn & (end > now) & (end <= warned_until)
        case BasisState.IN_FORCE:
            return ~withdrawn & SubjectRow.legal_basis.is_not(None) & (end.is_(None) | (end > warned_until))
        case BasisState.NONE:
            return ~withdrawn & SubjectRow.legal_basis.is_(None)


def has_ended(now: datetime | None = None) -> ColumnElement[bool]:
    """The condition for subjects whose face may not be compared."""
    return or_(SubjectRow.withdrawn_at.is_not(None), SubjectRow.basis_expires_at <= (now or utc_now()))


def find_ended(db: Session, subject_ids: Collection[UUID], now: datetime | None = None) -> set[UUID]:
    """Those of the subjects whose basis has ended."""
    condition = has_ended(now)
    return {
        subject_id
        for batch in batches(subject_ids)
        for subject_id in db.scalars(select(SubjectRow.id).where(SubjectRow.id.in_(batch), condition))
    }


def require_basis(db: Session, subject_id: UUID) -> None:
    """Refuse to use the face of somebody whose basis has ended.

    Raises:
        SubjectNotFound: If there is no such subject.
        LegalBasisExpired: If the basis has expired or was withdrawn.
    """
    found = db.execute(_BASIS, {"key": subject_id}).one_or_none()
    if found is None:
        raise SubjectNotFound(subject_id)
    expires_at, withdrawn_at = found
    if withdrawn_at is not None or (expires_at is not None and expires_at <= utc_now()):
        raise LegalBasisExpired(subject_id)


def expiry_of(basis: Mapping[str, Any] | None) -> datetime | None:
    """The recorded end of a basis.

    Raises:
        SubjectInvalid: If it is not a time.
    """
    text = basis.get("expires_at") if basis else None
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError) as error:
        raise SubjectInvalid("legal_basis", "expires_at must be a time") from error
    if moment.tzinfo is None:
        raise SubjectInvalid("legal_basis", "expires_at must name its time zone")
    return moment


def is_new_basis(basis: Mapping[str, Any], former: Mapping[str, Any] | None) -> bool:
    """Whether a basis is a new one: sending the same again does not renew the person's agreement."""
    return former is None or any(
        basis.get(name) != former.get(name) for name in ("basis", "reference", "expires_at")
    )
