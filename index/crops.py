"""Kept crops: aligned faces of enrolments, to make another model's templates without the person.

They are always encrypted. A crop is removed with its subject, with a template made from it, or when its
retention ends; only the last leaves the templates.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Select, delete, func, select
from sqlalchemy.orm import Session

from index import audit
from index.consent.legal_basis import has_ended
from index.database.database import Database
from index.errors import TemplateUnreadable
from index.holds import select_held_subjects
from index.ids import uuid7
from index.sealing.cipher import TemplateCipher, build_binding
from index.tables import CropRow, SubjectRow, TemplateRow, utc_now

_BLOCK_ROWS = 64


@dataclass(frozen=True)
class NewCrop:
    """A crop to keep.

    Attributes:
        picture: (112, 112) RGB as PNG.
        days: Retention in days.
    """

    picture: bytes
    days: int


@dataclass(frozen=True)
class StoredCrop:
    """A stored crop; `picture` is a PNG."""

    id: UUID
    subject_id: UUID
    picture: bytes


class Crops:
    """The kept crops of one installation."""

    def __init__(self, database: Database, cipher: TemplateCipher) -> None:
        self._database = database
        self._cipher = cipher

    def open_trainable(self) -> Iterator[tuple[UUID, UUID, bytes]]:
        """Subject id, crop id and PNG of all crops that training may use, in the order of enrolment.

        Raises:
            TemplateUnreadable: If a crop was sealed with another key or was changed.
        """
        after = UUID(int=0)
        query = _select_kept().add_columns(SubjectRow.legal_basis).join(SubjectRow).limit(_BLOCK_ROWS)
        while True:
            with self._database.read() as db:
                rows = db.execute(query.where(CropRow.id > after)).all()
            for row, basis in rows:
                if permits_training(basis, utc_now()):
                    yield row.subject_id, row.id, open_crop(self._cipher, row)
            if len(rows) < _BLOCK_ROWS:
                return
            after = rows[-1][0].id

    def read_shown(self, crop_ids: Collection[UUID]) -> dict[UUID, bytes]:
        """The PNGs of those crops that may still be shown.

        Raises:
            TemplateUnreadable: As `of_training`.
        """
        with self._database.read() as db:
            rows = db.scalars(_select_kept().where(CropRow.id.in_(crop_ids))).all()
        return {row.id: open_crop(self._cipher, row) for row in rows}

    def open_unembedded(self, model_id: str) -> Iterator[StoredCrop]:
        """The crops without a template of this model; unreadable ones are left out."""
        after = UUID(int=0)
        while True:
            with self._database.read() as db:
                rows = db.scalars(select_without_template(model_id).where(CropRow.id > after)).all()
            yield from open_readable(self._cipher, rows)
            if len(rows) < _BLOCK_ROWS:
                return
            after = rows[-1].id


def purge_crops(
    database: Database, *, until: datetime, actor: str, held_since: datetime | None = None
) -> int:
    """Remove the crops whose retention ended by `until`, not their templates; returns how many.

    Those of subjects on hold stay, and of those whose hold was lifted after `held_since`.
    """
    is_free = CropRow.subject_id.not_in(select_held_subjects(held_since))
    with database.write() as db:
        over = delete(CropRow).where(CropRow.expires_at <= until, is_free).returning(CropRow.id)
        gone = len(db.scalars(over).all())
        if gone:
            audit.record(db, action="crops.purged", actor=actor, details={"crops": gone})
    if gone:
        database.settle()
    return gone


def find_with_crop(db: Session, subject_ids: Collection[UUID]) -> set[UUID]:
    """Those of the subjects of whom a crop may be looked at."""
    if not subject_ids:
        return set()
    query = _select_kept().where(CropRow.subject_id.in_(subject_ids)).with_only_columns(CropRow.subject_id)
    return set(db.scalars(query.order_by(None)))


def crop_of(db: Session, subject_id: UUID, template_id: UUID | None) -> CropRow | None:
    """The kept crop of a template of a subject's, or else the subject's newest; None where none is kept."""
    return next(iter(crops_of(db, subject_id, template_id, 1)), None)


def crops_of(db: Session, subject_id: UUID, template_id: UUID | None, most: int) -> Sequence[CropRow]:
    """Up to `most` kept crops of a subject: that of a template first, then the newest."""
    # A template without a crop would give NULL, which PostgreSQL puts before everything.
    has_crop = TemplateRow.crop_id.is_not(None)
    of_template = select(TemplateRow.crop_id).where(TemplateRow.id == template_id, has_crop)
    own = _select_kept().where(CropRow.subject_id == subject_id).order_by(None)
    return db.scalars(own.order_by(CropRow.id.in_(of_template).desc(), CropRow.id.desc()).limit(most)).all()


def is_any_kept(db: Session) -> bool:
    """Whether a crop of anybody may be looked at."""
    return db.scalar(_select_kept().order_by(None).limit(1).with_only_columns(CropRow.id)) is not None


def keep_crop(db: Session, cipher: TemplateCipher, subject_id: UUID, new: NewCrop) -> UUID:
    """Write a crop in the enrolment's transaction; returns its id."""
    crop_id = uuid7()
    picture, key_id = cipher.seal(crop_binding(crop_id, subject_id), new.picture)
    db.add(
        CropRow(
            id=crop_id,
            subject_id=subject_id,
            picture=picture,
            key_id=key_id,
            expires_at=utc_now() + timedelta(days=new.days),
        )
    )
    # Before the template that refers to it.
    db.flush()
    return crop_id


