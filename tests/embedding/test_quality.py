"""What is seen of a face, what is asked of it, and what is said when it does not do."""

import dataclasses
import tarfile
from pathlib import Path

import numpy as np
import pytest
from fixtures_pictures import Picture, blurred, jpeg
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from embedding.align import REFERENCE_LANDMARKS
from embedding.detector import Face
from embedding.embedder import Embedder
from embedding.errors import EmbeddingError, QualityRefused
from embedding.measures import estimate_head_pose, measure
from embedding.quality import (
    ENROL,
    REFUSALS,
    TEMPLATE,
    VERIFY,
    Assessment,
    Limits,
    Measures,
    Purpose,
    assess,
)

GOOD = Measures(
    inter_eye_distance=60,
    sharpness=0.2,
    luminance_mean=0.5,
    under_exposure=0,
    over_exposure=0,
    dynamic_range=7,
    head_pose_yaw=0,
    head_pose_pitch=0,
    head_pose_roll=0,
    face_inside=1,
    feature_contrast=0.6,
)


def seen(embedder: Embedder, picture: bytes, purpose: Purpose = Purpose.VERIFY) -> Assessment:
    quality = embedder.inspect(picture, purpose).quality
    assert quality is not None, "there is not exactly one face"
    return quality


def test_the_portrait_is_good_enough_for_both_purposes(embedder: Embedder, astronaut_jpeg: bytes) -> None:
    for purpose in Purpose:
        quality = seen(embedder, astronaut_jpeg, purpose)

        assert quality.acceptable
        assert quality.reasons == ()


def test_the_portrait_is_measured_as_an_eye_would(embedder: Embedder, astronaut_jpeg: bytes) -> None:
    measures = seen(embedder, astronaut_jpeg).measures

    assert measures["inter_eye_distance"] == pytest.approx(42, abs=5)
    assert abs(measures["head_pose_yaw"]) < 15
    assert abs(measures["head_pose_pitch"]) < 15
    assert abs(measures["head_pose_roll"]) < 12
    assert measures["face_inside"] == 1
    assert 0.5 < measures["luminance_mean"] < 0.8


def test_a_dark_face_is_under_exposed(embedder: Embedder, astronaut: Picture) -> None:
    quality = seen(embedder, jpeg((astronaut * 0.12).astype(np.uint8)))

    assert "under_exposed" in quality.reasons


def test_a_burnt_out_face_is_over_exposed(embedder: Embedder, astronaut: Picture) -> None:
    quality = seen(embedder, jpeg(np.clip(astronaut * 1.9, 0, 255).astype(np.uint8)))

    assert "over_exposed" in quality.reasons


def test_a_blurred_face_is_not_sharp(embedder: Embedder, astronaut: Picture) -> None:
    quality = seen(embedder, jpeg(blurred(astronaut, 5)))

    assert quality.reasons[0] == "low_sharpness"
    assert quality.measures["sharpness"] < quality.limits["sharpness_min"]


def test_sharpness_falls_with_every_blur(embedder: Embedder, astronaut: Picture) -> None:
    radii = (0, 1, 2, 4)

    sharpness = [seen(embedder, jpeg(blurred(astronaut, radius))).measures["sharpness"] for radius in radii]

    assert sharpness == sorted(sharpness, reverse=True)


def test_half_the_light_does_not_count_as_blur(embedder: Embedder, astronaut: Picture) -> None:
    bright = seen(embedder, jpeg(astronaut)).measures["sharpness"]
    dim = seen(embedder, jpeg((astronaut * 0.5).astype(np.uint8))).measures["sharpness"]

    assert dim == pytest.approx(bright, rel=0.2)


def test_a_covered_mouth_is_an_occlusion(embedder: Embedder, astronaut: Picture) -> None:
    masked = astronaut.copy()
    masked[132:165, 185:265] = (170, 190, 200)

    inspection = embedder.inspect(jpeg(masked), Purpose.ENROL)

    assert inspection.quality is None or "occluded" in inspection.quality.reasons


def test_a_face_cut_off_by_the_frame_is_an_occlusion(astronaut: Picture) -> None:
    face = Face(np.array([-50, 20, 90, 110], np.float32), REFERENCE_LANDMARKS.astype(np.float32), 0.9)
    crop = np.ascontiguousarray(astronaut[60:172, 168:280])

    measures = measure(face, crop, (480, 640))

    assert measures.face_inside == pytest.approx(40 / 90)
    assert "occluded" in assess(measures, VERIFY).reasons


