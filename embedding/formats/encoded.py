"""What the header of a picture announces, and what decoding it would cost."""

import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import SEEK_SET

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from embedding.errors import DecodeFailed, ImageTooLarge

Raster = Image.Image | NDArray[np.uint8]
"""Decoded pixels as the decoder left them: Pillow's own, or (H, W, 3 or 4) uint8 RGB(A)."""

MEMORY_BYTES = 120_000_000
"""What decoding one picture may take, its own bytes included; with the look at its faces: 150 MB."""

DECODED_LONG_SIDE = 1600
"""A picture is made smaller as long as its long side keeps this many pixels: a face that fills 6 % of its
width still covers the 112 pixels that the network looks at."""

MAX_METADATA_BYTES = 4 * 1024 * 1024
"""Of a colour profile or an EXIF block; what is larger is left aside as if it were damaged."""

# What Pillow's plugins raise on damaged files.
PILLOW_DAMAGE = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error)


@dataclass(frozen=True)
class Encoded:
    """A picture whose header was read and of which nothing was decoded.

    Attributes:
        kind: In words, for a refusal: `a progressive JPEG`.
        width: In pixels, as stored.
        height: In pixels, as stored.
        memory_bytes: What `load` and the conversion to RGB take at most, besides the picture's own bytes.
        load: Decodes it; raises DecodeFailed.
        shrink: How many times smaller the raster still has to become in each direction.
        exif: The EXIF block that turns it, if it has one, from its byte order on.
        profile: The ICC profile, if it has one.
    """

    kind: str
    width: int
    height: int
    memory_bytes: int
    load: Callable[[], Raster]
    shrink: int = 1
    exif: bytes = b""
    profile: bytes = b""

    def check(self, max_pixels: int, own_bytes: int) -> None:
        """Refuses what would cost too much.

        Raises:
            ImageTooLarge: More pixels than the limit, or than fit into the memory of one picture.
            DecodeFailed: No pixels at all.
        """
        pixels = self.width * self.height
        if pixels < 1:
            raise DecodeFailed("it has no pixels")
        fitting = pixels * max(MEMORY_BYTES - own_bytes, 0) // max(self.memory_bytes, 1)
        if pixels > max_pixels:
            raise ImageTooLarge(pixels, max_pixels, "pixels")
        if pixels > fitting:
            raise ImageTooLarge(pixels, fitting, "pixels", self.kind)


def shrink_for(width: int, height: int) -> int:
    """1, 2, 4 or 8: how many times smaller a picture may become in each direction."""
    scale = 1
    while scale < 8 and max(width, height) >= 2 * scale * DECODED_LONG_SIDE:
        scale *= 2
    return scale


def memory_of(width: int, height: int, raster_bytes: float, shrink: int) -> int:
    """Bytes of a raster with so many bytes to a pixel, and of the RGB pixels that are made of it."""
    pixels = width * height
    return int(pixels * raster_bytes + 3 * pixels / shrink**2)


@contextmanager
def pillow_damage() -> Iterator[None]:
    """Turns what Pillow raises on a damaged file into DecodeFailed; only Pillow's own calls go inside."""
    try:
        yield
    except PILLOW_DAMAGE as damage:
        reason = str(damage).rstrip(".").split("\n")[0][:200] or type(damage).__name__
        raise DecodeFailed(reason) from damage


class Pieces:
    """A binary stream over pieces of a file, none of which is copied before it is read.

    A decoder is handed the pieces that make the picture and never meets the others: a plugin that reads
    a million comments one by one, or joins them, costs more than any picture.
    """

    def __init__(self, pieces: Sequence[bytes | memoryview]) -> None:
        self._pieces = [memoryview(piece) for piece in pieces]
        self._at = 0
        self._index = 0
        self._offset = 0

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes; all that are left where it is negative."""
        parts = []
        while size != 0 and self._index < len(self._pieces):
            piece = self._pieces[self._index]
            part = piece[self._offset :] if size < 0 else piece[self._offset : self._offset + size]
            parts.append(part)
            self._offset += len(part)
            self._at += len(part)
            size -= len(part) if size > 0 else 0
            if self._offset == len(piece):
                self._index, self._offset = self._index + 1, 0
        return bytes(parts[0]) if len(parts) == 1 else b"".join(parts)

    def tell(self) -> int:
        """Bytes before the next one."""
        return self._at

    def seek(self, position: int, whence: int = SEEK_SET) -> int:
        """Only from the start, as decoders do."""
        if whence != SEEK_SET:
            raise OSError("only from the start")
        self._at, self._index, self._offset = position, 0, position
        while self._index < len(self._pieces) and self._offset >= len(self._pieces[self._index]):
            self._offset -= len(self._pieces[self._index])
            self._index += 1
        return position


def field(data: bytes, offset: int, form: str) -> int:
    """One number of a header, in the words of `struct`.

    Raises:
        DecodeFailed: If the file ends before it.
    """
    try:
        number: int = struct.unpack_from(form, data, offset)[0]
    except struct.error:
        raise DecodeFailed("it is truncated") from None
    return number
