"""WebP (RFC 9649): the still picture, or the first frame of an animation on its canvas.

Pillow's plugin uses libwebp's animation decoder, which keeps two canvases and copies the picture twice: 16
bytes per pixel. OpenCV takes 6. The EXIF orientation is not applied, as in Chromium.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from embedding.errors import DecodeFailed
from embedding.formats.encoded import (
    MAX_METADATA_BYTES,
    Encoded,
    Raster,
    memory_of,
    read_field,
    shrink_for,
)
from embedding.formats.vp8l import TABLE_BYTES, count_groups

MAX_CHUNKS = 10_000
"""Most chunks before the picture or first frame, and within it."""

ROWS = 64

LOSSY, LOSSLESS, ALPHA, FRAME = b"VP8 ", b"VP8L", b"ALPH", b"ANMF"


@dataclass(frozen=True)
class Still:
    """One picture of the file: its chunks, its size, whether it is lossless, its groups of codes."""

    chunks: bytes
    width: int
    height: int
    lossless: bool
    alpha: bool
    groups: int


def is_webp(data: bytes) -> bool:
    """Whether the file starts as a WebP does."""
    return data[:4] == b"RIFF" and data[8:12] == b"WEBP"


def read(data: bytes) -> Encoded:
    """Read the chunks' names and the header.

    Raises:
        DecodeFailed: If they are damaged.
    """
    canvas: tuple[int, int] | None = None
    still: Still | None = None
    place = (0, 0)
    profile = b""
    for kind, body in _read_chunks(data, 12, len(data)):
        if kind == b"VP8X":
            canvas = 1 + _read_uint24(data, body.start + 4), 1 + _read_uint24(data, body.start + 7)
        elif kind == FRAME and still is None:
            place = 2 * _read_uint24(data, body.start), 2 * _read_uint24(data, body.start + 3)
            still = _read_still(data, body.start + 16, body.stop)
        elif kind in (LOSSY, LOSSLESS, ALPHA) and still is None:
            still = _read_still(data, body.start - 8, len(data))
        elif kind == b"ICCP" and len(body) <= MAX_METADATA_BYTES:
            profile = data[body.start : body.stop]
    if still is None:
        raise DecodeFailed("it is truncated")
    width, height = canvas or (still.width, still.height)
    if place[0] + still.width > width or place[1] + still.height > height:
        raise DecodeFailed("its picture is larger than its canvas")
    whole = (still.width, still.height) == (width, height)
    shrink = shrink_for(width, height)
    channels = 4 if still.alpha else 3
    # The pixels, and a copy on their way out of OpenCV or, if lossless, within libwebp.
    raster_bytes = max(2 * channels, channels + (4 if still.lossless else 0)) + (0 if whole else 4)
    return Encoded(
        kind="a lossless WebP" if still.lossless else "a WebP",
        width=width,
        height=height,
        memory_bytes=memory_of(width, height, raster_bytes, shrink) + still.groups * TABLE_BYTES,
        load=partial(_load, still, (width, height), place),
        shrink=shrink,
        profile=profile,
    )


def _read_chunks(data: bytes, start: int, stop: int) -> Iterator[tuple[bytes, range]]:
    """The name and the place of each chunk; the last may be cut off."""
    for _ in range(MAX_CHUNKS):
        if start + 8 > stop:
            return
        kind, length = struct.unpack_from("<4sI", data, start)
        yield kind, range(start + 8, min(start + 8 + length, len(data)))
        start += 8 + length + length % 2
    raise DecodeFailed(f"it has more than {MAX_CHUNKS:,} chunks")


def _read_still(data: bytes, start: int, stop: int) -> Still:
    """Read the picture whose chunks start here: transparency, if any, then the coded pixels."""
    alpha, packed = False, b""
    for kind, body in _read_chunks(data, start, stop):
        if kind == LOSSY:
            width, height = (
                read_field(data, body.start + 6, "<H") & 0x3FFF,
                read_field(data, body.start + 8, "<H") & 0x3FFF,
            )
            groups = count_groups(packed, width, height) if packed else 0
            return Still(data[start : body.stop], width, height, False, alpha, groups)
        if kind == LOSSLESS:
            bits = read_field(data, body.start + 1, "<I")
            width, height = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
            groups = count_groups(data[body.start + 5 : body.stop], width, height)
            return Still(data[start : body.stop], width, height, True, bool(bits >> 28 & 1), groups)
        if kind == ALPHA and alpha:
            raise DecodeFailed("it is transparent twice")
        if kind == ALPHA:
            # The first byte says whether the transparency is coded as a lossless picture.
            alpha, packed = (
                True,
                data[body.start + 1 : body.stop] if read_field(data, body.start, "B") & 3 else b"",
            )
    raise DecodeFailed("it is truncated")


def _read_uint24(data: bytes, offset: int) -> int:
    return read_field(data, offset, "<H") | read_field(data, offset + 2, "B") << 16


def _load(still: Still, canvas: tuple[int, int], place: tuple[int, int]) -> Raster:
    coded = still.chunks
    if still.alpha and not still.lossless:
        head = (
            struct.pack("<4sIB3x", b"VP8X", 10, 0x10) + _encode_size(still.width) + _encode_size(still.height)
        )
        coded = head + coded
    riff = struct.pack("<4sI4s", b"RIFF", 4 + len(coded), b"WEBP") + coded
    picture = cast(
        NDArray[np.uint8] | None, cv2.imdecode(np.frombuffer(riff, np.uint8), cv2.IMREAD_UNCHANGED)
    )
    if picture is None or picture.shape[:2] != (still.height, still.width):
        raise DecodeFailed("its picture is damaged or truncated")
    order = cv2.COLOR_BGRA2RGBA if picture.shape[2] == 4 else cv2.COLOR_BGR2RGB
    # In place, some rows at a time, because converting the whole picture would copy it.
    for top in range(0, still.height, ROWS):
        rows = picture[top : top + ROWS]
        rows[:] = cv2.cvtColor(rows, order)
    if (still.width, still.height) == canvas:
        return picture
    laid = np.zeros((canvas[1], canvas[0], 4), np.uint8)
    left, top = place
    part = laid[top : top + still.height, left : left + still.width]
    part[..., : picture.shape[2]] = picture
    if picture.shape[2] == 3:
        part[..., 3] = 255
    return laid


def _encode_size(length: int) -> bytes:
    return (length - 1).to_bytes(3, "little")
