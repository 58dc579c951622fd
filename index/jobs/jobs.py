"""Jobs: asked for by the service, done by a worker. The row is all that the two know of each other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal, cast
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from index import audit
from index.database.database import Database
from index.errors import JobEnded, JobNotFound, JobTaken
from index.ids import uuid7
from index.jobs.params import Kind, check_params
from index.jobs.places import find_places, refuse_places_outside
from index.tables import JobRow, utc_now

State = Literal["queued", "running", "done", "failed", "cancelled"]
Ended = Literal["done", "failed", "cancelled"]

ENDED: frozenset[str] = frozenset({"done", "failed", "cancelled"})
LEASE = timedelta(seconds=30)
"""A worker that has said nothing for so long is taken for dead; it gives up by itself before."""
LOG_LINES = 200
LINE_CHARACTERS = 500
DETAIL_CHARACTERS = 300
"""Of a stored error: whoever may ask for jobs reads it, whatever a file or a library had to say in it."""


@dataclass(frozen=True)
class Job:
    """A job as it stands.

    Attributes:
        step: What is being done; the last thing that was, once the job has ended.
        progress: From 0 to 1, of the whole job.
        metrics: The newest figures of the step.
        log: Its last lines, oldest first.
        error: `step`, `code` and `detail` of a failure, the detail in one line.
        worker: Who does it, or did it last.
        confined: Asked for over HTTP: it reads nothing outside the folders that the operator allows.
        changed_at: Of its worker's last heartbeat.
    """

    id: UUID
    kind: Kind
    params: dict[str, Any]
    state: State
    step: str | None
    progress: float
    metrics: dict[str, Any]
    log: list[str]
    result: dict[str, Any] | None
    error: dict[str, Any] | None
    actor: str
    worker: str | None
    confined: bool
    cancel_requested_at: datetime | None
    created_at: datetime
    started_at: datetime | None
    changed_at: datetime
    ended_at: datetime | None

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state in ENDED


class Jobs:
    """The jobs of one installation."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def submit(
        self,
        kind: str,
        params: Mapping[str, Any],
        *,
        actor: str,
        job_id: UUID | None = None,
        folders: Sequence[Path] | None = None,
        secrets: Sequence[Path] = (),
    ) -> Job:
        """Let a job wait for a worker; one of this id that is known already stays as it is.

        Args:
            kind: What is to be done.
            params: Of the kind.
            actor: Who asks for it.
            job_id: Of the new job.
            folders: What the job may read is below one of them; None for a caller who may read what the
                worker may.
            secrets: Files in them that it may not read.

        Raises:
            JobInvalid: If a worker could not do it as it is described, or it names a place outside `folders`.
        """
        checked = check_params(kind, dict(params))
        if folders is not None:
            refuse_places_outside(folders, find_places(checked), secrets)
        job_id = job_id or uuid7()
        with self._database.write() as db:
            row = db.get(JobRow, job_id)
            if row is None:
                row = JobRow(id=job_id, kind=kind, params=checked, actor=actor, confined=folders is not None)
                db.add(row)
                _record(db, "job.submitted", actor, row, {"kind": kind})
                db.flush()
            return _build_job(row)

    def find(self, job_id: UUID) -> Job:
        """The job of this id.

        Raises:
            JobNotFound: If there is none.
        """
        with self._database.read() as db:
            return _build_job(_find_row(db, job_id))

    def page(self, limit: int, before: UUID | None = None) -> list[Job]:
        """Jobs from the newest on, or from the one behind `before`."""
        query = select(JobRow).order_by(JobRow.id.desc()).limit(limit)
        if before is not None:
            query = query.where(JobRow.id < before)
        with self._database.read() as db:
            return [_build_job(row) for row in db.scalars(query)]

    def request_cancel(self, job_id: UUID, *, actor: str) -> Job:
        """Ask for a job's end. One that waits ends at once, a running one at its next step; twice is once.

        Raises:
            JobNotFound: If there is none.
            JobEnded: If it has ended.
        """
        with self._database.write() as db:
            row = _find_row(db, job_id, lock=True)
            if row.state in ENDED:
                raise JobEnded(job_id, row.state)
            if row.cancel_requested_at is None:
                row.cancel_requested_at = utc_now()
                _record(db, "job.cancel_requested", actor, row)
            if row.state == "queued":
                _end(db, row, "cancelled", actor)
            return _build_job(row)

    def waiting(self) -> list[UUID]:
        """Jobs that nobody has begun, in the order they came."""
        return self._find_ids(JobRow.state == "queued")

    def running(self) -> list[Job]:
        """Jobs that were begun and have not ended, whether their worker lives or not."""
        with self._database.read() as db:
            rows = db.scalars(select(JobRow).where(JobRow.state == "running").order_by(JobRow.id))
            return [_build_job(row) for row in rows]

    def begin(self, job_id: UUID, worker: str) -> Job:
        """Take a job up, or take it over. What its former worker still writes is refused from now on.

        Raises:
            JobNotFound: If there is none.
            JobEnded: If it has ended: it was cancelled before it began.
        """
        with self._database.write() as db:
            row = _find_row(db, job_id, lock=True)
            if row.state in ENDED:
                raise JobEnded(job_id, row.state)
            row.state, row.worker, row.changed_at = "running", worker, utc_now()
            row.started_at = row.started_at or utc_now()
            return _build_job(row)

    def note(
        self,
        job_id: UUID,
        worker: str,
        *,
        step: str | None = None,
        progress: float | None = None,
        metrics: Mapping[str, Any] | None = None,
        lines: list[str] | None = None,
    ) -> bool:
        """Write down how far a job is; without anything, a heartbeat. Returns whether it is to end.

        Raises:
            JobTaken: If another worker has taken it over.
        """
        with self._database.write(ordered=False) as db:
            row = _find_own_row(db, job_id, worker)
            row.changed_at = utc_now()
            row.step = step or row.step
            row.progress = row.progress if progress is None else min(1.0, max(0.0, progress))
            row.metrics = row.metrics if metrics is None else dict(metrics)
            if lines:
                row.log = [*row.log, *(line[:LINE_CHARACTERS] for line in lines)][-LOG_LINES:]
            return row.cancel_requested_at is not None

    def end(
        self,
        job_id: UUID,
        worker: str,
        state: Ended,
        *,
        result: dict[str, Any] | None = None,
        error: dict[str, Any] | None = None,
    ) -> Job:
        """Say how a job ended; its log stays.

        Raises:
            JobTaken: If another worker has taken it over.
        """
        with self._database.write() as db:
            row = _find_row(db, job_id, lock=True)
            if row.state == state:
                return _build_job(row)
            row = _find_own_row(db, job_id, worker)
            row.result, row.error = result, _shorten(error)
            row.progress = 1.0 if state == "done" else row.progress
            _end(db, row, state, row.actor)
            return _build_job(row)

    def release(self, job_id: UUID, worker: str) -> None:
        """Leave a running job to the next worker: this one stops."""
        with self._database.write(ordered=False) as db:
            row = _find_row(db, job_id, lock=True)
            if row.worker == worker and row.state == "running":
                row.worker = None

    def _find_ids(self, condition: Any) -> list[UUID]:
        with self._database.read() as db:
            return list(db.scalars(select(JobRow.id).where(condition).order_by(JobRow.id)))


