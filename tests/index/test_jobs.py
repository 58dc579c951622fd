"""Job rows: what the service asks for, and what workers may say of it."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest
from fixtures_database import OpenDatabase

from index.audit import list_events
from index.database.database import Database
from index.errors import JobEnded, JobInvalid, JobNotFound, JobTaken
from index.jobs.jobs import LOG_LINES, Job, Jobs

FACES = {"data": ["/faces"]}


@pytest.fixture
def jobs(database: Database) -> Jobs:
    """The jobs of a new database."""
    return Jobs(database)


@pytest.fixture
def running(jobs: Jobs) -> Job:
    """A job that worker one has begun."""
    return jobs.begin(jobs.submit("retrain", FACES, actor="test").id, "one")


def test_a_job_waits_with_its_parameters_filled_in(jobs: Jobs, database: Database) -> None:
    job = jobs.submit("retrain", FACES, actor="test")

    assert (job.state, job.progress, job.params["recipe"]) == ("queued", 0.0, "retrain")
    assert jobs.list_queued() == [job.id]
    with database.read() as db:
        recorded = [event.action for event in list_events(db, limit=9)]
    assert recorded == ["job.submitted"]


def test_the_same_job_submitted_twice_is_one(jobs: Jobs) -> None:
    job_id = uuid4()

    jobs.submit("retrain", FACES, actor="test", job_id=job_id)
    jobs.submit("retrain", FACES, actor="test", job_id=job_id)

    assert jobs.list_queued() == [job_id]


@pytest.mark.parametrize(
    ("kind", "params", "complaint"),
    [
        ("retrian", {}, "kind: there is no kind 'retrian'; did you mean 'retrain'?"),
        ("retrain", {"recipy": "x", **FACES}, "params/recipy: unknown key; did you mean 'recipe'?"),
        ("retrain", {}, "params: faces are needed: data, enrolled, or both."),
        ("retrain", {"data": "/faces"}, "params/data: Input should be a valid list."),
        ("reembed", {}, "params/model_id: Field required."),
        ("evaluate", {"data": ""}, "params/data: String should have at least 1 character."),
    ],
)
def test_a_job_that_no_worker_could_do_is_refused(
    jobs: Jobs, kind: str, params: dict[str, object], complaint: str
) -> None:
    with pytest.raises(JobInvalid) as refused:
        jobs.submit(kind, params, actor="test")

    assert str(refused.value) == complaint
    assert jobs.page(10) == []


def test_a_worker_says_how_far_a_job_is(jobs: Jobs, running: Job) -> None:
    jobs.note(running.id, "one", step="train", progress=0.5, metrics={"loss": 1.5}, lines=["step 1"])
    to_end = jobs.note(running.id, "one", lines=["step 2"])

    job = jobs.find(running.id)
    assert not to_end
    assert (job.step, job.progress, job.metrics, job.log) == (
        "train",
        0.5,
        {"loss": 1.5},
        ["step 1", "step 2"],
    )


def test_a_log_keeps_its_end(jobs: Jobs, running: Job) -> None:
    jobs.note(running.id, "one", lines=[f"line {number}" for number in range(LOG_LINES + 5)])

    log = jobs.find(running.id).log
    assert (len(log), log[0], log[-1]) == (LOG_LINES, "line 5", f"line {LOG_LINES + 4}")


def test_what_a_former_worker_says_counts_no_more(jobs: Jobs, running: Job) -> None:
    jobs.begin(running.id, "two")

    with pytest.raises(JobTaken):
        jobs.note(running.id, "one", progress=0.9)
    with pytest.raises(JobTaken):
        jobs.end(running.id, "one", "done", result={})
    assert jobs.find(running.id).worker == "two"


def test_a_job_that_waits_is_cancelled_at_once(jobs: Jobs) -> None:
    job = jobs.submit("retrain", FACES, actor="test")

    assert jobs.request_cancel(job.id, actor="test").state == "cancelled"
    with pytest.raises(JobEnded):
        jobs.begin(job.id, "one")


def test_a_running_job_hears_that_it_is_to_end(jobs: Jobs, running: Job) -> None:
    first = jobs.request_cancel(running.id, actor="test")
    second = jobs.request_cancel(running.id, actor="test")

    assert first.state == second.state == "running"
    assert second.cancel_requested_at == first.cancel_requested_at
    assert jobs.note(running.id, "one")


@pytest.mark.parametrize("state", ["done", "failed", "cancelled"])
def test_what_has_ended_cannot_be_cancelled(jobs: Jobs, running: Job, state: str) -> None:
    jobs.end(running.id, "one", state)  # type: ignore[arg-type]

    with pytest.raises(JobEnded, match=f"it is {state}"):
        jobs.request_cancel(running.id, actor="test")


def test_a_failed_job_keeps_its_log_and_says_where_it_failed(jobs: Jobs, running: Job) -> None:
    jobs.note(running.id, "one", step="gather", lines=["reading /faces"])
    error = {"step": "gather", "code": "PicturesInvalid", "detail": "/faces: it holds no picture."}

    jobs.end(running.id, "one", "failed", error=error)

    job = jobs.find(running.id)
    assert (job.state, job.error, job.log) == ("failed", error, ["reading /faces"])
    assert job.ended_at is not None
    assert job.ended_at <= datetime.now(UTC)


def test_an_end_that_is_told_twice_is_one_end(jobs: Jobs, running: Job) -> None:
    first = jobs.end(running.id, "one", "done", result={"model_id": "m"})

    assert jobs.end(running.id, "one", "done", result={"model_id": "m"}) == first


def test_a_job_that_is_left_is_nobodys(jobs: Jobs, running: Job) -> None:
    jobs.release(running.id, "one")

    assert [(job.state, job.worker) for job in jobs.list_running()] == [("running", None)]


def test_two_workers_cannot_both_have_a_job(
    jobs: Jobs, database_url: str, open_database: OpenDatabase
) -> None:
    other = Jobs(open_database(database_url))
    job = jobs.submit("retrain", FACES, actor="test")

    jobs.begin(job.id, "one")
    other.begin(job.id, "two")

    with pytest.raises(JobTaken):
        jobs.note(job.id, "one")
    assert not other.note(job.id, "two")


def test_an_unknown_job_is_not_found(jobs: Jobs) -> None:
    with pytest.raises(JobNotFound):
        jobs.find(uuid4())


def test_jobs_are_listed_newest_first(jobs: Jobs) -> None:
    made = [jobs.submit("retrain", FACES, actor="test").id for _ in range(3)]

    first = jobs.page(2)
    rest = jobs.page(2, before=first[-1].id)

    assert [job.id for job in first + rest] == made[::-1]
