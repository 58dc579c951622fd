"""Faces in any turn: found as they are, or refused; never taken for somebody else."""

import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from fixtures_pictures import Picture, blurred, jpeg, on_canvas, resized
from numpy.typing import NDArray
from PIL import Image

from embedding.bundle import Bundle
from embedding.detector import QUICK, Detector, Face, compile_detector
from embedding.embedder import Embedder
from embedding.errors import EmbeddingError, QualityRefused
from embedding.image import ImageLimits, decode
from embedding.measures import estimate_head_pose
from embedding.quality import Purpose
from embedding.template import distance
from embedding.turns import resolve_turns

pytestmark = pytest.mark.not_quick("looks at hundreds of pictures")

GROUNDS = {"black": (0, 0, 0), "grey": (128, 128, 128), "red": (200, 40, 40)}

ALL_ROUND = (60, 90, 100, 120, 135, 160, 180, 200, 225, 260, 270, 290)


@pytest.fixture(scope="module")
def detector(shipped_bundle: Path) -> Detector:
    bundle = Bundle.load(shipped_bundle)
    record = bundle.manifest.detector
    return Detector(compile_detector(bundle.read(record), record.input, threads=1), record.score_threshold)


def turned(
    picture: Picture, degrees: float, mirrored: bool = False, ground: str = "black", expand: bool = False
) -> Picture:
    """Counter-clockwise, after mirroring; the corners that come free are filled."""
    image = Image.fromarray(picture[:, ::-1] if mirrored else picture)
    return np.asarray(
        image.rotate(degrees, Image.Resampling.BICUBIC, expand=expand, fillcolor=GROUNDS[ground])
    )


@pytest.fixture(scope="module")
def portraits(astronaut: Picture, stranger_jpeg: bytes) -> dict[str, Picture]:
    """Two people who are not the same."""
    return {"astronaut": astronaut, "stranger": decode(stranger_jpeg, ImageLimits())}


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("degrees", ALL_ROUND)
@pytest.mark.parametrize("who", ["astronaut", "stranger"])
def test_a_turned_portrait_is_refused_for_its_pose_whatever_it_is_for_or_compared_as_itself(
    who: str, degrees: int, mirrored: bool, embedder: Embedder, portraits: Mapping[str, Picture]
) -> None:
    own = embedder.embed(jpeg(portraits[who]), Purpose.VERIFY).template
    picture = jpeg(turned(portraits[who], degrees, mirrored, ground="grey", expand=True))

    verified = embedder.embed_many([picture], Purpose.VERIFY)[0]
    with pytest.raises(QualityRefused) as enrolment:
        embedder.embed(picture, Purpose.ENROL)

    assert enrolment.value.code == "extreme_pose"
    if isinstance(verified, EmbeddingError):
        assert verified.code == "extreme_pose"
    else:
        assert degrees in (60, 290)
        assert distance(own, verified.template) <= embedder.bundle.calibration.threshold(1e-4)


@pytest.mark.parametrize("ground", GROUNDS)
@pytest.mark.parametrize("degrees", [-30, -22.5, -10, 10, 22.5, 30])
@pytest.mark.parametrize("who", ["astronaut", "stranger"])
def test_a_face_turned_by_up_to_30_degrees_is_verified_as_itself(
    who: str, degrees: float, ground: str, embedder: Embedder, portraits: Mapping[str, Picture]
) -> None:
    own = embedder.embed(jpeg(portraits[who]), Purpose.VERIFY).template

    for mirrored in (False, True):
        picture = jpeg(turned(portraits[who], degrees, mirrored, ground))
        probe = embedder.embed(picture, Purpose.VERIFY).template

        assert distance(own, probe) <= embedder.bundle.calibration.threshold(1e-4)


@pytest.mark.parametrize("degrees", [0, 45, 90, 135, 180, 225, 270, 315])
def test_the_roll_of_a_face_is_the_turn_it_has(
    degrees: int, embedder: Embedder, portraits: Mapping[str, Picture]
) -> None:
    upright = embedder.inspect(jpeg(portraits["astronaut"]), Purpose.VERIFY).faces[0]

    face = embedder.inspect(jpeg(turned(portraits["astronaut"], degrees)), Purpose.VERIFY).faces[0]

    # Turned counter-clockwise by less than 180° the head lies towards the person's own right.
    difference = estimate_head_pose(face.landmarks)[2] - estimate_head_pose(upright.landmarks)[2] - degrees
    assert abs((difference + 180) % 360 - 180) < 6


