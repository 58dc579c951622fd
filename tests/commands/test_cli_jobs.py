"""jobs list|show|cancel and `train --job` from the command line; what workers do has tests of its own."""

import time
from pathlib import Path

import pytest
from fixtures_cli import CommandLine

from index.database.database import Database
from index.jobs.jobs import Jobs


@pytest.fixture
def jobs(cli: CommandLine) -> Jobs:
    """The jobs of the command line's own database."""
    (cli.folder / "var").mkdir()
    database = Database(f"sqlite:///{cli.folder}/var/invigil.db")
    database.upgrade()
    return Jobs(database)


def test_a_training_becomes_a_job_with_the_recipe_in_it(cli: CommandLine, jobs: Jobs) -> None:
    (cli.folder / "own.toml").write_text("[optimiser]\nsamples = 80\n")
    (cli.folder / "faces").mkdir()
    (cli.folder / "groups.csv").write_text("identity,group\n")
    options = ("--data", "faces", "--enrolled", "--groups", "groups.csv")

    ended = cli.run("train", "own.toml", "--job", *options, "--json")

    assert ended.status == 0, ended.stderr
    (job,) = jobs.page(10)
    assert ended.document["id"] == str(job.id)
    assert job.params["recipe"] == {"optimiser": {"samples": 80}}
    assert (job.params["data"], job.params["enrolled"]) == ([f"{cli.folder.resolve()}/faces"], True)
    assert job.params["groups"] == f"{cli.folder.resolve()}/groups.csv"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["train", "retrain", "--job"], "params: faces are needed"),
        (["train", "absent.toml", "--job", "--enrolled"], "[Errno 2] No such file"),
        (["jobs", "show", "nothing"], "There is no job nothing"),
        (["jobs", "cancel", "01a1fc00-0000-7000-8000-000000000000"], "There is no job 01a1fc00"),
    ],
)
def test_a_wrong_call_is_one_line(cli: CommandLine, jobs: Jobs, arguments: list[str], complaint: str) -> None:
    ended = cli.run(*arguments)

    assert (ended.status, ended.stdout) == (2, "")
    assert ended.complaint.startswith(complaint)


def test_a_job_is_listed_shown_and_cancelled(cli: CommandLine, jobs: Jobs) -> None:
    job = jobs.submit("retrain", {"data": ["/faces"]}, actor="test")

    listed = cli.run("jobs", "list")
    cancelled = cli.run("jobs", "cancel", str(job.id)[-8:])
    again = cli.run("jobs", "cancel", job.id.hex)
    shown = cli.run("jobs", "show", str(job.id), "--json")

    assert str(job.id) in listed.stdout
    assert cancelled.stdout == f"Job {job.id} is cancelled.\n"
    assert (again.status, "has ended already: it is cancelled" in again.complaint) == (2, True)
    assert (shown.status, shown.document["state"]) == (1, "cancelled")


def test_a_failed_job_says_what_failed(cli: CommandLine, jobs: Jobs) -> None:
    job = jobs.begin(jobs.submit("retrain", {"data": ["/faces"]}, actor="test").id, "one")
    jobs.note(job.id, "one", step="gather", lines=["reading /faces"])
    error = {"step": "gather", "code": "PicturesInvalid", "detail": "/faces: there is no such folder."}
    jobs.end(job.id, "one", "failed", error=error)

    shown = cli.run("jobs", "show", job.id.hex)

    assert shown.status == 1
    assert "It failed in gather: /faces: there is no such folder." in shown.stdout
    assert "reading /faces" in shown.stdout


def test_whoever_stops_watching_leaves_the_job_running(cli: CommandLine, jobs: Jobs) -> None:
    job = jobs.begin(jobs.submit("retrain", {"data": ["/faces"]}, actor="test").id, "one")
    watching = cli.start("jobs", "show", job.id.hex, "--watch")
    while not watching.stderr.is_file() or not watching.stderr.read_text():
        time.sleep(0.05)

    watching.interrupt()
    ended = watching.ended()

    assert ended.status == 0, ended.stderr
    assert f"Job {job.id} goes on." in ended.stdout
    assert jobs.find(job.id).state == "running"


def test_a_watched_job_is_told_to_its_end(cli: CommandLine, jobs: Jobs) -> None:
    job = jobs.begin(jobs.submit("retrain", {"data": ["/faces"]}, actor="test").id, "one")
    watching = cli.start("jobs", "show", job.id.hex, "--watch")
    result = {"model_id": "sha256:1", "bundle": "/data/models/a", "gate": {"verdict": "not_worse"}}
    jobs.end(job.id, "one", "done", result=result)

    ended = watching.ended()

    assert ended.status == 0, ended.stderr
    assert "gate       not worse" in ended.stdout
    assert "invigil models promote sha256:1" in ended.stdout


def test_groups_need_a_job(cli: CommandLine) -> None:
    (cli.folder / "groups.csv").write_text("identity,group\n")

    ended = cli.run("train", "cpu", "--groups", "groups.csv")

    assert ended.status == 2
    assert "only a job compares models: add --job" in ended.complaint


def test_several_places_need_a_job(cli: CommandLine, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (cli.folder / name).mkdir()

    ended = cli.run("train", "cpu", "--data", "one", "--data", "two")

    assert ended.status == 2
    assert "add --job" in ended.complaint
