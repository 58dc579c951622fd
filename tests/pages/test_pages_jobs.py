"""Jobs and models in the console, in a real browser."""

from collections.abc import Callable

import pytest
from fixtures_pages import Desk, sign_in_by_key
from playwright.sync_api import Page, expect

from embedding.bundle import Bundle
from index.jobs.jobs import Job, Jobs

pytestmark = pytest.mark.usefixtures("nobody_else")

GATE = {
    "incumbent_id": "sha256:0",
    "candidate_id": "sha256:1",
    "identities": 120,
    "pictures": 960,
    "rates": [
        {
            "fmr": 0.001,
            "incumbent": {"fnmr": 0.031, "interval": [0.02, 0.04]},
            "candidate": {"fnmr": 0.058, "interval": [0.045, 0.07]},
            "difference": {"fnmr": 0.027, "interval": [0.01, 0.04]},
            "worse": True,
        }
    ],
    "groups": [],
    "verdict": "worse",
    "worse_in": ["FNMR at FMR 0.001"],
}


@pytest.fixture
def jobs(desk: Desk) -> Jobs:
    """The jobs as their worker sees them."""
    return Jobs(desk.parts.database)


@pytest.fixture
def running(jobs: Jobs) -> Job:
    """A retraining at work."""
    job = jobs.begin(jobs.submit("retrain", {"data": ["/faces"]}, actor="test").id, "worker")
    jobs.note(
        job.id, "worker", step="train", progress=0.4, metrics={"losses": {"triplet": 0.25}}, lines=["begun"]
    )
    return job


def test_a_retraining_is_started_in_the_console(desk: Desk, console: Page, jobs: Jobs) -> None:
    console.get_by_role("link", name="Administration").click()
    console.get_by_role("link", name="Jobs").click()
    console.fill("textarea[name=data]", "/faces/one\n/faces/two.tar\n")
    console.fill("input[name=name]", "autumn")
    console.get_by_label("people's groups").fill("/faces/groups.csv")

    console.get_by_role("button", name="Start").click()

    expect(console.locator("[data-state=queued]")).to_contain_text("waits for a worker")
    (job,) = jobs.page(10)
    assert (job.params["data"], job.params["name"]) == (["/faces/one", "/faces/two.tar"], "autumn")
    assert job.params["groups"] == "/faces/groups.csv"


def test_a_job_without_faces_is_told_so(desk: Desk, console: Page, jobs: Jobs) -> None:
    console.goto(f"{desk.base}/console#/jobs")

    console.get_by_role("button", name="Start").click()

    expect(console.get_by_role("alert")).to_contain_text("faces are needed")
    assert jobs.page(10) == []


def test_a_job_is_followed_to_its_end(desk: Desk, console: Page, jobs: Jobs, running: Job) -> None:
    console.goto(f"{desk.base}/console#/jobs/{running.id}")
    expect(console.locator("[data-state=running]")).to_contain_text("40 %")
    expect(console.locator("#log")).to_have_text("begun")

    jobs.note(running.id, "worker", progress=0.8, lines=["half way"])
    expect(console.locator("[data-state=running]")).to_contain_text("80 %")
    error = {"step": "train", "code": "LossNotFinite", "detail": "The loss of step 7 is not finite."}
    jobs.end(running.id, "worker", "failed", error=error)

    expect(console.get_by_role("alert")).to_contain_text("The loss of step 7 is not finite.")
    expect(console.locator("#log")).to_contain_text("half way")
    expect(console.get_by_role("button", name="Cancel")).to_have_count(0)


def test_a_running_job_is_cancelled(desk: Desk, console: Page, jobs: Jobs, running: Job) -> None:
    console.goto(f"{desk.base}/console#/jobs/{running.id}")

    console.get_by_role("button", name="Cancel").click()

    expect(console.get_by_text("To be cancelled")).to_be_visible()
    assert jobs.note(running.id, "worker")


def test_a_candidate_shows_how_it_compares(desk: Desk, console: Page) -> None:
    desk.parts.models.register(
        "sha256:1", name="autumn", dim=128, facts={}, gate=GATE, location="/nowhere", actor="test"
    )
    console.get_by_role("link", name="Administration").click()
    console.get_by_role("link", name="Models").click()
    expect(console.get_by_role("row", name="autumn")).to_contain_text("candidate")

    console.get_by_role("link", name="autumn").click()

    expect(console.get_by_role("alert")).to_contain_text("FNMR at FMR 0.001")
    expect(console.get_by_role("row", name="0.001")).to_contain_text("2.70 %")
    reason = console.locator("input[name=override_reason]")
    assert reason.evaluate("node => node.required")


def test_a_candidate_is_promoted_and_rolled_back_by_clicks(desk: Desk, console: Page, turned: Bundle) -> None:
    first = desk.parts.models.active()
    assert first is not None
    desk.parts.models.register_bundle(turned, actor="test")
    console.goto(f"{desk.base}/console#/models/{turned.model_id}")
    console.get_by_role("button", name="Promote").click()
    expect(console.locator("input[name=override_reason]:invalid")).to_have_count(1)
    assert desk.parts.models.active() == first

    console.fill("input[name=override_reason]", "there are no pictures to compare on")
    console.get_by_role("button", name="Promote").click()
    expect(console.get_by_role("alert")).to_contain_text("session(s) are open")
    assert desk.parts.models.active() == first
    console.fill("input[name=reason]", "the hall is empty")
    console.get_by_role("button", name="Promote").click()

    expect(console.get_by_role("row", name="turned")).to_contain_text("active")
    expect(console.get_by_role("row", name=first.name)).to_contain_text("retired")
    assert desk.parts.following.serving.active.id == turned.model_id
    console.fill("input[name=reason]", "the hall is empty")
    console.get_by_role("button", name="Roll back").click()
    expect(console.get_by_role("row", name=first.name)).to_contain_text("active")
    assert desk.parts.following.serving.active.id == first.id
    console.fill("input[name=reason]", "the hall is empty")
    console.get_by_role("button", name="Roll back").click()
    expect(console.get_by_role("alert")).to_contain_text("No model was active before the present one")


def test_a_key_that_may_not_run_jobs_sees_none(desk: Desk, browse: Callable[..., Page]) -> None:
    from service.access.scopes import Scope

    key = desk.parts.keys.create(
        "clerk", [Scope.ENROL, Scope.EXAMS_WRITE, Scope.SUBJECTS_READ], actor="test"
    )[1]
    page = browse()
    page.goto(f"{desk.base}/console")
    sign_in_by_key(page, key)

    expect(page.get_by_role("link", name="Exams")).to_be_visible()
    expect(page.get_by_role("link", name="Jobs")).to_have_count(0)
