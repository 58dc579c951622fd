"""Which places of two faces made them near or far: maps of 7×7 cells, and how far a map can be believed.

A map holds, for each cell of a face, how much that cell brought the two nearer: above 0 what made them near,
below 0 what kept them apart. A map is tested by its own prediction (Petsiuk, Das and Saenko, "RISE", BMVC
2018): with the cells taken away in its order d must rise earlier than in a random order, and with them put
back fall earlier.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from embedding.align import ALIGNED_SIZE
from embedding.image import Pixels
from embedding.template import Vector

CELLS = 7
SIDE = ALIGNED_SIZE // CELLS
"""Pixels of a cell's side: 49 cells cover a crop."""

Map = NDArray[np.float64]
Embed = Callable[[NDArray[np.uint8]], Vector]
"""(n, 112, 112, 3) crops → (n, dim) vectors of unit length."""


@dataclass(frozen=True)
class Fidelity:
    """Mean d while a face is taken away, and while it is put back, in a map's order.

    Attributes:
        deletion: Larger is better: what the map names first was what made the two near.
        insertion: Smaller is better.
    """

    deletion: float
    insertion: float

    @property
    def gap(self) -> float:
        """Deletion less insertion: what a random order has as well, only less."""
        return self.deletion - self.insertion


@dataclass(frozen=True)
class PairMaps:
    """What two faces' maps say of their d.

    Attributes:
        d: Of the two faces as they are.
        a: Of the first face.
        b: Of the second.
    """

    d: float
    a: Map
    b: Map


def explain_pair(embed: Embed, a: Pixels, b: Pixels) -> PairMaps:
    """The occlusion maps of both faces, in one batch of 100 crops."""
    vectors = embed(np.stack([a, *covered_once(a), b, *covered_once(b)]))
    of_a, of_b = np.split(vectors, 2)
    far_a, far_b = distances(of_a, of_b[0]), distances(of_b, of_a[0])
    return PairMaps(float(far_a[0]), gains(far_a), gains(far_b))


def explain_by_occlusion(embed: Embed, crop: Pixels, other: Vector) -> Map:
    """How much d grows when each cell is covered (Zeiler and Fergus, ECCV 2014): (7, 7), in one batch.

    Args:
        embed: The network.
        crop: (112, 112, 3) uint8 RGB.
        other: (dim,) vector of the other face.
    """
    return gains(distances(embed(np.stack([crop, *covered_once(crop)])), other))


def covered_once(crop: Pixels) -> list[Pixels]:
    """The crop 49 times, each time with another cell covered."""
    return [cover(crop, one) for one in np.eye(CELLS * CELLS, dtype=bool).reshape(-1, CELLS, CELLS)]


def gains(d: NDArray[np.float64]) -> Map:
    """What d gains by each covered cell: (50,) of the whole crop and of the covered ones → (7, 7)."""
    return np.asarray((d[1:] - d[0]).reshape(CELLS, CELLS))


def measure_fidelity(embed: Embed, crop: Pixels, other: Vector, cells: Map) -> Fidelity:
    """The deletion and insertion curves of a map as their means, over 0 to 49 cells in its order."""
    order = np.argsort(-cells.ravel(), kind="stable")
    hidden = np.zeros((CELLS * CELLS + 1, CELLS * CELLS), bool)
    for step in range(1, len(hidden)):
        hidden[step] = hidden[step - 1]
        hidden[step, order[step - 1]] = True
    masks = hidden.reshape(-1, CELLS, CELLS)
    d = distances(embed(np.stack([cover(crop, one) for one in (*masks, *~masks)])), other)
    return Fidelity(float(d[: len(masks)].mean()), float(d[len(masks) :].mean()))


def cover(crop: Pixels, hidden: NDArray[np.bool_]) -> Pixels:
    """The crop with these of its (7, 7) cells in its own mean colour."""
    pixels = np.kron(hidden, np.ones((SIDE, SIDE), bool))[..., None]
    return np.asarray(np.where(pixels, crop.mean((0, 1)).round().astype(np.uint8), crop))


def distances(vectors: Vector, other: Vector) -> NDArray[np.float64]:
    """d of each of (n, dim) vectors and another one."""
    return np.asarray(((vectors.astype(np.float64) - other) ** 2).sum(1))


def draw_maps(crops: Sequence[Pixels], maps: Sequence[Map], side: int = 336) -> Pixels:
    """The faces side by side, (side, n·side, 3); blue where it made them near, orange where far.

    What matters less is shown paler; both faces have one scale.
    """
    strongest = max(float(np.abs(cells).max()) for cells in maps) or 1.0
    return np.concatenate(
        [draw_map(crop, cells / strongest, side) for crop, cells in zip(crops, maps, strict=True)], axis=1
    )


def draw_map(crop: Pixels, cells: Map, side: int) -> Pixels:
    """One face under its map, whose values are from -1 to 1."""
    large = cv2.resize(crop, (side, side), interpolation=cv2.INTER_CUBIC).astype(np.float64)
    heat = cv2.resize(cells, (side, side), interpolation=cv2.INTER_CUBIC).clip(-1, 1)[..., None]
    colour = np.where(heat > 0, np.array([30.0, 90.0, 230.0]), np.array([235.0, 120.0, 20.0]))
    grey = large.mean(2, keepdims=True) * 0.8 + 30
    drawn = grey + (colour - grey) * np.abs(heat) * 0.75
    return np.asarray(drawn.round().clip(0, 255), np.uint8)
