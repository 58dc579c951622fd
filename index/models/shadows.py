"""A candidate in the shadow of the active model: what both said is counted, and only one of them is heard."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from index import audit
from index.errors import ModelNotFound
from index.ids import uuid7
from index.models.errors import ShadowImpossible, ShadowRunning
from index.models.models import find_active_id
from index.tables import ModelRow, ShadowCountRow, ShadowDisagreementRow, ShadowRow, SubjectRow, utc_now

NO_TEMPLATE, FAILED, DROPPED = "no_template", "failed", "dropped"
"""What the candidate may have said instead of a decision."""

Kind = Literal["checkin", "verify"]
Said = tuple[Kind, str, str]
"""The kind of comparison, what the active model said, and what the candidate said."""


@dataclass(frozen=True)
class Shadow:
    """One candidate beside one active model."""

    id: UUID
    model_id: str
    active_id: str
    started_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True)
class Disagreement:
    """A check-in on which both models decided otherwise; `d` is the candidate's distance."""

    checkin_id: UUID
    session_id: UUID
    subject_id: UUID
    active: str
    candidate: str
    d: float


def start_shadow(db: Session, model_id: str, *, actor: str, request_id: str | None = None) -> Shadow:
    """Put a candidate into the shadow of the active model; one that is there stays as it is.

    Args:
        db: An ordered transaction of `Database.write`.
        model_id: A registered model.
        actor: Who asks, for the audit trail.
        request_id: Id of the request.

    Raises:
        ModelNotFound: If it is not registered.
        ShadowImpossible: If it is in use.
        ShadowRunning: If another one is in the shadow.
    """
    model, active_id = db.get(ModelRow, model_id), find_active_id(db)
    if model is None:
        raise ModelNotFound(model_id)
    running = find_running(db)
    if running is not None and running.model_id != model_id:
        raise ShadowRunning(running.model_id)
    if model.state in ("active", "incoming") or active_id is None:
        raise ShadowImpossible(model_id)
    if running is not None:
        return running
    row = ShadowRow(id=uuid7(), model_id=model_id, active_id=active_id, started_at=utc_now())
    db.add(row)
    _record(db, "model.shadow_started", model_id, actor, request_id)
    return build_shadow(row)


def end_shadow(db: Session, model_id: str, *, actor: str, request_id: str | None = None) -> None:
    """Take a candidate out of the shadow, if it is there."""
    running = find_running(db)
    if running is not None and running.model_id == model_id:
        db.get_one(ShadowRow, running.id).ended_at = utc_now()
        _record(db, "model.shadow_ended", model_id, actor, request_id)


def _record(db: Session, action: str, model_id: str, actor: str, request_id: str | None) -> None:
    """Record a beginning or an end."""
    audit.record(db, action=action, actor=actor, request_id=request_id, details={"model_id": model_id})


def find_running(db: Session) -> Shadow | None:
    """The shadow that runs now."""
    row = db.scalars(select(ShadowRow).where(ShadowRow.ended_at.is_(None))).first()
    return build_shadow(row) if row else None


def find_newest(db: Session, model_id: str) -> Shadow | None:
    """The model's newest time in the shadow."""
    mine = select(ShadowRow).where(ShadowRow.model_id == model_id)
    row = db.scalars(mine.order_by(ShadowRow.id.desc())).first()
    return build_shadow(row) if row else None


def add_answers(
    db: Session, shadow_id: UUID, said: Counter[Said], disagreements: Iterable[Disagreement] = ()
) -> None:
    """Add what both said; nothing where the shadow has ended.

    Args:
        db: An ordered transaction of `Database.write`: two processes add to the same counts.
        shadow_id: Of a running shadow.
        said: How often.
        disagreements: Only those of people who have not been erased meanwhile are kept.
    """
    shadow = db.get(ShadowRow, shadow_id)
    if shadow is None or shadow.ended_at is not None:
        return
    for (kind, active, candidate), n in said.items():
        row = db.get(ShadowCountRow, (shadow_id, kind, active, candidate))
        if row is None:
            db.add(ShadowCountRow(shadow_id=shadow_id, kind=kind, active=active, candidate=candidate, n=n))
        else:
            row.n += n
    for one in disagreements:
        subject = db.get(SubjectRow, one.subject_id)
        if subject is not None and subject.withdrawn_at is None:
            db.add(ShadowDisagreementRow(id=uuid7(), shadow_id=shadow_id, **vars(one)))


def read_answers(db: Session, shadow_id: UUID) -> Counter[Said]:
    """What both have said, and how often."""
    rows = db.scalars(select(ShadowCountRow).where(ShadowCountRow.shadow_id == shadow_id))
    return Counter({(row.kind, row.active, row.candidate): row.n for row in rows})  # type: ignore[misc]


def count_disagreements(db: Session, shadow_id: UUID) -> int:
    """How many disagreements are still kept."""
    mine = ShadowDisagreementRow.shadow_id == shadow_id
    return db.scalar(select(func.count()).where(mine)) or 0


def find_disagreements(
    db: Session, shadow_id: UUID, limit: int, before: UUID | None = None
) -> list[tuple[UUID, Disagreement]]:
    """Up to so many disagreements with their ids, the newest first."""
    query = select(ShadowDisagreementRow).where(ShadowDisagreementRow.shadow_id == shadow_id)
    if before is not None:
        query = query.where(ShadowDisagreementRow.id < before)
    rows = db.scalars(query.order_by(ShadowDisagreementRow.id.desc()).limit(limit))
    return [
        (
            row.id,
            Disagreement(row.checkin_id, row.session_id, row.subject_id, row.active, row.candidate, row.d),
        )
        for row in rows
    ]


def build_shadow(row: ShadowRow) -> Shadow:
    """A row as a value."""
    return Shadow(row.id, row.model_id, row.active_id, row.started_at, row.ended_at)
