"""A row that somebody has changed in the database: its person is left out with an alarm, nobody else is."""

import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from fixtures_exams import ExamService
from fixtures_service import Service
from sqlalchemy import select
from structlog.testing import capture_logs

from index.tables import TemplateRow

pytestmark = pytest.mark.not_quick("starts the service several times for each test")

WAIT_SECONDS = 10.0


def change_row(service: Service, subject: str, **columns: Any) -> dict[str, Any]:
    """Write past the program into a subject's row; returns what stood there."""
    with service.parts.database.write() as db:
        row = db.scalars(select(TemplateRow).where(TemplateRow.subject_id == UUID(subject))).one()
        before = {name: getattr(row, name) for name in columns}
        for name, value in columns.items():
            setattr(row, name, value)
    return before


def wait_until(is_so: Callable[[], bool]) -> None:
    """Wait for the thread that follows the database."""
    until = time.monotonic() + WAIT_SECONDS
    while not is_so():
        assert time.monotonic() < until, "it never came"
        time.sleep(0.02)


def search(service: Service, picture: bytes) -> tuple[list[str], int]:
    answer = service.call("POST", "/v1/search", files={"image": picture})
    assert answer.status_code == 200, answer.text
    return [one["subject_id"] for one in answer.json()["matches"]], answer.json()["not_searched"]


def verify(service: Service, subject: str, picture: bytes) -> tuple[int, str]:
    answer = service.call("POST", f"/v1/subjects/{subject}/verify", files={"image": picture})
    return answer.status_code, answer.json().get("decision") or answer.json()["code"]


def left_out(service: Service) -> int:
    answer = service.call("GET", "/health/ready", key="")
    assert answer.status_code == 200, answer.text
    return int(answer.json()["templates_left_out"])


def events(service: Service) -> list[dict[str, Any]]:
    answer = service.call("GET", "/v1/audit-events?action=template.unreadable&limit=100")
    return [one for one in answer.json()["items"] if one["action"] == "template.unreadable"]


@pytest.mark.parametrize(
    "columns",
    [
        {"vector": bytes(540)},
        {"vector": b""},
        {"vector": bytes(512), "key_id": None},
        {"key_id": "0123456789abcdef"},
    ],
    ids=["other bytes", "no bytes", "in clear", "another key"],
)
def test_one_changed_row_leaves_out_its_person_alone_and_raises_an_alarm(
    start_service: Callable[..., Service],
    astronaut_jpeg: bytes,
    stranger_jpeg: bytes,
    columns: dict[str, Any],
) -> None:
    before = start_service()
    ana, ben = before.enrolled(astronaut_jpeg, "ana"), before.enrolled(stranger_jpeg, "ben")
    change_row(before, ana, **columns)

    with capture_logs() as logged:
        service = start_service()
        wait_until(lambda: bool(events(service)))

    assert search(service, stranger_jpeg) == ([ben], 1)
    assert search(service, astronaut_jpeg) == ([], 1)
    assert verify(service, ben, stranger_jpeg) == (200, "match")
    assert verify(service, ana, astronaut_jpeg) == (409, "template_unreadable")
    assert left_out(service) == 1
    assert "invigil_templates_left_out 1.0" in service.call("GET", "/metrics", key="").text
    alarms = [one for one in logged if one["event"] == "template_left_out"]
    assert {(one["log_level"], one["subject_id"]) for one in alarms} == {("error", ana)}
    assert [one["subject_id"] for one in events(service)] == [ana]


def test_whoever_enrols_is_told_that_a_duplicate_may_be_among_what_was_not_searched(
    start_service: Callable[..., Service], astronaut_jpeg: bytes, stranger_jpeg: bytes
) -> None:
    before = start_service()
    ana, ben = before.enrolled(astronaut_jpeg, "ana"), before.enrolled(stranger_jpeg, "ben")
    change_row(before, ana, vector=bytes(540))
    service = start_service()

    again = service.call(
        "POST", f"/v1/subjects/{service.subject('ana-2')}/templates", files={"image": astronaut_jpeg}
    )
    duplicate = service.call(
        "POST", f"/v1/subjects/{service.subject('ben-2')}/templates", files={"image": stranger_jpeg}
    )

    assert (again.status_code, again.json()["warnings"]) == (201, ["templates_not_searched"])
    assert (duplicate.status_code, duplicate.json()["subject_id"]) == (409, ben)
    enrolled = service.call("GET", "/v1/audit-events?action=template.enrolled&limit=100").json()["items"]
    assert [one["details"].get("not_searched") for one in enrolled][-1] == 1


