"""Read the orientation from an EXIF block, and nothing else.

Pillow would first read every entry. Since each may point at any part of the block, 64 kB of EXIF can expand
to 350 MB. It would also use an orientation from XMP, which browsers do not.
"""

import struct

import numpy as np
from numpy.typing import NDArray

EXIF_ORIENTATION = 0x0112
SHORT = 3
ORDERS = {b"II*\0": "<", b"MM\0*": ">"}


def read_orientation(block: bytes) -> int:
    """1..8 (EXIF 2.32, tag 0x0112); 1 if the block is damaged, because the pixels are still good."""
    order = ORDERS.get(block[:4])
    if order is None:
        return 1
    try:
        start = struct.unpack_from(f"{order}I", block, 4)[0]
        count = struct.unpack_from(f"{order}H", block, start)[0]
        for entry in range(start + 2, start + 2 + 12 * count, 12):
            tag, kind, values, value = struct.unpack_from(f"{order}HHIH", block, entry)
            if (tag, kind, values) == (EXIF_ORIENTATION, SHORT, 1) and 1 <= value <= 8:
                return int(value)
    except struct.error:
        pass
    return 1


def turn_upright(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Undo the camera's rotation: 5 to 8 swap the axes, then mirror the sides; contiguous."""
    if orientation >= 5:
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)
