"""Read and write the rows of enrolments."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, exists, select
from sqlalchemy.orm import Session

from embedding.errors import ModelMismatch
from index.consent.legal_basis import require_basis
from index.database.batches import batches
from index.errors import (
    DuplicateIdentity,
    ModelNotFound,
    NoTemplate,
    NotTheSamePerson,
)
from index.gallery.neighbours import Nearest
from index.tables import GalleryChangeRow, ModelRow, SubjectRow, TemplateRow

_MODEL_KNOWN = select(exists().where(ModelRow.id == bindparam("model_id")))
_STORED = select(
    TemplateRow.number,
    TemplateRow.id,
    TemplateRow.subject_id,
    TemplateRow.model_id,
    TemplateRow.vector,
    TemplateRow.key_id,
)
_TEMPLATES_OF = _STORED.where(TemplateRow.subject_id == bindparam("subject_id"))


@dataclass(frozen=True)
class EnrolmentLimits:
    """What the distances of a new template to others mean, under one model.

    Attributes:
        duplicate: d up to which another subject's template counts as the same face.
        near: d up to which a warning names another subject; None disables it.
        own: d beyond which a template of the same subject counts as another face; None disables the check.
    """

    duplicate: float
    near: float | None = None
    own: float | None = None

    @property
    def farthest(self) -> float:
        """d up to which other subjects are searched."""
        return max(self.duplicate, self.near or 0.0)


@dataclass(frozen=True)
class EnrolmentWarning:
    """A warning about a template that was not refused, and the subject it concerns.

    `code` is `duplicate_not_refused`, `disagreement_not_refused`, `near_other_subject`, `same_photograph` or
    `templates_not_searched`.
    """

    code: str
    subject_id: UUID | None = None
    external_id: str | None = None


@dataclass(frozen=True)
class EnrolmentFindings:
    """The subjects that a new template is near to, and the own templates it is far from.

    Attributes:
        duplicates: Other subjects with this face, nearest first.
        near: Other subjects who would match but are not duplicates, nearest first.
        disagreeing: The subject's own templates, if all of them are of another face.
        not_searched: How many templates of others do not open; one of them may be of this face.
        same_photograph: Those of the others who are enrolled by the same photograph, as far as that is known.
    """

    duplicates: Sequence[Nearest]
    near: Sequence[Nearest]
    disagreeing: Sequence[UUID]
    not_searched: int = 0
    same_photograph: Collection[UUID] = ()

    @property
    def others(self) -> list[Nearest]:
        """Everybody else with this face or one like it."""
        return [*self.duplicates, *self.near]


@dataclass(frozen=True)
class EnrolledTemplate:
    """A template as callers see it, without its vector. Only an enrolment returns `warnings`."""

    id: UUID
    subject_id: UUID
    model_id: str
    quality: dict[str, Any]
    created_at: datetime
    warnings: tuple[EnrolmentWarning, ...] = ()


def build_enrolled_template(row: TemplateRow) -> EnrolledTemplate:
    """The callers' view of a row, without its vector."""
    return EnrolledTemplate(row.id, row.subject_id, row.model_id, row.quality, row.created_at)


def find_comparable(db: Session, subject_id: UUID, model_id: str) -> Sequence[Any]:
    """The stored vectors of a subject's templates of one model, at least one.

    Raises:
        SubjectNotFound: If there is no such subject.
        LegalBasisExpired: If the subject's basis has ended.
        NoTemplate: If the subject has none.
        ModelMismatch: If all of them are of another model.
    """
    require_basis(db, subject_id)
    rows = db.execute(_TEMPLATES_OF, {"subject_id": subject_id}).all()
    own = [row for row in rows if row.model_id == model_id]
    if own:
        return own
    if rows:
        raise ModelMismatch(expected=model_id, actual=rows[0].model_id)
    raise NoTemplate(subject_id)


def require_known(db: Session, subject_id: UUID, model_id: str) -> None:
    """Refuse an enrolment of an unknown subject, without a legal basis, or under an unregistered model.

    Raises:
        SubjectNotFound, LegalBasisExpired, ModelNotFound: According to what is missing.
    """
    require_basis(db, subject_id)
    if not db.scalar(_MODEL_KNOWN, {"model_id": model_id}):
        raise ModelNotFound(model_id)


