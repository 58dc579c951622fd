"""Jobs as durable workflows: each step is done once, and a worker that died is followed by another.

The engine is DBOS. It remembers which steps are done and what they returned, in the same PostgreSQL, or in a
file beside the SQLite one. What people see of a job is its row.
"""

import errno
import logging
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from dbos import DBOS, StepOptions
from dbos import error as engine

from embedding.errors import EmbeddingError
from index.errors import DatabaseError, GalleryError, JobEnded, JobTaken
from index.jobs.jobs import DETAIL_CHARACTERS, Ended, Job
from index.jobs.params import EvaluateParams, ReembedParams
from index.jobs.places import find_places
from index.models.reembedding import reembed
from training.errors import CheckpointNotSaved, TrainingError
from training.jobs.lease import Abandoned, JobCancelled, Lease
from training.jobs.remembered import MayPass, StepFailed
from training.jobs.workshop import Workshop

log = logging.getLogger("invigil.jobs")

ATTEMPTS = 6
FIRST_PAUSE_SECONDS = 2.0
BACK_OFF = 2.0
"""A fault that may pass is given 2, 4, 8, 16 and 32 seconds."""

Facts = dict[str, Any]
Work = Callable[[Lease, Facts], Facts]
"""A step: given its lease of the job and what the steps before returned; returns plain values."""

KNOWN = (EmbeddingError, GalleryError, TrainingError, OSError)
"""What may go wrong without being a fault of ours."""
PASSING = frozenset(
    {errno.EAGAIN, errno.EBUSY, errno.EINTR, errno.EIO, errno.ENFILE, errno.ENOSPC, errno.EDQUOT}
)


@dataclass(frozen=True)
class Step:
    """One step of a kind of job.

    Attributes:
        name: As people read it.
        work: What is done.
        until: Where the progress of the whole job is after it, 0 to 1.
    """

    name: str
    work: Work
    until: float


def build_steps(shop: Workshop, job: Job) -> list[Step]:
    """What a job consists of."""
    return {"retrain": build_retrain_steps, "reembed": build_reembed_steps, "evaluate": build_evaluate_steps}[
        job.kind
    ](shop, job)


def build_retrain_steps(shop: Workshop, job: Job) -> list[Step]:
    """A new candidate model."""
    from training.jobs.retraining import Retraining  # torch, which no other job needs

    work = Retraining(shop, job)
    return [
        Step("gather", lambda lease, _: work.gather(lease), 0.05),
        Step("mine", lambda lease, _: work.mine(lease), 0.15),
        Step("train", lambda lease, _: work.train(lease), 0.85),
        Step("evaluate", lambda lease, _: work.evaluate(lease), 0.92),
        Step("calibrate", lambda lease, _: work.calibrate(lease), 0.96),
        Step("register", lambda lease, before: work.register(lease, before["gate"]), 1.0),
    ]


def build_reembed_steps(shop: Workshop, job: Job) -> list[Step]:
    """Templates of one model for every crop that is kept."""

    def work(lease: Lease, _: Facts) -> Facts:
        wanted = ReembedParams.model_validate(job.params)
        embedder = shop.embedder(wanted.model_id)
        done = reembed(
            shop.database, embedder, shop.cipher, progress=lease.report, stop=lambda: lease.is_to_stop
        )
        lease.check()
        without = [str(subject) for subject in done.without_template]
        lease.log(f"{done.made:,} templates made; {len(without):,} people have none of this model")
        return {
            "model_id": embedder.model_id,
            "made": done.made,
            "left": done.left,
            "without_template": without,
        }

    return [Step("reembed", work, 1.0)]


def build_evaluate_steps(shop: Workshop, job: Job) -> list[Step]:
    """The figures of a model on labelled pictures, and their page."""

    def work(lease: Lease, _: Facts) -> Facts:
        from pathlib import Path

        from training.data.pictures import open_pictures
        from training.evaluation.evaluate import evaluate_all
        from training.reports.evaluation import write_report

        shop.check_places(job, find_places(job.params))
        wanted = EvaluateParams.model_validate(job.params)
        pictures = open_pictures(Path(wanted.data))
        evaluation, evidence = evaluate_all(
            shop.embedder(wanted.model_id), pictures, aligned=wanted.aligned, progress=lease.report_and_check
        )
        report = shop.folder(job.id) / "report.html"
        write_report(report, evaluation, evidence, pictures)
        figures = to_json(evaluation.as_json())
        figures["failures"] = len(figures["failures"])
        return {"evaluation": figures, "report": str(report.resolve())}

    return [Step("evaluate", work, 1.0)]


