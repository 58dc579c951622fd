"""What the header of a picture announces, and what decoding it will cost."""

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
"""Decoded pixels as the decoder returns them: a Pillow image, or (H, W, 3 or 4) uint8 RGB(A)."""

MEMORY_BYTES = 120_000_000
"""Most memory for decoding one picture, including its own bytes; with face detection it is 150 MB."""

DECODED_LONG_SIDE = 1600
"""A picture is reduced while its long side keeps at least this many pixels: a face that fills 6 % of its
width then still covers the 112 pixels of a crop."""

MAX_METADATA_BYTES = 4 * 1024 * 1024
"""Largest colour profile or EXIF block; a larger one is ignored, like a damaged one."""

# Errors of Pillow's plugins on damaged files.
PILLOW_DAMAGE = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error)


@dataclass(frozen=True)
class Encoded:
    """A picture whose header has been read and whose pixels have not been decoded.

    Attributes:
        kind: In words, for error messages: `a progressive JPEG`.
        width: In pixels, as stored.
        height: In pixels, as stored.
        memory_bytes: Most that `load` and the conversion to RGB take, besides the picture's own bytes.
        load: Decodes the picture; raises DecodeFailed.
        shrink: Factor by which the decoded raster still has to be reduced in each direction.
        exif: The EXIF block with its orientation, if any, from the byte order on.
        profile: The ICC profile, if any.
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
        """Refuse a picture that would cost too much.

        Raises:
            ImageTooLarge: If it has more pixels than the limit, or than fit into the memory for one picture.
            DecodeFailed: If it has no pixels.
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
    """1, 2, 4 or 8: the factor by which a picture may be reduced in each direction."""
    scale = 1
    while scale < 8 and max(width, height) >= 2 * scale * DECODED_LONG_SIDE:
        scale *= 2
    return scale


def memory_of(width: int, height: int, raster_bytes: float, shrink: int) -> int:
    """Bytes of a raster with this many bytes per pixel, and of the RGB pixels made from it."""
    pixels = width * height
    return int(pixels * raster_bytes + 3 * pixels / shrink**2)


@contextmanager
def translate_pillow_errors() -> Iterator[None]:
    """Turn Pillow's errors on damaged files into DecodeFailed; wrap only Pillow's own calls."""
    try:
        yield
    except PILLOW_DAMAGE as damage:
        reason = str(damage).rstrip(".").split("\n")[0][:200] or type(damage).__name__
        raise DecodeFailed(reason) from damage


class Pieces:
    """A binary stream over pieces of a file, which copies nothing before it is read.

    The decoder gets only the pieces that make up the picture: a plugin that reads a million comments one by
    one, or joins them, costs more than any picture.
    """

    def __init__(self, pieces: Sequence[bytes | memoryview]) -> None:
        self._pieces = [memoryview(piece) for piece in pieces]
        self._at = 0
        self._index = 0
        self._offset = 0

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes; all that are left if it is negative."""
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
        """The position of the next byte."""
        return self._at

    def seek(self, position: int, whence: int = SEEK_SET) -> int:
        """Seek from the start only, as decoders do."""
        if whence != SEEK_SET:
            raise OSError("only from the start")
        self._at, self._index, self._offset = position, 0, position
        while self._index < len(self._pieces) and self._offset >= len(self._pieces[self._index]):
            self._offset -= len(self._pieces[self._index])
            self._index += 1
        return position


def read_field(data: bytes, offset: int, form: str) -> int:
    """One number of a header; `form` is a format of `struct`.

    Raises:
        DecodeFailed: If the file ends before that.
    """
    try:
        number: int = struct.unpack_from(form, data, offset)[0]
    except struct.error:
        raise DecodeFailed("it is truncated") from None
    return number
