"""Erasure: remove everything known about a person, in one transaction (GDPR, article 17)."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from index import audit
from index.database.batches import batches
from index.database.database import Database
from index.tables import (
    CropRow,
    EnrolmentLinkRow,
    GalleryChangeRow,
    IdempotencyRecordRow,
    PortraitRow,
    ProposalRow,
    ShadowDisagreementRow,
    SubjectRow,
    TemplateRow,
)
from index.twins import forget_twins


@dataclass(frozen=True)
class ErasureReceipt:
    """What was erased and when. It identifies the person only by id."""

    subject_id: UUID
    erased_at: datetime
    templates: int
    crops: int
    responses: int
    audit_seq: int


def erase_subject(
    db: Session, subject_id: UUID, *, actor: str, request_id: str | None = None
) -> ErasureReceipt:
    """Remove a person's row, templates, crops and stored responses; the change log informs every process.

    Args:
        db: An ordered transaction of `Database.write`.
        subject_id: An existing subject.
        actor: Who erases, for the audit chain.
        request_id: Id of the request.
    """
    template_ids, crops = remove_biometrics(db, subject_id)
    responses = empty_responses(db, subject_id, [subject_id, *template_ids])
    db.execute(delete(SubjectRow).where(SubjectRow.id == subject_id))
    event = audit.record(
        db,
        action="subject.erased",
        actor=actor,
        subject_id=subject_id,
        request_id=request_id,
        details={"templates": len(template_ids), "crops": crops, "responses": responses},
    )
    return ErasureReceipt(subject_id, event.at, len(template_ids), crops, responses, event.seq)


def remove_biometrics(db: Session, subject_id: UUID) -> tuple[list[UUID], int]:
    """Remove a person's templates and crops; the change log informs every process.

    Returns:
        The ids of the templates, and the number of crops.
    """
    gone = delete(TemplateRow).where(TemplateRow.subject_id == subject_id)
    removed = db.execute(gone.returning(TemplateRow.number, TemplateRow.model_id, TemplateRow.id)).all()
    db.add_all(
        GalleryChangeRow(kind="removed", template_number=row.number, model_id=row.model_id) for row in removed
    )
    crops = db.scalars(delete(CropRow).where(CropRow.subject_id == subject_id).returning(CropRow.id)).all()
    # What the person has sent by a link and waits, and the links: none may bring the face back.
    db.execute(delete(ProposalRow).where(ProposalRow.subject_id == subject_id))
    db.execute(delete(PortraitRow).where(PortraitRow.subject_id == subject_id))
    db.execute(delete(EnrolmentLinkRow).where(EnrolmentLinkRow.subject_id == subject_id))
    db.execute(delete(ShadowDisagreementRow).where(ShadowDisagreementRow.subject_id == subject_id))
    template_ids = [row.id for row in removed]
    forget_twins(db, subject_id, template_ids)
    return template_ids, len(crops)


def remove_template(db: Session, row: TemplateRow, *, actor: str, request_id: str | None = None) -> None:
    """Remove a template with its crop and other models' templates of that crop, in every process.

    Removing a template means removing the picture: another model's template of it would bring the face back.

    Args:
        db: An ordered transaction of `Database.write`.
        row: The template.
        actor: Who removes it, for the audit chain.
        request_id: Id of the request.
    """
    made = TemplateRow.crop_id == row.crop_id if row.crop_id else TemplateRow.number == row.number
    subject_id, template_id = row.subject_id, row.id
    crop_id = row.crop_id
    gone = delete(TemplateRow).where(made)
    removed = db.execute(gone.returning(TemplateRow.number, TemplateRow.model_id, TemplateRow.id)).all()
    db.add_all(
        GalleryChangeRow(kind="removed", template_number=one.number, model_id=one.model_id) for one in removed
    )
    forget_twins(db, subject_id, [one.id for one in removed])
    if crop_id:
        db.execute(delete(CropRow).where(CropRow.id == crop_id))
    others = [str(one.id) for one in removed if one.id != template_id]
    audit.record(
        db,
        action="template.removed",
        actor=actor,
        subject_id=subject_id,
        request_id=request_id,
        details={"template_id": str(template_id), **({"others": others} if others else {})},
    )


def empty_responses(db: Session, subject_id: UUID, made_ids: list[UUID]) -> int:
    """Empty the stored responses but keep their claims: a repeated request must not bring the person back.

    Returns:
        How many responses were about the subject or about anything created under these ids.
    """
    about = IdempotencyRecordRow.subject_id == subject_id
    made = IdempotencyRecordRow.resource_id.in_(made_ids)
    emptied = db.scalars(
        update(IdempotencyRecordRow)
        .where(about | made)
        .values(state="erased", subject_id=subject_id, status=None, headers=None, body=None)
        .returning(IdempotencyRecordRow.key)
    )
    return len(emptied.all())


def remove_returned(database: Database, template_ids: Collection[UUID], *, actor: str) -> int:
    """Remove those of the templates that exist; returns how many of them were removed as themselves.

    A template removed with another one, of the same picture, counts with it.
    """
    removed = 0
    for block in batches(sorted(template_ids)):
        query = select(TemplateRow).where(TemplateRow.id.in_(block)).limit(1)
        with database.read() as db:
            if db.scalars(query).first() is None:
                continue
        with database.write() as db:
            while (row := db.scalars(query).first()) is not None:
                remove_template(db, row, actor=actor)
                removed += 1
    if removed:
        database.settle()
    return removed


def erase_returned(database: Database, subject_ids: Collection[UUID], *, actor: str) -> int:
    """Erase those of the subjects that exist; returns how many."""
    erased = 0
    for block in batches(sorted(subject_ids)):
        query = select(SubjectRow.id).where(SubjectRow.id.in_(block))
        with database.read() as db:
            if not db.scalars(query.limit(1)).first():
                continue
        with database.write() as db:
            returned = db.scalars(query).all()
            for subject_id in returned:
                erase_subject(db, subject_id, actor=actor)
        erased += len(returned)
    if erased:
        database.settle()
    return erased
