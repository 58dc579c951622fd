"""A head is told from a picture of one by how frames move; what shows too little is not told."""

from functools import cache

import numpy as np
import pytest

from benchmarks.scenes import FIRST, SECOND, Maker, Species, make_scene
from embedding.embedder import Embedder
from embedding.image import Pixels
from embedding.motion import Motion
from embedding.people.generator import MadeUpPeople

PERSON = 3


@cache
def scene(species: Species, maker: Maker) -> list[Pixels]:
    return make_scene(MadeUpPeople.open(), PERSON, species, maker, seed=3)


def test_a_head_that_turns_is_live_and_a_print_is_flat_also_by_the_generator_that_set_no_limit(
    embedder: Embedder,
) -> None:
    def told(species: Species, maker: Maker) -> Motion:
        return embedder.measure_movement(scene(species, maker)).tells

    assert [told("turns", one) for one in (FIRST, SECOND)] == [Motion.LIVE] * 2
    assert [told("print", one) for one in (FIRST, SECOND)] == [Motion.FLAT] * 2


def test_a_camera_that_trembles_accuses_nobody(embedder: Embedder) -> None:
    assert embedder.measure_movement(scene("shaken", SECOND)).tells is Motion.NOT_TOLD


@pytest.mark.parametrize("what", ["one moment again and again", "nobody", "a plain wall"])
def test_frames_without_motion_or_face_tell_nothing(embedder: Embedder, what: str) -> None:
    moment = scene("turns", FIRST)[0]
    shown = {
        "one moment again and again": moment,
        "nobody": np.ascontiguousarray(moment[:60, :60]),
        "a plain wall": np.full((240, 320, 3), 128, np.uint8),
    }

    assert embedder.measure_movement([shown[what]] * 4).tells is Motion.NOT_TOLD
