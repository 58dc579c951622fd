"""How often somebody may be compared with a subject and not match: across all keys and processes.

Whoever may verify could try photographs until one matches, or learn the template from many answers. A match
costs nothing and writes nothing. A failure is counted beside its request and not in its transaction; as long
as the database cannot be written, each process counts its own. Check-ins have their attempts instead, and are
never stopped by it.

A comparison takes its place before it counts, so that of many at once one process lets no more than the limit
fail. Several processes see each other's failures once they are written; until then each uses its share of
what is left, so that a burst over all of them fails less than twice as often as is allowed.
"""

import math
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Failure:
    """A comparison that did not match and is not in the database yet; `id` is its row's."""

    id: UUID
    subject_id: UUID
    at: datetime


class Guesses:
    """The failed comparisons of the last hour.

    Args:
        database: Where they are counted.
        per_hour: Of one subject; None for no limit.
        processes: How many serve together.
    """

    def __init__(self, database: Database, per_hour: int | None, processes: int = 1) -> None:
        self._database = database
        self._per_hour = per_hour
        self._processes = processes
        self._counting = threading.Lock()
        self._unwritten: list[Failure] = []
        self._under_way: Counter[UUID] = Counter()
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
        try:
            with ExitStack() as places:
                for subject_id in subject_ids:
                    places.enter_context(self._place(subject_id, comparison, self._per_hour))
                yield comparison
        finally:
            if comparison.failed:
                self._writer.submit(self._write)

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

    @contextmanager
    def _place(self, subject_id: UUID, comparison: Comparison, most: int) -> Iterator[None]:
        """Take a place among the comparisons with a subject, which only a failure keeps."""
        with self._counting:
            self._under_way[subject_id] += 1
            place = self._under_way[subject_id]
            here = [one for one in self._unwritten if one.subject_id == subject_id]
        try:
            self._require_free(subject_id, place, here, most)
            yield
        finally:
            with self._counting:
                self._under_way[subject_id] -= 1
                if not self._under_way[subject_id]:
                    del self._under_way[subject_id]
                if subject_id in comparison.failed:
                    self._unwritten.append(Failure(uuid7(), subject_id, utc_now()))
                    del self._unwritten[:-MOST_UNWRITTEN]

    def _require_free(self, subject_id: UUID, place: int, here: Sequence[Failure], most: int) -> None:
        """Refuse a comparison that could be a failure too many.

        Args:
            subject_id: With whom.
            place: Among those under way in this process, from 1.
            here: The failures that this process had not written when the place was taken.
            most: Failures allowed in an hour.
        """
        now = utc_now()
        query = (
            select(FailedComparisonRow.id, FailedComparisonRow.at)
            .where(FailedComparisonRow.subject_id == subject_id)
            .where(FailedComparisonRow.at > now - WINDOW, FailedComparisonRow.at <= now)
            .order_by(FailedComparisonRow.at.desc())
            .limit(most)
        )
        with self._database.read() as db:
            written = {row.id: row.at for row in db.execute(query)}
        unwritten = {one.id: one.at for one in here if one.id not in written and now - WINDOW < one.at <= now}
        share = math.ceil((most - len(written)) / self._processes)
        if len(unwritten) + place <= share:
            return
        failures = sorted([*written.values(), *unwritten.values()], reverse=True)
        # Those under way may yet match, which is known in a moment.
        until = failures[most - 1] + WINDOW - now if len(failures) >= most else timedelta(seconds=1)
        log.warning("guesses_exhausted", subject_id=str(subject_id))
        raise GuessesExhausted(most, max(1, math.ceil(until.total_seconds())))

    def _write(self) -> None:
        """Write down every failure that waits; one that cannot be written waits for the next."""
        with self._counting:
            waiting = [one for one in self._unwritten if utc_now() - one.at < WINDOW]
        for one in waiting:
            try:
                with self._database.write(ordered=False) as db:
                    db.add(FailedComparisonRow(id=one.id, subject_id=one.subject_id, at=one.at))
            except IntegrityError:
                pass  # Erased since: there is nobody left to guess at.
            except DatabaseError as error:
                log.warning("failure_not_counted", code=error.code)
                return
            with self._counting, suppress(ValueError):
                self._unwritten.remove(one)
