"""The rows of enrolments, and what they are looked up for."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, exists, select
from sqlalchemy.orm import Session

from index.errors import DuplicateIdentity, ModelNotFound, NoTemplate, SubjectNotFound, WrongModel
from index.neighbours import Nearest
from index.tables import GalleryChangeRow, ModelRow, SubjectRow, TemplateRow

_KNOWN = select(
    exists().where(SubjectRow.id == bindparam("subject_id")),
    exists().where(ModelRow.id == bindparam("model_id")),
)
_TEMPLATES_OF = select(TemplateRow.id, TemplateRow.vector, TemplateRow.key_id, TemplateRow.model_id).where(
    TemplateRow.subject_id == bindparam("subject_id")
)


@dataclass(frozen=True)
class EnrolledTemplate:
    """A template as callers see one; never its vector."""

    id: UUID
    subject_id: UUID
    model_id: str
    quality: dict[str, Any]
    created_at: datetime


def enrolled_template(row: TemplateRow) -> EnrolledTemplate:
    """A row without its vector."""
    return EnrolledTemplate(row.id, row.subject_id, row.model_id, row.quality, row.created_at)


def comparable(session: Session, subject_id: UUID, model_id: str) -> Sequence[Any]:
    """The stored vectors of a subject's templates of one model, at least one.

    Raises:
        SubjectNotFound: If there is no such subject.
        NoTemplate: If the subject has none.
        WrongModel: If all of them are of another model.
    """
    rows = session.execute(_TEMPLATES_OF, {"subject_id": subject_id}).all()
    own = [row for row in rows if row.model_id == model_id]
    if own:
        return own
    if rows:
        raise WrongModel(expected=model_id, actual=rows[0].model_id)
    if session.get(SubjectRow, subject_id) is None:
        raise SubjectNotFound(subject_id)
    raise NoTemplate(subject_id)


def require_known(session: Session, subject_id: UUID, model_id: str) -> None:
    """Refuse an enrolment of nobody, or under a model that was never registered.

    Raises:
        SubjectNotFound, ModelNotFound: Naming which.
    """
    subject, model = session.execute(_KNOWN, {"subject_id": subject_id, "model_id": model_id}).one()
    if not subject:
        raise SubjectNotFound(subject_id)
    if not model:
        raise ModelNotFound(model_id)


def insert(session: Session, row: TemplateRow) -> EnrolledTemplate:
    """Write the row and its gallery change together: no process can hear of the one without the other."""
    session.add(row)
    session.flush()
    session.add(GalleryChangeRow(kind="added", template_number=row.number, model_id=row.model_id))
    return enrolled_template(row)


def repeated(session: Session, template_id: UUID | None, subject_id: UUID) -> EnrolledTemplate | None:
    """The template that an earlier attempt under this id has enrolled.

    Raises:
        ValueError: If the id is another subject's template.
    """
    if template_id is None:
        return None
    row = session.scalars(select(TemplateRow).where(TemplateRow.id == template_id)).first()
    if row is not None and row.subject_id != subject_id:
        raise ValueError(f"Template {template_id} is enrolled for another subject.")
    return enrolled_template(row) if row else None


def of_source(
    session: Session, subject_id: UUID, model_id: str, source_digest: str | None
) -> EnrolledTemplate | None:
    """The subject's template of this model that was made of the same picture, by whomever."""
    if source_digest is None:
        return None
    query = select(TemplateRow).where(
        TemplateRow.subject_id == subject_id,
        TemplateRow.model_id == model_id,
        TemplateRow.source_digest == source_digest,
    )
    row = session.scalars(query).first()
    return enrolled_template(row) if row else None


def duplicate_of(session: Session, twin: Nearest) -> DuplicateIdentity:
    """The refusal that names the other subject."""
    external_id = session.scalar(select(SubjectRow.external_id).where(SubjectRow.id == twin.subject_id))
    return DuplicateIdentity(twin.subject_id, external_id, twin.d)


def audit_details(template_id: UUID, twin: Nearest | None, force_reason: str | None) -> dict[str, Any]:
    """What the audit chain keeps of an enrolment: ids, and why a face is enrolled twice."""
    details: dict[str, Any] = {"template_id": str(template_id)}
    if twin is not None:
        details |= {"forced": True, "reason": force_reason, "duplicate_of": str(twin.subject_id), "d": twin.d}
    return details
