"""Score-CAM on the shipped bundle: against plain loops, and refused where a network has no places."""

import math

import numpy as np
import openvino as ov
import pytest
from numpy.typing import NDArray
from openvino import opset15 as operators

from embedding.align import ALIGNED_SIZE
from embedding.embedder import Embedder
from embedding.layers import compile_activations, find_last_places
from embedding.networks import NetworkRefused
from embedding.quality import Purpose
from embedding.score_cam import ScoreCam, reveal, weigh_maps


def test_each_map_counts_by_the_softmax_of_how_near_it_brings_the_face() -> None:
    drawn = np.random.default_rng(0)
    maps = drawn.random((3, 7, 7)).astype(np.float32)
    d = np.array([0.4, 1.3, 2.2])

    cells = weigh_maps(maps, d)

    total = sum(math.exp(-one) for one in d)
    for row, column in ((0, 0), (3, 5), (6, 2)):
        expected = sum(math.exp(-d[k]) / total * float(maps[k, row, column]) for k in range(3))
        assert abs(cells[row, column] - expected) < 1e-6


def test_a_crop_is_shown_where_a_map_is_large_and_in_its_mean_colour_where_it_is_small() -> None:
    crop = np.random.default_rng(1).integers(0, 256, (ALIGNED_SIZE, ALIGNED_SIZE, 3)).astype(np.uint8)
    maps: NDArray[np.float32] = np.zeros((2, 7, 7), np.float32)
    maps[0, 3, 3] = 5.0

    shown = reveal(crop, maps)

    mean = crop.mean((0, 1)).round()
    assert (shown[0, :8, :8] == mean).all()
    # The middle of cell (3, 3) lies between pixels 55 and 56.
    assert np.abs(shown[0, 55:57, 55:57].astype(int) - crop[55:57, 55:57]).max() <= 16
    assert (shown[1] == mean).all()


def test_the_places_are_those_of_the_face_and_not_of_its_mirror_image(
    embedder: Embedder, astronaut_jpeg: bytes
) -> None:
    record = embedder.bundle.manifest.embedder
    network = compile_activations(embedder.bundle.read(record), record, threads=1)
    crop = embedder.embed(astronaut_jpeg, Purpose.VERIFY).crop

    itself, mirrored = (network(one[None])[0] for one in (crop, np.ascontiguousarray(crop[:, ::-1])))

    assert itself.shape == (2, 64, 7, 7)
    assert np.allclose(itself[0], mirrored[1], atol=1e-4)
    assert not np.allclose(itself[0], mirrored[0], atol=0.1)


def test_a_face_has_a_map_of_49_cells(embedder: Embedder, astronaut_jpeg: bytes) -> None:
    face = embedder.embed(astronaut_jpeg, Purpose.VERIFY)

    cells = ScoreCam(embedder.bundle, embedder.embed_crops)(face.crop, face.template.vector)

    assert cells.shape == (7, 7)
    assert cells.max() > cells.min()


def test_a_network_without_a_convolution_is_refused() -> None:
    pixels = operators.parameter([1, 3, ALIGNED_SIZE, ALIGNED_SIZE], np.float32)
    flat = operators.reshape(operators.relu(pixels), [1, -1], special_zero=False)

    with pytest.raises(NetworkRefused, match="no convolution"):
        find_last_places(ov.Model([flat], [pixels]))
