"""The whole gallery looked over: a photograph under a wrong name is found, and who looks like whom."""

from datetime import UTC, datetime, timedelta

import pytest
from fixtures_service import Service

from embedding.people.generator import MadeUpPeople
from embedding.people.photograph import encode_jpeg, photograph
from service.access.scopes import Scope


@pytest.fixture(scope="module")
def photos() -> dict[int, list[bytes]]:
    """Two photographs of each of three made-up people."""
    people = MadeUpPeople.open()
    numbers = people.manifest.people[:3]
    drawn = {one: people.draw(people.person(one), people.captures(one, 2)) for one in numbers}
    return {at: [encode_jpeg(photograph(crop, one)) for crop in drawn[one]] for at, one in enumerate(numbers)}


def enrol(service: Service, subject: str, picture: bytes) -> str:
    """The id of a template that is enrolled whatever it is like."""
    path = f"/v1/subjects/{subject}/templates?force=true&reason=made"
    answer = service.call("POST", path, files={"image": picture})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["template"]["id"])


def test_a_photograph_under_a_wrong_name_is_found_with_whose_it_may_be(
    service: Service, photos: dict[int, list[bytes]]
) -> None:
    ann, bob = service.enrolled(photos[0][0], "ann"), service.enrolled(photos[1][0], "bob")
    wrong = enrol(service, bob, photos[0][1])
    cid = service.enrolled(photos[2][0], "cid")
    enrol(service, cid, photos[2][1])

    found = service.call("GET", "/v1/gallery/survey").json()

    first = found["doubts"][0]
    assert (found["people"], found["templates"], found["doubts_in_all"]) == (3, 5, 2)
    assert (first["kind"], first["template_id"]) == ("like_another", wrong)
    assert (first["subject"]["external_id"], first["other"]["external_id"]) == ("bob", "ann")
    assert first["other_d"] < 0.8 < first["own_d"]
    assert found["doubts"][1]["kind"] == "unlike_own"
    nearest = found["pairs"][0]
    assert {nearest["a"]["subject_id"], nearest["b"]["subject_id"]} == {ann, bob}
    assert nearest["decision"] == "match"
    assert found["pairs"] == sorted(found["pairs"], key=lambda pair: pair["d"])


def test_only_an_administrator_sees_it_and_whoever_has_no_basis_any_more_is_not_compared(
    service: Service, photos: dict[int, list[bytes]]
) -> None:
    service.enrolled(photos[0][0], "ann")
    bob = service.enrolled(photos[1][0], "bob")

    refused = service.call(
        "GET", "/v1/gallery/survey", key=service.key(Scope.SUBJECTS_READ, Scope.SCORES_READ)
    )
    limited = service.call("GET", "/v1/gallery/survey?limit=0")
    past = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    service.call(
        "PATCH",
        f"/v1/subjects/{bob}",
        json={"legal_basis": {"basis": "consent", "reference": "form", "expires_at": past}},
    )
    alone = service.call("GET", "/v1/gallery/survey").json()

    assert (refused.status_code, limited.status_code) == (403, 422)
    assert (alone["people"], alone["pairs"]) == (1, [])


def test_an_empty_gallery_has_nothing_to_compare(service: Service) -> None:
    found = service.call("GET", "/v1/gallery/survey").json()

    assert (found["people"], found["doubts"], found["pairs"]) == (0, [], [])
