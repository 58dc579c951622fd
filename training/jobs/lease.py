"""A worker's lease of one job: reports progress, sends heartbeats, and notices cancellation."""

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Self
from uuid import UUID

from index.errors import DatabaseError, JobNotFound, JobTaken
from index.jobs.jobs import LEASE, Jobs

HEARTBEAT_SECONDS = 3.0
NOTE_SECONDS = 1.0
"""Between two notes of progress; a training of small batches would write hundreds a second."""


class JobCancelled(Exception):
    """Somebody asked for the job's end."""

    def __init__(self) -> None:
        super().__init__("cancelled")


class Abandoned(BaseException):
    """This worker leaves the job as it is: it stops, or another has taken the job over.

    Not an `Exception`: DBOS would record it as the result, and the job could not be resumed.
    """


class Lease:
    """One job of one worker.

    Args:
        jobs: The jobs in the database.
        job_id: The job.
        worker: The worker's name.
        leaving: Set when the worker is to stop.
    """

    def __init__(self, jobs: Jobs, job_id: UUID, worker: str, leaving: threading.Event) -> None:
        self._jobs = jobs
        self._job_id = job_id
        self._worker = worker
        self._leaving = leaving
        self._share = (0.0, 1.0)
        self._over = threading.Event()
        self._cancelled = False
        self._lost = False
        self._heard_at = self._noted_at = time.monotonic()
        self._beat = threading.Thread(
            target=self._send_heartbeats, name=f"heartbeat of {job_id}", daemon=True
        )

    def __enter__(self) -> Self:
        self._beat.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._beat.join()

    def enter(self, step: str, begin: float, until: float) -> None:
        """Say that a step begins; it takes the job's progress from `begin` to `until`, 0 to 1."""
        self._share = (begin, until)
        self._note(step=step, progress=begin)
        self.check()

    def check(self) -> None:
        """Stop where that was requested.

        Raises:
            JobCancelled: If somebody cancelled the job.
            Abandoned: If the worker stops, or is no longer the one whose job this is.
        """
        if self._lost or self._leaving.is_set():
            raise Abandoned
        if self._cancelled:
            raise JobCancelled

    @property
    def is_to_stop(self) -> bool:
        """Whether `check` would raise."""
        return self._lost or self._cancelled or self._leaving.is_set()

    def log(self, line: str, **figures: Any) -> None:
        """Add a line to the job's log, and figures of the step where there are any."""
        stamped = f"{time.strftime('%H:%M:%S', time.gmtime())} {line}"
        self._note(lines=[stamped], metrics=figures or None)

    def report(self, done: int, total: int, figures: Callable[[], Mapping[str, Any]] | None = None) -> None:
        """Report how far the step is, at most once in `NOTE_SECONDS`."""
        if time.monotonic() - self._noted_at < NOTE_SECONDS and done < total:
            return
        self._noted_at = time.monotonic()
        begin, end = self._share
        progress = begin + (end - begin) * done / max(total, 1)
        self._note(progress=progress, metrics=figures() if figures else None)

    def report_and_check(self, done: int, total: int) -> None:
        """As `report`, then `check`: for work that does not check by itself."""
        self.report(done, total)
        self.check()

    def _note(self, **facts: Any) -> None:
        """A job goes on while the database is away; once that lasts, somebody else may have taken it over."""
        try:
            self._cancelled = self._jobs.note(self._job_id, self._worker, **facts) or self._cancelled
            self._heard_at = time.monotonic()
        except (JobTaken, JobNotFound):
            # Not found: the database was put back to a time before the job.
            self._lost = True
        except DatabaseError:
            # What is lost stays lost: another worker may have begun, and is not stopped by this one's return.
            silent_seconds = time.monotonic() - self._heard_at
            self._lost = self._lost or silent_seconds > LEASE.total_seconds() - 2 * HEARTBEAT_SECONDS

    def _send_heartbeats(self) -> None:
        while not self._over.wait(HEARTBEAT_SECONDS):
            with suppress(Exception):  # whatever ails the database, the next heartbeat tries again
                self._note()
