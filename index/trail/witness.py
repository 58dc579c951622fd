"""What one process has seen of the audit trail: whether it is still the same, and what was ended since."""

from index import audit
from index.database.database import Database
from index.trail.anchor_lines import Head, has_news


class Trail:
    """The newest event that a process has seen; used by one thread.

    Attributes:
        seen: Its number and digest.
    """

    def __init__(self, database: Database) -> None:
        """Begin with the newest event.

        Raises:
            DatabaseError: If the database cannot be reached.
        """
        self._database = database
        self.seen = self._find_newest()

    def has_gone_back(self) -> bool:
        """Whether the event seen last is no longer there: the database went back in time.

        Raises:
            DatabaseError: As the constructor.
        """
        seq, digest = self.seen
        with self._database.read() as db:
            return audit.find_digest(db, seq) != digest

    def read(self) -> tuple[Head, bool]:
        """The newest event, and whether something was ended for good since the event seen last.

        Raises:
            DatabaseError: As the constructor.
        """
        with self._database.read() as db:
            newest = audit.find_newest_head(db)
            return newest, newest != self.seen and has_news(db, self.seen[0])

    def take(self, newest: Head) -> None:
        """Remember an event as seen."""
        self.seen = newest

    def start_again(self) -> None:
        """Begin with the newest event of another history; raises as the constructor."""
        self.seen = self._find_newest()

    def _find_newest(self) -> Head:
        with self._database.read() as db:
            return audit.find_newest_head(db)
