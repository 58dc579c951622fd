"""How the vectors in memory follow the rows: load once, then replay the change log."""

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from index.gallery.changes import Change, is_in_history, newest_change
from index.gallery.codec import VectorCodec
from index.tables import GalleryChangeRow, TemplateRow
from index.vectors import VectorIndex

# Rows in one read: enough to make the statement's cost vanish, too few to be a second gallery in memory.
_BLOCK_ROWS = 4096

_CHANGES = (
    select(
        GalleryChangeRow.seq,
        GalleryChangeRow.created_at,
        GalleryChangeRow.kind,
        GalleryChangeRow.template_number.label("number"),
        TemplateRow.id,
        TemplateRow.subject_id,
        TemplateRow.model_id,
        TemplateRow.vector,
        TemplateRow.key_id,
    )
    .outerjoin(TemplateRow, TemplateRow.number == GalleryChangeRow.template_number)
    .where(GalleryChangeRow.seq > bindparam("after"), GalleryChangeRow.seq <= bindparam("newest"))
    .where(GalleryChangeRow.model_id == bindparam("model_id"))
    .order_by(GalleryChangeRow.seq)
    .limit(_BLOCK_ROWS)
)


class Replay:
    """The vectors of one model in this process, and how far they have followed the change log.

    Sequence numbers follow the order of commits (`Database.write`), so nothing can appear later below a
    number that was already taken up, unless the database goes back in time: then everything is loaded again.

    Attributes:
        loads: How often everything was loaded; whoever remembers sequence numbers forgets them when it rises.
    """

    def __init__(self, codec: VectorCodec, model_id: str) -> None:
        self.vectors = VectorIndex(codec.dim)
        self._codec = codec
        self._model_id = model_id
        self.loads = 0
        self._taken: Change | None = None
        self._taking = threading.Lock()

    def catch_up(self, db: Session) -> Change:
        """Take up what this session can see; one small query when there is nothing new.

        Args:
            session: One that has read nothing yet, or that holds the writers' lock: what it sees must not be
                older than this call.

        Returns:
            The newest change that the session sees; another thread may be further already.

        Raises:
            TemplateUnreadable: If a row cannot be opened.
        """
        before = self._taken
        newest = newest_change(db)
        # The session, and with it a connection, is held before the lock: whoever holds the lock can finish.
        if newest != before:
            with self._taking:
                if self._taken is None or self._has_gone_back(db, before, newest):
                    self._load(db, newest)
                while self._taken is not None and self._taken.seq < newest.seq:
                    self._taken = self._take_block(db, self._taken, newest)
        return newest

    def _has_gone_back(self, db: Session, before: Change | None, newest: Change) -> bool:
        """Whether the change taken up last is not in the history that the session sees.

        What another thread took up meanwhile may be newer than what this session sees. What had been taken up
        before the session began may not.
        """
        taken = self._taken
        if taken is None or (taken.seq > newest.seq and taken != before):
            return False
        return not is_in_history(db, taken)

    def _load(self, db: Session, newest: Change) -> None:
        """Read all rows. Some may be newer than `newest`; the replay passes over what is already here."""
        vectors = VectorIndex(self._codec.dim)
        query = (
            select(
                TemplateRow.number,
                TemplateRow.id,
                TemplateRow.subject_id,
                TemplateRow.model_id,
                TemplateRow.vector,
                TemplateRow.key_id,
            )
            .where(TemplateRow.model_id == self._model_id)
            .order_by(TemplateRow.number)
            .limit(_BLOCK_ROWS)
        )
        while rows := db.execute(query.where(TemplateRow.number > vectors.last_number)).all():
            self._add(vectors, rows)
        self.vectors = vectors
        self._taken = newest
        self.loads += 1

    def _take_block(self, db: Session, taken: Change, newest: Change) -> Change:
        """Take up some changes; returns the last of them.

        What was added and is removed by now has no row any more and is left out.
        """
        span = {"after": taken.seq, "newest": newest.seq, "model_id": self._model_id}
        changes = db.execute(_CHANGES, span).all()
        last = self.vectors.last_number
        self._add(
            self.vectors,
            [row for row in changes if row.kind == "added" and row.vector is not None and row.number > last],
        )
        self.vectors.remove(np.array([row.number for row in changes if row.kind == "removed"], np.int64))
        if len(changes) < _BLOCK_ROWS:
            return newest
        last_row = changes[-1]
        return Change(last_row.seq, last_row.created_at, last_row.number)

    def _add(self, vectors: VectorIndex, rows: Sequence[Any]) -> None:
        ids = np.frombuffer(b"".join(row.id.bytes for row in rows), np.uint8).reshape(-1, 16)
        vectors.add(np.array([row.number for row in rows], np.int64), self._codec.decode_many(rows), ids)
