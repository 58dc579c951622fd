"""Faces in a picture: the decoding of the network's outputs against plain loops and against OpenCV."""

import math
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import psutil
import pytest
from fixtures_pictures import Picture, resized
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from embedding.bundle import Bundle
from embedding.detector import (
    QUICK,
    THOROUGH,
    Detector,
    Face,
    Pass,
    compile_detector,
    letterbox,
    overlap,
    suppress,
)
from embedding.image import ImageLimits, decode
from embedding.manifest import YUNET_INPUT
from embedding.yunet import STRIDES, decode_outputs

Floats = NDArray[np.float32]
CANVAS = (64, 96)

# In the portrait: the face that the detector must find, within a few pixels.
FACE_CENTRE, FACE_WIDTH = np.array([224, 118]), 90


@pytest.fixture(scope="module")
def detector(shipped_bundle: Path) -> Detector:
    bundle = Bundle.load(shipped_bundle)
    record = bundle.manifest.detector
    return Detector(compile_detector(bundle.read(record), record.input, threads=2), record.score_threshold)


def random_outputs(seed: int) -> dict[str, Floats]:
    """What a network that knows nothing would say of a 64×96 canvas."""
    random = np.random.default_rng(seed)
    outputs: dict[str, Floats] = {}
    for stride in STRIDES:
        cells = CANVAS[0] // stride * (CANVAS[1] // stride)
        outputs |= {
            f"cls_{stride}": random.random((cells, 1), np.float32),
            f"obj_{stride}": random.random((cells, 1), np.float32),
            f"bbox_{stride}": random.normal(0, 1, (cells, 4)).astype(np.float32),
            f"kps_{stride}": random.normal(0, 1, (cells, 10)).astype(np.float32),
        }
    return outputs


def overlap_by_hand(a: Floats, b: Floats) -> float:
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    shared = max(width, 0) * max(height, 0)
    return float(shared / (a[2] * a[3] + b[2] * b[3] - shared))


