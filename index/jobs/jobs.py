"""Jobs: the service submits them, a worker does them. The two communicate only through the row."""

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
"""A worker silent for this long is presumed dead; it stops on its own before then."""
LOG_LINES = 200
LINE_CHARACTERS = 500
DETAIL_CHARACTERS = 300
"""Longest stored error: everybody who may list jobs can read it, including text from files or libraries."""


@dataclass(frozen=True)
class Job:
    """The state of a job.

    Attributes:
        step: The current step, or the last one if the job has ended.
        progress: From 0 to 1, of the whole job.
        metrics: The latest figures of the step.
        log: The last lines of its log, oldest first.
        error: `step`, `code` and `detail` of a failure, the detail in one line.
        worker: The worker that does it, or did it last.
        confined: Submitted over HTTP: it may only read the folders that the operator allows.
        changed_at: Time of its worker's last heartbeat.
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
        """Whether it is done, failed or cancelled."""
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
        """Queue a job for a worker; an existing job with this id stays unchanged.

        Args:
            kind: The kind of job.
            params: Its parameters.
            actor: Who submits it.
            job_id: Id of the new job.
            folders: It may read only below these; None for a caller who may read all that the worker may.
            secrets: Files below them that it may not read.

        Raises:
            JobInvalid: If a worker could not do it as described, or it names a path outside `folders`.
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
        """The job with this id.

        Raises:
            JobNotFound: If there is none.
        """
        with self._database.read() as db:
            return _build_job(_find_row(db, job_id))

    def page(self, limit: int, before: UUID | None = None) -> list[Job]:
        """Jobs, newest first, starting after `before`."""
        query = select(JobRow).order_by(JobRow.id.desc()).limit(limit)
        if before is not None:
            query = query.where(JobRow.id < before)
        with self._database.read() as db:
            return [_build_job(row) for row in db.scalars(query)]

    def request_cancel(self, job_id: UUID, *, actor: str) -> Job:
        """Cancel a job: a queued one ends at once, a running one at its next step. Idempotent.

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

    def list_queued(self) -> list[UUID]:
        """Queued jobs, oldest first."""
        return self._find_ids(JobRow.state == "queued")

    def list_running(self) -> list[Job]:
        """Running jobs, whether their worker is alive or not."""
        with self._database.read() as db:
            rows = db.scalars(select(JobRow).where(JobRow.state == "running").order_by(JobRow.id))
            return [_build_job(row) for row in rows]

    def begin(self, job_id: UUID, worker: str) -> Job:
        """Take a job, or take it over. Updates by its former worker are refused from now on.

        Raises:
            JobNotFound: If there is none.
            JobEnded: If it was cancelled before it began.
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
        """Record a job's progress, or just a heartbeat; returns whether cancellation is requested.

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
        """Record how a job ended; its log stays.

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
        """Release a running job for the next worker."""
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
