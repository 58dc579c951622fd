"""Test whether the database accepts writes, for the readiness check, which anybody may call at any rate."""

import threading
import time

from index.database.database import Database
from index.errors import DatabaseError

TRIAL_SECONDS = 1.0
"""How long a result is reused: a test costs a flush to disk."""


class WriteTrial:
    """Writes and commits at most once in TRIAL_SECONDS, however many callers there are."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._trying = threading.Lock()
        self._tried_at: float | None = None
        self._error: DatabaseError | None = None

    def require_writable(self) -> None:
        """Raise the last test's error, if it failed.

        Raises:
            DatabaseError: As `Database.write`.
        """
        with self._trying:
            if self._tried_at is None or time.monotonic() - self._tried_at >= TRIAL_SECONDS:
                self._error = self._try()
                self._tried_at = time.monotonic()
            error = self._error
        if error is not None:
            raise error

    def _try(self) -> DatabaseError | None:
        try:
            self._database.require_writable()
        except DatabaseError as error:
            return error
        return None