class Workflow:
    """Does jobs, one after the other, for one worker.

    Args:
        shop: What it works with.
        worker: Who it is.
        leaving: Set when the worker is to stop.
    """

    def __init__(self, shop: Workshop, worker: str, leaving: threading.Event) -> None:
        self._shop = shop
        self._worker = worker
        self._leaving = leaving

    def __call__(self, job_id: str) -> None:
        """All steps of a job; what was done before a crash is not done again."""
        jobs, worker = self._shop.jobs, self._worker
        try:
            job = self._retry_write(lambda: jobs.begin(UUID(job_id), worker))
        except JobEnded:
            return
        with Lease(jobs, job.id, worker, self._leaving) as lease:
            try:
                result = self._run_steps(job, lease)
            except JobCancelled:
                self._end(job, "cancelled")
            except StepFailed as failed:
                error = {"step": failed.step, "code": failed.code, "detail": failed.detail}
                self._end(job, "failed", error=error)
            else:
                self._end(job, "done", result=result)

    def _end(self, job: Job, state: Ended, **came: Facts) -> None:
        """Tidy up before anybody is told that there is nothing more to come."""
        try:
            self._shop.tidy(job.id)
        except OSError as error:
            log.warning("job %s: its folder could not be tidied up (%s)", job.id, error)
        self._retry_write(lambda: self._shop.jobs.end(job.id, self._worker, state, **came))

    def _run_steps(self, job: Job, lease: Lease) -> Facts:
        """What all steps returned; each is done now, or remembered."""
        before: Facts = {}
        begin = 0.0
        try:
            for step in build_steps(self._shop, job):
                before |= DBOS.run_step(choose_options(step), self._run_step, job, lease, step, begin, before)
                begin = step.until
        except engine.DBOSMaxStepRetriesExceeded as error:
            raise error.errors[-1] from error
        except engine.DBOSWorkflowConflictIDError:
            raise Abandoned from None
        except (StepFailed, JobCancelled):
            raise
        except Exception as error:
            log.exception("job %s: a fault between its steps", job.id)
            raise build_failure("begin", error) from error
        return before

    def _run_step(self, job: Job, lease: Lease, step: Step, begin: float, before: Facts) -> Facts:
        try:
            lease.enter(step.name, begin, step.until)
            return dict(to_json(step.work(lease, before)))
        except JobCancelled:
            raise
        except Exception as error:
            # Whatever it was, it counts for nothing if the job is no longer to be done here.
            lease.check()
            failed = build_failure(step.name, error)
            lease.log(f"{failed.step}: {failed.detail}")
            if isinstance(failed, MayPass):
                lease.log("this may pass: it is tried again in a while")
            elif not isinstance(error, KNOWN):
                log.exception("job %s: a fault in step %s", job.id, step.name)
            raise failed from error

    def _retry_write(self, write: Callable[[], Job]) -> Job:
        """Write into the row, however long the database is away."""
        while True:
            try:
                return write()
            except JobTaken:
                raise Abandoned from None
            except DatabaseError as error:
                log.warning("the database is away (%s); trying again", error.code)
                if self._leaving.wait(FIRST_PAUSE_SECONDS):
                    raise Abandoned from None


def choose_options(step: Step) -> StepOptions:
    """How the engine is to do a step."""
    return {
        "name": step.name,
        "retries_allowed": True,
        "max_attempts": ATTEMPTS,
        "interval_seconds": FIRST_PAUSE_SECONDS,
        "backoff_rate": BACK_OFF,
        "should_retry": lambda error: isinstance(error, MayPass),
    }


def is_temporary(error: BaseException) -> bool:
    """Whether doing the same again later may succeed: not where the input is wrong."""
    if isinstance(error, CheckpointNotSaved):
        return True
    if isinstance(error, OSError):
        return error.errno in PASSING
    return isinstance(error, DatabaseError)


def build_failure(step: str, error: BaseException) -> StepFailed:
    """A failure as its row tells it: one line, without a traceback.

    What nobody foresaw may quote anything, also of a file that the job only named: the log has it.
    """
    code = getattr(error, "code", None) or type(error).__name__
    kind = MayPass if is_temporary(error) else StepFailed
    text = str(error) if isinstance(error, KNOWN) else "the worker failed; its log says how"
    return kind(step, str(code), " ".join(text.split())[:DETAIL_CHARACTERS] or type(error).__name__)


def to_json(value: Any) -> Any:
    """Values that JSON can hold, and the engine's memory; what is not a number is left out."""
    if isinstance(value, dict):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_json(item) for item in value]
    if hasattr(value, "__dataclass_fields__"):
        return to_json(asdict(value))
    if isinstance(value, float) and value != value:
        return None
    return value
