"""What a camera, a room and a person's day do to an aligned face, done to uint8 crops.

Every change is drawn from the generator it is given, so one seed gives one picture on any machine.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Crop = NDArray[np.uint8]  # (112, 112, 3) RGB


@dataclass(frozen=True)
class Augmentation:
    """How often, and how far, each change goes. The defaults are those of the recipe that was measured."""

    flip: float = 0.5
    rotation_degrees: float = 8.0
    scale_from: float = 0.92
    scale_to: float = 1.10
    shift_px: float = 4.0
    colour: float = 0.8
    grey: float = 0.2
    blur: float = 0.15
    rescale: float = 0.2
    rescale_from_px: int = 28
    rescale_to_px: int = 90
    jpeg: float = 0.12
    jpeg_quality_from: int = 15
    jpeg_quality_to: int = 80
    noise: float = 0.1
    cut_out: float = 0.2


def augment(crop: Crop, how: Augmentation, random: Generator) -> Crop:
    """One random view of a face, as (112, 112, 3) uint8 RGB."""
    changes: list[tuple[float, Callable[[Crop, Augmentation, Generator], Crop]]] = [
        (how.colour, _recolour),
        (how.grey, _to_grey),
        (how.blur, _blur),
        (how.rescale, _rescale),
        (how.jpeg, _recompress),
        (how.noise, _add_noise),
        (how.cut_out, _cut_out),
    ]
    crop = _move(crop, how, random)
    for share, change in changes:
        if random.random() < share:
            crop = change(crop, how, random)
    return crop


def mix(one: Crop, other: Crop, random: Generator) -> Crop:
    """Two faces in one crop: blended, or a rectangle of one pasted; only a teacher can label it."""
    if random.random() < 0.5:
        share = random.uniform(0.2, 0.8)
        return np.asarray(cv2.addWeighted(one, share, other, 1 - share, 0), dtype=np.uint8)
    mixed = one.copy()
    rows, columns = _rectangle(one.shape[0], 0.3, 0.7, random)
    mixed[rows, columns] = other[rows, columns]
    return mixed


def use_one_thread() -> None:
    """Keeps OpenCV from spreading work on such small pictures over the cores that train."""
    cv2.setNumThreads(1)


def _move(crop: Crop, how: Augmentation, random: Generator) -> Crop:
    """Mirrored half of the time, then turned, scaled and shifted about the centre in one resampling."""
    size = crop.shape[0]
    centre = (size - 1) / 2
    turn = random.uniform(-how.rotation_degrees, how.rotation_degrees)
    matrix = cv2.getRotationMatrix2D((centre, centre), turn, random.uniform(how.scale_from, how.scale_to))
    matrix = matrix + np.pad(random.uniform(-how.shift_px, how.shift_px, (2, 1)), ((0, 0), (2, 0)))
    if random.random() < how.flip:
        crop = crop[:, ::-1]
    moved = cv2.warpAffine(
        np.ascontiguousarray(crop), matrix, (size, size), borderMode=cv2.BORDER_REFLECT_101
    )
    return np.asarray(moved, dtype=np.uint8)


def _recolour(crop: Crop, how: Augmentation, random: Generator) -> Crop:
    """Gamma, contrast, brightness and the gain of each channel, as one table per channel."""
    levels = np.arange(256, dtype=np.float32)[:, None] / 255  # (256, 1)
    gamma, contrast = np.exp(random.uniform(-0.4, 0.4)), random.uniform(0.7, 1.3)
    gains = random.uniform(0.9, 1.1, 3)
    table = (levels**gamma - 0.5) * contrast + 0.5 + random.uniform(-0.15, 0.15)
    table = np.clip(table * gains * 255, 0, 255).astype(np.uint8)  # (256, 3)
    return np.asarray(cv2.LUT(crop, table[None]), dtype=np.uint8)


def _to_grey(crop: Crop, how: Augmentation, random: Generator) -> Crop:
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB), dtype=np.uint8)


def _blur(crop: Crop, how: Augmentation, random: Generator) -> Crop:
    """Out of focus, or moved while the shutter was open."""
    if random.random() < 0.5:
        return np.asarray(cv2.GaussianBlur(crop, (0, 0), random.uniform(0.5, 2.0)), dtype=np.uint8)
    length = int(random.integers(3, 10))
    kernel = np.zeros((length, length), dtype=np.float32)
    kernel[length // 2] = 1 / length
    turn = cv2.getRotationMatrix2D(((length - 1) / 2, (length - 1) / 2), random.uniform(0, 180), 1)
    turned = cv2.warpAffine(kernel, turn, (length, length))
    return np.asarray(cv2.filter2D(crop, -1, turned / turned.sum()), dtype=np.uint8)


def _rescale(crop: Crop, how: Augmentation, random: Generator) -> Crop:
    """Down to the size of a distant face and up again."""
    size = int(random.integers(how.rescale_from_px, how.rescale_to_px + 1))
    small = cv2.resize(crop, (size, size), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, crop.shape[1::-1], interpolation=cv2.INTER_LINEAR), dtype=np.uint8)


def _recompress(crop: Crop, how: Augmentation, random: Generator) -> Crop:
    quality = int(random.integers(how.jpeg_quality_from, how.jpeg_quality_to + 1))
    _, encoded = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), dtype=np.uint8)


def _add_noise(crop: Crop, how: Augmentation, random: Generator) -> Crop:
    noise = random.normal(0, random.uniform(2, 12), crop.shape)
    return np.clip(crop + noise, 0, 255).astype(np.uint8)


def _cut_out(crop: Crop, how: Augmentation, random: Generator) -> Crop:
    """One rectangle of a single colour: a hand, a mask, a strand of hair."""
    cut = crop.copy()
    rows, columns = _rectangle(crop.shape[0], 0.15, 0.45, random)
    cut[rows, columns] = random.integers(0, 256, 3)
    return cut


def _rectangle(size: int, smallest: float, largest: float, random: Generator) -> tuple[slice, slice]:
    """Rows and columns of a random rectangle, its sides given as shares of the picture's."""
    height, width = (random.uniform(smallest, largest, 2) * size).astype(int)
    top, left = random.integers(0, size - height + 1), random.integers(0, size - width + 1)
    return slice(top, top + height), slice(left, left + width)
