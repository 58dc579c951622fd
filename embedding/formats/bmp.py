"""BMP (Windows DIB), top-down and bottom-up, packed by run length or not."""

import io
from functools import partial

from PIL.BmpImagePlugin import BmpImageFile

from embedding.errors import DecodeFailed, ImageTooLarge
from embedding.formats.encoded import Encoded, Raster, field, memory_of, pillow_damage, shrink_for

MAGIC = b"BM"

MAX_RUNS_BYTES = 1_000_000
"""Of a picture packed by run length: Pillow unpacks it in Python, a run at a time."""

OLD_HEADER = 12
RUN_LENGTHS = (1, 2)


def read(data: bytes) -> Encoded:
    """Reads the header.

    Raises:
        DecodeFailed: If it is damaged.
        ImageTooLarge: If it is packed by run length into too many runs.
    """
    old = field(data, 14, "<I") == OLD_HEADER
    width = field(data, 18, "<H" if old else "<i")
    height = abs(field(data, 20, "<H") if old else field(data, 22, "<i"))
    bits = field(data, 24 if old else 28, "<H")
    packed = not old and field(data, 30, "<I") in RUN_LENGTHS
    if width < 1 or not 1 <= bits <= 32:
        raise DecodeFailed("its header is damaged")
    if packed and len(data) > MAX_RUNS_BYTES:
        raise ImageTooLarge(len(data), MAX_RUNS_BYTES, "bytes", "a BMP packed by run length")
    shrink = shrink_for(width, height)
    # Runs are unpacked into a byte to a pixel, twice, before they become the raster.
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
    with pillow_damage():
        image = BmpImageFile(io.BytesIO(data))
        image.load()
    return image
