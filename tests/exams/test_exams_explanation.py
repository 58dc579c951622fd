"""What made two faces near or far: shown of kept pictures, to whoever may see them, and recorded."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from fixtures_exams import ORIGIN, ExamDay, ExamService
from fixtures_pictures import jpeg, on_canvas
from made_templates import DIM
from numpy.typing import NDArray
from sqlalchemy import delete

from embedding.bundle import SELF_TEST_CROP
from embedding.embedder import Embedder
from embedding.explaining import explain_by_occlusion
from embedding.image import ImageLimits, decode
from embedding.quality import Purpose
from index.crops import NewCrop, keep_crop
from index.database.database import Database
from index.gallery.gallery import Gallery
from index.sealing.cipher import TemplateCipher
from index.tables import CropRow
from service.access.scopes import Scope
from service.exams.checkin.explanation import explain_checkin
from service.exams.errors import ExplanationImpossible
from service.models.loaded import Serving

START = Callable[..., ExamService]


@pytest.fixture
def hall(start_exam: START, stranger_jpeg: bytes) -> ExamService:
    """Somebody whose crop is kept; whoever comes, comes as her."""
    return with_candidate(start_exam(store_crops=True), stranger_jpeg)


def with_candidate(hall: ExamService, picture: bytes) -> ExamService:
    hall.service.enrolled(picture, "A1")
    assert hall.put_csv("external_id,display_name,seat\nA1,Ann,1\n").status_code == 200
    return hall


def refer(hall: ExamService, picture: bytes) -> dict[str, Any]:
    checkin = hall.check_in(picture, candidate="A1").json()["checkin"]
    assert checkin["outcome"] == "referred"
    return dict(checkin)


def refused(answer: Any, status: int, code: str) -> dict[str, Any]:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    return dict(answer.json())


def test_both_kept_pictures_are_explained_as_the_network_explains_them(
    hall: ExamService, embedder: Embedder, astronaut_jpeg: bytes
) -> None:
    case = refer(hall, astronaut_jpeg)
    kept = hall.call("GET", f"checkins/{case['id']}/thumbnail").content
    crop = decode(hall.call("GET", f"checkins/{case['id']}/enrolment").content, ImageLimits())

    answer = hall.call("GET", f"checkins/{case['id']}/explanation")

    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    shown = answer.json()
    probe = embedder.embed(kept, Purpose.VERIFY)
    enrolled = embedder.embed_crops(crop[None])[0]
    expected = explain_by_occlusion(embedder.embed_crops, probe.crop, enrolled)
    assert np.allclose(shown["probe"]["cells"], expected, atol=0.02)
    assert abs(shown["d"] - float(((probe.template.vector - enrolled) ** 2).sum())) < 0.02
    assert np.shape(shown["enrolment"]["cells"]) == (7, 7)
    assert (shown["unit"], shown["method"]) == ("d", "occlusion")
    assert shown["template_id"] == case["template_id"]
    assert shown["model_id"] == case["model_id"]


def test_the_corners_of_the_probe_enclose_the_face_that_was_found(
    hall: ExamService, embedder: Embedder, astronaut_jpeg: bytes
) -> None:
    case = refer(hall, astronaut_jpeg)
    kept = hall.call("GET", f"checkins/{case['id']}/thumbnail").content
    face = embedder.embed(kept, Purpose.VERIFY).face
    height, width = decode(kept, ImageLimits()).shape[:2]

    shown = hall.call("GET", f"checkins/{case['id']}/explanation").json()

    corners = np.array(shown["probe"]["corners"]) * (width, height)
    landmarks = face.landmarks
    assert (landmarks.min(0) > corners.min(0)).all()
    assert (landmarks.max(0) < corners.max(0)).all()
    sides = np.linalg.norm(corners - np.roll(corners, 1, axis=0), axis=1)
    assert np.allclose(sides, sides[0])
    # Eyes lie 35 of the crop's 112 pixels apart.
    assert abs(np.linalg.norm(landmarks[1] - landmarks[0]) / sides[0] - 35 / 112) < 0.05
    assert shown["enrolment"]["corners"] == [[0, 0], [1, 0], [1, 1], [0, 1]]


def test_who_may_not_see_scores_is_shown_parts_of_the_largest(
    hall: ExamService, astronaut_jpeg: bytes
) -> None:
    path = f"checkins/{refer(hall, astronaut_jpeg)['id']}/explanation"
    whole = hall.call("GET", path).json()

    shown = hall.call("GET", path, key=hall.service.key(Scope.OVERRIDE)).json()

    values = [np.array([one["probe"]["cells"], one["enrolment"]["cells"]]) for one in (whole, shown)]
    assert "d" not in shown
    assert shown["unit"] == "largest"
    assert abs(values[1]).max() == 1
    assert np.allclose(values[1], values[0] / abs(values[0]).max(), atol=2e-3)


def test_the_faces_are_drawn_side_by_side(hall: ExamService, astronaut_jpeg: bytes) -> None:
    answer = hall.call("GET", f"checkins/{refer(hall, astronaut_jpeg)['id']}/explanation.png")

    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    assert answer.headers["cache-control"] == "no-store"
    drawn = decode(answer.content, ImageLimits()).astype(int)
    assert drawn.shape == (336, 672, 3)
    assert (drawn[..., 2] - drawn[..., 0]).max() > 60
    assert (drawn[..., 0] - drawn[..., 2]).max() > 60


def test_each_look_is_in_the_trail(hall: ExamService, astronaut_jpeg: bytes) -> None:
    case = refer(hall, astronaut_jpeg)

    hall.call("GET", f"checkins/{case['id']}/explanation")
    hall.call("GET", f"checkins/{case['id']}/explanation.png")

    looks = hall.call("GET", "audit-events?action=explanation.viewed").json()["items"]
    assert [one["details"]["checkin_id"] for one in looks] == [case["id"]] * 2
    assert {one["subject_id"] for one in looks} == {case["subject_id"]}


@pytest.mark.parametrize("scope", [Scope.EXAMS_WRITE, Scope.CHECKIN, Scope.SCORES_READ])
def test_who_may_not_see_the_pictures_may_not_see_what_decided(
    hall: ExamService, astronaut_jpeg: bytes, scope: Scope
) -> None:
    path = f"checkins/{refer(hall, astronaut_jpeg)['id']}/explanation"

    for form in ("", ".png"):
        refused(hall.call("GET", path + form, key=hall.service.key(scope)), 403, "forbidden")


def test_nothing_is_explained_once_the_picture_went_with_the_decision(
    hall: ExamService, astronaut_jpeg: bytes
) -> None:
    path = f"checkins/{refer(hall, astronaut_jpeg)['id']}"
    decision = {"outcome": "refused", "reason_code": "document_checked"}
    assert hall.call("POST", f"{path}/override", json=decision).status_code == 201

    refused(hall.call("GET", f"{path}/explanation"), 404, "thumbnail_not_found")

    assert hall.call("GET", "audit-events?action=explanation.viewed").json()["items"] == []


def test_nothing_is_explained_where_no_crop_is_kept(hall: ExamService, astronaut_jpeg: bytes) -> None:
    case = refer(hall, astronaut_jpeg)
    with hall.service.parts.database.write() as db:
        db.execute(delete(CropRow))

    refused(hall.call("GET", f"checkins/{case['id']}/explanation"), 404, "enrolment_picture_not_found")


def test_another_model_does_not_explain_what_it_did_not_decide(
    database: Database, open_exam_day: Callable[..., ExamDay], astronaut_jpeg: bytes
) -> None:
    cipher = TemplateCipher(bytes(range(32)))
    day = open_exam_day(database, cipher=cipher)
    subject = day.enrol("c1", "1")
    day.roster("c1,Ann,A")
    with database.write() as db:
        keep_crop(db, cipher, subject, NewCrop(SELF_TEST_CROP.read_bytes(), 30))
    case = day.arrive("c1", "9", photograph=astronaut_jpeg).checkin.id
    model = day.desk.serving.active
    gallery = Gallery(database, model_id="sha256:other", dim=DIM, cipher=cipher)
    promoted = replace(day.desk, serving=Serving(replace(model, gallery=gallery)))

    with pytest.raises(ExplanationImpossible, match="no longer in use"):
        explain_checkin(promoted, case, ORIGIN)


def test_a_face_too_small_in_the_kept_picture_is_said_to_be_so(
    hall: ExamService, astronaut: NDArray[np.uint8]
) -> None:
    case = refer(hall, jpeg(on_canvas(astronaut, 2600, 2000, left=1000)))

    found = refused(hall.call("GET", f"checkins/{case['id']}/explanation"), 409, "explanation_impossible")

    assert found["reasons"] in (["face_not_found"], ["face_too_small"])


def test_an_attempt_that_is_unknown_is_not_explained(hall: ExamService) -> None:
    unknown = "checkins/01900000-0000-7000-8000-000000000000/explanation"

    refused(hall.call("GET", unknown), 404, "checkin_not_found")


def test_no_more_pictures_are_explained_at_once_than_the_queue_takes(
    start_exam: START, astronaut_jpeg: bytes, stranger_jpeg: bytes
) -> None:
    hall = with_candidate(start_exam(store_crops=True, picture_workers=1, picture_queue=0), stranger_jpeg)
    path = f"checkins/{refer(hall, astronaut_jpeg)['id']}/explanation"

    with hall.service.parts.pictures.admit():
        refused(hall.call("GET", path), 503, "queue_full")

    assert hall.call("GET", path).status_code == 200
