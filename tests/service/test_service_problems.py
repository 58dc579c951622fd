"""What callers, logs and Prometheus are told when something goes wrong, and how the service starts."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2 as httpx
import numpy as np
import pytest
from fixtures_service import ServedProcess, Service
from sqlalchemy import text

from embedding.embedder import Embedder
from embedding.template import Template
from index.database.database import Database
from index.errors import DatabaseOutdated
from index.gallery.gallery import Gallery
from index.models.models import Models
from index.subjects.subjects import Subjects
from service.decisions.decision import Outcome, Policy, decide
from service.errors import StartRefused
from service.openapi import document
from service.parts import Parts
from service.settings import Settings


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/nothing", 404, "not_found"),
        ("GET", "/v1/subjects/", 404, "not_found"),
        ("PUT", "/v1/subjects", 405, "method_not_allowed"),
        ("GET", "/static/nothing.css", 404, "not_found"),
    ],
)
def test_the_router_refuses_with_a_problem_document(
    service: Service, method: str, path: str, status: int, code: str
) -> None:
    answer = service.call(method, path)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["instance"] == path


def test_a_wrong_method_is_told_every_right_one(service: Service) -> None:
    assert service.call("PUT", "/v1/subjects").headers.get_list("allow") == ["GET, POST"]


def test_a_fault_of_ours_is_told_without_its_traceback(service: Service) -> None:
    with service.parts.database.write() as db:
        db.execute(text("UPDATE audit_event SET details = 'this is not JSON'"))

    answer = service.call("GET", "/v1/audit-events", headers={"X-Request-Id": "door-7"})

    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-request-id"] == answer.json()["request_id"] == "door-7"
    assert "audit_event" not in answer.text
    assert "Traceback" not in answer.text


def test_the_log_names_routes_and_ids_but_no_person(
    served: Callable[..., ServedProcess], astronaut_jpeg: bytes
) -> None:
    process = served()
    bearer = {"Authorization": f"Bearer {process.key}"}
    with httpx.Client(base_url=process.address, headers=bearer, verify=False) as client:
        client.post("/v1/subjects", json={"external_id": "student-4711"})
        client.post("/v1/subjects/ext:student-4711/verify", files={"image": astronaut_jpeg})

    logged = process.stop()

    # The first lines are for whoever starts it, on stdout: where the template key lies, and how to sign in.
    of_the_key, of_the_link, link, *logs = logged.splitlines()
    assert of_the_key.startswith("The template key is in ")
    assert of_the_link.startswith("Nobody can sign in yet.")
    assert "/console#/join/" in link
    lines = [json.loads(line) for line in logs]
    requests = [line for line in lines if line["event"] == "request"]
    assert [(line["route"], line["status"], line["code"]) for line in requests] == [
        ("/v1/subjects", 201, None),
        ("/v1/subjects/{subject}/verify", 409, "no_template"),
    ]
    assert all(line["ms"] > 0 and line["key_id"] for line in requests)
    assert "4711" not in logged


def test_prometheus_reads_requests_problems_decisions_and_the_model(
    service: Service, astronaut_jpeg: bytes
) -> None:
    service.enrolled(astronaut_jpeg, "s-1")
    service.call("POST", "/v1/subjects/ext:s-1/verify", files={"image": astronaut_jpeg})
    service.call("GET", "/v1/subjects/ext:nobody")

    read = service.call("GET", "/metrics", key="").text

    route = 'route="/v1/subjects/{subject}/verify",status="200"'
    assert f'invigil_requests_total{{method="POST",{route}}} 1.0' in read
    assert 'invigil_problems_total{code="subject_not_found"} 1.0' in read
    assert 'invigil_decisions_total{decision="match",kind="verify"} 1.0' in read
    assert "invigil_templates 1.0" in read
    assert service.parts.embedder.model_id in read
    assert "nobody" not in read


def test_models_show_the_rates_in_force_and_no_vector(service: Service) -> None:
    listed = service.call("GET", "/v1/models").json()["items"]
    shown = service.call("GET", f"/v1/models/{listed[0]['id']}")
    unknown = service.call("GET", "/v1/models/sha256:nothing")

    in_use = shown.json()["in_use"]
    assert shown.json() == listed[0]
    assert in_use["fmr"] == {"match": 1e-4, "refer": 1e-3}
    assert in_use["threshold"]["match"] == service.parts.policy.match
    assert "vector" not in shown.text
    assert (unknown.status_code, unknown.json()["code"]) == (404, "model_not_found")


@pytest.mark.parametrize(
    ("d", "outcome"),
    [
        (0.0, Outcome.MATCH),
        (0.9, Outcome.MATCH),
        (0.9000001, Outcome.REFER),
        (1.3, Outcome.REFER),
        (1.3000001, Outcome.NO_MATCH),
        (4.0, Outcome.NO_MATCH),
    ],
)
def test_a_distance_at_a_threshold_still_counts(embedder: Embedder, d: float, outcome: Outcome) -> None:
    policy = Policy(embedder.bundle.calibration, match_fmr=1e-4, refer_fmr=1e-3, match=0.9, refer=1.3)

    assert decide(d, policy) is outcome


def test_a_rate_that_the_calibration_cannot_support_refuses_to_start(
    settings_for: Callable[..., Settings], embedder: Embedder
) -> None:
    smallest = embedder.bundle.calibration.smallest_fmr
    settings = settings_for(match_fmr=smallest / 10)

    with pytest.raises(StartRefused, match=f"from {smallest:.3g}"):
        Parts.around(settings, embedder)


def test_a_duplicate_rate_beyond_the_calibration_becomes_the_smallest_and_is_shown(
    start_service: Callable[..., Service],
) -> None:
    service = start_service(duplicate_fmr=1e-12)
    smallest = service.parts.policy.calibration.smallest_fmr

    in_use = service.call("GET", "/v1/models").json()["items"][0]["in_use"]

    assert (in_use["duplicate_fmr"], in_use["duplicate_fmr_asked"]) == (smallest, 1e-12)
    assert in_use["duplicate_threshold"] == service.parts.policy.calibration.threshold(smallest)


def test_rates_in_the_wrong_order_are_refused(settings_for: Callable[..., Settings]) -> None:
    with pytest.raises(ValueError, match="INVIGIL_MATCH_FMR"):
        settings_for(match_fmr=1e-2, refer_fmr=1e-3)


def test_a_database_that_was_not_upgraded_refuses_to_start(
    settings_for: Callable[..., Settings], embedder: Embedder
) -> None:
    with pytest.raises(DatabaseOutdated):
        Parts.around(settings_for(), embedder)


def test_templates_of_another_active_model_refuse_to_start(
    settings_for: Callable[..., Settings], embedder: Embedder
) -> None:
    settings = settings_for()
    database = Database(settings.database)
    database.upgrade()
    foreign_template(database)
    database.close()

    with pytest.raises(StartRefused, match="not the active one"):
        Parts.around(settings, embedder)


def foreign_template(database: Database) -> None:
    """One enrolled template of another model, which is the active one."""
    models = Models(database)
    models.register("sha256:foreign", name="foreign", dim=2, actor="test")
    models.activate("sha256:foreign", actor="test")
    subject = Subjects(database).add(actor="test")
    Gallery(database, model_id="sha256:foreign", dim=2).enrol(
        subject.id,
        Template(np.array([1, 0], np.float32), "sha256:foreign"),
        quality={},
        duplicate_threshold=0.1,
        actor="test",
    )


def test_the_first_page_tells_how_to_begin_and_what_the_model_can_do(service: Service) -> None:
    page = service.call("GET", "/", key="")

    assert page.status_code == 200
    assert "curl" in page.text
    assert service.parts.embedder.model_id in page.text
    assert "1 in 10,000" in page.text
    assert service.parts.policy.calibration.id in page.text


def test_the_documentation_needs_no_other_host(service: Service) -> None:
    page = service.call("GET", "/docs", key="")
    assets = ["/swagger/swagger-ui-bundle.js", "/swagger/swagger-ui.css", "/static/icon.svg", "/openapi.json"]

    assert "http://" not in page.text
    assert "https://" not in page.text
    for asset in assets:
        assert asset in page.text
        assert service.call("GET", asset, key="").status_code == 200


def test_the_committed_openapi_document_is_that_of_the_application() -> None:
    committed = Path(__file__).parents[2] / "docs" / "openapi.json"

    assert committed.read_text(encoding="utf-8") == document(), (
        "run `make openapi` and commit docs/openapi.json"
    )


def test_every_reference_of_the_openapi_document_leads_somewhere(service: Service) -> None:
    described = service.client.get("/openapi.json").json()

    def references(part: object) -> Iterator[str]:
        if isinstance(part, dict):
            yield from ([part["$ref"]] if isinstance(part.get("$ref"), str) else [])
            part = list(part.values())
        if isinstance(part, list):
            for one in part:
                yield from references(one)

    for reference in references(described):
        target = described
        for name in reference.removeprefix("#/").split("/"):
            assert name in target, reference
            target = target[name]
