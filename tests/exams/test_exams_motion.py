"""Frames before the photograph: what they show is recorded, referred or not wanted, and they are not kept."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from fixtures_exams import ExamService

from benchmarks.scenes import FIRST, Species, make_scene
from embedding.people.generator import MadeUpPeople
from embedding.people.photograph import encode_jpeg, photograph

PERSON = 3
Frames = dict[Species, list[bytes]]


@pytest.fixture(scope="module")
def people() -> MadeUpPeople:
    return MadeUpPeople.open()


@pytest.fixture(scope="module")
def photo(people: MadeUpPeople) -> bytes:
    crop = people.draw(people.person(PERSON), people.captures(PERSON, 1))[0]
    return encode_jpeg(photograph(crop, PERSON))


@pytest.fixture(scope="module")
def frames(people: MadeUpPeople) -> Frames:
    kinds: tuple[Species, ...] = ("turns", "print")
    return {kind: [encode_jpeg(one) for one in make_scene(people, PERSON, kind, FIRST, 1)] for kind in kinds}


def hall_of(start_exam: Callable[..., ExamService], photo: bytes, **exam: Any) -> ExamService:
    hall = start_exam(exam={"attempts_allowed": 9, **exam})
    hall.service.enrolled(photo, "A1")
    assert hall.put_csv("external_id,display_name,seat\nA1,Ann,1\n").status_code == 200
    return hall


def send(hall: ExamService, photo: bytes, frames: list[bytes], key: str | None = None) -> Any:
    """One check-in of A1 with frames."""
    parts = [("image", photo), *(("frames", one) for one in frames)]
    files = [(name, (f"{name}.jpg", content, "image/jpeg")) for name, content in parts]
    return hall.call("POST", "sessions/{session}/checkins", key=key, files=files, data={"candidate": "A1"})


def test_a_flat_picture_is_recorded_by_default_and_admits(
    start_exam: Callable[..., ExamService], photo: bytes, frames: Frames
) -> None:
    hall = hall_of(start_exam, photo)

    answer = send(hall, photo, frames["print"], key=hall.kiosk_key()).json()["checkin"]

    shown = hall.call("GET", f"checkins/{answer['id']}").json()
    evidence = hall.call("GET", "sessions/{session}/candidates/A1/evidence").json()
    assert (answer["outcome"], shown["motion"], shown["reasons"]) == ("admitted", "flat", [])
    assert "motion" not in answer
    assert evidence["intact"]
    assert [one["row"]["motion"] for one in evidence["rows"]] == ["flat"]


def test_an_exam_that_refers_what_is_flat_admits_a_head_and_whoever_sends_no_frames(
    start_exam: Callable[..., ExamService], photo: bytes, frames: Frames
) -> None:
    hall = hall_of(start_exam, photo, motion="refer")

    flat = send(hall, photo, frames["print"]).json()["checkin"]
    live = send(hall, photo, frames["turns"]).json()["checkin"]

    assert (flat["outcome"], flat["why"]) == ("referred", ["flat_motion"])
    assert (live["outcome"], live["motion"]) == ("admitted", "live")


def test_an_exam_that_wants_no_frames_looks_at_none(
    start_exam: Callable[..., ExamService], photo: bytes, frames: Frames
) -> None:
    hall = hall_of(start_exam, photo, motion="off")

    checkin = send(hall, photo, frames["print"]).json()["checkin"]

    assert (checkin["outcome"], checkin["motion"]) == ("admitted", None)
    assert hall.call("GET", "sessions/{session}").json()["motion"] == "off"


def test_frames_that_cannot_show_motion_are_refused_by_name_and_make_no_attempt(
    start_exam: Callable[..., ExamService], photo: bytes, frames: Frames
) -> None:
    hall = hall_of(start_exam, photo)
    one, *others = frames["turns"]
    sizes = [encode_jpeg(np.full((h, w, 3), 99, np.uint8)) for h, w in ((240, 320), (320, 240), (10, 321))]
    wrong = {
        "too_few": [one],
        "too_many": [one, *others, one],
        "too_many_parts": [one] * 50,
        "sizes_differ": sizes[:2],
        "image_too_large": [sizes[2]] * 2,
        "unsupported_media": [one, b"no picture"],
        "decode_failed": [one, one[:500]],
        "empty": [one, b""],
    }

    for reason, sent in wrong.items():
        answer = send(hall, photo, sent)
        problem = answer.json()
        assert (answer.status_code, problem["code"]) == (422, "validation_failed"), reason
        assert reason in str(problem["errors"]), problem

    assert hall.call("GET", "sessions/{session}/checkins").json()["items"] == []
