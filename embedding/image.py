"""Bytes → pixels and back: limits first, then the format by its magic bytes, decoding, and the EXIF turn.

A header says how many pixels a picture has and how they are stored; from that follows what decoding would
cost, and what costs too much is refused before any is decoded. It looks as in a browser.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from embedding.errors import DecodeFailed, ImageTooLarge, UnsupportedMedia
from embedding.formats import bmp, heic, jpeg, png, webp
from embedding.formats.colour import to_rgb
from embedding.formats.encoded import DECODED_LONG_SIDE as DECODED_LONG_SIDE
from embedding.formats.encoded import Encoded
from embedding.formats.exif import EXIF_ORIENTATION as EXIF_ORIENTATION
from embedding.formats.exif import orientation, turn_upright

Pixels = NDArray[np.uint8]
"""(H, W, 3) uint8 RGB, upright, contiguous."""


@dataclass(frozen=True)
class ImageLimits:
    """What is refused before anything is decoded, besides what would cost too much (`formats.encoded`)."""

    max_bytes: int = 12 * 1024 * 1024
    max_pixels: int = 200_000_000


def decode(data: bytes, limits: ImageLimits) -> Pixels:
    """The picture as upright (H, W, 3) uint8 RGB in sRGB; transparency is laid on white.

    A picture with a long side of 3,200 pixels or more comes out smaller, with 1,600 or more.

    Raises:
        ImageTooLarge: More bytes than the limit, or a header that announces more pixels, or more work.
        UnsupportedMedia: Not JPEG, PNG, WebP, BMP or HEIC, judged by the first bytes.
        DecodeFailed: Empty, truncated or damaged.
    """
    if len(data) > limits.max_bytes:
        raise ImageTooLarge(len(data), limits.max_bytes, "bytes")
    if not data:
        raise DecodeFailed("it is empty")
    encoded = _reader(data)(data)
    encoded.check(limits.max_pixels, len(data))
    # The raster is let go before the pixels are turned.
    pixels = to_rgb(encoded.load(), encoded.shrink, encoded.profile)
    return turn_upright(pixels, orientation(encoded.exif))


def encode_png(pixels: Pixels) -> bytes:
    """(H, W, 3) RGB → PNG: smaller, and every pixel comes back as it was."""
    target = io.BytesIO()
    Image.fromarray(pixels).save(target, "PNG", optimize=True)
    return target.getvalue()


def _reader(data: bytes) -> Callable[[bytes], Encoded]:
    """What reads the header of a picture with these first bytes."""
    if data.startswith(jpeg.MAGIC):
        return jpeg.read
    if data.startswith(png.MAGIC):
        return png.read
    if webp.is_webp(data):
        return webp.read
    if data.startswith(bmp.MAGIC):
        return bmp.read
    if heic.is_heic(data):
        return heic.read
    raise UnsupportedMedia
