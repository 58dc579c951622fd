"""Twins: pairs of subjects with the same face that a person has enrolled on purpose, with a reason."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, exists, select
from sqlalchemy.orm import Session

from index.database.batches import batches
from index.tables import SubjectRow, TemplateRow, TwinRow


@dataclass(frozen=True)
class Twin:
    """The other subject of a pair, and why both are enrolled."""

    subject_id: UUID
    external_id: str | None
    reason: str
    display_name: str | None = None
    created_at: datetime | None = field(default=None, compare=False)


def note_twins(
    db: Session, subject_id: UUID, others: Collection[UUID], template_id: UUID, reason: str
) -> None:
    """Record that a person has told a subject apart from others with the same face."""
    for other in others:
        first, second = sorted((subject_id, other))
        if db.get(TwinRow, (first, second)) is None:
            row = TwinRow(subject_id=first, other_id=second, template_id=template_id, reason=reason)
            db.add(row)
    db.flush()


def twins_of(db: Session, subject_ids: Sequence[UUID]) -> dict[UUID, list[Twin]]:
    """The known twins of each subject, whether given here or not; subjects without any are left out."""
    found: dict[UUID, list[Twin]] = {}
    for some in batches(subject_ids):
        for own, other in ((TwinRow.subject_id, TwinRow.other_id), (TwinRow.other_id, TwinRow.subject_id)):
            named = (SubjectRow.external_id, TwinRow.reason, SubjectRow.display_name, TwinRow.created_at)
            query = select(own, other, *named)
            query = query.join(SubjectRow, SubjectRow.id == other).where(own.in_(some)).order_by(other)
            for mine, *twin in db.execute(query):
                found.setdefault(mine, []).append(Twin(*twin))  # type: ignore[arg-type]
    return found


def forget_twins(db: Session, subject_id: UUID, template_ids: Collection[UUID]) -> None:
    """Forget the pairs that depend on removed templates: these, or a subject's last."""
    db.execute(delete(TwinRow).where(TwinRow.template_id.in_(template_ids)))
    if not db.scalar(select(exists().where(TemplateRow.subject_id == subject_id))):
        mine = (TwinRow.subject_id == subject_id) | (TwinRow.other_id == subject_id)
        db.execute(delete(TwinRow).where(mine))
