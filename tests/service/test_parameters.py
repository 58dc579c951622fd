"""Query parameters: those that are not there are refused; the trail is filtered and sorted by the others."""

import re
from uuid import UUID

import pytest
from fixtures_service import Service

from service.access.scopes import Scope
from service.app import describe_app

NOBODY = str(UUID(int=7))


def operations_with_a_key() -> list[tuple[str, str]]:
    document = describe_app().openapi()
    return [
        (method, path)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if operation.get("security")
    ]


def test_every_operation_refuses_a_query_parameter_that_it_does_not_have(service: Service) -> None:
    taken = []
    for method, path in operations_with_a_key():
        full = re.sub(r"\{[^}]*\}", NOBODY, path)
        answer = service.call(method.upper(), f"{full}?no_such_parameter=1")
        found = [one["code"] for one in answer.json().get("errors", [])] if answer.content else []
        # What is named in the path is looked for first where the caller is held to it; nothing is ever done.
        if answer.status_code != 422 or "unknown_parameter" not in found:
            taken.append((method, path, answer.status_code))

    assert taken == []


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("order_by=desc", "Did you mean order?"),
        ("since=2026-01-01T00:00:00Z&acter=x", "Did you mean actor?"),
        ("zzz=1", "There are: action, actor, cursor"),
    ],
)
def test_a_misspelt_filter_is_refused_with_the_nearest_name(service: Service, query: str, says: str) -> None:
    answer = service.call("GET", f"/v1/audit-events?{query}")

    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")
    assert says in answer.json()["detail"]


def test_the_audit_trail_is_read_newest_first_by_actor_and_by_time(service: Service) -> None:
    for number in range(5):
        assert service.call("POST", "/v1/subjects", json={"external_id": f"t-{number}"}).status_code == 201
    every = service.call("GET", "/v1/audit-events?limit=200").json()["items"]

    pages: list[int] = []
    cursor: str | None = ""
    while cursor is not None:
        page = service.call("GET", f"/v1/audit-events?order=desc&limit=2{cursor}").json()
        pages += [one["seq"] for one in page["items"]]
        cursor = f"&cursor={page['next_cursor']}" if page["next_cursor"] else None
    middle = every[-3]["at"].replace("+00:00", "Z")
    late = service.call("GET", f"/v1/audit-events?since={middle}").json()["items"]
    early = service.call("GET", f"/v1/audit-events?until={middle}").json()["items"]
    name = every[-1]["actor"].split(" (")[0].upper()
    by_actor = service.call("GET", f"/v1/audit-events?actor={name}&order=desc&limit=1").json()["items"]

    assert pages == [one["seq"] for one in reversed(every)]
    assert [one["seq"] for one in early + late] == [one["seq"] for one in every]
    assert len(late) >= 3
    assert by_actor == every[-1:]
    assert service.call("GET", "/v1/audit-events?actor=nobody%25").json()["items"] == []


def test_every_operation_that_takes_a_key_says_which_scopes_it_needs_and_means_it(service: Service) -> None:
    document = describe_app().openapi()
    key = service.parts.keys.create("Nothing much", [Scope.VERIFY], actor="test")[1]
    wrong = []
    for method, path in operations_with_a_key():
        scopes = document["paths"][path][method].get("x-scopes")
        full = re.sub(r"\{[^}]*\}", NOBODY, path)
        answer = service.call(method.upper(), f"{full}?no_such_parameter=1", key=key)
        is_let_in = answer.status_code != 403
        if scopes is None or is_let_in != (not scopes or "verify" in scopes):
            wrong.append((method, path, scopes, answer.status_code))

    assert wrong == []