def test_a_face_cut_off_by_the_lower_edge_is_as_much_inside_as_its_height_shows() -> None:
    face = Face(np.array([20, 400, 100, 120], np.float32), REFERENCE_LANDMARKS.astype(np.float32), 0.9)
    crop = np.full((112, 112, 3), 128, np.uint8)

    assert measure(face, crop, (430, 600)).face_inside == pytest.approx(30 / 120)
    assert measure(face, crop, (600, 90)).face_inside == pytest.approx(70 / 100)


@pytest.mark.parametrize(
    "colour", [(255, 255, 255), (240, 244, 246), (170, 190, 210), (20, 20, 24), (0, 0, 0), (90, 140, 190)]
)
def test_whoever_wears_a_mask_is_told_to_uncover_the_face_and_nothing_of_the_light(
    colour: tuple[int, int, int], embedder: Embedder, astronaut: Picture
) -> None:
    landmarks = embedder.inspect(jpeg(astronaut), Purpose.ENROL).faces[0].landmarks
    masked = jpeg(with_mask(astronaut, landmarks, colour))

    with pytest.raises(QualityRefused) as refusal:
        embedder.embed(masked, Purpose.ENROL)

    assert refusal.value.code == "occluded"
    assert seen(embedder, masked, Purpose.ENROL).reasons[0] == "occluded"


def with_mask(picture: Picture, landmarks: NDArray[np.float32], colour: tuple[int, int, int]) -> Picture:
    """A plain mask from the nose to below the chin."""
    eyes, nose, mouth = landmarks[:2].mean(0), landmarks[2], landmarks[3:].mean(0)
    down, across = mouth - eyes, (landmarks[1] - landmarks[0]) * 0.8
    outline = [
        nose - across,
        nose - 0.15 * down,
        nose + across,
        mouth + across,
        mouth + 0.8 * down,
        mouth - across,
    ]
    sheet = Image.fromarray(picture)
    ImageDraw.Draw(sheet).polygon([(float(x), float(y)) for x, y in outline], fill=colour)
    return np.asarray(sheet)


@pytest.mark.parametrize("light", [0.12, 0.06, 0.04, 0.03])
@pytest.mark.parametrize("purpose", list(Purpose))
def test_a_very_dark_picture_of_a_face_is_under_exposed(
    light: float, purpose: Purpose, embedder: Embedder, astronaut: Picture
) -> None:
    dark = jpeg((astronaut * light).astype(np.uint8))

    assert seen(embedder, dark, purpose).reasons[0] == "under_exposed"


@pytest.mark.parametrize("light", [0.04, 0.03])
def test_no_template_is_made_of_a_very_dark_picture(
    light: float, embedder: Embedder, astronaut: Picture
) -> None:
    for purpose in Purpose:
        with pytest.raises(QualityRefused) as refusal:
            embedder.embed(jpeg((astronaut * light).astype(np.uint8)), purpose)

        assert refusal.value.code == "under_exposed"


@pytest.mark.parametrize("gain", [1.9, 2.2])
def test_a_burnt_out_face_is_told_of_the_light_first(
    gain: float, embedder: Embedder, astronaut: Picture
) -> None:
    burnt = jpeg(np.clip(astronaut * gain, 0, 255).astype(np.uint8))

    assert seen(embedder, burnt, Purpose.ENROL).reasons[0] == "over_exposed"


def test_a_turn_comes_before_every_other_reason() -> None:
    bad = dataclasses.replace(
        GOOD, **{name: value for fault in BAD.values() for name, value in fault.items()}
    )

    assert assess(dataclasses.replace(bad, head_pose_roll=178.0), TEMPLATE).reasons[0] == "extreme_pose"
    assert assess(bad, TEMPLATE).reasons[0] == "face_too_small"


def test_landmarks_that_may_be_of_another_turn_are_an_extreme_pose_for_every_purpose() -> None:
    for limits in (ENROL, VERIFY, TEMPLATE):
        assert assess(dataclasses.replace(GOOD, uprightness=0.7), limits).reasons == ("extreme_pose",)


def test_what_was_measured_before_there_was_uprightness_has_nothing_against_it() -> None:
    later = ("uprightness", "flattest_feature", "ill_lit_half")
    before = {name: value for name, value in dataclasses.asdict(GOOD).items() if name not in later}

    assert assess(Measures(**before), ENROL).acceptable


