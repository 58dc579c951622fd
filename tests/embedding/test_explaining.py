"""Maps of what made two faces near or far, against plain loops, and whether they say more than chance."""

import numpy as np
from numpy.typing import NDArray

from embedding.embedder import Embedder
from embedding.explaining import (
    CELLS,
    SIDE,
    cover,
    draw_maps,
    explain_by_occlusion,
    measure_fidelity,
)
from embedding.image import Pixels
from embedding.quality import Purpose
from embedding.template import Vector


def block_network(crops: NDArray[np.uint8]) -> Vector:
    """A network that can be worked out: the brightness of each cell, of unit length."""
    n = len(crops)
    blocks = crops.reshape(n, CELLS, SIDE, CELLS, SIDE, 3).mean((2, 4, 5)).reshape(n, -1)
    return np.asarray(blocks / np.linalg.norm(blocks, axis=1, keepdims=True), np.float32)


def made_crop(seed: int) -> Pixels:
    cells = np.random.default_rng(seed).integers(20, 230, (CELLS, CELLS, 3)).astype(np.uint8)
    return np.kron(cells, np.ones((SIDE, SIDE, 1), np.uint8))


def d_between(a: Vector, b: Vector) -> float:
    return float(sum((float(x) - float(y)) ** 2 for x, y in zip(a, b, strict=True)))


def covered(crop: Pixels, cells: set[int]) -> Pixels:
    """The crop with cells in its mean colour, pixel by pixel."""
    mean = [round(float(crop[..., channel].mean())) for channel in range(3)]
    out = crop.copy()
    for y in range(112):
        for x in range(112):
            if (y // SIDE) * CELLS + x // SIDE in cells:
                out[y, x] = mean
    return out


def test_a_map_is_what_d_gains_where_each_cell_is_covered() -> None:
    crop, other = made_crop(1), block_network(made_crop(2)[None])[0]

    cells = explain_by_occlusion(block_network, crop, other)

    whole = d_between(block_network(crop[None])[0], other)
    for place in (0, 8, 24, 48):
        hidden = block_network(covered(crop, {place})[None])[0]
        assert abs(cells[place // 7, place % 7] - (d_between(hidden, other) - whole)) < 1e-6


def test_the_curves_take_away_and_put_back_in_the_order_of_the_map() -> None:
    crop, other = made_crop(3), block_network(made_crop(4)[None])[0]
    cells = np.random.default_rng(5).random((CELLS, CELLS))
    order = sorted(range(49), key=lambda place: -cells[place // 7, place % 7])

    found = measure_fidelity(block_network, crop, other, cells)

    away, back = [], []
    for count in range(50):
        away.append(d_between(block_network(covered(crop, set(order[:count]))[None])[0], other))
        back.append(d_between(block_network(covered(crop, set(order[count:]))[None])[0], other))
    assert abs(found.deletion - sum(away) / 50) < 1e-6
    assert abs(found.insertion - sum(back) / 50) < 1e-6


def test_the_map_of_two_photographs_of_one_person_says_more_than_chance(
    embedder: Embedder, astronaut_variants: dict[str, bytes]
) -> None:
    a = embedder.embed(astronaut_variants["compressed"], Purpose.VERIFY)
    b = embedder.embed(astronaut_variants["mirrored"], Purpose.VERIFY)
    chance = np.random.default_rng(0)

    cells = explain_by_occlusion(embedder.embed_crops, a.crop, b.template.vector)
    ours = measure_fidelity(embedder.embed_crops, a.crop, b.template.vector, cells).gap
    theirs = [
        measure_fidelity(embedder.embed_crops, a.crop, b.template.vector, chance.random((7, 7))).gap
        for _ in range(5)
    ]

    assert ours > max(theirs) + 0.1


def test_both_faces_are_drawn_on_one_scale_in_blue_and_orange() -> None:
    near, nothing = np.zeros((7, 7)), np.zeros((7, 7))
    near[3, 3], near[0, 0] = 1.0, -1.0
    grey = np.full((112, 112, 3), 128, np.uint8)

    drawn = draw_maps([grey, grey], [near, nothing])

    assert drawn.shape == (336, 672, 3)
    assert drawn[168, 168, 2] > drawn[168, 168, 0] + 60
    assert drawn[8, 8, 0] > drawn[8, 8, 2] + 60
    assert np.ptp(drawn[:, 336:]) == 0
    assert np.array_equal(cover(grey, np.ones((7, 7), bool)), grey)
