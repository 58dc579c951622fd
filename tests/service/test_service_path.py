"""The whole way over HTTP: enrol, verify, compare, search, erase."""

from collections.abc import Mapping
from urllib.parse import quote
from uuid import UUID

import numpy as np
import pytest
from fixtures_pictures import Picture, jpeg
from fixtures_service import Service

from embedding.template import Template
from service.access.scopes import Scope


def test_an_enrolled_person_is_verified_by_another_photo(
    service_everywhere: Service, astronaut_jpeg: bytes, astronaut_variants: Mapping[str, bytes]
) -> None:
    service = service_everywhere
    subject = service.enrolled(astronaut_jpeg, "s-1001")

    answer = service.call(
        "POST", "/v1/subjects/ext:s-1001/verify", files={"image": astronaut_variants["mirrored"]}
    )

    decision = answer.json()
    assert answer.status_code == 200
    assert (decision["decision"], decision["subject_id"]) == ("match", subject)
    assert decision["d"] <= decision["threshold"]["match"] < decision["threshold"]["refer"]
    assert decision["model_id"] == service.parts.embedder.model_id
    assert set(decision["timings_ms"]) == {"decode", "detect", "embed", "search"}
    assert decision["request_id"] == answer.headers["x-request-id"]
    assert answer.headers["cache-control"] == "no-store"


def test_the_thresholds_of_a_decision_are_the_calibrations_at_the_configured_rates(
    service: Service, astronaut_jpeg: bytes
) -> None:
    calibration = service.parts.policy.calibration
    service.enrolled(astronaut_jpeg, "s-1")

    decision = service.call("POST", "/v1/subjects/ext:s-1/verify", files={"image": astronaut_jpeg}).json()

    assert decision["threshold"]["match"] == calibration.threshold(1e-4)
    assert decision["threshold"]["refer"] == calibration.threshold(1e-3)
    assert decision["fmr"] == {"match": 1e-4, "refer": 1e-3, "at_d": calibration.fmr_at(decision["d"])}
    assert decision["calibration"]["non_mated"] == calibration.non_mated


def test_somebody_elses_template_is_no_match(service: Service, astronaut_jpeg: bytes) -> None:
    subject = service.subject("s-2")
    enrol_vector(service, subject, np.eye(service.parts.embedder.dim, dtype=np.float32)[0])

    decision = service.call("POST", f"/v1/subjects/{subject}/verify", files={"image": astronaut_jpeg}).json()

    assert decision["decision"] == "no_match"
    assert decision["d"] > decision["threshold"]["refer"]


def test_a_search_finds_the_person_and_nobody_else(service: Service, astronaut_jpeg: bytes) -> None:
    subject = service.enrolled(astronaut_jpeg)
    stranger = service.subject()
    enrol_vector(service, stranger, np.eye(service.parts.embedder.dim, dtype=np.float32)[1])

    found = service.call("POST", "/v1/search", files={"image": astronaut_jpeg}, data={"k": "10"}).json()

    assert [match["subject_id"] for match in found["matches"]] == [subject]
    assert found["matches"][0]["decision"] == "match"


def test_a_search_for_a_stranger_finds_nobody(service: Service, astronaut_jpeg: bytes) -> None:
    stranger = service.subject()
    enrol_vector(service, stranger, np.eye(service.parts.embedder.dim, dtype=np.float32)[1])

    found = service.call("POST", "/v1/search", files={"image": astronaut_jpeg})

    assert found.status_code == 200
    assert found.json()["matches"] == []


def test_a_comparison_stores_nothing(
    service: Service, astronaut_jpeg: bytes, astronaut_variants: Mapping[str, bytes]
) -> None:
    pictures = {"image_a": astronaut_jpeg, "image_b": astronaut_variants["darker"]}

    decision = service.call("POST", "/v1/compare", files=pictures).json()

    assert decision["decision"] == "match"
    assert decision["subject_id"] is None
    assert len(service.parts.gallery) == 0


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_turned_portrait_is_refused_at_enrolment_verification_comparison_and_search(
    turns: int, service: Service, astronaut: Picture, astronaut_jpeg: bytes
) -> None:
    subject = service.enrolled(astronaut_jpeg)
    other = service.subject()
    turned = jpeg(np.ascontiguousarray(np.rot90(astronaut, turns)))

    refused = [
        service.call("POST", f"/v1/subjects/{other}/templates", files={"image": turned}),
        service.call("POST", f"/v1/subjects/{subject}/verify", files={"image": turned}),
        service.call("POST", "/v1/compare", files={"image_a": turned, "image_b": turned}),
        service.call("POST", "/v1/search", files={"image": turned}),
    ]

    assert [(answer.status_code, answer.json()["code"]) for answer in refused] == [(422, "extreme_pose")] * 4
    looked_at = service.call("POST", "/v1/quality", files={"image": turned}).json()
    assert (looked_at["acceptable"], looked_at["reasons"][0]) == (False, "extreme_pose")


