"""The owners of a roster's templates, cached until the gallery changes."""

import threading
from collections import OrderedDict
from collections.abc import Collection
from uuid import UUID

from sqlalchemy.orm import Session

from index.gallery.changes import GalleryChange
from index.gallery.neighbours import Owners, read_owners
from index.tables import TemplateRow

# Cached rosters: the sessions that one process serves at a time. An evicted roster is just read again.
_KEPT = 64


class Rosters:
    """Owners by roster. It holds no vectors, so only an id remains of a person who is erased."""

    def __init__(self) -> None:
        self._read: OrderedDict[frozenset[UUID], tuple[GalleryChange, Owners]] = OrderedDict()
        self._lock = threading.Lock()

    def owners(self, db: Session, newest: GalleryChange, subject_ids: Collection[UUID]) -> Owners:
        """The templates of the given subjects.

        Args:
            db: For reading.
            newest: The newest gallery change visible to the session. While it is the newest, no template has
                been added or removed, and cached owners are valid.
            subject_ids: The roster.
        """
        roster = frozenset(subject_ids)
        with self._lock:
            known = self._read.get(roster)
        if known is not None and known[0] == newest:
            return known[1]
        owners = read_owners(db, TemplateRow.subject_id, roster)
        self._keep(roster, newest, owners)
        return owners

    def _keep(self, roster: frozenset[UUID], newest: GalleryChange, owners: Owners) -> None:
        with self._lock:
            self._read[roster] = newest, owners
            self._read.move_to_end(roster)
            if len(self._read) > _KEPT:
                self._read.popitem(last=False)
