"""A photograph around a made-up face: head and shoulders in front of a plain wall."""

import cv2
import numpy as np
from numpy.random import default_rng
from numpy.typing import NDArray

from embedding.align import ALIGNED_SIZE
from embedding.image import Pixels

WIDTH, HEIGHT = 640, 480
SCALE = 2.0
"""Pixels of the photograph per pixel of the crop: the eyes are then 70 pixels apart."""

JPEG_QUALITY = 92

Floats = NDArray[np.float32]


def photograph(crop: Pixels, number: int) -> Pixels:
    """The crop as a person in a room, (480, 640, 3) RGB.

    Args:
        crop: (112, 112, 3) uint8 RGB, aligned.
        number: The person's number, which determines wall and clothes.
    """
    random = default_rng((3, number))
    side = round(ALIGNED_SIZE * SCALE)
    head = cv2.resize(crop, (side, side), interpolation=cv2.INTER_CUBIC).astype(np.float32)
    left, top = (WIDTH - side) // 2, (HEIGHT - side) // 2 - 30
    picture = _wall(random)
    _dress(picture, head, left, top, random)
    mask = _head_shape(side)[..., None]
    place = picture[top : top + side, left : left + side]
    place[:] = mask * head + (1 - mask) * place
    return np.clip(np.round(picture), 0, 255).astype(np.uint8)


def encode_jpeg(picture: Pixels) -> bytes:
    """(H, W, 3) RGB as JPEG."""
    found, data = cv2.imencode(
        ".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    )
    assert found  # three bytes per pixel can always be encoded
    return data.tobytes()


def _wall(random: np.random.Generator) -> Floats:
    """(480, 640, 3) a light colour that darkens towards one side."""
    colour = random.uniform(150, 205) + random.uniform(-18, 18, 3)
    fall = np.linspace(1.06, 0.9, WIDTH, dtype=np.float32)[:: random.choice((-1, 1))]
    return np.ascontiguousarray(np.broadcast_to(fall[None, :, None] * colour, (HEIGHT, WIDTH, 3)), np.float32)


def _dress(picture: Floats, head: Floats, left: int, top: int, random: np.random.Generator) -> None:
    """Add hair behind the head, a neck in the colour of the skin and coloured shoulders."""
    side = len(head)
    middle = left + side // 2
    rim = np.concatenate(
        [head[4:14, side // 4 : -side // 4].reshape(-1, 3), head[20:80, 4:12].reshape(-1, 3)]
    )
    hair = np.median(rim, axis=0)
    skin = np.median(
        head[side * 5 // 8 : side * 6 // 8, side * 3 // 8 : side * 5 // 8].reshape(-1, 3), axis=0
    )
    clothes = random.uniform(30, 150, 3)
    layer = picture.copy()
    cv2.ellipse(
        layer,
        (middle, top + round(side * 0.42)),
        (round(side * 0.5), round(side * 0.6)),
        0,
        0,
        360,
        hair.tolist(),
        -1,
    )
    chin = top + side
    cv2.rectangle(
        layer,
        (middle - side // 5, chin - side // 4),
        (middle + side // 5, chin + 50),
        (skin * 0.82).tolist(),
        -1,
    )
    cv2.ellipse(layer, (middle, chin + 130), (round(side * 0.95), 120), 0, 0, 360, clothes.tolist(), -1)
    picture[:] = cv2.GaussianBlur(layer, (0, 0), 2.5)


def _head_shape(side: int) -> Floats:
    """(side, side) mask: 1 over the face and the hair next to it, falling to 0 before the corners."""
    y, x = np.mgrid[:side, :side].astype(np.float32) / side
    far = np.hypot((x - 0.5) / 0.47, (y - 0.5) / 0.56)
    inside = np.clip((1.0 - far) / 0.16, 0, 1)
    below = np.clip((1.0 - y) / 0.06, 0, 1)
    return np.asarray(inside * below, np.float32)
