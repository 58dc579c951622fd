"""Keys: who may do what, from when until when, and what is kept of a key."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from fixtures_exams import ExamService
from fixtures_service import Service
from sqlalchemy import text

from service.access.callers import Caller
from service.access.scopes import Scope
from service.errors import Forbidden, InvalidRequest
from service.sheets.spreadsheet import inert

ANYBODY = "01920000-0000-7000-8000-000000000000"


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Bearer nonsense",
        "Bearer inv0123456789.secret",
        "Basic aW52OnNlY3JldA==",
    ],
)
def test_without_a_valid_key_nothing_is_told(service: Service, authorization: str) -> None:
    headers = {"Authorization": authorization} if authorization else {}

    answer = service.call("GET", f"/v1/subjects/{ANYBODY}", key="", headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_the_prefix_alone_or_another_secret_opens_nothing(service: Service) -> None:
    prefix, secret = service.admin.split(".")

    answers = [
        service.call("GET", "/v1/keys", key=key) for key in (prefix, f"{prefix}.", f"{prefix}.{secret[:-1]}")
    ]

    assert [answer.status_code for answer in answers] == [401, 401, 401]


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("POST", "/v1/subjects", Scope.ENROL),
        ("GET", "/v1/subjects", Scope.SUBJECTS_READ),
        ("GET", f"/v1/subjects/{ANYBODY}", Scope.SUBJECTS_READ),
        ("PATCH", f"/v1/subjects/{ANYBODY}", Scope.ENROL),
        ("DELETE", f"/v1/subjects/{ANYBODY}", Scope.ENROL),
        ("POST", f"/v1/subjects/{ANYBODY}/templates", Scope.ENROL),
        ("GET", f"/v1/subjects/{ANYBODY}/templates", Scope.SUBJECTS_READ),
        ("DELETE", f"/v1/subjects/{ANYBODY}/templates/{ANYBODY}", Scope.ENROL),
        ("POST", f"/v1/subjects/{ANYBODY}/verify", Scope.VERIFY),
        ("POST", "/v1/compare", Scope.VERIFY),
        ("POST", "/v1/search", Scope.SEARCH),
        ("POST", "/v1/quality", Scope.CHECKIN),
        ("POST", "/v1/keys", Scope.ADMIN),
        ("GET", "/v1/keys", Scope.ADMIN),
        ("DELETE", f"/v1/keys/{ANYBODY}", Scope.ADMIN),
        ("GET", "/v1/audit-events", Scope.AUDIT_READ),
    ],
)
def test_a_route_opens_to_its_scope_and_to_no_other(
    service: Service, method: str, path: str, scope: Scope
) -> None:
    others = [other for other in Scope if other not in (scope, Scope.ADMIN, Scope.ENROL, Scope.VERIFY)]
    with_scope, without_scope = service.key(scope), service.key(*others)
    body: dict[str, Any] = {"json": {}} if method == "PATCH" or path in ("/v1/subjects", "/v1/keys") else {}

    allowed = service.call(method, path, key=with_scope, **body)
    refused = service.call(method, path, key=without_scope, **body)

    assert allowed.status_code not in (401, 403)
    if path != "/v1/quality":
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
        assert refused.json()["missing_scopes"] == [scope]


def test_a_revoked_key_opens_nothing_from_the_answer_on(service: Service) -> None:
    key = service.key(Scope.SUBJECTS_READ)
    assert service.call("GET", "/v1/subjects", key=key).status_code == 200
    key_id = next(
        one["id"] for one in service.call("GET", "/v1/keys").json()["items"] if key.startswith(one["prefix"])
    )

    revoked = service.call("DELETE", f"/v1/keys/{key_id}")

    assert revoked.json()["revoked_at"] is not None
    assert service.call("GET", "/v1/subjects", key=key).status_code == 401


@pytest.mark.parametrize(
    ("start", "end", "status"),
    [
        (timedelta(hours=-2), timedelta(hours=-1), 401),
        (timedelta(hours=1), timedelta(hours=2), 401),
        (timedelta(hours=-1), timedelta(hours=1), 200),
    ],
    ids=["expired", "not yet valid", "valid"],
)
def test_a_key_is_valid_inside_its_window_only(
    service_everywhere: Service, start: timedelta, end: timedelta, status: int
) -> None:
    now = datetime.now(UTC)
    key = service_everywhere.key(Scope.SUBJECTS_READ, not_before=now + start, expires_at=now + end)

    assert service_everywhere.call("GET", "/v1/subjects", key=key).status_code == status


def test_a_key_is_shown_once_and_kept_as_a_hash(service: Service) -> None:
    made = service.call("POST", "/v1/keys", json={"name": "door", "scopes": ["verify"]})

    listed = service.call("GET", "/v1/keys").text
    secret = made.json()["key"].split(".")[1]
    with service.parts.database.read() as db:
        stored = str(db.execute(text("SELECT * FROM api_key")).all())
    assert made.status_code == 201
    assert made.json()["prefix"] in listed
    assert secret not in listed
    assert secret not in stored


def test_a_key_that_is_asked_for_again_after_a_crash_is_one_key_with_a_new_text(service: Service) -> None:
    key_id = uuid4()
    lost = service.key(Scope.SUBJECTS_READ, key_id=key_id)

    told = service.key(Scope.SUBJECTS_READ, key_id=key_id)

    answers = [service.call("GET", "/v1/subjects", key=text).status_code for text in (lost, told)]
    assert answers == [401, 200]
    assert [key.id for key in service.parts.keys.page(10)].count(key_id) == 1


def test_the_use_of_a_key_is_noted(service: Service) -> None:
    service.call("GET", "/v1/subjects")

    service.parts.keys.close()

    keys = service.parts.keys.page(10)
    assert [key.last_used_at is not None for key in keys] == [True]


def test_the_first_admin_key_is_made_once(service: Service) -> None:
    with service.parts.database.write() as db:
        db.execute(text("DELETE FROM api_key"))

    first, second = service.parts.keys.create_first(), service.parts.keys.create_first()

    assert first is not None
    assert second is None
    listed = service.call("GET", "/v1/keys", key=first)
    assert listed.status_code == 200
    (key,) = service.parts.keys.page(10)
    assert key.expires_at == key.created_at + timedelta(hours=24)


def test_a_kiosks_key_holds_nothing_but_checkin(service: Service) -> None:
    with pytest.raises(InvalidRequest):
        service.key(Scope.CHECKIN, Scope.SUBJECTS_READ, session_id=uuid4())


def test_a_kiosks_key_is_refused_for_another_session() -> None:
    session, other = uuid4(), uuid4()
    caller = Caller(UUID(ANYBODY), "kiosk", frozenset({Scope.CHECKIN}), session, bytes(32))

    caller.require_session(session)

    with pytest.raises(Forbidden):
        caller.require_session(other)


def test_health_and_metrics_need_no_key(service: Service) -> None:
    paths = ("/health/live", "/health/ready", "/metrics")

    assert [service.call("GET", path, key="").status_code for path in paths] == [200, 200, 200]


def test_a_roster_makes_subjects_for_those_who_may_enrol(exam_service: ExamService) -> None:
    staff = exam_service.service.key(Scope.EXAMS_WRITE)
    both = exam_service.service.key(Scope.EXAMS_WRITE, Scope.ENROL)
    roster = "external_id\nnew-1\n"

    refused = exam_service.put_csv(roster, "?create_subjects=true", key=staff)
    made = exam_service.put_csv(roster, "?create_subjects=true", key=both)

    assert (refused.status_code, refused.json()["missing_scopes"]) == (403, ["enrol"])
    assert made.status_code == 200


def test_a_kiosks_key_stays_ended_when_its_session_is_opened_again(exam_service: ExamService) -> None:
    kiosk = exam_service.kiosk_key()
    now = datetime.now(UTC)

    for closes_at in (now + timedelta(hours=3), now, now + timedelta(hours=3)):
        window = {"closes_at": closes_at.isoformat(), "reason": "a late start"}
        assert exam_service.call("PATCH", "sessions/{session}", json=window).status_code == 200

    assert exam_service.call("GET", "sessions/{session}", key=kiosk).status_code == 401


@pytest.mark.parametrize(
    "text",
    ["=1", "  +1", "\u00a0-1", "\u3000@a", "\x0b=1", "\uff1d1", "\u200b=1", "\ufeff\uff0b1", "\tx", "\nx"],
)
def test_no_cell_of_a_table_is_taken_for_a_formula(text: str) -> None:
    assert inert(text) == "'" + text


@pytest.mark.parametrize("text", ["", "Ann", "1-2", "  Ann", "Müller = x"])
def test_a_cell_that_is_no_formula_stays_as_it_is(text: str) -> None:
    assert inert(text) == text
