"""A request that is sent twice is carried out once."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx2 as httpx
import pytest
from fixtures_service import Service
from sqlalchemy import text

from service.access import idempotency
from service.access.idempotency import Answer, Attempt
from service.access.scopes import Scope
from service.errors import IdempotencyPending

ONCE = {"Idempotency-Key": "kiosk-3-attempt-17"}


def add(service: Service, external_id: str, **options: Any) -> httpx.Response:
    return service.call("POST", "/v1/subjects", json={"external_id": external_id}, headers=ONCE, **options)


def test_a_replay_returns_the_first_answer(service_everywhere: Service) -> None:
    first = add(service_everywhere, "s-1")

    second = add(service_everywhere, "s-1")

    assert (first.status_code, second.status_code) == (201, 201)
    assert second.content == first.content
    assert second.headers["location"] == first.headers["location"]
    assert "idempotency-replayed" not in first.headers
    assert second.headers["idempotency-replayed"] == "true"


def test_an_enrolment_that_is_sent_twice_makes_one_template(service: Service, astronaut_jpeg: bytes) -> None:
    subject = service.subject()
    # Every attempt draws another boundary: the same form never has the same bytes.
    answers = [
        service.call(
            "POST", f"/v1/subjects/{subject}/templates", files={"image": astronaut_jpeg}, headers=ONCE
        )
        for _ in range(2)
    ]

    templates = service.call("GET", f"/v1/subjects/{subject}/templates").json()["items"]
    assert answers[0].content == answers[1].content
    assert [template["id"] for template in templates] == [answers[0].json()["template"]["id"]]


def test_a_decision_is_replayed_with_its_distance(service: Service, astronaut_jpeg: bytes) -> None:
    service.enrolled(astronaut_jpeg, "s-1")
    where = "/v1/subjects/ext:s-1/verify"

    first = service.call("POST", where, files={"image": astronaut_jpeg}, headers=ONCE)
    second = service.call("POST", where, files={"image": astronaut_jpeg}, headers=ONCE)

    assert second.content == first.content
    assert second.headers["x-request-id"] != first.headers["x-request-id"]


def test_the_same_key_with_another_body_is_a_conflict(service_everywhere: Service) -> None:
    add(service_everywhere, "s-1")

    answer = add(service_everywhere, "s-2")

    assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_conflict")
    assert service_everywhere.call("GET", "/v1/subjects/ext:s-2").status_code == 404


def test_the_same_key_with_another_picture_is_a_conflict(
    service: Service, astronaut_jpeg: bytes, black_jpeg: bytes
) -> None:
    service.enrolled(astronaut_jpeg, "s-1")
    where = "/v1/subjects/ext:s-1/verify"
    service.call("POST", where, files={"image": astronaut_jpeg}, headers=ONCE)

    answer = service.call("POST", where, files={"image": black_jpeg}, headers=ONCE)

    assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_conflict")


def test_two_callers_may_use_the_same_key(service: Service) -> None:
    first, second = add(service, "s-1"), add(service, "s-2", key=service.key(Scope.ENROL))

    assert (first.status_code, second.status_code) == (201, 201)


def test_a_refused_request_can_be_repeated(service: Service, astronaut_jpeg: bytes) -> None:
    where = "/v1/subjects/ext:s-1/verify"
    refused = service.call("POST", where, files={"image": astronaut_jpeg}, headers=ONCE)
    service.enrolled(astronaut_jpeg, "s-1")

    answer = service.call("POST", where, files={"image": astronaut_jpeg}, headers=ONCE)

    assert (refused.status_code, answer.status_code) == (404, 200)


def test_concurrent_requests_with_one_key_make_one_subject(service_everywhere: Service) -> None:
    service = service_everywhere

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: add(service, "s-1"), range(8)))

    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert len(service.call("GET", "/v1/subjects").json()["items"]) == 1


def test_a_request_whose_process_died_is_done_again_under_the_same_id(service: Service) -> None:
    attempt = attempt_of(service)
    ids: list[UUID] = []

    def die(resource_id: UUID) -> Answer:
        ids.append(resource_id)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        service.parts.idempotency.once(attempt, die)
    answer = service.parts.idempotency.once(attempt, lambda resource_id: Answer(201, resource_id.bytes, {}))

    assert answer.body == ids[0].bytes
    assert not answer.replayed


def test_a_kept_answer_cannot_be_read_in_the_database(service: Service) -> None:
    body: dict[str, Any] = {"json": {"name": "door", "scopes": ["verify"]}, "headers": ONCE}

    first, second = service.call("POST", "/v1/keys", **body), service.call("POST", "/v1/keys", **body)

    with service.parts.database.read() as db:
        kept = bytes(db.execute(text("SELECT body FROM idempotency_record")).scalar_one())
    assert second.json()["key"] == first.json()["key"]
    assert b"door" not in kept
    assert first.json()["key"].encode() not in kept


def test_an_erased_subject_is_not_brought_back_by_a_replay(service: Service) -> None:
    subject = add(service, "s-1").json()["id"]
    service.call("DELETE", f"/v1/subjects/{subject}")

    answer = add(service, "s-1")

    assert (answer.status_code, answer.json()["code"]) == (404, "subject_not_found")
    assert service.call("GET", "/v1/subjects").json()["items"] == []


def test_old_answers_are_forgotten(service: Service) -> None:
    add(service, "s-1")
    with service.parts.database.write() as db:
        db.execute(text("UPDATE idempotency_record SET created_at = '2020-01-01 00:00:00'"))

    assert service.parts.idempotency.purge() == 1


def attempt_of(service: Service) -> Attempt:
    caller = service.parts.keys.authenticate(service.admin)
    return Attempt(caller, "a-key", "POST", "/v1/subjects", "digest")


@pytest.mark.parametrize("lease_seconds", [10.0, 1.5])
def test_a_claim_lasts_as_long_as_its_work(
    service_everywhere: Service, monkeypatch: pytest.MonkeyPatch, lease_seconds: float
) -> None:
    monkeypatch.setattr(idempotency, "LEASE", timedelta(seconds=lease_seconds))
    parts = service_everywhere.parts
    caller = parts.keys.authenticate(service_everywhere.admin)
    attempt = Attempt(caller, "promote-once", "POST", "/v1/models/{model_id}/promote", "0" * 64)
    begun, may_end, runs = threading.Event(), threading.Event(), []

    def work(_: UUID) -> Answer:
        runs.append(1)
        begun.set()
        assert may_end.wait(60)
        return Answer(200, b"done", {})

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(parts.idempotency.once, attempt, work)
        assert begun.wait(60)
        # It waits for two seconds, longer than the shorter lease lasts unless it is renewed.
        with pytest.raises(IdempotencyPending):
            parts.idempotency.once(attempt, work)
        may_end.set()
        assert first.result().body == b"done"

    assert parts.idempotency.once(attempt, work).replayed
    assert len(runs) == 1
