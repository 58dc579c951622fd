"""The enrolment photograph held up to the kiosk goes to a person, and under another name it is called so."""

from collections.abc import Callable
from typing import Any

import pytest
from fixtures_exams import ExamService
from sqlalchemy import update

from benchmarks.same_photograph import ALTERATIONS
from embedding.image import ImageLimits, decode
from embedding.people.generator import MadeUpPeople
from embedding.people.photograph import encode_jpeg, photograph
from index.tables import CropRow
from service.access.scopes import Scope


@pytest.fixture(scope="module")
def photos() -> list[bytes]:
    """Photographs of one made-up person."""
    people = MadeUpPeople.open()
    number = people.manifest.people[0]
    drawn = people.draw(people.person(number), people.captures(number, 3))
    return [encode_jpeg(photograph(crop, number)) for crop in drawn]


@pytest.fixture
def hall(start_exam: Callable[..., ExamService], photos: list[bytes]) -> ExamService:
    """One candidate, of whose enrolment a crop is kept."""
    return with_candidate(start_exam(exam={"attempts_allowed": 4}, store_crops=True), photos)


def with_candidate(hall: ExamService, photos: list[bytes]) -> ExamService:
    hall.service.enrolled(photos[0], "A1")
    assert hall.put_csv("external_id,display_name,seat\nA1,Ann,1\n").status_code == 200
    return hall


def altered(photo: bytes, *names: str) -> bytes:
    """A photograph after one alteration and another."""
    picture = decode(photo, ImageLimits())
    for name in names:
        picture = ALTERATIONS[name](picture)
    return encode_jpeg(picture)


def attempt(hall: ExamService, picture: bytes, candidate: str = "A1") -> tuple[str, str, list[str]]:
    """Decision, outcome and reasons of one check-in; nobody is claimed for an empty text."""
    answer = hall.check_in(picture, candidate=candidate) if candidate else hall.check_in(picture)
    assert answer.status_code == 201, answer.text
    document = answer.json()
    checkin = document["checkin"]
    return document["decision"]["decision"], checkin["outcome"], checkin["reasons"]


def enrol(hall: ExamService, number: str, picture: bytes, query: str = "", **options: Any) -> Any:
    path = f"subjects/{hall.service.subject(number)}/templates{query}"
    return hall.call("POST", path, files={"image": picture}, **options)


def test_the_enrolment_photograph_at_the_kiosk_goes_to_a_person_and_the_candidate_comes_in_after_it(
    hall: ExamService, photos: list[bytes]
) -> None:
    held_up = [
        photos[0],
        altered(photos[0], "print at an angle"),
        altered(photos[0], "on a screen", "mirrored"),
    ]

    tried = [attempt(hall, picture) for picture in held_up[:2]]
    tried.append(attempt(hall, held_up[2], ""))
    in_person = attempt(hall, photos[1])

    assert tried == [("match", "referred", ["same_photograph"])] * 3
    assert in_person == ("match", "admitted", [])


def test_without_a_kept_crop_that_opens_it_is_not_known_and_stops_nobody(
    start_exam: Callable[..., ExamService], photos: list[bytes]
) -> None:
    plain = with_candidate(start_exam(), photos)

    assert attempt(plain, photos[0]) == ("match", "admitted", [])


@pytest.mark.parametrize("column", ["picture", "key_id"])
def test_a_kept_crop_that_was_changed_stops_nobody(
    hall: ExamService, photos: list[bytes], column: str
) -> None:
    with hall.service.parts.database.write() as db:
        db.execute(update(CropRow).values({column: b"changed" if column == "picture" else "unknown"}))

    assert attempt(hall, photos[0]) == ("match", "admitted", [])


def test_the_same_photograph_under_another_number_is_called_so(
    hall: ExamService, photos: list[bytes]
) -> None:
    copy = altered(photos[0], "cropped")
    key = hall.service.key(Scope.ENROL)

    refused = enrol(hall, "B1", copy)
    untold = enrol(hall, "B2", copy, key=key)
    forced = enrol(hall, "B3", copy, "?force=true&reason=wrong+number")
    other = enrol(hall, "B4", photos[1])

    ann = hall.call("GET", "subjects/ext:A1").json()["id"]
    assert (refused.status_code, refused.json()["code"]) == (409, "duplicate_identity")
    assert (refused.json()["same_photograph"], refused.json()["external_id"]) == (True, "A1")
    assert "by the same photograph" in untold.json()["detail"]
    assert ann not in untold.text
    same = {"code": "same_photograph", "subject_id": ann, "external_id": "A1"}
    assert (forced.status_code, forced.json()["warnings"]) == (201, ["duplicate_not_refused", same])
    assert "'same_photograph': True" not in str(other.json())
    assert "'code': 'same_photograph'" not in str(other.json())
    events = hall.call("GET", "audit-events?action=template.enrolled").json()["items"]
    assert [one["details"].get("same_photograph") for one in events].count([ann]) == 1


def test_a_rehearsal_calls_it_the_same_photograph_too(hall: ExamService, photos: list[bytes]) -> None:
    files, data = {"image": altered(photos[0], "JPEG at 40")}, {"external_id": "B1"}

    answer = hall.call("POST", "enrolments?dry_run=true", files=files, data=data)

    assert (answer.status_code, answer.json()["same_photograph"]) == (409, True)


def test_the_photograph_of_a_removed_enrolment_is_forgotten(hall: ExamService, photos: list[bytes]) -> None:
    second = hall.call("POST", "subjects/ext:A1/templates", files={"image": photos[1]})
    assert second.status_code == 201, second.text
    (first, _) = hall.call("GET", "subjects/ext:A1/templates").json()["items"]
    assert hall.call("DELETE", f"subjects/ext:A1/templates/{first['id']}").status_code == 204

    assert attempt(hall, photos[1]) == ("match", "referred", ["same_photograph"])
    assert attempt(hall, photos[0]) == ("match", "admitted", [])