def insert_template(db: Session, row: TemplateRow) -> EnrolledTemplate:
    """Write the row and its gallery change together, so that no process can see one without the other."""
    db.add(row)
    db.flush()
    db.add(GalleryChangeRow(kind="added", template_number=row.number, model_id=row.model_id))
    return build_enrolled_template(row)


def find_by_id(db: Session, template_id: UUID | None, subject_id: UUID) -> EnrolledTemplate | None:
    """The template already enrolled under this id, if any.

    Raises:
        ValueError: If the template belongs to another subject.
    """
    if template_id is None:
        return None
    row = db.scalars(select(TemplateRow).where(TemplateRow.id == template_id)).first()
    if row is not None and row.subject_id != subject_id:
        raise ValueError(f"Template {template_id} is enrolled for another subject.")
    return build_enrolled_template(row) if row else None


def find_by_source(
    db: Session, subject_id: UUID, model_id: str, source_digest: str | None
) -> EnrolledTemplate | None:
    """The subject's template of this model from the same picture, if any, no matter who enrolled it."""
    if source_digest is None:
        return None
    query = select(TemplateRow).where(
        TemplateRow.subject_id == subject_id,
        TemplateRow.model_id == model_id,
        TemplateRow.source_digest == source_digest,
    )
    row = db.scalars(query).first()
    return build_enrolled_template(row) if row else None


def read_own_templates(db: Session, subject_id: UUID, model_id: str) -> Sequence[Any]:
    """The stored vectors of a subject's templates of one model; may be empty."""
    rows = db.execute(_TEMPLATES_OF, {"subject_id": subject_id}).all()
    return [row for row in rows if row.model_id == model_id]


def read_rows_of(db: Session, subject_ids: Collection[UUID], model_id: str) -> Iterator[Any]:
    """The stored vectors of several subjects' templates of one model."""
    for batch in batches(subject_ids):
        some = TemplateRow.subject_id.in_(batch)
        yield from db.execute(_STORED.where(some, TemplateRow.model_id == model_id))


def refuse_conflict(db: Session, subject_id: UUID, found: EnrolmentFindings) -> None:
    """Refuse a face that belongs to another subject, or does not belong to this one.

    Raises:
        DuplicateIdentity: Naming the other subject of the same photograph, or else the nearest.
        NotTheSamePerson: Naming the templates that disagree.
    """
    if found.duplicates:
        same = [one for one in found.duplicates if one.subject_id in found.same_photograph]
        other = (same or found.duplicates)[0]
        number = external_id_of(db, other.subject_id)
        raise DuplicateIdentity(other.subject_id, number, other.d, is_same_photograph=bool(same))
    if found.disagreeing:
        raise NotTheSamePerson(subject_id, found.disagreeing)


def warnings_of(db: Session, found: EnrolmentFindings) -> tuple[EnrolmentWarning, ...]:
    """The warnings about a template that was enrolled all the same."""
    general = [EnrolmentWarning("duplicate_not_refused")] if found.duplicates else []
    general += [EnrolmentWarning("disagreement_not_refused")] if found.disagreeing else []
    general += [EnrolmentWarning("templates_not_searched")] if found.not_searched else []
    near = [
        EnrolmentWarning(code, one.subject_id, external_id_of(db, one.subject_id))
        for code, people in (("near_other_subject", found.near), ("same_photograph", found.others))
        for one in people
        if code == "near_other_subject" or one.subject_id in found.same_photograph
    ]
    return (*general, *near)


def external_id_of(db: Session, subject_id: UUID) -> str | None:
    """The caller's own name for a subject."""
    return db.scalar(select(SubjectRow.external_id).where(SubjectRow.id == subject_id))


def build_audit_details(
    template_id: UUID, found: EnrolmentFindings, force_reason: str | None
) -> dict[str, Any]:
    """The audit details of an enrolment: ids, and why it was not refused."""
    details: dict[str, Any] = {"template_id": str(template_id)}
    if found.duplicates or found.disagreeing:
        details |= {"forced": True, "reason": force_reason}
    if found.duplicates:
        details["duplicate_of"] = str(found.duplicates[0].subject_id)
    if found.disagreeing:
        details["disagrees_with"] = [str(one) for one in found.disagreeing]
    if found.near:
        details["near"] = [str(one.subject_id) for one in found.near]
    if same := [str(one.subject_id) for one in found.others if one.subject_id in found.same_photograph]:
        details["same_photograph"] = same
    if found.not_searched:
        details["not_searched"] = found.not_searched
    return details
