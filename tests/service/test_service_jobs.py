"""/v1/jobs as callers meet it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from fixtures_service import Service

from index.jobs.jobs import Jobs
from service.access.scopes import Scope

pytestmark = pytest.mark.not_quick("every job opens an engine")

RETRAIN = {"kind": "retrain", "params": {"recipe": "finetune", "data": ["/faces"]}}


@pytest.fixture
def service(start_service: Callable[..., Service]) -> Service:
    """The application, whose operator lets jobs read /faces."""
    return start_service(job_folders=(Path("/faces"),))


@pytest.fixture
def service_everywhere(start_service: Callable[..., Service], database_url: str) -> Service:
    """The same on each kind of database."""
    return start_service(job_folders=(Path("/faces"),), database_url=database_url)


def submitted(service: Service) -> str:
    return str(service.call("POST", "/v1/jobs", json=RETRAIN).json()["id"])


def test_a_job_is_taken_and_can_be_followed(service: Service) -> None:
    taken = service.call("POST", "/v1/jobs", json=RETRAIN)

    assert taken.status_code == 202, taken.text
    shown = service.call("GET", taken.headers["location"])
    assert shown.json() == taken.json()
    assert (shown.json()["state"], shown.json()["progress"]) == ("queued", 0.0)


def test_a_job_shows_what_its_worker_says(service_everywhere: Service) -> None:
    service = service_everywhere
    job_id = submitted(service)
    jobs = Jobs(service.parts.database)
    job = jobs.begin(next(iter(jobs.list_queued())), "worker")
    jobs.note(job.id, "worker", step="train", progress=0.25, metrics={"loss": 2.0}, lines=["one", "two"])

    shown = service.call("GET", f"/v1/jobs/{job_id}?log_lines=1").json()

    assert (shown["state"], shown["step"], shown["progress"]) == ("running", "train", 0.25)
    assert (shown["metrics"], shown["log"], shown["worker"]) == ({"loss": 2.0}, ["two"], "worker")
    assert service.call("GET", "/v1/jobs").json()["items"][0]["log"] == []


def test_a_failed_job_says_in_one_line_what_failed(service: Service) -> None:
    job_id = submitted(service)
    jobs = Jobs(service.parts.database)
    job = jobs.begin(next(iter(jobs.list_queued())), "worker")
    error = {"step": "gather", "code": "PicturesInvalid", "detail": "/faces: there is no such folder."}
    jobs.end(job.id, "worker", "failed", error=error)

    assert service.call("GET", f"/v1/jobs/{job_id}").json()["error"] == error


def test_the_same_request_makes_one_job(service: Service) -> None:
    key = {"Idempotency-Key": "tonight"}

    first = service.call("POST", "/v1/jobs", json=RETRAIN, headers=key)
    again = service.call("POST", "/v1/jobs", json=RETRAIN, headers=key)

    assert again.json()["id"] == first.json()["id"]
    assert again.headers["idempotency-replayed"] == "true"
    assert again.headers["location"] == first.headers["location"]
    assert len(service.call("GET", "/v1/jobs").json()["items"]) == 1


def test_a_job_is_cancelled_once(service: Service) -> None:
    path = f"/v1/jobs/{submitted(service)}/cancel"

    first, second = service.call("POST", path), service.call("POST", path)

    assert (first.status_code, first.json()["state"]) == (202, "cancelled")
    assert (second.status_code, second.json()["code"]) == (409, "job_ended")


def test_a_parameter_that_does_not_exist_is_named_with_the_nearest(service: Service) -> None:
    wrong = {"kind": "retrain", "params": {"recipee": "full", "data": ["/faces"]}}

    answer = service.call("POST", "/v1/jobs", json=wrong)

    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")
    error = answer.json()["errors"][0]
    assert error["pointer"] == "/body/params/recipee"
    assert "did you mean 'recipe'?" in error["detail"]


def test_an_unknown_job_is_not_found(service: Service) -> None:
    for path in (f"/v1/jobs/{uuid4()}", "/v1/jobs/none"):
        answer = service.call("GET", path)
        assert (answer.status_code, answer.json()["code"]) == (404, "job_not_found")


def test_jobs_need_their_scope(service: Service) -> None:
    runner, other = service.key(Scope.JOBS_RUN), service.key(Scope.ENROL)

    assert service.call("POST", "/v1/jobs", json=RETRAIN, key=runner).status_code == 202
    assert service.call("GET", "/v1/jobs", key=runner).status_code == 200
    assert service.call("POST", "/v1/jobs", json=RETRAIN, key=other).status_code == 403
    assert service.call("GET", "/v1/jobs", key="").status_code == 401


def test_jobs_come_in_pages(service: Service) -> None:
    made = [submitted(service) for _ in range(3)]

    first = service.call("GET", "/v1/jobs?limit=2").json()
    rest = service.call("GET", f"/v1/jobs?limit=2&cursor={first['next_cursor']}").json()

    assert [job["id"] for job in first["items"] + rest["items"]] == made[::-1]
    assert rest["next_cursor"] is None


OUTSIDE: list[tuple[str, dict[str, Any]]] = [
    ("data", {"data": ["/proc/self"]}),
    ("data", {"data": ["/faces", "/faces/../etc"]}),
    ("data", {"data": ["/facesandmore"]}),
    ("data", {"data": ["faces"]}),
    ("data", {"data": ["/faces/\x00"]}),
    ("groups", {"groups": "/proc/self/environ"}),
    ("start_from", {"start_from": "/etc/passwd"}),
    ("start_from", {"start_from": "training/recipes/../../pyproject.toml"}),
    ("recipe", {"recipe": "/etc/passwd"}),
    ("recipe", {"recipe": "../finetune"}),
    ("recipe/start_from", {"recipe": {"start_from": "/etc/passwd"}}),
    ("recipe/data/split_of", {"recipe": {"data": {"split_of": "/etc"}}}),
    ("recipe/teacher/path", {"recipe": {"teacher": {"path": "/etc/passwd"}}}),
    ("recipe/teacher/path", {"recipe": {"teacher": {"path": "../../etc/passwd"}}}),
    ("recipe/mining/pool", {"recipe": {"mining": {"pool": "/proc/self/environ"}}}),
    ("recipe/mining/confusions", {"recipe": {"mining": {"confusions": "a/../../etc/passwd"}}}),
    ("recipe/teacher/path", {"data": [], "enrolled": True, "recipe": {"teacher": {"path": "../x"}}}),
]


@pytest.mark.parametrize(("key", "named"), OUTSIDE)
def test_a_job_names_nothing_outside_the_folders_that_the_operator_allows(
    service: Service, key: str, named: dict[str, Any]
) -> None:
    wanted = {"kind": "retrain", "params": RETRAIN["params"] | named}  # type: ignore[operator]

    refused = service.call("POST", "/v1/jobs", json=wanted)

    assert (refused.status_code, refused.json()["code"]) == (422, "validation_failed"), refused.text
    assert refused.json()["errors"][0]["pointer"] == f"/body/params/{key}"
    assert service.call("GET", "/v1/jobs").json()["items"] == []


def test_an_evaluation_reads_nothing_outside_either(service: Service) -> None:
    wanted = {"kind": "evaluate", "params": {"data": "/etc"}}

    assert service.call("POST", "/v1/jobs", json=wanted).status_code == 422


def test_a_link_inside_the_data_folder_leads_nowhere(service: Service) -> None:
    (service.parts.settings.data_dir / "link").symlink_to("/etc")
    wanted = {"kind": "evaluate", "params": {"data": str(service.parts.settings.data_dir / "link" / "x")}}

    assert service.call("POST", "/v1/jobs", json=wanted).status_code == 422


@pytest.mark.parametrize(
    "named",
    [
        {"data": ["/faces/2026"], "groups": "/faces/groups.csv"},
        {"start_from": "training/checkpoints/invigil-2-embedder.pt"},
        {"recipe": "/faces/own.toml"},
        {"recipe": {"teacher": {"path": "teacher/net.onnx"}, "mining": {"pool": "/faces/pool.csv"}}},
        {"data": [], "enrolled": True, "recipe": {"teacher": {"path": "teacher/net.onnx"}}},
    ],
)
def test_a_job_names_what_lies_in_the_folders_that_the_operator_allows(
    service: Service, named: dict[str, Any]
) -> None:
    wanted = {"kind": "retrain", "params": RETRAIN["params"] | named}  # type: ignore[operator]

    taken = service.call("POST", "/v1/jobs", json=wanted)

    assert taken.status_code == 202, taken.text


def test_the_data_folder_may_always_be_read(service: Service) -> None:
    place = str(service.parts.settings.data_dir / "faces")

    taken = service.call("POST", "/v1/jobs", json={"kind": "evaluate", "params": {"data": place}})

    assert taken.status_code == 202, taken.text


@pytest.mark.parametrize("key", ["data", "groups", "start_from", "recipe"])
@pytest.mark.parametrize(
    "name", ["template.keys", "invigil.db", "invigil.db-wal", "audit.anchor", ".", "hard"]
)
def test_a_job_is_pointed_at_no_secret_of_the_installation(service: Service, key: str, name: str) -> None:
    folder = service.parts.settings.data_dir
    assert (folder / "template.keys").is_file()
    (folder / "hard").hardlink_to(folder / "template.keys")
    (folder / "folder").mkdir()
    place = str(folder / "folder" / ".." / name)
    params = {**RETRAIN["params"], key: [place] if key == "data" else place}  # type: ignore[dict-item]

    refused = service.call("POST", "/v1/jobs", json={"kind": "retrain", "params": params})

    assert (refused.status_code, refused.json()["code"]) == (422, "validation_failed")
    assert refused.json()["errors"][0]["pointer"] == f"/body/params/{key}"
    assert "no job may read" in refused.json()["detail"]


def test_a_key_file_of_the_operators_own_is_no_job_data_either(
    start_service: Callable[..., Service], tmp_path: Path
) -> None:
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "key").write_text("5e" * 32)
    service = start_service(template_key_file=secrets / "key", job_folders=(tmp_path,))

    for place in (secrets, secrets / "key", tmp_path):
        wanted = {"kind": "evaluate", "params": {"data": str(place)}}
        assert service.call("POST", "/v1/jobs", json=wanted).status_code == 422
