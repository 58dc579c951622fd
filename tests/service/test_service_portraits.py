"""The office's portrait of a person, and the links that are direct where it keeps one."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from fixtures_service import Service
from sqlalchemy import select

from index.sealing.cipher import TemplateCipher
from index.subjects.portraits import remove_returned_portraits
from index.tables import PortraitRow
from service.access.scopes import Scope

pytestmark = pytest.mark.not_quick("enrols many pictures")

SUBJECT = "/v1/subjects/ext:s-1"


def put(service: Service, picture: bytes, **options: Any) -> Any:
    return service.call("PUT", f"{SUBJECT}/portrait", files={"image": picture}, **options)


def direct_link(service: Service) -> str:
    made = service.call("POST", f"{SUBJECT}/enrolment-link?direct=true")
    assert made.status_code == 201, made.text
    assert made.json()["direct"] is True
    return str(made.json()["url"]).partition("#")[2]


def send(service: Service, token: str, picture: bytes) -> Any:
    headers, consent = {"X-Enrolment-Token": token}, {"consent": "yes"}
    return service.client.post("/enrol/picture", headers=headers, files={"image": picture}, data=consent)


def waiting(service: Service) -> list[Any]:
    return list(service.call("GET", "/v1/proposals").json()["items"])


def templates(service: Service) -> int:
    return int(service.call("GET", SUBJECT).json()["templates"])


def actions(service: Service) -> list[str]:
    events = service.call("GET", "/v1/audit-events?limit=200").json()["items"]
    return [event["action"] for event in events]


@pytest.fixture
def known(service: Service, astronaut_jpeg: bytes) -> Service:
    """A service with one subject, of whom a portrait is kept."""
    service.subject("s-1")
    assert put(service, astronaut_jpeg).status_code == 200
    return service


def test_a_picture_that_matches_the_portrait_is_enrolled_at_once(
    known: Service, astronaut_variants: Mapping[str, bytes]
) -> None:
    token = direct_link(known)

    sent = send(known, token, astronaut_variants["mirrored"])

    assert (sent.status_code, sent.content) == (202, b"")
    assert (templates(known), waiting(known)) == (1, [])
    assert known.call("GET", SUBJECT).json()["legal_basis"]["basis"] == "consent"
    events = known.call("GET", "/v1/audit-events?action=proposal.accepted").json()["items"]
    assert (events[0]["details"]["direct"], events[0]["details"]["compared_with"]) == (True, "portrait")
    assert send(known, token, astronaut_variants["mirrored"]).status_code == 410


def replace_portrait(service: Service, stranger: bytes) -> None:
    assert put(service, stranger).status_code == 200


def remove_portrait(service: Service, stranger: bytes) -> None:
    assert service.call("DELETE", f"{SUBJECT}/portrait").status_code == 204


def enrol_elsewhere(service: Service, stranger: bytes) -> None:
    picture = service.call("GET", f"{SUBJECT}/portrait").content
    service.enrolled(picture, "s-2")


@pytest.mark.parametrize("meanwhile", [replace_portrait, remove_portrait, enrol_elsewhere])
def test_what_stands_against_it_leaves_a_proposal_and_the_sender_is_told_the_same(
    known: Service,
    astronaut_variants: Mapping[str, bytes],
    stranger_jpeg: bytes,
    meanwhile: Callable[[Service, bytes], None],
) -> None:
    token = direct_link(known)
    meanwhile(known, stranger_jpeg)

    sent = send(known, token, astronaut_variants["mirrored"])

    assert (sent.status_code, sent.content) == (202, b"")
    assert (templates(known), len(waiting(known))) == (0, 1)
    proposal = waiting(known)[0]["id"]
    accepted = known.call(
        "POST",
        f"/v1/proposals/{proposal}/accept",
        json={"compared_with": "document", "force_reason": "seen in person"},
    )
    assert accepted.status_code == 201


def test_whoever_is_passed_a_link_does_not_become_the_candidate(known: Service, stranger_jpeg: bytes) -> None:
    sent = send(known, direct_link(known), stranger_jpeg)

    assert (sent.status_code, templates(known)) == (202, 0)
    (proposal,) = waiting(known)
    assert proposal["has_portrait"] is True
    beside = known.call("GET", f"/v1/proposals/{proposal['id']}/portrait")
    assert beside.headers["content-type"] == "image/jpeg"
    assert beside.content.startswith(b"\xff\xd8")


def test_a_portrait_that_is_replaced_between_comparison_and_enrolment_decides_nothing(
    known: Service, astronaut_jpeg: bytes, stranger_jpeg: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, former = direct_link(known), known.parts.proposals.claim

    def claim_late(proposal_id: Any) -> Any:
        put(known, stranger_jpeg)
        return former(proposal_id)

    monkeypatch.setattr(known.parts.proposals, "claim", claim_late)
    assert send(known, token, astronaut_jpeg).status_code == 202
    monkeypatch.undo()

    assert (templates(known), len(waiting(known))) == (0, 1)
    assert known.call("POST", f"/v1/proposals/{waiting(known)[0]['id']}/refuse", json={}).status_code == 204


def test_a_direct_link_needs_a_portrait_and_a_portrait_one_face(
    service: Service, black_jpeg: bytes, astronaut_jpeg: bytes
) -> None:
    service.subject("s-1")

    refused = service.call("POST", f"{SUBJECT}/enrolment-link?direct=true")
    faceless = put(service, black_jpeg)
    reader = service.key(Scope.SUBJECTS_READ)

    assert (refused.status_code, refused.json()["code"]) == (404, "portrait_not_found")
    assert (faceless.status_code, faceless.json()["code"]) == (422, "face_not_found")
    assert service.call("GET", SUBJECT).json()["portrait_at"] is None
    assert put(service, astronaut_jpeg, key=reader).status_code == 403
    assert service.call("GET", f"{SUBJECT}/portrait", key=reader).status_code == 403


def withdraw(service: Service) -> None:
    assert service.call("POST", f"{SUBJECT}/withdrawal").status_code == 200


def erase(service: Service) -> None:
    assert service.call("DELETE", SUBJECT).status_code == 200


@pytest.mark.parametrize("end", [withdraw, erase])
def test_a_portrait_is_sealed_and_goes_with_withdrawal_and_erasure(
    known: Service, end: Callable[[Service], None]
) -> None:
    with known.parts.database.read() as db:
        row = db.scalars(select(PortraitRow)).one()
        assert b"JFIF" not in row.picture
    shown = known.call("GET", f"{SUBJECT}/portrait")
    assert (shown.status_code, shown.headers["cache-control"]) == (200, "no-store")

    end(known)

    with known.parts.database.read() as db:
        assert db.scalars(select(PortraitRow.id)).all() == []
    assert [one for one in actions(known) if one.startswith("portrait.")] == [
        "portrait.put",
        "portrait.viewed",
    ]


def test_a_removed_portrait_does_not_come_back_with_an_older_database(
    known: Service, astronaut_jpeg: bytes
) -> None:
    database = known.parts.database
    with database.read() as db:
        kept = db.scalars(select(PortraitRow)).one()
        values = {name: getattr(kept, name) for name in ("id", "subject_id", "picture", "key_id")}
    remove_portrait(known, b"")
    with database.write() as db:
        db.add(PortraitRow(**values))

    assert known.parts.anchoring is not None
    known.parts.anchoring.end_returned()

    assert known.call("GET", f"{SUBJECT}/portrait").status_code == 404
    assert remove_returned_portraits(database, [values["id"]], actor="test") == 0
    assert isinstance(known.parts.desk.cipher, TemplateCipher)
