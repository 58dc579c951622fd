"""A door on whole pictures: gates, templates and tries of made-up collections, and of LFW where it is."""

import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from fixtures_pictures import encoded
from made_faces import write_folder
from PIL import Image

from embedding.embedder import Embedder
from training.data.altered import ALTERATIONS, alter
from training.data.pictures import open_pictures
from training.errors import NoComparisons
from training.evaluation.door import AS_IT_IS, measure_door
from training.shipping.figures import figures_of

pytestmark = pytest.mark.not_quick("looks at hundreds of pictures")


def pixels_of(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


@pytest.fixture(scope="module")
def guises(astronaut_variants: Mapping[str, bytes], stranger_jpeg: bytes) -> dict[str, bytes]:
    """Four pictures of one person, two of another, one of a third, and one that shows nobody."""
    stranger = Image.open(io.BytesIO(stranger_jpeg)).convert("RGB")
    mirrored = stranger.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    nobody = encoded(np.full((200, 200, 3), 128, np.uint8), "PNG")
    return {
        "collins/1.png": nobody,
        "collins/2.jpg": astronaut_variants["larger"],
        "collins/3.jpg": astronaut_variants["mirrored"],
        "collins/4.jpg": astronaut_variants["grey"],
        "hopper/1.jpg": stranger_jpeg,
        "hopper/2.png": encoded(np.asarray(mirrored), "PNG"),
        "lovelace/1.jpg": astronaut_variants["darker"],
    }


def test_a_door_enrols_half_and_tries_the_rest_as_they_are_and_altered(
    guises: Mapping[str, bytes], embedder: Embedder, tmp_path: Path
) -> None:
    calls: list[tuple[int, int]] = []

    figures = measure_door(
        embedder,
        open_pictures(write_folder(tmp_path, guises)),
        "made",
        [(1e-1, 1.1)],
        lambda done, total: calls.append((done, total)),
    )

    assert (figures.people, figures.enrolled, figures.templates) == (2, 2, 3)
    assert (figures.gate.shown, dict(figures.gate.turned_away)) == (4, {"face_not_found": 1})
    plain, *others = figures.conditions
    assert [each.name for each in figures.conditions] == [AS_IT_IS, *ALTERATIONS]
    # What enrolment turned away is tried too, and is turned away again.
    assert (plain.gate.shown, dict(plain.gate.turned_away)) == (3, {"face_not_found": 1})
    single, several = plain.rates
    assert (single.fnmr.value, single.fnmr.trials, single.fmr.value, single.fmr.trials) == (0, 2, None, 2)
    assert several.fnmr.trials == 2
    assert all(each.gate.shown == 3 and each.gate.refused >= 1 for each in others)
    assert calls[-1][0] == calls[-1][1]


def test_a_door_without_two_people_has_nothing_to_compare(
    guises: Mapping[str, bytes], embedder: Embedder, tmp_path: Path
) -> None:
    one = {name: content for name, content in guises.items() if not name.startswith("hopper")}

    with pytest.raises(NoComparisons):
        measure_door(embedder, open_pictures(write_folder(tmp_path, one)), "made", [(1e-1, 1.1)])


@pytest.mark.parametrize("name", ALTERATIONS)
def test_an_altered_picture_is_what_a_camera_would_have_taken(name: str, astronaut_jpeg: bytes) -> None:
    before = pixels_of(astronaut_jpeg)

    after = pixels_of(alter(astronaut_jpeg, ALTERATIONS[name]))

    scale = {"twice as far": 0.5, "webcam": 0.7}.get(name, 1.0)
    assert after.shape == (*(round(scale * side) for side in before.shape[:2]), 3)
    light = {"dim": 0.2, "webcam": 0.4}.get(name, 1.0)
    assert after.mean() == pytest.approx(light ** (1 / 2.2) * before.mean(), rel=0.02)
    if name != "dim":
        fine, finer = (
            np.abs(np.diff(each.astype(float), axis=1)).mean() / each.mean() for each in (after, before)
        )
        assert fine != pytest.approx(finer, rel=0.02)


@pytest.mark.slow("looks at 1,400 pictures")
def test_a_collection_measured_again_agrees_with_the_record_of_the_bundle(
    embedder: Embedder, shared_data: Path
) -> None:
    recorded = next(each for each in figures_of(embedder.bundle).door if each.collection == "ORL")
    thresholds = [(rates.at_fmr, rates.threshold) for rates in recorded.conditions[0].rates[::2]]

    measured = measure_door(embedder, open_pictures(shared_data / "eval" / "orl.tar"), "ORL", thresholds)

    assert measured.people == recorded.people
    assert measured.gate.shown == pytest.approx(recorded.gate.shown, abs=3)
    for now, before in zip(measured.conditions, recorded.conditions, strict=True):
        # Another processor computes in another precision: a picture near a limit may fall on its other side.
        assert now.gate.refused == pytest.approx(before.gate.refused, abs=5)
        for rate, told in zip(now.rates, before.rates, strict=True):
            assert rate.fnmr.value == pytest.approx(told.fnmr.value, abs=0.03)
