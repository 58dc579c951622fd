"""/v1/jobs: work that takes longer than a request. This service writes the row; a worker does the work."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from index.errors import JobNotFound
from index.jobs.jobs import Job, Jobs, State
from index.jobs.params import Kind
from service.access.callers import Caller
from service.access.idempotency import Answer
from service.access.scopes import Scope
from service.api.answers import answer, shown_to
from service.api.cursors import page_of, read_id
from service.api.inputs import Cursor, Limit, OnceHere, PartsHere, needs
from service.decisions.scores import SCORED_FACTS
from service.exams.evidence.confusions import with_confusions
from service.fields import JsonObject

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])
Runner = Annotated[Caller, needs(Scope.JOBS_RUN)]

LOG_TAIL = 50
LogLines = Annotated[int, Query(ge=0, le=200, description="At most this many lines of the log, the last.")]


class NewJob(BaseModel):
    """What is asked for."""

    model_config = ConfigDict(extra="forbid")

    kind: Kind
    params: JsonObject = Field(
        default_factory=dict,
        description="`retrain`: recipe, data, enrolled, start_from, name, groups, confusions; "
        "`reembed`: model_id; `evaluate`: data, model_id, aligned",
    )


class JobFailure(BaseModel):
    """Where and why a job failed."""

    step: str | None
    code: str
    detail: str = Field(description="one line")


class JobDocument(BaseModel):
    """A job as it stands."""

    id: UUID
    kind: Kind
    params: dict[str, Any]
    state: State
    step: str | None
    progress: float = Field(ge=0, le=1, description="of the whole job")
    metrics: dict[str, Any] = Field(description="the newest figures of the step")
    log: list[str] = Field(description="its last lines, oldest first")
    result: dict[str, Any] | None = Field(json_schema_extra=SCORED_FACTS)
    error: JobFailure | None
    actor: str
    worker: str | None
    cancel_requested_at: datetime | None
    created_at: datetime
    started_at: datetime | None
    changed_at: datetime = Field(description="of its worker's last heartbeat")
    ended_at: datetime | None

    @classmethod
    def of(cls, job: Job, log_lines: int = LOG_TAIL) -> "JobDocument":
        """A job with the end of its log."""
        return cls.model_validate({**vars(job), "log": job.log[-log_lines:] if log_lines else []})


class JobList(BaseModel):
    """One page of jobs, newest first, without their logs."""

    items: list[JobDocument]
    next_cursor: str | None


def job_id_of(job_id: str) -> UUID:
    """A job as it is named in a path.

    Raises:
        JobNotFound: If the text can name none.
    """
    try:
        return UUID(job_id)
    except ValueError:
        raise JobNotFound(job_id[:100]) from None


@router.post("", status_code=202, response_model=JobDocument)
def submit_job(parts: PartsHere, caller: Runner, wanted: NewJob, once: OnceHere) -> Response:
    """Let a job wait for a worker (`invigil worker`); `Location` says where to follow it."""

    def work(job_id: UUID) -> Answer:
        params = with_confusions(parts.database, wanted.kind, wanted.params)
        job = Jobs(parts.database).submit(
            wanted.kind,
            params,
            actor=caller.actor,
            job_id=job_id,
            folders=parts.settings.readable_folders,
            secrets=parts.settings.secret_files,
        )
        return answer(JobDocument.of(job), 202, {"location": f"/v1/jobs/{job.id}"}, reader=caller)

    return once.run([wanted.model_dump_json().encode()], work)


@router.get("", response_model=JobList)
def list_jobs(parts: PartsHere, caller: Runner, limit: Limit = 50, cursor: Cursor = None) -> Response:
    """The jobs, newest first."""
    found = Jobs(parts.database).page(limit + 1, read_id(cursor))
    items, following = page_of(found, limit, lambda job: job.id)
    return shown_to(JobList(items=[JobDocument.of(job, 0) for job in items], next_cursor=following), caller)


@router.get("/{job_id}", response_model=JobDocument)
def show_job(parts: PartsHere, caller: Runner, job_id: str, log_lines: LogLines = LOG_TAIL) -> Response:
    """One job: how far it is, its figures, the end of its log, its result or its error."""
    return shown_to(JobDocument.of(Jobs(parts.database).find(job_id_of(job_id)), log_lines), caller)


@router.post("/{job_id}/cancel", status_code=202, response_model=JobDocument)
def cancel_job(parts: PartsHere, caller: Runner, job_id: str, once: OnceHere) -> Response:
    """Ask for a job's end; a running one ends at its next step. Asking twice is asking once."""
    wanted = job_id_of(job_id)

    def work(_: UUID) -> Answer:
        job = Jobs(parts.database).request_cancel(wanted, actor=caller.actor)
        return answer(JobDocument.of(job), 202, reader=caller)

    return once.run([], work)