def _find_row(db: Session, job_id: UUID, *, lock: bool = False) -> JobRow:
    row = db.get(JobRow, job_id, with_for_update=True if lock else None)
    if row is None:
        raise JobNotFound(job_id)
    return row


def _find_own_row(db: Session, job_id: UUID, worker: str) -> JobRow:
    row = _find_row(db, job_id, lock=True)
    if row.worker != worker or row.state != "running":
        raise JobTaken(job_id, row.worker)
    return row


def _shorten(error: dict[str, Any] | None) -> dict[str, Any] | None:
    if error is None:
        return None
    return {**error, "detail": str(error.get("detail", ""))[:DETAIL_CHARACTERS]}


def _end(db: Session, row: JobRow, state: Ended, actor: str) -> None:
    row.state, row.ended_at = state, utc_now()
    row.changed_at = row.ended_at
    _record(db, f"job.{state}", actor, row)


def _record(
    db: Session, action: str, actor: str, row: JobRow, details: Mapping[str, Any] | None = None
) -> None:
    audit.record(db, action=action, actor=actor, details={**(details or {}), "job_id": str(row.id)})


def _build_job(row: JobRow) -> Job:
    return Job(
        id=row.id,
        kind=cast(Kind, row.kind),
        params=row.params,
        state=cast(State, row.state),
        step=row.step,
        progress=row.progress,
        metrics=row.metrics,
        log=row.log,
        result=row.result,
        error=row.error,
        actor=row.actor,
        worker=row.worker,
        confined=row.confined,
        cancel_requested_at=row.cancel_requested_at,
        created_at=row.created_at,
        started_at=row.started_at,
        changed_at=row.changed_at,
        ended_at=row.ended_at,
    )
