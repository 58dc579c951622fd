"""Portraits: one picture of a person that the office keeps, to look at beside another one.

A portrait is sealed and never a template: it is embedded anew when somebody sends a picture by a direct link.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from index import audit
from index.consent.legal_basis import has_ended, require_basis
from index.database.batches import batches
from index.database.database import Database
from index.errors import KeyMissing, PortraitNotFound
from index.ids import uuid7
from index.resealing import SealedTable
from index.sealing.cipher import TemplateCipher, build_binding
from index.tables import PortraitRow, SubjectRow, utc_now
from index.trail.anchor_lines import PORTRAIT_REMOVED


def portrait_binding(portrait_id: UUID, subject_id: UUID) -> bytes:
    """The associated data that binds a portrait to its row and subject."""
    return build_binding("portrait", portrait_id, subject_id)


PORTRAITS = SealedTable(
    "portraits",
    PortraitRow.subject_id,
    PortraitRow.id,
    PortraitRow.picture,
    PortraitRow.key_id,
    lambda _, row: portrait_binding(row.id, row.subject_id),
)


@dataclass(frozen=True)
class Portrait:
    """A portrait without its picture."""

    id: UUID
    subject_id: UUID
    created_at: datetime


class Portraits:
    """The portraits of one installation. Thread-safe."""

    def __init__(self, database: Database, cipher: TemplateCipher | None) -> None:
        self._database = database
        self._cipher = cipher

    def put(
        self,
        subject_id: UUID,
        picture: bytes,
        *,
        actor: str,
        portrait_id: UUID | None = None,
        request_id: str | None = None,
    ) -> Portrait:
        """Keep a portrait, in place of a former one; the same `portrait_id` again changes nothing.

        Args:
            subject_id: Whose.
            picture: A JPEG with one face.
            actor: Who puts it, for the audit chain.
            portrait_id: Of the new portrait.
            request_id: Id of the request.

        Raises:
            KeyMissing: If there is no key to seal it with.
            SubjectNotFound: If there is no such subject.
            LegalBasisExpired: If the subject's basis has ended.
        """
        if self._cipher is None:
            raise KeyMissing
        portrait_id = portrait_id or uuid7()
        sealed, key_id = self._cipher.seal(portrait_binding(portrait_id, subject_id), picture)
        with self._database.write() as db:
            require_basis(db, subject_id)
            row = db.get(PortraitRow, subject_id)
            if row is not None and row.id != portrait_id:
                self._remove(db, row, actor, request_id)
                row = None
            if row is None:
                row = PortraitRow(
                    id=portrait_id, subject_id=subject_id, picture=sealed, key_id=key_id, created_at=utc_now()
                )
                db.add(row)
                db.flush()
                note(db, "portrait.put", row, actor, request_id)
            made = Portrait(row.id, row.subject_id, row.created_at)
        self._database.settle()
        return made

    def find(self, subject_id: UUID) -> Portrait:
        """A subject's portrait, without the picture.

        Raises:
            PortraitNotFound: If none is kept.
        """
        with self._database.read() as db:
            row = portrait_row(db, subject_id)
            return Portrait(row.id, row.subject_id, row.created_at)

    def open(self, subject_id: UUID, *, actor: str, request_id: str | None = None) -> bytes:
        """A subject's portrait, as JPEG; that somebody has looked is recorded.

        Raises:
            PortraitNotFound: If none is kept, or none that may be looked at.
            TemplateUnreadable: If it was sealed with another key.
        """
        with self._database.write() as db:
            row = portrait_row(db, subject_id)
            picture = self._open(row)
            note(db, "portrait.viewed", row, actor, request_id)
        return picture

    def read(self, subject_id: UUID) -> tuple[UUID, bytes] | None:
        """Id and picture of a portrait that another picture may be compared with; None where none is kept.

        Raises:
            TemplateUnreadable: If it was sealed with another key.
        """
        with self._database.read() as db:
            row = db.get(PortraitRow, subject_id)
            return (row.id, self._open(row)) if row is not None else None

    def remove(self, subject_id: UUID, *, actor: str, request_id: str | None = None) -> None:
        """Remove a subject's portrait.

        Raises:
            PortraitNotFound: If none is kept.
        """
        with self._database.write() as db:
            row = db.get(PortraitRow, subject_id)
            if row is None:
                raise PortraitNotFound(subject_id)
            self._remove(db, row, actor, request_id)
        self._database.settle()

    def _remove(self, db: Session, row: PortraitRow, actor: str, request_id: str | None) -> None:
        note(db, PORTRAIT_REMOVED, row, actor, request_id)
        db.execute(delete(PortraitRow).where(PortraitRow.id == row.id))
        db.expire_all()

    def _open(self, row: PortraitRow) -> bytes:
        if self._cipher is None:
            raise KeyMissing
        return open_portrait(self._cipher, row)


def note(db: Session, action: str, row: PortraitRow, actor: str, request_id: str | None) -> None:
    """Write down what was done with a portrait."""
    audit.record(
        db,
        action=action,
        actor=actor,
        subject_id=row.subject_id,
        request_id=request_id,
        details={"portrait_id": str(row.id)},
    )


def open_portrait(cipher: TemplateCipher, row: PortraitRow) -> bytes:
    """The JPEG of a portrait; raises TemplateUnreadable if it was sealed with another key or changed."""
    return cipher.open(row.id, portrait_binding(row.id, row.subject_id), row.picture, row.key_id)


def portrait_row(db: Session, subject_id: UUID) -> PortraitRow:
    """The row of a portrait that may be looked at: of somebody whose legal basis is in force.

    Raises:
        PortraitNotFound: If there is none.
    """
    row = db.get(PortraitRow, subject_id)
    if row is None or not find_with_portrait(db, [subject_id]):
        raise PortraitNotFound(subject_id)
    return row


def find_with_portrait(db: Session, subject_ids: Collection[UUID]) -> set[UUID]:
    """Those of the subjects of whom a portrait may be looked at."""
    if not subject_ids:
        return set()
    ended = select(SubjectRow.id).where(SubjectRow.id.in_(subject_ids), has_ended())
    query = select(PortraitRow.subject_id).where(PortraitRow.subject_id.in_(subject_ids))
    return set(db.scalars(query.where(PortraitRow.subject_id.not_in(ended))))


def has_portrait(db: Session, portrait_id: UUID) -> bool:
    """Whether this very portrait is still kept."""
    return db.scalar(select(PortraitRow.id).where(PortraitRow.id == portrait_id)) is not None


def remove_returned_portraits(database: Database, portrait_ids: Collection[UUID], *, actor: str) -> int:
    """Remove again the portraits that came back with an older database; returns how many."""
    removed = 0
    for batch in batches(portrait_ids):
        back = select(PortraitRow).where(PortraitRow.id.in_(batch))
        with database.read() as db:
            if db.scalars(back.limit(1)).first() is None:
                continue
        with database.write() as db:
            for row in db.scalars(back).all():
                note(db, PORTRAIT_REMOVED, row, actor, None)
                db.delete(row)
                removed += 1
    if removed:
        database.settle()
    return removed
