"""Bytes → pixels and back: limits, format by magic bytes, decoding, EXIF orientation.

A header says how many pixels a picture has and how they are stored. The cost of decoding follows from that,
and a picture that costs too much is refused before any of it is decoded. The result looks as it does in a
browser.
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
from embedding.formats.exif import read_orientation, turn_upright

Pixels = NDArray[np.uint8]
"""(H, W, 3) uint8 RGB, upright, contiguous."""


@dataclass(frozen=True)
class ImageLimits:
    """Limits on pictures, checked before decoding; `formats.encoded` limits the cost as well."""

    max_bytes: int = 12 * 1024 * 1024
    max_pixels: int = 200_000_000


def decode(data: bytes, limits: ImageLimits) -> Pixels:
    """The picture as upright (H, W, 3) uint8 RGB in sRGB; transparent parts become white.

    A picture with a long side of 3,200 pixels or more is reduced to one of at least 1,600.

    Raises:
        ImageTooLarge: If it has more bytes than the limit, or its header announces too many pixels or too
            much work.
        UnsupportedMedia: If its first bytes are not those of JPEG, PNG, WebP, BMP or HEIC.
        DecodeFailed: If it is empty, truncated or damaged.
    """
    if len(data) > limits.max_bytes:
        raise ImageTooLarge(len(data), limits.max_bytes, "bytes")
    if not data:
        raise DecodeFailed("it is empty")
    encoded = _choose_reader(data)(data)
    encoded.check(limits.max_pixels, len(data))
    # Free the raster before the pixels are rotated.
    pixels = to_rgb(encoded.load(), encoded.shrink, encoded.profile)
    return turn_upright(pixels, read_orientation(encoded.exif))


def encode_png(pixels: Pixels) -> bytes:
    """(H, W, 3) RGB → PNG, which is lossless."""
    target = io.BytesIO()
    Image.fromarray(pixels).save(target, "PNG", optimize=True)
    return target.getvalue()


def _choose_reader(data: bytes) -> Callable[[bytes], Encoded]:
    """The function that reads the header of a picture with these first bytes."""
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