def test_outputs_are_decoded_as_in_plain_loops() -> None:
    outputs, threshold = random_outputs(7), 0.6

    boxes, landmarks, scores = decode_outputs(outputs, CANVAS, threshold)

    expected = []
    for stride in STRIDES:
        for row in range(CANVAS[0] // stride):
            for column in range(CANVAS[1] // stride):
                cell = row * (CANVAS[1] // stride) + column
                score = math.sqrt(outputs[f"cls_{stride}"][cell, 0] * outputs[f"obj_{stride}"][cell, 0])
                if score < threshold:
                    continue
                dx, dy, dw, dh = outputs[f"bbox_{stride}"][cell]
                width, height = math.exp(dw) * stride, math.exp(dh) * stride
                x, y = (column + dx) * stride - width / 2, (row + dy) * stride - height / 2
                points = outputs[f"kps_{stride}"][cell].reshape(5, 2)
                expected.append((score, [x, y, width, height], (points + np.array([column, row])) * stride))
    assert len(scores) == len(expected) > 20
    assert np.allclose(scores, [score for score, _, _ in expected], atol=1e-5)
    assert np.allclose(boxes, [box for _, box, _ in expected], atol=1e-3)
    assert np.allclose(landmarks, [points for _, _, points in expected], atol=1e-3)


box = st.tuples(st.floats(0, 50), st.floats(0, 50), st.floats(1, 40), st.floats(1, 40))


@settings(deadline=None)
@given(boxes=st.lists(box, min_size=1, max_size=20), seed=st.integers(0, 1000))
def test_suppression_keeps_what_a_plain_loop_keeps(boxes: list[tuple[float, ...]], seed: int) -> None:
    array = np.array(boxes, np.float32)
    scores = np.random.default_rng(seed).permutation(len(boxes)).astype(np.float32)

    kept = suppress(array, scores, 0.3)

    expected: list[int] = []
    for i in sorted(range(len(boxes)), key=lambda i: -scores[i]):
        if all(overlap_by_hand(array[i], array[j]) <= 0.3 for j in expected):
            expected.append(i)
    assert kept == expected
    assert np.allclose(
        overlap(array, array), [[overlap_by_hand(a, b) for b in array] for a in array], atol=1e-4
    )


def test_nothing_found_is_an_empty_list() -> None:
    assert suppress(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), 0.3) == []


@settings(deadline=None)
@given(width=st.integers(1, 3000), height=st.integers(1, 3000), how=st.sampled_from([QUICK, THOROUGH]))
def test_every_shape_of_picture_fits_one_of_a_few_canvases(width: int, height: int, how: Pass) -> None:
    picture = np.full((height, width, 3), 200, np.uint8)

    canvas, scale = letterbox(picture, how)

    assert canvas.shape[:2] in how.canvases
    assert height * scale <= canvas.shape[0] + 1
    assert width * scale <= canvas.shape[1] + 1
    assert (canvas[0, 0] == 200).all()


def test_the_portrait_has_one_face_in_its_place(detector: Detector, astronaut: Picture) -> None:
    faces = detector.detect(astronaut)

    assert len(faces) == 1
    face = faces[0]
    assert np.linalg.norm(face.box[:2] + face.box[2:] / 2 - FACE_CENTRE) < 12
    assert abs(face.width - FACE_WIDTH) < 20
    right_eye, left_eye, nose, right_mouth, left_mouth = face.landmarks
    assert right_eye[0] < nose[0] < left_eye[0]
    assert right_mouth[0] < left_mouth[0]
    assert right_eye[1] < nose[1] < right_mouth[1]


@pytest.mark.parametrize("face_px", [22, 30, 45, 70, 120, 200, 330, 420])
def test_a_face_of_any_size_is_found_where_it_is(
    face_px: int, detector: Detector, astronaut: Picture
) -> None:
    faces = detector.detect(close_up(astronaut, face_px))

    assert len(faces) == 1
    assert np.linalg.norm(faces[0].box[:2] + faces[0].box[2:] / 2 - [320, 240]) < 0.2 * face_px
    assert faces[0].width == pytest.approx(face_px, rel=0.3)


def test_a_second_face_is_found_in_a_large_picture_whose_first_is_small_at_a_quick_look(
    detector: Detector, astronaut: Picture
) -> None:
    # At the quick look's scale of 1/5 one face is 27 pixels wide, too few to trust, and the other 12.
    sheet = np.full((1280, 1600, 3), 128, np.uint8)
    for width, left in ((135, 50), (60, 1000)):
        side = round(512 * width / FACE_WIDTH)
        sheet[300 : 300 + side, left : left + side] = resized(astronaut, side, side)

    quick, faces = detector.look(sheet, QUICK), detector.detect(sheet)

    assert len(quick) < len(faces) == 2


@pytest.mark.parametrize("face_px", [45, 70, 120, 200, 330])
def test_a_close_look_finds_the_landmarks_of_a_face_of_any_size_in_one_place(
    face_px: int, detector: Detector, astronaut: Picture
) -> None:
    picture = close_up(astronaut, face_px)
    landmarks = detector.look_closely(picture, detector.detect(picture)[0]).landmarks
    usual = detector.look_closely(astronaut, detector.detect(astronaut)[0]).landmarks

    in_portrait = (landmarks - [320, 240]) / face_px * FACE_WIDTH + FACE_CENTRE
    eyes = np.linalg.norm(usual[0] - usual[1])
    assert np.linalg.norm(in_portrait - usual, axis=1).mean() < 0.15 * eyes


@pytest.mark.parametrize("tilt", [-30, -15, 15, 30])
def test_a_close_look_finds_the_landmarks_of_a_tilted_face_where_those_of_the_upright_one_are(
    tilt: int, detector: Detector, astronaut: Picture
) -> None:
    x, y = FACE_CENTRE
    turn = cv2.getRotationMatrix2D((float(x), float(y)), tilt, 1)
    tilted = np.asarray(cv2.warpAffine(astronaut, turn, astronaut.shape[1::-1]), np.uint8)

    landmarks = detector.look_closely(tilted, detector.detect(tilted)[0]).landmarks

    upright = detector.look_closely(astronaut, detector.detect(astronaut)[0]).landmarks
    eyes = np.linalg.norm(upright[0] - upright[1])
    assert np.linalg.norm(landmarks - cv2.transform(upright[None], turn)[0], axis=1).mean() < 0.05 * eyes


def test_a_face_that_a_close_look_does_not_show_stays_as_it_was(detector: Detector) -> None:
    claimed = Face(np.array([10, 10, 40, 40], np.float32), np.full((5, 2), 20, np.float32), 0.9)

    assert detector.look_closely(np.full((200, 200, 3), 128, np.uint8), claimed) is claimed


def close_up(picture: Picture, face_px: int) -> Picture:
    """640×480 with the face in its middle, as wide as asked."""
    scale = face_px / FACE_WIDTH
    shift = np.array([320, 240]) - FACE_CENTRE * scale
    transform = np.column_stack([np.eye(2) * scale, shift])
    small = np.asarray(
        cv2.resize(picture, None, fx=min(scale, 1), fy=min(scale, 1), interpolation=cv2.INTER_AREA)
    )
    transform[:, :2] /= min(scale, 1)
    grey = (128, 128, 128)
    return np.asarray(cv2.warpAffine(small, transform, (640, 480), borderValue=grey), np.uint8)


@pytest.mark.parametrize("shape", [(1, 1), (1, 4000), (4000, 1), (7, 9), (2000, 30)])
def test_pictures_of_odd_shapes_are_looked_at_without_a_fault(
    shape: tuple[int, int], detector: Detector
) -> None:
    picture = np.random.default_rng(1).integers(0, 256, (*shape, 3), np.uint8)

    assert detector.detect(picture) == []


def test_pictures_without_a_face_have_none(detector: Detector, faceless_pictures: dict[str, bytes]) -> None:
    for name, picture in faceless_pictures.items():
        assert detector.detect(decode(picture, ImageLimits())) == [], name


def test_many_threads_see_what_one_sees(detector: Detector, astronaut: Picture) -> None:
    pictures = [resized(astronaut, side, side) for side in (200, 260, 320, 380, 440, 512)] * 4
    alone = [detector.detect(picture) for picture in pictures]

    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(detector.detect, pictures))

    for one, other in zip(alone, together, strict=True):
        assert [face.score for face in one] == [face.score for face in other]
        assert all(np.array_equal(a.landmarks, b.landmarks) for a, b in zip(one, other, strict=True))


def test_memory_does_not_grow_with_the_number_of_picture_shapes(detector: Detector) -> None:
    random = np.random.default_rng(3)
    noise = random.integers(0, 256, (700, 700, 3), np.uint8)
    for height, width in [(320, 320), (240, 320), (320, 240)]:
        detector.detect(noise[:height, :width])
    before = psutil.Process().memory_info().rss

    for _ in range(30):
        height, width = random.integers(50, 700, 2)
        detector.detect(noise[:height, :width])

    assert psutil.Process().memory_info().rss - before < 40 * 1024 * 1024


def photographs(shard: Path, count: int) -> list[Picture]:
    with tarfile.open(shard) as archive:
        members = [member for member in archive.getmembers() if member.isfile()][:count]
        files = [archive.extractfile(member) for member in members]
        return [decode(file.read(), ImageLimits()) for file in files if file]


def test_the_official_file_gives_what_opencv_makes_of_it(shared_data: Path, astronaut: Picture) -> None:
    onnx = shared_data / "teacher" / "yunet.onnx"
    ours = Detector(compile_detector(onnx.read_bytes(), YUNET_INPUT, threads=1), 0.7)
    theirs = cv2.FaceDetectorYN.create(str(onnx), "", (640, 480), 0.7, 0.3)
    pictures = photographs(shared_data / "detect" / "detect_00.tar", 30)
    compared = 0

    for picture in [astronaut, *pictures]:
        canvas, scale = letterbox(picture, Pass(canvases=((480, 640),)))
        _, rows = theirs.detect(cv2.cvtColor(canvas, cv2.COLOR_RGB2BGR))
        faces = ours.look(picture, Pass(canvases=((480, 640),)))

        assert len(faces) == (0 if rows is None else len(rows))
        for face, row in zip(faces, () if rows is None else rows, strict=True):
            assert np.allclose(face.box * scale, row[:4], atol=0.1)
            assert np.allclose(face.landmarks.ravel() * scale, row[4:14], atol=0.1)
            assert face.score == pytest.approx(row[14], abs=1e-3)
            compared += 1

    assert compared > 20
