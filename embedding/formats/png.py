"""PNG (ISO/IEC 15948): the chunks of the still picture, without text, times and animation frames."""

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from PIL.PngImagePlugin import PngImageFile

from embedding.errors import DecodeFailed
from embedding.formats import png_colour
from embedding.formats.colour import to_rgb
from embedding.formats.encoded import (
    MAX_METADATA_BYTES,
    MEMORY_BYTES,
    Encoded,
    Pieces,
    Raster,
    memory_of,
    read_field,
    shrink_for,
    translate_pillow_errors,
)

MAGIC = b"\x89PNG\r\n\x1a\n"

MAX_CHUNKS = 20_000
"""Most chunks of a file; encoders write chunks of 4 kB and more."""

MAX_ROWS_BYTES = 100_000_000
"""Most bytes of the filtered rows: inflating and unfiltering them takes a second."""

ORDER = (b"IHDR", b"PLTE", b"tRNS", b"IDAT")
GREY, PALETTE, GREY_ALPHA = 0, 3, 4
CHANNELS = {GREY: 1, 2: 3, PALETTE: 1, GREY_ALPHA: 2, 6: 4}
END = b"\0\0\0\0IEND\xaeB`\x82"


@dataclass(frozen=True)
class Frame:
    """One frame of an animation: its place on the canvas, and its pixels without their sequence numbers."""

    width: int
    height: int
    left: int
    top: int
    pixels: list[memoryview] = field(default_factory=list)


class Chunks:
    """The chunks that make the picture; like a browser it ignores what is damaged or not in its place.

    Attributes:
        needed: What the decoder is given, by name.
        frame: The first frame of an animation that the still picture is no part of: browsers show this one.
    """

    def __init__(self, depth: int, colour: int) -> None:
        self.needed: dict[bytes, list[memoryview]] = {}
        self.colours: dict[bytes, bytes] = {}
        self.exif = b""
        self.frame: Frame | None = None
        self._depth, self._colour = depth, colour
        self._is_animated = self._shows_still = False
        self._sequence = 0

    @property
    def lacks_its_frame(self) -> bool:
        """Whether there is an animation, and nothing of it."""
        return self._is_animated and not self._shows_still and self.frame is None

    def take(self, kind: bytes, chunk: memoryview) -> None:
        """Read one chunk.

        Raises:
            DecodeFailed: If the picture cannot be understood without it, and it is unknown.
        """
        body = chunk[8:-4]
        if kind == b"IHDR" and kind in self.needed:
            raise DecodeFailed("it has two headers")
        if kind in (b"IHDR", b"PLTE", b"IDAT"):
            self.needed.setdefault(kind, []).append(chunk)
        elif kind == b"fcTL":
            self._begin_frame(body)
        elif kind == b"fdAT":
            if self.frame is not None and self._follows(body):
                self.frame.pixels.append(body[4:])
        elif kind[0] & 0x20 == 0:
            raise DecodeFailed(f"it needs {kind!r}, which is not of the standard")
        elif b"IDAT" not in self.needed and len(body) <= MAX_METADATA_BYTES and _is_whole(chunk):
            self._take_property(kind, chunk)

    def _take_property(self, kind: bytes, chunk: memoryview) -> None:
        body = chunk[8:-4]
        has_palette = b"PLTE" in self.needed
        if kind == b"tRNS" and (has_palette or self._colour != PALETTE):
            self.needed.setdefault(kind, [self._scale_transparency(chunk)])
        elif kind == b"eXIf":
            self.exif = self.exif or bytes(body)
        elif kind == b"acTL":
            self._is_animated = any(body[:4])
        elif kind in png_colour.CHUNKS and not (kind == b"cICP" and has_palette):
            # cICP stands before the palette.
            self.colours.setdefault(kind, bytes(body))

    def _begin_frame(self, body: memoryview) -> None:
        """A frame that begins before the still picture's pixels is that picture."""
        if b"IDAT" not in self.needed:
            self._shows_still = True
        elif self._is_animated and not self._shows_still and self.frame is None and self._follows(body):
            self.frame = Frame(*struct.unpack_from(">4I", body, 4)) if len(body) >= 20 else None
        else:
            self._sequence = -1

    def _follows(self, body: memoryview) -> bool:
        """Whether this part has the next number; nothing follows one that is missing, or the first frame."""
        follows = len(body) >= 4 and int.from_bytes(body[:4]) == self._sequence
        self._sequence = self._sequence + 1 if follows else -1
        return follows

    def _scale_transparency(self, chunk: memoryview) -> memoryview:
        """The transparent value of grey of 2 or 4 bits as one of 8, which Pillow compares it with."""
        if self._colour != GREY or self._depth not in (2, 4) or len(chunk) != 14:
            return chunk
        most = (1 << self._depth) - 1
        value = (int.from_bytes(chunk[8:10]) & most) * 255 // most
        return memoryview(_make_chunk(b"tRNS", value.to_bytes(2)))