def test_an_erased_subject_is_never_found_again(service_everywhere: Service, astronaut_jpeg: bytes) -> None:
    service = service_everywhere
    subject = service.enrolled(astronaut_jpeg)

    receipt = service.call("DELETE", f"/v1/subjects/{subject}")

    assert receipt.status_code == 200
    assert (receipt.json()["subject_id"], receipt.json()["templates"]) == (subject, 1)
    assert service.call("GET", f"/v1/subjects/{subject}").status_code == 404
    assert service.call("POST", "/v1/search", files={"image": astronaut_jpeg}).json()["matches"] == []


def test_a_removed_template_is_gone_before_the_answer(service: Service, astronaut_jpeg: bytes) -> None:
    subject = service.enrolled(astronaut_jpeg)
    templates = service.call("GET", f"/v1/subjects/{subject}/templates").json()["items"]

    removed = service.call("DELETE", f"/v1/subjects/{subject}/templates/{templates[0]['id']}")

    again = service.call("DELETE", f"/v1/subjects/{subject}/templates/{templates[0]['id']}")
    verified = service.call("POST", f"/v1/subjects/{subject}/verify", files={"image": astronaut_jpeg})
    assert (removed.status_code, removed.content) == (204, b"")
    assert (again.status_code, again.json()["code"]) == (404, "template_not_found")
    assert (verified.status_code, verified.json()["code"]) == (409, "no_template")


@pytest.mark.parametrize(
    "external_id", ["two words", "a/b/../c", "50% ext:", "?#&", "Zoë 😀 北京", "%2F", "..", "😀" * 255]
)
def test_a_subject_is_found_by_any_external_id(service_everywhere: Service, external_id: str) -> None:
    made = service_everywhere.call("POST", "/v1/subjects", json={"external_id": external_id})

    found = service_everywhere.call("GET", f"/v1/subjects/ext:{quoted(external_id)}")

    assert (made.status_code, found.status_code) == (201, 200)
    assert found.json() == made.json()
    assert made.headers["location"] == f"/v1/subjects/{made.json()['id']}"


def test_a_page_of_subjects_continues_where_the_last_one_ended(service: Service) -> None:
    everybody = [service.subject(f"s-{number}") for number in range(5)]
    seen, cursor = [], ""

    while cursor is not None:
        page = service.call("GET", f"/v1/subjects?limit=2{cursor and '&cursor=' + cursor}").json()
        seen += [subject["id"] for subject in page["items"]]
        cursor = page["next_cursor"]

    assert seen == everybody


def test_a_change_leaves_alone_what_it_does_not_name(service: Service) -> None:
    made = service.call("POST", "/v1/subjects", json={"external_id": "s-1", "display_name": "Ada"}).json()

    changed = service.call("PATCH", f"/v1/subjects/{made['id']}", json={"display_name": None}).json()

    assert (changed["external_id"], changed["display_name"]) == ("s-1", None)


def test_the_audit_trail_names_the_key_and_the_request(service: Service, astronaut_jpeg: bytes) -> None:
    subject = service.subject()
    key = service.key(Scope.ENROL)
    service.call(
        "POST",
        f"/v1/subjects/{subject}/templates",
        key=key,
        files={"image": astronaut_jpeg},
        headers={"X-Request-Id": "door-7"},
    )

    events = service.call("GET", f"/v1/audit-events?subject_id={subject}&action=template.enrolled").json()

    assert [event["request_id"] for event in events["items"]] == ["door-7"]
    assert "test (" in events["items"][0]["actor"]


def test_quality_answers_for_a_picture_without_a_face(
    service: Service, faceless_pictures: Mapping[str, bytes], astronaut_jpeg: bytes
) -> None:
    nobody = service.call("POST", "/v1/quality", files={"image": faceless_pictures["coffee"]}).json()
    somebody = service.call("POST", "/v1/quality?for=verify", files={"image": astronaut_jpeg}).json()

    assert (nobody["acceptable"], nobody["reasons"], nobody["face"]) == (False, ["face_not_found"], None)
    assert (somebody["acceptable"], somebody["reasons"], somebody["faces"]) == (True, [], 1)
    assert len(somebody["face"]["landmarks"]) == 5


def enrol_vector(service: Service, subject: str, vector: np.typing.NDArray[np.float32]) -> None:
    """A template that no picture made: the only way to have a second person without a second portrait."""
    service.parts.gallery.enrol(
        UUID(subject),
        Template(vector, service.parts.embedder.model_id),
        quality={},
        duplicate_threshold=0.0,
        actor="test",
    )


def quoted(external_id: str) -> str:
    return quote(external_id, safe="")
