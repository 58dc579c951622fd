"""Which models know whom: templates of two models are never compared; a person may be known to one alone."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, distinct, func, select
from sqlalchemy.orm import Session, aliased

from index.tables import GalleryChangeRow, TemplateRow

# Both databases take far more parameters in one statement (SQLite 32,766).
_IDS_IN_ONE_QUERY = 5000


@dataclass(frozen=True)
class Coverage:
    """How many subjects hang on a model.

    Attributes:
        subjects: With a template of it.
        only_here: Of them, those without a template of the active model.
    """

    subjects: int
    only_here: int


def models_of(db: Session, subject_ids: Collection[UUID]) -> dict[UUID, set[str]]:
    """The models of each subject's templates; who has none is left out."""
    wanted = list(subject_ids)
    found: dict[UUID, set[str]] = {}
    for start in range(0, len(wanted), _IDS_IN_ONE_QUERY):
        some = TemplateRow.subject_id.in_(wanted[start : start + _IDS_IN_ONE_QUERY])
        query = select(TemplateRow.subject_id, TemplateRow.model_id).where(some).distinct()
        for subject_id, model_id in db.execute(query):
            found.setdefault(subject_id, set()).add(model_id)
    return found


def knows_others(db: Session, model_id: str, than: Sequence[str]) -> bool:
    """Whether the model has a template of somebody of whom none of the other models has one."""
    mine = select(TemplateRow.number).where(TemplateRow.model_id == model_id, ~_is_known_to(than)).limit(1)
    return db.scalar(mine) is not None


def was_added_since(db: Session, model_ids: Collection[str], seq: int) -> bool:
    """Whether one of these models was given a template after the gallery change of this number."""
    added = select(GalleryChangeRow.seq).where(
        GalleryChangeRow.seq > seq,
        GalleryChangeRow.kind == "added",
        GalleryChangeRow.model_id.in_(model_ids),
    )
    return db.scalar(added.limit(1)) is not None


def were_others_added_since(db: Session, model_id: str, seq: int) -> bool:
    """Whether any other model was given a template after the gallery change of this number."""
    added = select(GalleryChangeRow.seq).where(
        GalleryChangeRow.seq > seq, GalleryChangeRow.kind == "added", GalleryChangeRow.model_id != model_id
    )
    return db.scalar(added.limit(1)) is not None


def coverage_of(db: Session, model_id: str, active_id: str | None) -> Coverage:
    """How many subjects hang on a model."""
    count = select(func.count(distinct(TemplateRow.subject_id))).where(TemplateRow.model_id == model_id)
    subjects = db.scalar(count) or 0
    if active_id is None or model_id == active_id:
        return Coverage(subjects, 0)
    return Coverage(subjects, db.scalar(count.where(~_is_known_to([active_id]))) or 0)


def find_subjects_lacking(
    db: Session, model_id: str, *, limit: int | None = None, after: UUID | None = None
) -> list[UUID]:
    """The subjects with templates, but none of this model, by id: they need a photograph, or a kept crop.

    Args:
        db: For reading.
        model_id: The model.
        limit: At most so many.
        after: Only those behind this one.
    """
    query = select(TemplateRow.subject_id).where(~_is_known_to([model_id])).distinct()
    if after is not None:
        query = query.where(TemplateRow.subject_id > after)
    return list(db.scalars(query.order_by(TemplateRow.subject_id).limit(limit)))


def _is_known_to(model_ids: Sequence[str]) -> ColumnElement[bool]:
    """Whether the template's subject has one of these models, too."""
    other = aliased(TemplateRow)
    theirs = select(other.number).where(
        other.subject_id == TemplateRow.subject_id, other.model_id.in_(model_ids)
    )
    return theirs.exists()
