"""Seal every sealed row again with the current key: a new key also gives all vectors a new rotation.

The service may run meanwhile: a process with both keys reads either kind of row. Each batch is one
transaction, and each row names its key, so an interrupted run continues where it stopped.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import numpy as np
from cryptography.exceptions import InvalidTag
from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from index import audit
from index.crops import crop_binding
from index.database.database import Database
from index.errors import KeyUnknown, TemplateUnreadable
from index.gallery.codec import seal_vector, undo_rotation
from index.sealing.cipher import SealingKey, TemplateCipher, template_binding
from index.tables import CropRow, TemplateRow

BATCH_ROWS = 200
_MOST_NAMED = 20


@dataclass(frozen=True)
class SealedTable:
    """A table with sealed rows.

    Attributes:
        name: Name in the audit chain and in messages.
        order: Column that gives the order of resealing.
        row_id: Column of the row's id.
        sealed: Column of the sealed bytes.
        key_id: Column of the id of the key that opens them.
        binding: Computes the associated data of a row.
        is_vector: Whether the content is a vector, which is also rotated.
    """

    name: str
    order: InstrumentedAttribute[Any]
    row_id: InstrumentedAttribute[UUID]
    sealed: InstrumentedAttribute[bytes]
    key_id: InstrumentedAttribute[Any]
    binding: Callable[[Session, Any], bytes]
    is_vector: bool = False

    @property
    def row(self) -> Any:
        """The mapped class."""
        return self.order.class_

    def select_other_keys(self, key_id: str) -> ColumnElement[bool]:
        """The condition for rows that are sealed with another key or not at all."""
        return or_(self.key_id.is_(None), self.key_id != key_id)


TEMPLATES = SealedTable(
    "templates",
    TemplateRow.number,
    TemplateRow.id,
    TemplateRow.vector,
    TemplateRow.key_id,
    lambda _, row: template_binding(row.id, row.subject_id, row.model_id),
    is_vector=True,
)
CROPS = SealedTable(
    "crops",
    CropRow.id,
    CropRow.id,
    CropRow.picture,
    CropRow.key_id,
    lambda _, row: crop_binding(row.id, row.subject_id),
)


@dataclass(frozen=True)
class ResealReport:
    """The result of one run.

    Attributes:
        key_id: Id of the current key.
        sealed: How many rows of each table were resealed.
        left: How many rows of each table are still sealed with another key: with an unknown key, from before
            rows were bound to their owner, or changed by somebody.
        unreadable: Some of the rows that could not be opened.
    """

    key_id: str
    sealed: dict[str, int]
    left: dict[str, int]
    unreadable: list[UUID] = field(default_factory=list)

    @property
    def is_complete(self) -> bool:
        """Whether every row is sealed with the current key."""
        return not any(self.left.values())


def reseal(
    database: Database,
    cipher: TemplateCipher,
    tables: Sequence[SealedTable],
    *,
    actor: str,
    from_before: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
    stop: Callable[[], bool] = lambda: False,
) -> ResealReport:
    """Seal every row of these tables with the first key.

    Args:
        database: At the present revision.
        cipher: Has every key that rows are sealed with.
        tables: `TEMPLATES`, `CROPS`, and those of other packages.
        actor: Who asks, for the audit chain.
        from_before: Also accept rows that are not encrypted, or bound to their id alone. Anybody with write
            access to the database may have exchanged such rows.
        progress: Called after each batch with the number of rows checked and the total.
        stop: Called before each batch; True ends the run and keeps the work done.

    Raises:
        DatabaseError: If the database fails; the same call continues from there later.
    """
    with database.read() as db:
        total = sum(count_left(db, tables, cipher.key_id).values())
    sealed = dict.fromkeys((table.name for table in tables), 0)
    unreadable: list[UUID] = []
    looked_at = 0
    for table in tables:
        after: Any = None
        while not stop():
            with database.write() as db:
                rows = db.scalars(_select_batch(table, cipher.key_id, after)).all()
                done, faulty = _seal_rows(db, cipher, table, rows, from_before)
                if done:
                    details = {table.name: done, "key_id": cipher.key_id, "from_before": from_before}
                    audit.record(db, action="rows.resealed", actor=actor, details=details)
            sealed[table.name] += done
            unreadable += faulty[: _MOST_NAMED - len(unreadable)]
            looked_at += len(rows)
            progress(looked_at, max(total, looked_at))
            if len(rows) < BATCH_ROWS:
                break
            after = getattr(rows[-1], table.order.key)
    database.settle()
    with database.read() as db:
        return ResealReport(cipher.key_id, sealed, count_left(db, tables, cipher.key_id), unreadable)


def seal_former_rows(
    db: Session, find_cipher: Callable[[], TemplateCipher], tables: Sequence[SealedTable], actor: str
) -> int:
    """Seal all unbound rows in the transaction of the upgrade after which such rows are refused.

    A picture that cannot be opened stays as it is. The cipher is requested only if there are rows. Returns
    how many rows were sealed.

    Raises:
        TemplateUnreadable: If a template cannot be opened; the upgrade must then stop.
    """
    if all(db.scalar(select(table.order).limit(1)) is None for table in tables):
        return 0
    sealed, cipher = {}, find_cipher()
    for table in tables:
        rows = db.scalars(_select_batch(table, cipher.key_id, None).limit(None)).all()
        sealed[table.name], unreadable = _seal_rows(db, cipher, table, rows, from_before=True)
        if table.is_vector and unreadable:
            raise TemplateUnreadable(unreadable[0], "none of the keys that are set opens it")
    if any(sealed.values()):
        details = {**sealed, "key_id": cipher.key_id, "from_before": True}
        audit.record(db, action="rows.resealed", actor=actor, details=details)
    return sum(sealed.values())


def count_left(db: Session, tables: Sequence[SealedTable], key_id: str) -> dict[str, int]:
    """How many rows of each table are not sealed with this key."""
    return {
        table.name: db.scalar(select(func.count(table.order)).where(table.select_other_keys(key_id))) or 0
        for table in tables
    }


def find_key_ids_in_use(db: Session, tables: Sequence[SealedTable]) -> set[str | None]:
    """The ids of the keys that rows are sealed with; None stands for rows that are not sealed."""
    return {key_id for table in tables for key_id in db.scalars(select(table.key_id).distinct())}


@dataclass(frozen=True)
class UnreadableRow:
    """A sealed row that cannot be opened: somebody has changed it, or its key is not set."""

    table: str
    row_id: UUID
    reason: str


def find_unreadable_rows(db: Session, cipher: TemplateCipher, table: SealedTable) -> list[UnreadableRow]:
    """Try to open every row of a table, and return those that cannot be opened.

    Raises:
        TemplateUnreadable: If no row can be opened because its key is missing: these are not this database's
            keys.
    """
    opened, faulty = 0, list[tuple[UnreadableRow, TemplateUnreadable]]()
    for block in db.scalars(select(table.row).execution_options(yield_per=BATCH_ROWS)).partitions():
        for row in block:
            row_id, sealed = getattr(row, table.row_id.key), getattr(row, table.sealed.key)
            try:
                cipher.open(row_id, table.binding(db, row), sealed, getattr(row, table.key_id.key))
            except TemplateUnreadable as error:
                faulty.append((UnreadableRow(table.name, row_id, error.reason), error))
            else:
                opened += 1
        db.expunge_all()
    if not opened and faulty and all(isinstance(error, KeyUnknown) for _, error in faulty):
        raise faulty[0][1]
    return [row for row, _ in faulty]


def _select_batch(table: SealedTable, key_id: str, after: Any) -> Select[Any]:
    query = select(table.row).where(table.select_other_keys(key_id)).order_by(table.order).limit(BATCH_ROWS)
    return query if after is None else query.where(table.order > after)


def _seal_rows(
    db: Session, cipher: TemplateCipher, table: SealedTable, rows: Sequence[Any], from_before: bool
) -> tuple[int, list[UUID]]:
    """Reseal rows; returns how many, and the ids of those that no key opens."""
    key, done, unreadable = cipher.key, 0, []
    for row in rows:
        row_id, binding = getattr(row, table.row_id.key), table.binding(db, row)
        try:
            content = _open_row(cipher, table, row, row_id, binding, from_before)
        except (InvalidTag, ValueError):
            unreadable.append(row_id)
            continue
        sealed, key_id = _seal_content(key, table, binding, content)
        setattr(row, table.sealed.key, sealed)
        setattr(row, table.key_id.key, key_id)
        done += 1
    db.flush()
    return done, unreadable


def _open_row(
    cipher: TemplateCipher, table: SealedTable, row: Any, row_id: UUID, binding: bytes, from_before: bool
) -> bytes:
    """The content of a row; for a vector, without the rotation.

    Raises:
        ValueError, InvalidTag: If no key opens it, or it is an unbound row and those are not allowed.
    """
    key_id, sealed = getattr(row, table.key_id.key), getattr(row, table.sealed.key)
    key = cipher.find_key(key_id) if key_id else None
    if key is not None:
        content = key.open(binding, sealed)
        return (
            undo_rotation(key, _decode_vector(content)).astype("<f4").tobytes()
            if table.is_vector
            else content
        )
    if not from_before:
        raise ValueError("no key opens it")
    if key_id is None:
        return bytes(sealed)
    former = next((one for one in cipher.keys if one.former_id == key_id), None)
    if former is None:
        raise ValueError("no key opens it")
    return former.open_former(row_id, sealed)


def _seal_content(key: SealingKey, table: SealedTable, binding: bytes, content: bytes) -> tuple[bytes, str]:
    if table.is_vector:
        return seal_vector(key, binding, _decode_vector(content))
    return key.seal(binding, content), key.id


def _decode_vector(content: bytes) -> Any:
    return np.frombuffer(content, "<f4").astype(np.float32)
