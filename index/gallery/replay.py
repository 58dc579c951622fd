"""Keep the vectors in memory in sync with the rows: load once, then replay the change log.

A row that does not open is left out: a change to one row must not stop the search for everybody else. If no
row opens because keys are missing, the key is wrong, and nothing is searched.
"""

import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from index.errors import KeyUnknown, TemplateUnreadable
from index.gallery.changes import GalleryChange, find_newest_change, is_in_history
from index.gallery.codec import VectorCodec
from index.tables import GalleryChangeRow, TemplateRow
from index.vectors import VectorIndex

# Rows per read: enough to hide the cost of a statement, too few to hold a second gallery in memory.
_BLOCK_ROWS = 4096

_ROWS = select(
    TemplateRow.number,
    TemplateRow.id,
    TemplateRow.subject_id,
    TemplateRow.model_id,
    TemplateRow.vector,
    TemplateRow.key_id,
)

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


@dataclass(frozen=True)
class LeftOut:
    """A template that no search sees because its row does not open.

    Attributes:
        why: What is wrong with the row.
    """

    template_id: UUID
    subject_id: UUID
    why: TemplateUnreadable


class Replay:
    """The vectors of one model in this process, and the last replayed change.

    Sequence numbers follow the order of commits (`Database.write`), so no change can appear later with a
    number below a replayed one, unless the database goes back in time: then everything is loaded again.

    Attributes:
        loads: How often everything was loaded; callers that remember sequence numbers must drop them when it
            rises.
        left_out: Templates that are not among the vectors, by number; the mapping is replaced, never
            modified.
    """

    def __init__(self, codec: VectorCodec, model_id: str) -> None:
        self.vectors = VectorIndex(codec.dim)
        self._codec = codec
        self._model_id = model_id
        self.loads = 0
        self.left_out: Mapping[int, LeftOut] = {}
        self._taken: GalleryChange | None = None
        self._taking = threading.Lock()

    def catch_up(self, db: Session) -> GalleryChange:
        """Replay all changes visible to this session; one small query if there is nothing new.

        Args:
            db: A session that has read nothing yet, or holds the writers' lock: its view must not be older
                than this call.

        Returns:
            The newest change visible to the session; another thread may already be further.

        Raises:
            TemplateUnreadable: If no row can be opened because their keys are not set.
        """
        before = self._taken
        newest = find_newest_change(db)
        # The session, and with it a connection, is taken before the lock, so that the lock's holder can
        # finish.
        if newest != before:
            with self._taking:
                if self._taken is None or self._has_gone_back(db, before, newest):
                    self._load(db, newest)
                    self.loads += 1
                while self._taken is not None and self._taken.seq < newest.seq:
                    self._taken = self._take_block(db, self._taken, newest)
        self._require_key(db)
        return newest

    def leave_out(self, found: Sequence[tuple[Any, TemplateUnreadable]]) -> None:
        """Hide these rows from every search: they do not open now, even if they did before."""
        with self._taking:
            self.vectors.remove(np.array([row.number for row, _ in found], np.int64))
            self._note_left_out(found)

    def look_again(self, db: Session) -> None:
        """Reload everything if a template that was left out opens now; forget those that were removed.

        Raises:
            TemplateUnreadable: As `catch_up`.
        """
        numbers = list(self.left_out)
        if not numbers:
            return
        rows = db.execute(_ROWS.where(TemplateRow.number.in_(numbers))).all()
        opened, newest = self._codec.decode_readable(rows).rows, find_newest_change(db)
        with self._taking:
            # A reload must not lose newer changes, invisible to this session, that another thread has
            # replayed.
            if opened and self._taken is not None and self._taken.seq <= newest.seq:
                self._load(db, newest)
            self._forget_left_out(set(numbers) - {row.number for row in rows})

    def _require_key(self, db: Session) -> None:
        """Refuse to search an empty index if there are rows but not their key.

        A single row with another key may be tampering; if no row has one of our keys, the keys are wrong.
        """
        left_out = list(self.left_out.values())
        if not left_out or len(self.vectors) or not all(isinstance(one.why, KeyUnknown) for one in left_out):
            return
        ours = select(TemplateRow.number).where(TemplateRow.key_id.in_(self._codec.key_ids))
        if db.scalar(ours.limit(1)) is None:
            raise left_out[0].why

    def _has_gone_back(self, db: Session, before: GalleryChange | None, newest: GalleryChange) -> bool:
        """Whether the last replayed change is missing from the history visible to the session.

        Changes that another thread replays meanwhile may be newer than the session's view. Changes replayed
        before the session began may not.
        """
        taken = self._taken
        if taken is None or (taken.seq > newest.seq and taken != before):
            return False
        return not is_in_history(db, taken)

    def _load(self, db: Session, newest: GalleryChange) -> None:
        """Read all rows. Some may be newer than `newest`; the replay skips what is already loaded."""
        vectors, last = VectorIndex(self._codec.dim), 0
        unreadable: list[tuple[Any, TemplateUnreadable]] = []
        mine = _ROWS.where(TemplateRow.model_id == self._model_id)
        block = mine.order_by(TemplateRow.number).limit(_BLOCK_ROWS)
        while rows := db.execute(block.where(TemplateRow.number > last)).all():
            unreadable += self._add(vectors, rows)
            last = rows[-1].number
        self.vectors, self.left_out = vectors, {}
        self._note_left_out(unreadable)
        self._taken = newest

    def _take_block(self, db: Session, taken: GalleryChange, newest: GalleryChange) -> GalleryChange:
        """Replay one block of changes; returns the last of them.

        A template that has since been removed has no row and is skipped.
        """
        span = {"after": taken.seq, "newest": newest.seq, "model_id": self._model_id}
        changes = db.execute(_CHANGES, span).all()
        last = self.vectors.last_number
        added = [
            row for row in changes if row.kind == "added" and row.vector is not None and row.number > last
        ]
        self._note_left_out(self._add(self.vectors, added))
        removed = [row.number for row in changes if row.kind == "removed"]
        self.vectors.remove(np.array(removed, np.int64))
        self._forget_left_out(removed)
        if len(changes) < _BLOCK_ROWS:
            return newest
        last_row = changes[-1]
        return GalleryChange(last_row.seq, last_row.created_at, last_row.number)

    def _add(self, vectors: VectorIndex, rows: Sequence[Any]) -> Sequence[tuple[Any, TemplateUnreadable]]:
        """Add the vectors of some rows; returns the rows that do not open, with their errors."""
        decoded = self._codec.decode_readable(rows)
        ids = np.frombuffer(b"".join(row.id.bytes for row in decoded.rows), np.uint8).reshape(-1, 16)
        vectors.add(np.array([row.number for row in decoded.rows], np.int64), decoded.vectors, ids)
        return decoded.unreadable

    def _note_left_out(self, found: Sequence[tuple[Any, TemplateUnreadable]]) -> None:
        if found:
            new = {row.number: LeftOut(row.id, row.subject_id, why) for row, why in found}
            self.left_out = {**self.left_out, **new}

    def _forget_left_out(self, numbers: Collection[int]) -> None:
        if not self.left_out.keys().isdisjoint(numbers):
            self.left_out = {one: left for one, left in self.left_out.items() if one not in numbers}