def test_a_look_at_a_quarter_turn_shows_the_face_where_it_is(detector: Detector, astronaut: Picture) -> None:
    wide = np.ascontiguousarray(astronaut[:300])
    upright = detector.look(wide, QUICK)[0]

    for turns in (1, 2, 3):
        picture = np.ascontiguousarray(np.rot90(wide, -turns))
        face = next(face for face in detector.look(picture, QUICK, quarter_turns=turns))
        back = turned_points(face.landmarks, turns, picture.shape[:2])

        assert np.abs(back - upright.landmarks).max() < 4
        centre = turned_points((face.box[:2] + face.box[2:] / 2)[None], turns, picture.shape[:2])[0]
        assert np.abs(centre - upright.box[:2] - upright.box[2:] / 2).max() < 4
        assert face.width == pytest.approx(upright.box[2 if turns == 2 else 3], rel=0.1)


def turned_points(points: NDArray[np.floating], turns: int, size: tuple[int, int]) -> NDArray[np.floating]:
    """Where points of a picture lie after as many quarter turns of `np.rot90`."""
    height, width = size
    for _ in range(turns):
        points = np.stack([points[:, 1], width - 1 - points[:, 0]], axis=1)
        height, width = width, height
    return points


def test_a_face_seen_upright_for_certain_is_looked_at_no_further(
    detector: Detector, astronaut: Picture
) -> None:
    faces = [detector.look_closely(astronaut, face) for face in detector.detect(astronaut)]

    # The picture that is handed over shows nothing: whoever looks at it again loses the face.
    nothing = np.zeros_like(astronaut)
    assert resolve_turns(detector, nothing, faces) == faces


def test_a_likelier_face_upside_down_wins_over_a_doubtful_one_elsewhere(
    detector: Detector, astronaut: Picture
) -> None:
    out_of_focus = blurred(resized(astronaut, 256, 256), 3)
    picture = on_canvas(np.ascontiguousarray(np.rot90(out_of_focus, 2)), 512, 256)
    found = detector.detect(resized(astronaut, 256, 256))[0]
    beside = np.array([256, 0, 0, 0], np.float32)
    # On plain ground a close look sees nothing, so that the face stays as doubtful as it comes.
    doubtful = Face(found.box + beside, found.landmarks + beside[:2], score=0.74, uprightness=0.88)

    (face,) = resolve_turns(detector, picture, [doubtful])

    assert face.box[0] + face.box[2] < 256
    assert abs(estimate_head_pose(face.landmarks)[2]) > 150


def test_a_turned_portrait_in_a_corner_of_a_noisy_sheet_is_refused_for_its_pose(
    embedder: Embedder, astronaut: Picture
) -> None:
    sheet = np.random.default_rng(5).integers(0, 256, (600, 800, 3), np.uint8)
    sheet[200:600, 0:400] = resized(turned(astronaut, 180), 400, 400)

    with pytest.raises(QualityRefused) as refusal:
        embedder.embed(jpeg(sheet), Purpose.ENROL)

    assert refusal.value.code == "extreme_pose"


def test_no_turn_of_ordinary_portraits_makes_strangers_match(shared_data: Path, embedder: Embedder) -> None:
    pictures = portraits_of_lfw(shared_data / "eval" / "lfw_view1_test_deepfunneled.tar", every=24)
    threshold = embedder.bundle.calibration.threshold(1e-4)
    own = embedder.embed_many(pictures, Purpose.VERIFY)

    for degrees in (0, 45, 100, 180):
        contents = [jpeg(turned(decode(picture, ImageLimits()), degrees)) for picture in pictures]
        probes = embedder.embed_many(contents, Purpose.VERIFY)
        seen = [(i, probe.template) for i, probe in enumerate(probes) if not isinstance(probe, Exception)]
        strangers = [distance(a, b) <= threshold for i, a in seen for j, b in seen if i < j]
        themselves = [
            distance(template, upright.template) <= threshold
            for i, template in seen
            if not isinstance(upright := own[i], Exception)
        ]

        assert not any(strangers)
        assert np.mean(themselves or [True]) >= 0.95
        assert len(seen) == 0 if degrees in (100, 180) else len(seen) >= 0.85 * len(pictures)


def portraits_of_lfw(archive: Path, every: int) -> list[bytes]:
    """One picture each of some people."""
    people: dict[str, tarfile.TarInfo] = {}
    with tarfile.open(archive) as tar:
        for member in tar.getmembers():
            if member.name.endswith(".jpg"):
                people.setdefault(Path(member.name).parent.name, member)
        files = [tar.extractfile(people[name]) for name in sorted(people)[::every]]
        return [io.BytesIO(file.read()).getvalue() for file in files if file]
