"""A worker: takes up the jobs that wait and those whose worker died, one at a time, until it is stopped."""

import logging
import os
import socket
import threading
from contextlib import suppress
from datetime import UTC, datetime
from typing import Self
from uuid import UUID, uuid4

from dbos import DBOS, SetWorkflowID, WorkflowStatus

from index.errors import DatabaseError, GalleryError
from index.jobs.folders import remove_former_pages
from index.jobs.jobs import LEASE, Job
from index.tables import utc_now
from training.jobs.remembered import AsJson, refuse_pickles
from training.jobs.workflow import Workflow
from training.jobs.workshop import Workshop

log = logging.getLogger("invigil.jobs")

APPLICATION = "invigil"
VERSION = "1"
"""Of the workflows; raised when their steps change, so that nobody goes on with a job of other steps."""
SCHEMA = "dbos"
QUEUE = "jobs"
ATTEMPTS = 10
"""How often a job is taken up again after its worker died; then it is what kills them."""
LOOK_SECONDS = 1.0
STOP_SECONDS = 60.0
"""A training saves its checkpoint before it stops."""


class Worker:
    """Does jobs while it is entered; the engine allows one in a process.

    Args:
        shop: What it works with.
        look_seconds: Between two looks at the rows.
    """

    def __init__(self, shop: Workshop, look_seconds: float = LOOK_SECONDS) -> None:
        self.name = f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}"
        self._shop = shop
        self._look_seconds = look_seconds
        self._leaving = threading.Event()
        self._idle = threading.Event()
        self._idle.set()

    def __enter__(self) -> Self:
        for page in remove_former_pages(self._shop.data_dir):
            log.warning("removed %s: it held faces of enrolments", page)
        workflow = Workflow(self._shop, self.name, self._leaving)

        def job(job_id: str) -> None:
            self._idle.clear()
            try:
                workflow(job_id)
            finally:
                self._idle.set()

        refuse_pickles()
        DBOS(
            config={
                "name": APPLICATION,
                "system_database_url": self._shop.database.engine_url(),
                "dbos_system_schema": SCHEMA,
                "application_version": VERSION,
                "executor_id": self.name,
                "log_level": "ERROR",
                "serializer": AsJson(),
            }
        )
        self._workflow = DBOS.workflow(name="job", max_recovery_attempts=ATTEMPTS)(job)
        DBOS.launch()
        DBOS.register_queue(QUEUE, worker_concurrency=1, polling_interval_sec=self._look_seconds)
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()
        DBOS.destroy(destroy_registry=True)

    def work(self, stop: threading.Event) -> None:
        """Do jobs until told to stop; the one at work then saves its checkpoint, for the next worker."""
        while not stop.is_set():
            try:
                self.look()
            except DatabaseError as error:
                log.warning("the database is away (%s); trying again", error.code)
            stop.wait(self._look_seconds)
        self.leave()

    def leave(self) -> None:
        """Let go of the job at work; waits until it is let go."""
        self._leaving.set()
        self._idle.wait(STOP_SECONDS)
        with suppress(DatabaseError):
            for job in self._shop.jobs.list_running():
                if job.worker == self.name:
                    self._shop.jobs.release(job.id, self.name)

    @property
    def is_idle(self) -> bool:
        """Whether no job is at work here."""
        return self._idle.is_set()

    def look(self) -> None:
        """Hand what waits to the engine, and take up what another worker let fall.

        Raises:
            DatabaseError: If the rows cannot be read.
        """
        for job_id in self._shop.jobs.list_queued():
            self._enqueue(job_id)
        for job in self._shop.jobs.list_running():
            if is_orphan(job, self.name):
                self._resume(job)

    def _enqueue(self, job_id: UUID) -> None:
        """Once or many times: the engine knows a job by its id."""
        with SetWorkflowID(str(job_id)):
            DBOS.enqueue_workflow(QUEUE, self._workflow, str(job_id))

    def _resume(self, job: Job) -> None:
        known: WorkflowStatus | None = DBOS.get_workflow_status(str(job.id))
        if known is None:
            self._enqueue(job.id)
        elif known.status == "PENDING" and known.executor_id is not None:
            if not self._is_abandoned(job, known):
                return
            # The engine's own way back into its queue: of several workers that ask, one gets the job.
            log.info("job %s: taken up after %s", job.id, known.executor_id)
            DBOS._recover_pending_workflows([known.executor_id])
        elif known.status not in ("ENQUEUED", "DELAYED"):
            self._fail(job, known)

    def _is_abandoned(self, job: Job, known: WorkflowStatus) -> bool:
        """Whether nobody is at work on it: a worker that has just begun has not yet told its row so."""
        begun = datetime.fromtimestamp((known.updated_at or 0) / 1000, UTC)
        is_quiet = utc_now() - max(begun, job.changed_at) > LEASE
        if known.executor_id == self.name:
            return is_quiet and self.is_idle
        return is_quiet or is_dead(str(known.executor_id))

    def _fail(self, job: Job, known: WorkflowStatus) -> None:
        """A job that the engine has ended without its row being told: its workers died too often."""
        detail = (
            f"its worker died {ATTEMPTS} times in this step"
            if "ATTEMPTS" in str(known.status)
            else (f"its workflow ended as {known.status}")
        )
        with suppress(GalleryError):
            self._shop.jobs.begin(job.id, self.name)
            error = {"step": job.step, "code": "worker_died", "detail": detail}
            self._shop.jobs.end(job.id, self.name, "failed", error=error)


def is_orphan(job: Job, me: str) -> bool:
    """Whether nobody does a running job any more."""
    if job.worker is None or utc_now() - job.changed_at > LEASE:
        return True
    return job.worker != me and is_dead(job.worker)


def is_dead(worker: str) -> bool:
    """Whether a worker of this machine has ended; of other machines only its silence tells."""
    host, _, process = worker.rpartition(":")[0].rpartition(":")
    if host != socket.gethostname():
        return False
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    # In a container every worker has the same number: if it is ours, that worker is gone.
    return int(process) == os.getpid()
