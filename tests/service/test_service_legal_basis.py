"""The end of a legal basis over HTTP: refusals, receipts, the person's own link, and a database put back."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from fixtures_service import Service
from restoring import keep_copy
from starlette.testclient import TestClient

from index.tables import utc_now
from service.access.scopes import Scope
from service.app import create_app, purge_expired
from service.parts import Parts

pytestmark = pytest.mark.not_quick("starts the service several times for each test")


def basis_until(days: float) -> dict[str, Any]:
    end = utc_now() + timedelta(days=days)
    return {"legal_basis": {"basis": "consent", "expires_at": end.isoformat()}}


@pytest.fixture
def ana(service: Service, astronaut_jpeg: bytes) -> str:
    """The path of an enrolled subject."""
    return f"/v1/subjects/{service.enrolled(astronaut_jpeg, 'ana')}"


def test_after_its_end_a_subject_is_neither_verified_nor_searched_nor_enrolled(
    service: Service, ana: str, astronaut_jpeg: bytes
) -> None:
    changed = service.call("PATCH", ana, json=basis_until(-1)).json()
    photo = {"image": astronaut_jpeg}

    verified = service.call("POST", f"{ana}/verify", files=photo)
    enrolled = service.call("POST", f"{ana}/templates", files=photo)
    found = service.call("POST", "/v1/search", files=photo).json()["matches"]

    assert changed["legal_basis_state"] == "expired"
    assert [(one.status_code, one.json()["code"]) for one in (verified, enrolled)] == [
        (409, "legal_basis_expired")
    ] * 2
    assert found == []
    service.call("PATCH", ana, json=basis_until(365))
    assert service.call("POST", f"{ana}/verify", files=photo).json()["decision"] == "match"
    assert len(service.call("POST", "/v1/search", files=photo).json()["matches"]) == 1


@pytest.mark.parametrize("days", [None, 0, 100])
def test_the_list_warns_as_many_days_before_as_the_operator_sets(
    start_service: Callable[..., Service], days: int | None
) -> None:
    service = start_service(**({} if days is None else {"basis_warning_days": days}))
    service.call("POST", "/v1/subjects", json={"external_id": "soon", **basis_until(20)})
    service.call("POST", "/v1/subjects", json={"external_id": "later", **basis_until(60)})
    service.call("POST", "/v1/subjects", json={"external_id": "ended", **basis_until(-1)})

    listed = service.call("GET", "/v1/subjects?legal_basis=expiring").json()["items"]
    ended = service.call("GET", "/v1/subjects?legal_basis=expired").json()["items"]

    expected = {None: ["soon"], 0: [], 100: ["soon", "later"]}[days]
    assert [one["external_id"] for one in listed] == expected
    assert [one["external_id"] for one in ended] == ["ended"]


def test_a_withdrawal_is_answered_with_a_receipt_when_everything_is_gone(
    start_service: Callable[..., Service], astronaut_jpeg: bytes
) -> None:
    service = start_service(store_crops=True)
    ana = f"/v1/subjects/{service.enrolled(astronaut_jpeg)}"

    answer = service.call("POST", f"{ana}/withdrawal")

    receipt = answer.json()
    assert (answer.status_code, receipt["templates"], receipt["crops"]) == (200, 1, 1)
    event = service.call("GET", "/v1/audit-events?action=subject.withdrawn").json()["items"][0]
    assert (event["seq"], event["subject_id"]) == (receipt["audit_seq"], receipt["subject_id"])
    assert service.call("GET", f"{ana}/templates").json()["items"] == []
    assert service.call("GET", ana).json()["legal_basis_state"] == "withdrawn"
    photo = {"image": astronaut_jpeg}
    assert service.call("POST", f"{ana}/verify", files=photo).json()["code"] == "legal_basis_expired"
    assert service.call("POST", f"{ana}/templates", files=photo).json()["code"] == "legal_basis_expired"


@pytest.mark.parametrize("method", ["PATCH", "POST"])
def test_a_basis_that_says_withdrawn_withdraws_at_once(
    service: Service, ana: str, method: str, astronaut_jpeg: bytes
) -> None:
    withdrawn_at = (utc_now() - timedelta(days=2)).isoformat()
    body = {"legal_basis": {"basis": "consent", "withdrawn_at": withdrawn_at}}

    answer = service.call(method, ana if method == "PATCH" else "/v1/subjects", json=body).json()

    assert answer["templates"] == 0
    assert (answer["legal_basis_state"], answer["withdrawn_at"]) == (
        "withdrawn",
        answer["legal_basis"]["withdrawn_at"],
    )
    photo = {"image": astronaut_jpeg}
    enrolled = service.call("POST", f"/v1/subjects/{answer['id']}/templates", files=photo)
    assert enrolled.json()["code"] == "legal_basis_expired"


def test_a_withdrawal_cannot_lie_ahead(service: Service, ana: str) -> None:
    ahead = (utc_now() + timedelta(days=1)).isoformat()

    refused = service.call("PATCH", ana, json={"legal_basis": {"basis": "consent", "withdrawn_at": ahead}})

    assert (refused.status_code, refused.json()["code"]) == (422, "validation_failed")
    assert service.call("GET", ana).json()["templates"] == 1


def test_a_repeated_enrolment_does_not_bring_back_what_was_withdrawn(
    service: Service, astronaut_jpeg: bytes
) -> None:
    ana = f"/v1/subjects/{service.subject()}"
    once = {"Idempotency-Key": "enrol-ana"}
    photo = {"image": ("a.jpg", astronaut_jpeg, "image/jpeg")}
    assert service.call("POST", f"{ana}/templates", files=photo, headers=once).status_code == 201
    service.call("POST", f"{ana}/withdrawal")

    again = service.call("POST", f"{ana}/templates", files=photo, headers=once)

    assert again.status_code in (404, 409)
    assert service.call("GET", f"{ana}/templates").json()["items"] == []


class TestOwnLink:
    def link(self, service: Service, subject: str) -> str:
        made = service.call("POST", f"{subject}/withdrawal-link")
        assert made.status_code == 201
        return "/withdraw/" + str(made.json()["url"]).rpartition("/")[2]

    def test_is_only_looked_at_until_the_button_is_pressed(self, service: Service, ana: str) -> None:
        link = self.link(service, ana)

        page = service.client.get(link)
        head = service.client.head(link)

        assert (page.status_code, head.status_code) == (200, 200)
        assert "ana" not in re.sub(r"<[^>]*>", "", page.text)
        assert service.call("GET", ana).json()["templates"] == 1

    def test_withdraws_without_a_key_and_shows_the_receipt(self, service: Service, ana: str) -> None:
        link = self.link(service, ana)

        done = service.client.post(link)

        subject = service.call("GET", ana).json()
        assert (done.status_code, subject["templates"], subject["legal_basis_state"]) == (200, 0, "withdrawn")
        assert subject["id"] in done.text
        assert (service.client.post(link).status_code, service.client.get(link).status_code) == (410, 410)

    def test_is_nobodys_where_it_was_guessed(self, service: Service) -> None:
        assert service.client.get("/withdraw/AAAA").status_code == 410
        assert service.client.post("/withdraw/AAAA").status_code == 410

    def test_is_not_made_by_whoever_may_not_enrol(self, service: Service, ana: str) -> None:
        reader = service.key(Scope.SUBJECTS_READ)

        for path in ("withdrawal-link", "withdrawal"):
            assert service.call("POST", f"{ana}/{path}", key=reader).status_code == 403


def test_who_came_back_with_a_copy_is_withdrawn_again_before_the_first_request(
    start_service: Callable[..., Service], astronaut_jpeg: bytes, stranger_jpeg: bytes
) -> None:
    service = start_service()
    ana, ben = (f"/v1/subjects/{service.enrolled(one)}" for one in (astronaut_jpeg, stranger_jpeg))
    put_back = keep_copy(service.parts.database)
    service.call("POST", f"{ana}/withdrawal")
    service.client.__exit__(None, None, None)
    put_back()

    again = start_service()

    assert again.call("GET", ana).json()["legal_basis_state"] == "withdrawn"
    assert [again.call("GET", one).json()["templates"] for one in (ana, ben)] == [0, 1]
    assert again.call("POST", "/v1/search", files={"image": astronaut_jpeg}).json()["matches"] == []


def test_a_new_consent_after_a_restore_is_not_withdrawn_at_the_next_start(
    start_service: Callable[..., Service], astronaut_jpeg: bytes
) -> None:
    service = start_service()
    ana = f"/v1/subjects/{service.enrolled(astronaut_jpeg)}"
    put_back = keep_copy(service.parts.database)
    service.call("POST", f"{ana}/withdrawal")
    service.client.__exit__(None, None, None)
    put_back()
    second = start_service()
    second.call("PATCH", ana, json=basis_until(365))
    enrolled = second.call("POST", f"{ana}/templates", files={"image": astronaut_jpeg})
    second.client.__exit__(None, None, None)

    third = start_service()

    assert enrolled.status_code == 201
    subject = third.call("GET", ana).json()
    assert (subject["legal_basis_state"], subject["templates"]) == ("in_force", 1)


def test_what_one_process_has_withdrawn_no_other_finds(
    start_service: Callable[..., Service], astronaut_jpeg: bytes, database_url: str
) -> None:
    service = start_service(database_url=database_url)
    other = Parts.around(service.parts.settings, service.parts.embedder)
    with TestClient(create_app(other), "http://localhost") as second:
        ana = f"/v1/subjects/{service.enrolled(astronaut_jpeg)}"
        headers, photo = {"Authorization": f"Bearer {service.admin}"}, {"image": astronaut_jpeg}

        def found() -> int:
            return len(second.post("/v1/search", headers=headers, files=photo).json()["matches"])

        before = found()
        service.call("PATCH", ana, json=basis_until(-1))
        expired = found()
        service.call("PATCH", ana, json=basis_until(30))
        renewed = found()
        service.call("POST", f"{ana}/withdrawal")
        assert (before, expired, renewed, found()) == (1, 0, 1, 0)
        assert len(other.gallery) == 0


@pytest.mark.parametrize(("days", "announced"), [(None, 0), (0, 1)])
def test_nobody_is_erased_unless_the_operator_says_so(
    start_service: Callable[..., Service], days: int | None, announced: int
) -> None:
    service = start_service(erase_expired_after_days=days)
    service.call("POST", "/v1/subjects", json={"external_id": "ended", **basis_until(-1)})

    for _ in range(2):
        purge_expired(service.parts)

    events = service.call("GET", "/v1/audit-events?action=subject.erasure_announced").json()["items"]
    assert len(events) == announced
    assert service.call("GET", "/v1/subjects/ext:ended").status_code == 200
