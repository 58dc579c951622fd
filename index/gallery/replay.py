"""How the vectors in memory follow the rows: load once, then replay the change log.

A row that does not open is left out: whoever changes one row must not stop the search for everybody else.
Where no row opens for want of a key, the key is wrong, and nothing is searched.
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
from index.gallery.changes import Change, find_newest_change, is_in_history
from index.gallery.codec import VectorCodec
from index.tables import GalleryChangeRow, TemplateRow
from index.vectors import VectorIndex

# Rows in one read: enough to make the statement's cost vanish, too few to be a second gallery in memory.
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
    """A template that no search sees, because its row does not open.

    Attributes:
        why: What is wrong with the row.
    """

    template_id: UUID
    subject_id: UUID
    why: TemplateUnreadable


class Replay:
    """The vectors of one model in this process, and how far they have followed the change log.

    Sequence numbers follow the order of commits (`Database.write`), so nothing can appear later below a
    number that was already taken up, unless the database goes back in time: then everything is loaded again.

    Attributes:
        loads: How often everything was loaded; whoever remembers sequence numbers forgets them when it rises.
        left_out: Templates that are not among the vectors, by number; replaced as a whole, never changed.
    """

    def __init__(self, codec: VectorCodec, model_id: str) -> None:
        self.vectors = VectorIndex(codec.dim)
        self._codec = codec
        self._model_id = model_id
        self.loads = 0
        self.left_out: Mapping[int, LeftOut] = {}
        self._taken: Change | None = None
        self._taking = threading.Lock()

    def catch_up(self, db: Session) -> Change:
        """Take up what this session can see; one small query when there is nothing new.

        Args:
            db: One that has read nothing yet, or that holds the writers' lock: what it sees must not be
                older than this call.

        Returns:
            The newest change that the session sees; another thread may be further already.

        Raises:
            TemplateUnreadable: If no row can be opened, for their keys are not set.
        """
        before = self._taken
        newest = find_newest_change(db)
        # The session, and with it a connection, is held before the lock: whoever holds the lock can finish.
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
        """Let no search see these rows any more: they do not open now, whatever they did before."""
        with self._taking:
            self.vectors.remove(np.array([row.number for row, _ in found], np.int64))
            self._note_left_out(found)

    def look_again(self, db: Session) -> None:
        """Load everything anew if a template that was left out opens by now; forget those that are gone.

        Raises:
            TemplateUnreadable: As `catch_up`.
        """
        numbers = list(self.left_out)
        if not numbers:
            return
        rows = db.execute(_ROWS.where(TemplateRow.number.in_(numbers))).all()
        opened, newest = self._codec.decode_readable(rows).rows, find_newest_change(db)
        with self._taking:
            # What another thread has taken up behind this session's view must not be lost by a load.
            if opened and self._taken is not None and self._taken.seq <= newest.seq:
                self._load(db, newest)
            self._forget_left_out(set(numbers) - {row.number for row in rows})

    def _require_key(self, db: Session) -> None:
        """Refuse to search among nobody where rows are there and the key is not.

        One row that names another key may be somebody's work; that no row names a key of ours, is not.
        """
        left_out = list(self.left_out.values())
        if not left_out or len(self.vectors) or not all(isinstance(one.why, KeyUnknown) for one in left_out):
            return
        ours = select(TemplateRow.number).where(TemplateRow.key_id.in_(self._codec.key_ids))
        if db.scalar(ours.limit(1)) is None:
            raise left_out[0].why

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

    def _take_block(self, db: Session, taken: Change, newest: Change) -> Change:
        """Take up some changes; returns the last of them.

        What was added and is removed by now has no row any more and is left out.
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
        return Change(last_row.seq, last_row.created_at, last_row.number)

    def _add(self, vectors: VectorIndex, rows: Sequence[Any]) -> Sequence[tuple[Any, TemplateUnreadable]]:
        """Add the vectors of some rows; returns the rows that do not open, and why."""
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
