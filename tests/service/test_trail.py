"""The audit trail checked over HTTP: whole, changed, cut off, and an anchor that somebody changed."""

from typing import Any

import pytest
from fixtures_service import Service
from sqlalchemy import text

from service.access.scopes import Scope


def verified(service: Service, *expect: str) -> dict[str, Any]:
    answer = service.call("POST", "/v1/audit-events/verify", json={"expect": expect})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def change(service: Service, statement: str) -> None:
    with service.parts.database.write() as db:
        db.execute(text(statement))


def test_a_whole_trail_names_its_newest_event(service_everywhere: Service) -> None:
    service = service_everywhere
    service.subject("1001")
    service.parts.note_anchor()

    found = verified(service)

    newest = service.call("GET", "/v1/audit-events?order=desc&limit=1").json()["items"][0]
    assert found["newest"] == f"{newest['seq']}:{newest['digest']}"
    assert (found["is_whole"], found["is_anchored"], found["evidence"]) == (True, True, [])
    assert verified(service, found["newest"])["is_whole"]


def test_a_changed_event_is_named(service: Service) -> None:
    service.subject("1001")
    change(service, "UPDATE audit_event SET actor = 'somebody else' WHERE seq = 2")

    found = verified(service)

    assert (found["is_whole"], found["first_bad_seq"], found["reason"]) == (False, 2, "changed")


def test_an_event_that_was_noted_elsewhere_and_is_gone_shows_the_loss(service: Service) -> None:
    found = verified(service, f"99:{'0' * 64}")

    assert (found["is_whole"], found["reason"]) == (False, "cut off")


def test_an_anchor_that_was_changed_is_told_and_the_trail_checked_all_the_same(service: Service) -> None:
    service.parts.note_anchor()
    anchor = service.parts.settings.anchor
    anchor.write_text(anchor.read_text(encoding="utf-8").replace("digest", "digost"), encoding="utf-8")

    found = verified(service)

    assert (found["is_whole"], found["reason"], found["first_bad_seq"]) == (False, "anchor changed", None)
    assert found["events"] > 0


@pytest.mark.parametrize("wrong", ["7", "7:abc", "x" * 64, "7:" + "g" * 64])
def test_what_is_no_event_is_refused(service: Service, wrong: str) -> None:
    answer = service.call("POST", "/v1/audit-events/verify", json={"expect": [wrong]})

    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")


def test_only_who_reads_the_trail_may_check_it(service: Service) -> None:
    key = service.key(Scope.VERIFY, Scope.ENROL)

    assert service.call("POST", "/v1/audit-events/verify", key=key, json={}).status_code == 403