def pinhole(yaw: float, pitch: float, roll: float) -> NDArray[np.float32]:
    """Landmarks of a simple head, turned in space and seen from far away; angles in degrees."""
    head = np.array([[-1, -1, 0], [1, -1, 0], [0, 0.29, 1.2], [-0.8, 1.31, 0], [0.8, 1.31, 0]]) * 30
    y, p, r = np.radians([yaw, pitch, roll])
    about_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(p), np.sin(p)], [0, -np.sin(p), np.cos(p)]])
    # A head tilted to its own right goes down on the left of the picture: counter-clockwise on screen.
    about_z = np.array([[np.cos(r), np.sin(r), 0], [-np.sin(r), np.cos(r), 0], [0, 0, 1]])
    turned = head @ (about_z @ about_x @ about_y).T
    return np.asarray(turned[:, :2] + 200, np.float32)


@given(yaw=st.floats(-50, 50), roll=st.floats(-80, 80))
def test_the_turn_of_a_head_is_read_from_five_points(yaw: float, roll: float) -> None:
    seen_yaw, _, seen_roll = estimate_head_pose(pinhole(yaw, 0, roll))

    assert seen_yaw == pytest.approx(yaw, abs=4)
    assert seen_roll == pytest.approx(roll, abs=12)


@given(pitch=st.floats(-25, 25))
def test_a_nod_is_read_from_five_points(pitch: float) -> None:
    _, seen_pitch, _ = estimate_head_pose(pinhole(0, pitch, 0))

    assert seen_pitch == pytest.approx(pitch, abs=6)


@pytest.mark.parametrize("limits", [ENROL, VERIFY, TEMPLATE])
def test_a_good_face_passes_every_limit(limits: Limits) -> None:
    assert assess(GOOD, limits).acceptable


BAD = {
    "face_too_small": {"inter_eye_distance": 5.0},
    "under_exposed": {"luminance_mean": 0.02, "under_exposure": 0.95},
    "over_exposed": {"luminance_mean": 0.99, "over_exposure": 0.95},
    "low_sharpness": {"sharpness": 0.01},
    "extreme_pose": {"head_pose_yaw": -80.0},
    "occluded": {"face_inside": 0.3},
}


@pytest.mark.parametrize("reason", BAD)
def test_each_fault_has_its_own_reason_at_every_level(reason: str) -> None:
    bad = dataclasses.replace(GOOD, **BAD[reason])

    for limits in (ENROL, VERIFY, TEMPLATE):
        assert assess(bad, limits).reasons == (reason,)


def test_every_reason_is_one_of_the_published_codes() -> None:
    assert set(REFUSALS) == set(BAD)


def test_a_refusal_shows_what_was_seen_and_what_was_asked() -> None:
    assessment = assess(dataclasses.replace(GOOD, sharpness=0.01), ENROL)

    assert assessment.measures["sharpness"] == 0.01
    assert assessment.limits["sharpness_min"] == ENROL.sharpness_min
    assert set(assessment.limits) == {field.name for field in dataclasses.fields(Limits)}


def test_enrolment_is_stricter_than_verification_in_every_limit() -> None:
    for field in dataclasses.fields(Limits):
        strict, loose, least = (getattr(limits, field.name) for limits in (ENROL, VERIFY, TEMPLATE))
        ordered = (strict, loose, least) if field.name.endswith("_min") else (least, loose, strict)
        assert ordered[0] > ordered[1] > ordered[2], field.name


@given(st.builds(Measures, *[st.floats(-200, 300) for _ in dataclasses.fields(Measures)]))
def test_whoever_may_enrol_may_verify(measures: Measures) -> None:
    if assess(measures, ENROL).acceptable:
        assert assess(measures, VERIFY).acceptable
        assert assess(measures, TEMPLATE).acceptable


def test_ordinary_photographs_pass(shared_data: Path, embedder: Embedder) -> None:
    with tarfile.open(shared_data / "eval" / "lfw_view1_test_deepfunneled.tar") as archive:
        members = [member for member in archive.getmembers() if member.name.endswith(".jpg")][::25]
        files = [archive.extractfile(member) for member in members]
        pictures = [file.read() for file in files if file]
    counts = dict.fromkeys(Purpose, 0)
    single = 0

    for picture in pictures:
        for purpose in Purpose:
            try:
                quality = embedder.inspect(picture, purpose).quality
            except EmbeddingError:
                continue
            if quality is not None:
                counts[purpose] += quality.acceptable
                single += purpose is Purpose.VERIFY

    assert single > 0.8 * len(pictures)
    assert counts[Purpose.VERIFY] >= 0.96 * single
    assert counts[Purpose.ENROL] >= 0.88 * single