def read(data: bytes) -> Encoded:
    """Read the chunks' names and the header.

    Raises:
        DecodeFailed: If they are damaged.
    """
    width, height, depth, colour = _read_header(data)
    chunks = _read_chunks(data, depth, colour)
    frame = chunks.frame
    if chunks.lacks_its_frame or (frame and not _lies_within(frame, width, height)):
        raise DecodeFailed("its animation is damaged")
    if colour == PALETTE and b"PLTE" not in chunks.needed:
        raise DecodeFailed("it has no palette")
    needed: list[bytes | memoryview] = [
        MAGIC,
        *(one for kind in ORDER for one in chunks.needed.get(kind, [])),
        END,
    ]
    raster_bytes, load = _raster_bytes(depth, colour), partial(_load, needed)
    if frame:
        raster_bytes, load = raster_bytes + 6, partial(_load_frame, chunks, frame, (width, height))
    shrink = shrink_for(width, height)
    return Encoded(
        kind=f"a PNG of {depth} bits",
        width=width,
        height=height,
        memory_bytes=max(
            memory_of(width, height, raster_bytes, shrink),
            # Too much time counts as too much memory.
            int(width * height * CHANNELS[colour] * depth / 8 * MEMORY_BYTES / MAX_ROWS_BYTES),
        ),
        load=load,
        shrink=shrink,
        exif=chunks.exif,
        profile=png_colour.profile_of(chunks.colours),
    )


def _read_chunks(data: bytes, depth: int, colour: int) -> Chunks:
    chunks = Chunks(depth, colour)
    view = memoryview(data)
    offset = len(MAGIC)
    for _ in range(MAX_CHUNKS):
        if offset + 8 > len(data):
            return chunks
        length, kind = struct.unpack_from(">I4s", data, offset)
        if kind == b"IEND":
            return chunks
        chunks.take(kind, view[offset : offset + 12 + length])
        offset += 12 + length
    raise DecodeFailed(f"it has more than {MAX_CHUNKS:,} chunks")


def _lies_within(frame: Frame, width: int, height: int) -> bool:
    """Whether a frame has pixels, all of them on the canvas."""
    fits = frame.left + frame.width <= width and frame.top + frame.height <= height
    return fits and min(frame.width, frame.height) > 0


def _read_header(data: bytes) -> tuple[int, int, int, int]:
    """Width, height, bits per channel, colour type."""
    if data[12:16] != b"IHDR":
        raise DecodeFailed("it does not begin with its header")
    width, height = read_field(data, 16, ">I"), read_field(data, 20, ">I")
    depth, colour = read_field(data, 24, "B"), read_field(data, 25, "B")
    if colour not in CHANNELS or depth not in (1, 2, 4, 8, 16):
        raise DecodeFailed(f"its colours are of kind {colour} with {depth} bits")
    return width, height, depth, colour


def _raster_bytes(depth: int, colour: int) -> int:
    """Bytes per pixel in Pillow's memory."""
    if colour == GREY:
        return 2 if depth == 16 else 1
    return 1 if colour == PALETTE else 4


def _is_whole(chunk: memoryview) -> bool:
    """Whether a chunk is as its check sum says; a browser ignores a damaged one that it can do without."""
    return len(chunk) >= 12 and zlib.crc32(chunk[4:-4]).to_bytes(4) == chunk[-4:]


def _make_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + zlib.crc32(kind + body).to_bytes(4)


def _load_frame(chunks: Chunks, frame: Frame, canvas: tuple[int, int]) -> Raster:
    """The frame on a white canvas."""
    (header,) = chunks.needed[b"IHDR"][:1]
    sized = _make_chunk(b"IHDR", struct.pack(">II", frame.width, frame.height) + bytes(header[16:21]))
    around = (one for kind in (b"PLTE", b"tRNS") for one in chunks.needed.get(kind, []))
    image = _load([MAGIC, sized, *around, _make_chunk(b"IDAT", b"".join(frame.pixels)), END])
    laid = np.full((canvas[1], canvas[0], 3), 255, np.uint8)
    laid[frame.top : frame.top + frame.height, frame.left : frame.left + frame.width] = to_rgb(image, 1, b"")
    return laid


def _load(pieces: Sequence[bytes | memoryview]) -> Raster:
    with translate_pillow_errors():
        image = PngImageFile(Pieces(pieces))  # type: ignore[arg-type]
        image.load()
    return image
