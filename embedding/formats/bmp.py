"""BMP (Windows DIB), top-down or bottom-up, run-length encoded or not.

Pixels of 16 and 32 bits are read here, by the masks of the header: Pillow knows the usual masks alone, and
not which headers have transparency.
"""

import io
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
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
HEADERS = (40, 52, 56, 64, 108, 124)
HEADERS_WITH_ALPHA = (56, 108, 124)
RUN_LENGTHS = (1, 2)
PLAIN, FIELDS, ALPHA_FIELDS = 0, 3, 6
FIRST_MASK = 14 + 40

USUAL_MASKS = {16: (0x7C00, 0x3E0, 0x1F), 32: (0xFF0000, 0xFF00, 0xFF)}
"""Bits of red, green and blue where the file says nothing else."""

ROWS = 64


@dataclass(frozen=True)
class Fields:
    """Where the pixels are, and which bits of each are red, green, blue and opaque (0: all are)."""

    start: int
    width: int
    height: int
    from_top: bool
    bits: int
    masks: tuple[int, int, int, int]


def read(data: bytes) -> Encoded:
    """Read the header.

    Raises:
        DecodeFailed: If it is damaged.
        ImageTooLarge: If it has too many runs.
    """
    header = read_field(data, 14, "<I")
    old = header == OLD_HEADER
    width = read_field(data, 18, "<H" if old else "<i")
    signed_height = read_field(data, 20, "<H") if old else read_field(data, 22, "<i")
    height = abs(signed_height)
    bits = read_field(data, 24 if old else 28, "<H")
    compression = PLAIN if old else read_field(data, 30, "<I")
    packed = compression in RUN_LENGTHS
    if width < 1 or not 1 <= bits <= 32:
        raise DecodeFailed("its header is damaged")
    if packed and len(data) > MAX_RUNS_BYTES:
        raise ImageTooLarge(len(data), MAX_RUNS_BYTES, "bytes", "a BMP packed by run length")
    load = partial(_load, data)
    if bits in USUAL_MASKS and header in HEADERS and not packed:
        masks = _read_masks(data, header, bits, compression)
        start = read_field(data, 10, "<I")
        load = partial(_load_fields, data, Fields(start, width, height, signed_height < 0, bits, masks))
    shrink = shrink_for(width, height)
    # Runs are decoded into one byte per pixel, twice, before they become the raster.
    raster_bytes = (1 if bits <= 8 else 4) + (2 if packed else 0)
    return Encoded(
        kind="a BMP",
        width=width,
        height=height,
        memory_bytes=memory_of(width, height, raster_bytes, shrink),
        load=load,
        shrink=shrink,
    )


def _read_masks(data: bytes, header: int, bits: int, compression: int) -> tuple[int, int, int, int]:
    """The bits of each channel, as Chromium reads them: transparency counts wherever a header has it."""
    if compression not in (PLAIN, FIELDS, ALPHA_FIELDS):
        raise DecodeFailed(f"it is packed in a way that is unknown ({compression})")
    has_alpha = header in HEADERS_WITH_ALPHA or compression == ALPHA_FIELDS
    alpha = read_field(data, FIRST_MASK + 12, "<I") if has_alpha else 0
    if compression == PLAIN:
        return (*USUAL_MASKS[bits], alpha)
    red, green, blue = (read_field(data, FIRST_MASK + 4 * i, "<I") for i in range(3))
    return red, green, blue, alpha


def _load_fields(data: bytes, fields: Fields) -> Raster:
    row_bytes = -(-fields.width * fields.bits // 32) * 4
    if len(data) < fields.start + row_bytes * fields.height:
        raise DecodeFailed("it is truncated")
    stored = np.frombuffer(data, np.uint8, row_bytes * fields.height, fields.start)
    rows = stored.view(f"<u{fields.bits // 8}").reshape(fields.height, -1)[:, : fields.width]
    rows = rows if fields.from_top else rows[::-1]
    masks = fields.masks if fields.masks[3] else fields.masks[:3]
    pixels = np.empty((fields.height, fields.width, len(masks)), np.uint8)
    for channel, mask in enumerate(masks):
        for top in range(0, fields.height, ROWS):
            pixels[top : top + ROWS, :, channel] = _read_channel(rows[top : top + ROWS], mask)
    return pixels


def _read_channel(values: NDArray[Any], mask: int) -> NDArray[Any]:
    """The bits of a mask, scaled to 0 … 255; zeros for an empty mask."""
    mask &= (1 << 8 * values.itemsize) - 1
    shift = (mask & -mask).bit_length() - 1 if mask else 0
    most = mask >> shift
    if most & (most + 1):
        raise DecodeFailed("its channels are made of scattered bits")
    numbers = (values & values.dtype.type(mask)) >> values.dtype.type(shift)
    if most > 255:
        return np.asarray(numbers >> values.dtype.type(most.bit_length() - 8))
    if not most:
        return np.zeros_like(numbers)
    scale = np.array([(510 * number + most) // (2 * most) for number in range(most + 1)], np.uint8)
    return np.asarray(scale[numbers])


def _load(data: bytes) -> Raster:
    with translate_pillow_errors():
        image = BmpImageFile(io.BytesIO(data))
        image.load()
    return image
