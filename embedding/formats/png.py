"""PNG (ISO/IEC 15948): the chunks of the still picture, without text, times and animation frames."""

import struct
import zlib
from functools import partial

from PIL.PngImagePlugin import PngImageFile

from embedding.errors import DecodeFailed
from embedding.formats import png_colour
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

GREY, PALETTE, GREY_ALPHA = 0, 3, 4
CHANNELS = {GREY: 1, 2: 3, PALETTE: 1, GREY_ALPHA: 2, 6: 4}
END = b"\0\0\0\0IEND\xaeB`\x82"


def read(data: bytes) -> Encoded:
    """Read the chunks' names and the header.

    Raises:
        DecodeFailed: If they are damaged.
    """
    width, height, depth, colour = _read_header(data)
    needed: list[bytes | memoryview] = [MAGIC]
    exif = b""
    colours: dict[bytes, bytes] = {}
    view = memoryview(data)
    offset, coded, has_palette = len(MAGIC), False, False
    for _ in range(MAX_CHUNKS):
        if offset + 8 > len(data):
            break
        length, kind = struct.unpack_from(">I4s", data, offset)
        end = offset + 12 + length
        body = view[offset + 8 : end - 4]
        if kind == b"IEND":
            break
        if kind in (b"IHDR", b"PLTE", b"IDAT", b"tRNS"):
            needed.append(view[offset:end])
            coded = coded or kind == b"IDAT"
            has_palette = has_palette or kind == b"PLTE"
        elif kind == b"eXIf" and length <= MAX_METADATA_BYTES and not coded:
            # Browsers ignore EXIF after the pixels, and so do we.
            exif = bytes(body)
        elif kind in png_colour.CHUNKS:
            told = length <= MAX_METADATA_BYTES and not coded and _is_whole(view[offset:end])
            # cICP stands before the palette.
            if told and not (kind == b"cICP" and has_palette):
                colours.setdefault(kind, bytes(body))
        elif kind[0] & 0x20 == 0:
            raise DecodeFailed(f"it needs {kind!r}, which is not of the standard")
        offset = end
    else:
        raise DecodeFailed(f"it has more than {MAX_CHUNKS:,} chunks")
    shrink = shrink_for(width, height)
    return Encoded(
        kind=f"a PNG of {depth} bits",
        width=width,
        height=height,
        memory_bytes=max(
            memory_of(width, height, _raster_bytes(depth, colour), shrink),
            # Too much time counts as too much memory.
            int(width * height * CHANNELS[colour] * depth / 8 * MEMORY_BYTES / MAX_ROWS_BYTES),
        ),
        load=partial(_load, [*needed, END]),
        shrink=shrink,
        exif=exif,
        profile=png_colour.profile_of(colours),
    )


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


def _load(pieces: list[bytes | memoryview]) -> Raster:
    with translate_pillow_errors():
        image = PngImageFile(Pieces(pieces))  # type: ignore[arg-type]
        image.load()
    return image
