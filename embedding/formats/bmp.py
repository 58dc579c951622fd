"""BMP (Windows DIB), top-down or bottom-up, run-length encoded or not."""

import io
from functools import partial

from PIL.BmpImagePlugin import BmpImageFile

from embedding.errors import DecodeFailed, ImageTooLarge
from embedding.formats.encoded import (
    Encoded,
    Raster,
    memory_of,
    read_field,
    shrink_for,
    translate_pillow_errors,
)

MAGIC = b"BM"

MAX_RUNS_BYTES = 1_000_000
"""Limit for run-length encoded pictures: Pillow decodes them in Python, one run at a time."""

OLD_HEADER = 12
RUN_LENGTHS = (1, 2)


def read(data: bytes) -> Encoded:
    """Read the header.

    Raises:
        DecodeFailed: If it is damaged.
        ImageTooLarge: If it has too many runs.
    """
    old = read_field(data, 14, "<I") == OLD_HEADER
    width = read_field(data, 18, "<H" if old else "<i")
    height = abs(read_field(data, 20, "<H") if old else read_field(data, 22, "<i"))
    bits = read_field(data, 24 if old else 28, "<H")
    packed = not old and read_field(data, 30, "<I") in RUN_LENGTHS
    if width < 1 or not 1 <= bits <= 32:
        raise DecodeFailed("its header is damaged")
    if packed and len(data) > MAX_RUNS_BYTES:
        raise ImageTooLarge(len(data), MAX_RUNS_BYTES, "bytes", "a BMP packed by run length")
    shrink = shrink_for(width, height)
    # Runs are decoded into one byte per pixel, twice, before they become the raster.
    raster_bytes = (1 if bits <= 8 else 4) + (2 if packed else 0)
    return Encoded(
        kind="a BMP",
        width=width,
        height=height,
        memory_bytes=memory_of(width, height, raster_bytes, shrink),
        load=partial(_load, data),
        shrink=shrink,
    )


def _load(data: bytes) -> Raster:
    with translate_pillow_errors():
        image = BmpImageFile(io.BytesIO(data))
        image.load()
    return image