def test_a_row_that_is_changed_while_the_service_runs_is_left_out_once_it_was_read(
    service: Service, astronaut_jpeg: bytes, stranger_jpeg: bytes
) -> None:
    ana, ben = service.enrolled(astronaut_jpeg, "ana"), service.enrolled(stranger_jpeg, "ben")
    change_row(service, ana, vector=bytes(540))

    answer = verify(service, ana, astronaut_jpeg)

    assert answer == (409, "template_unreadable")
    wait_until(lambda: left_out(service) == 1)
    assert search(service, astronaut_jpeg) == ([], 1)
    assert search(service, stranger_jpeg) == ([ben], 1)


def test_a_row_that_was_put_right_is_found_again_without_a_restart(
    service: Service, astronaut_jpeg: bytes, stranger_jpeg: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.models.sync.LOOK_AGAIN_SECONDS", 0.0)
    ana, _ = service.enrolled(astronaut_jpeg, "ana"), service.enrolled(stranger_jpeg, "ben")
    right = change_row(service, ana, vector=bytes(540))
    verify(service, ana, astronaut_jpeg)
    wait_until(lambda: search(service, astronaut_jpeg) == ([], 1))

    change_row(service, ana, **right)

    wait_until(lambda: search(service, astronaut_jpeg) == ([ana], 0))
    assert (verify(service, ana, astronaut_jpeg), left_out(service)) == ((200, "match"), 0)


def test_a_changed_template_is_removed_and_its_person_enrolled_anew(
    service: Service, astronaut_jpeg: bytes, stranger_jpeg: bytes
) -> None:
    ana, _ = service.enrolled(astronaut_jpeg, "ana"), service.enrolled(stranger_jpeg, "ben")
    change_row(service, ana, vector=bytes(540))
    verify(service, ana, astronaut_jpeg)
    (template,) = service.call("GET", f"/v1/subjects/{ana}/templates").json()["items"]

    removed = service.call("DELETE", f"/v1/subjects/{ana}/templates/{template['id']}")
    enrolled = service.call("POST", f"/v1/subjects/{ana}/templates", files={"image": astronaut_jpeg})

    assert (removed.status_code, enrolled.status_code, enrolled.json()["warnings"]) == (204, 201, [])
    assert (search(service, astronaut_jpeg), left_out(service)) == (([ana], 0), 0)


def test_at_the_door_one_changed_row_stops_nobody_else(
    staffed_exam: ExamService, astronaut_jpeg: bytes, stranger_jpeg: bytes
) -> None:
    exam = staffed_exam
    subjects = exam.call("GET", "subjects?limit=10").json()["items"]
    ana = next(one["id"] for one in subjects if one["external_id"] == "A1")
    change_row(exam.service, ana, vector=bytes(540))

    ready = exam.call("GET", "sessions/{session}/readiness").json()
    refused = exam.check_in(astronaut_jpeg, candidate="A1")
    admitted = exam.check_in(stranger_jpeg, candidate="B1")
    declined = exam.call("GET", "audit-events?action=checkin.declined&limit=10").json()["items"]

    assert {one["external_id"]: one["reason"] for one in ready["cannot_verify"]} == {
        "A1": "template_unreadable",
        "C1": "no_template",
    }
    assert (refused.status_code, refused.json()["code"]) == (409, "template_unreadable")
    assert (admitted.status_code, admitted.json()["checkin"]["outcome"]) == (201, "admitted")
    assert "template_unreadable" in [one["details"].get("code") for one in declined]
