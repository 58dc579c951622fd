"""Which models know whom: a person may have templates of only some models."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, distinct, func, select
from sqlalchemy.orm import Session, aliased

from index.database.batches import batches
from index.tables import GalleryChangeRow, TemplateRow


@dataclass(frozen=True)
class Coverage:
    """How many subjects depend on a model.

    Attributes:
        subjects: Those with a template of this model.
        only_here: Of these, those without a template of the active model.
    """

    subjects: int
    only_here: int


def models_of(db: Session, subject_ids: Collection[UUID]) -> dict[UUID, set[str]]:
    """The models of each subject's templates; subjects without any are left out."""
    found: dict[UUID, set[str]] = {}
    for batch in batches(subject_ids):
        some = TemplateRow.subject_id.in_(batch)
        query = select(TemplateRow.subject_id, TemplateRow.model_id).where(some).distinct()
        for subject_id, model_id in db.execute(query):
            found.setdefault(subject_id, set()).add(model_id)
    return found


def knows_others(db: Session, model_id: str, than: Sequence[str]) -> bool:
    """Whether the model has a template of somebody whom none of the other models knows."""
    mine = select(TemplateRow.number).where(TemplateRow.model_id == model_id, ~_is_known_to(than)).limit(1)
    return db.scalar(mine) is not None


def was_added_since(db: Session, model_ids: Collection[str], seq: int) -> bool:
    """Whether a template of one of these models was added after the gallery change with this number."""
    added = select(GalleryChangeRow.seq).where(
        GalleryChangeRow.seq > seq,
        GalleryChangeRow.kind == "added",
        GalleryChangeRow.model_id.in_(model_ids),
    )
    return db.scalar(added.limit(1)) is not None


def were_others_added_since(db: Session, model_id: str, seq: int) -> bool:
    """Whether a template of any other model was added after the gallery change with this number."""
    added = select(GalleryChangeRow.seq).where(
        GalleryChangeRow.seq > seq, GalleryChangeRow.kind == "added", GalleryChangeRow.model_id != model_id
    )
    return db.scalar(added.limit(1)) is not None


def coverage_of(db: Session, model_id: str, active_id: str | None) -> Coverage:
    """How many subjects depend on a model."""
    count = select(func.count(distinct(TemplateRow.subject_id))).where(TemplateRow.model_id == model_id)
    subjects = db.scalar(count) or 0
    if active_id is None or model_id == active_id:
        return Coverage(subjects, 0)
    return Coverage(subjects, db.scalar(count.where(~_is_known_to([active_id]))) or 0)


def find_subjects_lacking(
    db: Session, model_id: str, *, limit: int | None = None, after: UUID | None = None
) -> list[UUID]:
    """Subjects with templates, but none of this model, by id: they need a photograph or a kept crop.

    Args:
        db: For reading.
        model_id: The model.
        limit: At most this many.
        after: Only those after this one.
    """
    query = select(TemplateRow.subject_id).where(~_is_known_to([model_id])).distinct()
    if after is not None:
        query = query.where(TemplateRow.subject_id > after)
    return list(db.scalars(query.order_by(TemplateRow.subject_id).limit(limit)))


def _is_known_to(model_ids: Sequence[str]) -> ColumnElement[bool]:
    """The condition that the template's subject also has a template of one of these models."""
    other = aliased(TemplateRow)
    theirs = select(other.number).where(
        other.subject_id == TemplateRow.subject_id, other.model_id.in_(model_ids)
    )
    return theirs.exists()
