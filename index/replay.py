"""How the vectors in memory follow the rows: load once, then replay the change log."""

import threading
from collections.abc import Sequence
from typing import Any, Protocol
from uuid import UUID

import numpy as np
from sqlalchemy import bindparam, func, select
from sqlalchemy.orm import Session

from index.cipher import TemplateCipher
from index.errors import TemplateUnreadable
from index.tables import GalleryChangeRow, TemplateRow
from index.vectors import VectorIndex, Vectors

# Rows in one read: enough to make the statement's cost vanish, too few to be a second gallery in memory.
_BLOCK_ROWS = 4096
_NOTHING_READ = -1

# Every search asks the first; built once, for building costs more than asking.
_NEWEST = select(func.max(GalleryChangeRow.seq))
_CHANGES = (
    select(
        GalleryChangeRow.seq,
        GalleryChangeRow.kind,
        GalleryChangeRow.template_number.label("number"),
        TemplateRow.id,
        TemplateRow.vector,
        TemplateRow.key_id,
    )
    .outerjoin(TemplateRow, TemplateRow.number == GalleryChangeRow.template_number)
    .where(GalleryChangeRow.seq > bindparam("after"), GalleryChangeRow.seq <= bindparam("newest"))
    .where(GalleryChangeRow.model_id == bindparam("model_id"))
    .order_by(GalleryChangeRow.seq)
    .limit(_BLOCK_ROWS)
)


class StoredVector(Protocol):
    """What is read of a template's row."""

    id: UUID
    vector: bytes
    key_id: str | None


class VectorCodec:
    """Vectors as they lie in the rows: little-endian float32, encrypted where there is a cipher."""

    def __init__(self, cipher: TemplateCipher | None, dim: int) -> None:
        self.dim = dim
        self._cipher = cipher

    def encode(self, template_id: UUID, vector: Vectors) -> tuple[bytes, str | None]:
        """The bytes to store and the id of the key that opens them."""
        plain = vector.astype("<f4").tobytes()
        if self._cipher is None:
            return plain, None
        return self._cipher.seal(template_id, plain), self._cipher.key_id

    def decode_many(self, rows: Sequence[Any]) -> Vectors:
        """The vectors of some `StoredVector`s: (n, dim).

        Raises:
            TemplateUnreadable: If one cannot be opened or has another length.
        """
        plain = [self._open(row) for row in rows]
        return np.frombuffer(b"".join(plain), dtype="<f4").reshape(-1, self.dim)

    def _open(self, row: StoredVector) -> bytes:
        if row.key_id is None:
            plain = row.vector
        elif self._cipher is None:
            raise TemplateUnreadable(row.id, f"it is encrypted with key {row.key_id} and no key is set")
        elif self._cipher.key_id != row.key_id:
            raise TemplateUnreadable(
                row.id, f"it is encrypted with key {row.key_id}, the key that is set is {self._cipher.key_id}"
            )
        else:
            plain = self._cipher.open(row.id, row.vector)
        if len(plain) != 4 * self.dim:
            raise TemplateUnreadable(row.id, f"it has {len(plain)} bytes instead of {4 * self.dim}")
        return plain


class Replay:
    """The vectors of one model in this process, and how far they have followed the change log.

    Sequence numbers follow the order of commits (`Database.write`), so nothing can appear later below a
    number that was already taken up.
    """

    def __init__(self, codec: VectorCodec, model_id: str) -> None:
        self.vectors = VectorIndex(codec.dim)
        self._codec = codec
        self._model_id = model_id
        self._seq = _NOTHING_READ
        self._taking = threading.Lock()

    def catch_up(self, session: Session) -> int:
        """Take up what this session can see; one small query when there is nothing new.

        Returns:
            The number of the newest change that the session sees; another thread may be further already.

        Raises:
            TemplateUnreadable: If a row cannot be opened.
        """
        newest = session.scalar(_NEWEST) or 0
        # The session, and with it a connection, is held before the lock: whoever holds the lock can finish.
        if newest > self._seq:
            with self._taking:
                if self._seq == _NOTHING_READ:
                    self._load(session, newest)
                while self._seq < newest:
                    self._take_block(session, newest)
        return newest

    def _load(self, session: Session, newest: int) -> None:
        """Read all rows. Some may be newer than `newest`; the replay passes over what is already here."""
        vectors = VectorIndex(self._codec.dim)
        query = (
            select(TemplateRow.number, TemplateRow.id, TemplateRow.vector, TemplateRow.key_id)
            .where(TemplateRow.model_id == self._model_id)
            .order_by(TemplateRow.number)
            .limit(_BLOCK_ROWS)
        )
        while rows := session.execute(query.where(TemplateRow.number > vectors.last_number)).all():
            self._add(vectors, rows)
        self.vectors = vectors
        self._seq = newest

    def _take_block(self, session: Session, newest: int) -> None:
        """Take up some changes. What was added and is removed by now has no row any more and is left out."""
        span = {"after": self._seq, "newest": newest, "model_id": self._model_id}
        changes = session.execute(_CHANGES, span).all()
        last = self.vectors.last_number
        self._add(
            self.vectors,
            [row for row in changes if row.kind == "added" and row.vector is not None and row.number > last],
        )
        self.vectors.remove(np.array([row.number for row in changes if row.kind == "removed"], np.int64))
        self._seq = changes[-1].seq if len(changes) == _BLOCK_ROWS else newest

    def _add(self, vectors: VectorIndex, rows: Sequence[Any]) -> None:
        vectors.add(np.array([row.number for row in rows], np.int64), self._codec.decode_many(rows))
