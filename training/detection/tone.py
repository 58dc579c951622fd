"""Light, colour, blur, noise and compression: changes that leave every face where it is."""

import cv2
import numpy as np

from training.detection.data import Pixels

Random = np.random.Generator


def change_tone(pixels: Pixels, random: Random) -> Pixels:
    """A view as a worse camera, another light or an eager compressor would have given it."""
    if random.random() < 0.12:
        pixels = np.repeat(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY)[..., None], 3, axis=2)
    if random.random() < 0.8:
        pixels = cv2.LUT(pixels, _tone_curves(random))  # type: ignore[assignment]
    if random.random() < 0.2:
        pixels = _blur(pixels, random)
    if random.random() < 0.15:
        pixels = _add_noise(pixels, random)
    if random.random() < 0.2:
        pixels = _compress(pixels, int(random.integers(15, 90)))
    return pixels


def _tone_curves(random: Random) -> Pixels:
    """(1, 256, 3) table: one curve a channel; dark one time in ten, over-exposed one in twelve."""
    levels = np.linspace(0, 1, 256)[:, None] ** np.exp(random.normal(0, 0.35))
    gain = np.exp(random.normal(0, 0.2)) * np.exp(random.normal(0, 0.06, 3))
    extreme = random.random()
    if extreme < 0.10:
        gain *= random.uniform(0.12, 0.5)
    elif extreme < 0.18:
        gain *= random.uniform(1.4, 2.6)
    curves = levels * gain + random.normal(0, 0.05)
    return np.asarray((curves * 255).clip(0, 255)[None], np.uint8)


def _blur(pixels: Pixels, random: Random) -> Pixels:
    kind = random.random()
    if kind < 0.5:
        return cv2.GaussianBlur(pixels, (0, 0), random.uniform(0.4, 1.8))  # type: ignore[return-value]
    if kind < 0.75:
        length = int(random.integers(3, 8))
        kernel = np.zeros((length, length), np.float32)
        cv2.line(kernel, (0, int(random.integers(length))), (length - 1, int(random.integers(length))), 1.0)
        return cv2.filter2D(pixels, -1, kernel / kernel.sum())  # type: ignore[return-value]
    size, share = len(pixels), random.uniform(0.4, 0.8)
    small = cv2.resize(pixels, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (size, size), interpolation=cv2.INTER_LINEAR)  # type: ignore[return-value]


def _add_noise(pixels: Pixels, random: Random) -> Pixels:
    height, width = pixels.shape[:2]
    noise = random.standard_normal((height, width, 1), np.float32) * random.uniform(3, 20)
    return (pixels + noise).clip(0, 255).astype(np.uint8)


def _compress(pixels: Pixels, quality: int) -> Pixels:
    _, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cv2.imdecode(data, cv2.IMREAD_COLOR)  # type: ignore[return-value]
