"""Degrade whole photographs as a webcam at a door does."""

from collections.abc import Callable, Mapping

import cv2
import numpy as np

from embedding.image import ImageLimits, Pixels, decode, encode_png

Alteration = Callable[[Pixels], Pixels]
"""(h, w, 3) uint8 RGB → the same, possibly in another size."""


def move_away(image: Pixels) -> Pixels:
    """Twice as far away: half as many pixels each way."""
    size = (max(1, image.shape[1] // 2), max(1, image.shape[0] // 2))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def blur(image: Pixels) -> Pixels:
    """A little out of focus: 1/150 of the picture's longer side."""
    return np.asarray(cv2.GaussianBlur(image, (0, 0), max(image.shape[:2]) / 150), np.uint8)


def compress(image: Pixels) -> Pixels:
    """JPEG at quality 20."""
    return compress_jpeg(image, 20)


def darken(image: Pixels) -> Pixels:
    """A fifth of the light."""
    return change_light(image, 0.2)


def degrade_like_webcam(image: Pixels) -> Pixels:
    """All of these, each milder: 0.7 of the pixels each way, a slight blur, 0.4 of the light, quality 40."""
    size = (max(1, round(0.7 * image.shape[1])), max(1, round(0.7 * image.shape[0])))
    smaller = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    soft = cv2.GaussianBlur(smaller, (0, 0), max(size) / 300)
    return compress_jpeg(change_light(np.asarray(soft, np.uint8), 0.4), 40)


ALTERATIONS: Mapping[str, Alteration] = {
    "twice as far": move_away,
    "out of focus": blur,
    "compressed": compress,
    "dim": darken,
    "webcam": degrade_like_webcam,
}


def alter(content: bytes, how: Alteration) -> bytes:
    """A picture's bytes → those of the altered picture, as PNG.

    Raises:
        EmbeddingError: If it is not a picture within the limits.
    """
    return encode_png(how(decode(content, ImageLimits())))


def change_light(image: Pixels, light: float) -> Pixels:
    """Keep this share of the light; sRGB values scale with its 2.2th root."""
    table = np.round(np.arange(256) * light ** (1 / 2.2)).astype(np.uint8)
    return np.asarray(cv2.LUT(image, table), np.uint8)


def compress_jpeg(image: Pixels, quality: int) -> Pixels:
    """Compress and decode again."""
    _, encoded = cv2.imencode(".jpg", image[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded = np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), np.uint8)
    return np.ascontiguousarray(decoded[:, :, ::-1])


def halve_and_enlarge(image: Pixels) -> Pixels:
    """Half as many pixels each way, and back to the size it had."""
    size = (image.shape[1], image.shape[0])
    return np.asarray(cv2.resize(move_away(image), size, interpolation=cv2.INTER_LINEAR), np.uint8)
