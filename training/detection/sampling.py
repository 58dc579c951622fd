"""Sample pixels under an affine map without aliasing."""

import math

import cv2
import numpy as np

from training.detection.data import Floats, Photo, Pixels

Random = np.random.Generator


def build_pyramid(pixels: Pixels) -> list[Pixels]:
    """The picture and its halves, down to 16 pixels."""
    levels = [pixels]
    while min(levels[-1].shape[:2]) >= 32:
        height, width = levels[-1].shape[:2]
        levels.append(_resize(levels[-1], width // 2, height // 2))
    return levels


def nearest_level(pyramid: list[Pixels], matrix: Floats, scale: float) -> tuple[Pixels, Floats]:
    """The level to sample for a map that scales by `scale`, and the map from that level."""
    depth = min(len(pyramid) - 1, max(0, int(math.log2(1 / scale))))
    height, width = pyramid[0].shape[:2]
    factors = np.array([width / pyramid[depth].shape[1], height / pyramid[depth].shape[0]], np.float32)
    adjusted = matrix.copy()
    # Pixel centres: averaging maps centre (i + ½)·s − ½ to i.
    adjusted[:, 2] += matrix[:, :2] @ (factors / 2 - 0.5)
    adjusted[:, :2] *= factors
    return pyramid[depth], adjusted


def cut_square(photo: Photo, side: int, random: Random) -> Pixels:
    """A square of the photo, scaled to (side, side, 3)."""
    height, width = photo.pixels.shape[:2]
    span = max(1, int(random.uniform(0.25, 0.9) * min(height, width)))
    x, y = random.integers(0, width - span + 1), random.integers(0, height - span + 1)
    return _resize(photo.pixels[y : y + span, x : x + span], side, side)


def draw_ellipse(face: Floats, side: int, random: Random) -> Pixels:
    """(side, side) opacity: the face's ellipse, or the whole crop, with an edge that fades."""
    mask = np.full((side, side), 255, np.uint8)
    if random.random() >= 0.25:
        centre = (int(face[0] + face[2] / 2), int(face[1] + face[3] / 2))
        grown = random.uniform(0.95, 1.25) / 2
        mask[:] = 0
        cv2.ellipse(mask, centre, (int(face[2] * grown), int(face[3] * grown)), 0, 0, 360, (255,), -1)
    width = 2 * int(random.integers(1, 8)) + 1
    return np.asarray(cv2.GaussianBlur(mask, (width, width), 0), np.uint8)


def _resize(pixels: Pixels, width: int, height: int) -> Pixels:
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