def select_without_template(model_id: str) -> Select[CropRow]:
    """A query for one block of the crops without a template of this model, by id."""
    made = select(TemplateRow.number).where(
        TemplateRow.crop_id == CropRow.id, TemplateRow.model_id == model_id
    )
    return _select_kept().where(~made.exists()).limit(_BLOCK_ROWS)


def count_without_template_of(db: Session, model_id: str) -> int:
    """How many crops have no template of this model."""
    found = select_without_template(model_id).limit(None).subquery()
    return db.scalar(select(func.count()).select_from(found)) or 0


def open_crop(cipher: TemplateCipher, row: CropRow) -> bytes:
    """The PNG of a crop.

    Raises:
        TemplateUnreadable: If it was sealed with another key or for somebody else, or was changed.
    """
    return cipher.open(row.id, crop_binding(row.id, row.subject_id), row.picture, row.key_id)


def crop_binding(crop_id: UUID, subject_id: UUID) -> bytes:
    """The associated data that binds a crop's picture to its row and subject."""
    return build_binding("crop", crop_id, subject_id)


def open_readable(cipher: TemplateCipher, rows: Iterable[CropRow]) -> Iterator[StoredCrop]:
    """The crops that this key opens: one damaged crop must not block all others from re-embedding."""
    for row in rows:
        try:
            yield StoredCrop(row.id, row.subject_id, open_crop(cipher, row))
        except TemplateUnreadable:
            continue


def permits_training(basis: Mapping[str, Any] | None, now: datetime) -> bool:
    """Whether a subject's legal basis names training, with its ground, and is still in force."""
    if not basis or basis.get("training") is not True or not (basis.get("basis") and basis.get("reference")):
        return False
    expires_at = basis.get("expires_at")
    return expires_at is None or datetime.fromisoformat(expires_at) > now


def _select_kept() -> Select[CropRow]:
    """A query for the crops within their retention whose subjects have a basis in force, oldest first."""
    in_time = CropRow.expires_at.is_(None) | (CropRow.expires_at > utc_now())
    ended = select(SubjectRow.id).where(SubjectRow.id == CropRow.subject_id, has_ended())
    return select(CropRow).where(in_time, ~ended.correlate(CropRow).exists()).order_by(CropRow.id)
