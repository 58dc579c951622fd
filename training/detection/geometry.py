"""Map faces when a picture is rotated, scaled or mirrored."""

import math

import numpy as np
from numpy.typing import ArrayLike

from training.detection.data import Floats

MIRRORED = [1, 0, 2, 4, 3]  # landmark order after a mirror image: the person's right eye is now the left one


def turn_matrix(
    angle: float, scale: float, stretch: float, mirror: bool, start: ArrayLike, end: ArrayLike
) -> Floats:
    """(2, 3) map that turns (radians), scales, widens by `stretch`, mirrors, and takes `start` to `end`."""
    cos, sin = scale * math.cos(angle), scale * math.sin(angle)
    across = -stretch if mirror else stretch
    linear = np.array([[cos * across, -sin], [sin * across, cos]])
    shift = np.asarray(end) - linear @ np.asarray(start)
    return np.hstack([linear, shift[:, None]]).astype(np.float32)


def mirror_matrix(width: int) -> Floats:
    """(2, 3) map of a picture's pixels to those of its mirror image."""
    return np.array([[-1, 0, width - 1], [0, 1, 0]], np.float32)


def mirror_boxes(boxes: Floats, width: int) -> Floats:
    """(n, 4) x, y, w, h boxes in the mirror image."""
    x = width - 1 - boxes[:, :1] - boxes[:, 2:3]
    return np.concatenate([x, boxes[:, 1:]], axis=1).astype(np.float32)


def warp_faces(faces: Floats, matrix: Floats) -> Floats:
    """(n, 14) faces after an affine map.

    The box becomes the bounds of the turned ellipse it held, not of its turned corners: a head is round, and
    the bounds of turned corners grow by up to 41 % around it.
    """
    linear, shift = matrix[:, :2], matrix[:, 2]
    centres = (faces[:, :2] + faces[:, 2:4] / 2) @ linear.T + shift
    halves = np.sqrt((faces[:, 2:4] / 2) ** 2 @ (linear.T**2))
    points = faces[:, 4:].reshape(-1, 5, 2) @ linear.T + shift
    if linear[0, 0] * linear[1, 1] < linear[0, 1] * linear[1, 0]:
        points = points[:, MIRRORED]
    return np.concatenate([centres - halves, 2 * halves, points.reshape(-1, 10)], axis=1).astype(np.float32)


def face_sizes(faces: Floats) -> Floats:
    """(n,) √(w·h) in pixels."""
    return np.asarray(np.sqrt(faces[:, 2] * faces[:, 3]), np.float32)


def visible_shares(faces: Floats, bounds: Floats) -> Floats:
    """(n,) share of each box's area inside `bounds` x0, y0, x1, y1."""
    low = np.maximum(faces[:, :2], bounds[:2])
    high = np.minimum(faces[:, :2] + faces[:, 2:4], bounds[2:])
    shared = (high - low).clip(min=0).prod(axis=1)
    return np.asarray(shared / np.maximum(faces[:, 2] * faces[:, 3], 1e-6), np.float32)
