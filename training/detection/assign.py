"""Assign faces to cells.

A cell belongs to a face if its stride suits the face's size and it is near the face's centre. The rule uses
only labels, so the loading process applies it at no cost to training; the class target (the overlap of its
box) decides during training which of a face's cells is best.
"""

import numpy as np
from numpy.typing import NDArray

from embedding.yunet import STRIDES
from training.detection.data import Floats

NEGATIVE, IGNORED = -1, -2
# Face sizes √(w·h) in pixels that each stride answers for. They overlap, so that no size sits on an edge.
SIZES = {8: (0.0, 48.0), 16: (32.0, 128.0), 32: (96.0, float("inf"))}
SLACK = 1.5  # up to this factor outside its sizes a stride's cells are ignored

Owners = NDArray[np.int16]


def cell_points(height: int, width: int) -> Floats:
    """(cells, 3) x, y of every cell's point, and its stride; as in YuNet the point is the cell's top left."""
    grids = []
    for stride in STRIDES:
        ys, xs = np.mgrid[0 : height // stride, 0 : width // stride].astype(np.float32) * stride
        grids.append(np.stack([xs, ys, np.full_like(xs, stride)], axis=-1).reshape(-1, 3))
    return np.concatenate(grids)


def assign(points: Floats, faces: Floats, ignored: Floats) -> Owners:
    """The face each cell answers for, or NEGATIVE, or IGNORED.

    Args:
        points: (cells, 3) from `cell_points`.
        faces: (n, 14) faces to be found.
        ignored: (m, 4) boxes x, y, w, h within which nothing is learned.
    """
    owners = np.full(len(points), NEGATIVE, np.int16)
    for box in ignored:
        owners[_are_inside(points, box)] = IGNORED
    # Small faces last: if two faces claim a cell, the smaller one has fewer others.
    for index in np.argsort(-faces[:, 2] * faces[:, 3], kind="stable"):
        near, core = _find_claims(points, faces[index])
        owners[near & (owners == NEGATIVE)] = IGNORED
        owners[core] = index
    return owners


def _find_claims(points: Floats, face: Floats) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Cells that may answer for a face, and those that must."""
    x, y, w, h = face[:4]
    size = float(np.sqrt(w * h))
    strides = points[:, 2]
    # A tiny face needs at least one point within reach; a large one is answered by the cells at its middle.
    reach = np.minimum(1.5 * strides, np.maximum(0.35 * size, 0.75 * strides))
    away = np.maximum(np.abs(points[:, 0] - x - w / 2), np.abs(points[:, 1] - y - h / 2))
    suits = np.zeros(len(points), bool)
    nearly = np.zeros(len(points), bool)
    for stride, (low, high) in SIZES.items():
        if low / SLACK <= size <= high * SLACK:
            level = strides == stride
            nearly |= level
            if low <= size <= high:
                suits |= level
    return (away < reach * 1.6) & nearly, (away < reach) & suits


def _are_inside(points: Floats, box: Floats) -> NDArray[np.bool_]:
    x, y, w, h = box[:4]
    # A cell's own patch counts: half a stride around its point.
    half = points[:, 2] / 2
    return (  # type: ignore[no-any-return]
        (points[:, 0] > x - half)
        & (points[:, 0] < x + w + half)
        & (points[:, 1] > y - half)
        & (points[:, 1] < y + h + half)
    )
