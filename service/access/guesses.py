"""How often somebody may be compared with a subject and not match: across all keys and processes.

Whoever may verify could try photographs until one matches, or learn the template from many answers. A match
costs nothing and writes nothing. A failure is counted beside its request and not in its transaction; as long
as the database cannot be written, each process counts its own. Check-ins have their attempts instead, and are
never stopped by it.
"""

import math
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError

from index.database.database import Database
from index.errors import DatabaseError
from index.ids import uuid7
from index.tables import FailedComparisonRow, utc_now
from service.errors import GuessesExhausted
from service.logs import log

WINDOW = timedelta(hours=1)
MOST_UNWRITTEN = 10_000
"""Failures that wait for the database, at most; about a megabyte."""


class Comparison:
    """One comparison that is being made; whoever makes it says of whom it was a failure."""

    def __init__(self) -> None:
        self.failed: set[UUID] = set()


class Guesses:
    """The failed comparisons of the last hour.

    Args:
        database: Where they are counted.
        per_hour: Of one subject; None for no limit.
    """

    def __init__(self, database: Database, per_hour: int | None) -> None:
        self._database = database
        self._per_hour = per_hour
        self._counting = threading.Lock()
        self._unwritten: list[tuple[UUID, datetime]] = []
        self._under_way: dict[UUID, int] = {}
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="guesses")

    @contextmanager
    def comparing(self, *subject_ids: UUID) -> Iterator[Comparison]:
        """Compare with these subjects, unless one of them has had too many failures.

        Raises:
            GuessesExhausted: It says when the next comparison is allowed.
            DatabaseError: If the failures cannot be read.
        """
        comparison = Comparison()
        if self._per_hour is None:
            yield comparison
            return
        self._begin(subject_ids)
        try:
            yield comparison
        finally:
            self._end(subject_ids)
            self._note(comparison.failed)

    def refuse_exhausted(self, subject_id: UUID) -> None:
        """Refuse to tell of a subject who has had too many failures.

        Raises:
            GuessesExhausted: If so.
        """
        if self._per_hour is not None:
            self._refuse(subject_id, self._per_hour)

    def purge(self) -> int:
        """Forget what is older than an hour, or lies ahead because the clock once did; returns how many."""
        now = utc_now()
        old = (FailedComparisonRow.at <= now - WINDOW) | (FailedComparisonRow.at > now + WINDOW)
        with self._database.write(ordered=False) as db:
            gone = db.scalars(delete(FailedComparisonRow).where(old).returning(FailedComparisonRow.id))
            return len(gone.all())

    def close(self) -> None:
        """Write what is still to be written."""
        self._writer.shutdown(wait=True)

    def _begin(self, subject_ids: tuple[UUID, ...]) -> None:
        for subject_id in subject_ids:
            self._refuse(subject_id, self._per_hour or 0)
        with self._counting:
            for subject_id in subject_ids:
                self._under_way[subject_id] = self._under_way.get(subject_id, 0) + 1

    def _end(self, subject_ids: tuple[UUID, ...]) -> None:
        with self._counting:
            for subject_id in subject_ids:
                self._under_way[subject_id] -= 1
                if not self._under_way[subject_id]:
                    del self._under_way[subject_id]

    def _refuse(self, subject_id: UUID, most: int) -> None:
        now = utc_now()
        with self._counting:
            here = [at for who, at in self._unwritten if who == subject_id and now - WINDOW < at <= now]
            # Many at once would all be let through before the first of them has failed.
            under_way = self._under_way.get(subject_id, 0)
        query = (
            select(FailedComparisonRow.at)
            .where(FailedComparisonRow.subject_id == subject_id)
            .where(FailedComparisonRow.at > now - WINDOW, FailedComparisonRow.at <= now)
            .order_by(FailedComparisonRow.at.desc())
            .limit(most)
        )
        with self._database.read() as db:
            failures = sorted([*db.scalars(query), *here], reverse=True)
        if len(failures) + under_way < most:
            return
        # Those under way may yet match, which is known in a moment.
        until = failures[most - 1] + WINDOW - now if len(failures) >= most else timedelta(seconds=1)
        log.warning("guesses_exhausted", subject_id=str(subject_id))
        raise GuessesExhausted(most, max(1, math.ceil(until.total_seconds())))

    def _note(self, failed: set[UUID]) -> None:
        if not failed:
            return
        now = utc_now()
        with self._counting:
            self._unwritten += [(subject_id, now) for subject_id in failed]
            del self._unwritten[:-MOST_UNWRITTEN]
        self._writer.submit(self._write)

    def _write(self) -> None:
        """Write down every failure that waits; one that cannot be written waits for the next."""
        with self._counting:
            waiting = [one for one in self._unwritten if utc_now() - one[1] < WINDOW]
        for one in waiting:
            try:
                with self._database.write(ordered=False) as db:
                    db.add(FailedComparisonRow(id=uuid7(), subject_id=one[0], at=one[1]))
            except IntegrityError:
                pass  # Erased since: there is nobody left to guess at.
            except DatabaseError as error:
                log.warning("failure_not_counted", code=error.code)
                return
            with self._counting:
                self._unwritten.remove(one)
