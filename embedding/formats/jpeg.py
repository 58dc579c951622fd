"""JPEG (ITU-T T.81): the segments that make up the picture, and the cost of its scans.

A decoder visits every block of a component once per scan of it. A file may repeat a scan of a hundred bytes
endlessly (libjpeg-turbo's report LJT-01-003), so the blocks of all scans are counted before decoding.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from embedding.errors import DecodeFailed, ImageTooLarge, UnsupportedMedia
from embedding.formats.encoded import (
    MAX_METADATA_BYTES,
    Encoded,
    Pieces,
    Raster,
    read_field,
    shrink_for,
    translate_pillow_errors,
)

MAGIC = b"\xff\xd8\xff"

MAX_SEGMENTS = 2_000
"""Most segments before the first scan, and between scans; cameras write up to a few hundred."""

MAX_SCANS = 500
"""Most scans of a picture of any size, because a decoder builds tables for each."""

MAX_BLOCK_VISITS = 8_000_000
"""Most block visits in all scans of a file with several: about a second. Twelve megapixels in the usual ten
scans need 1.7 million."""

TABLES = frozenset({0xC4, 0xDB, 0xDD})
FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
BASELINE, EXTENDED, PROGRESSIVE = 0xC0, 0xC1, 0xC2
SOS, EOI, APP0, APP1, APP2, ADOBE = 0xDA, 0xD9, 0xE0, 0xE1, 0xE2, 0xEE
# The end of a scan's coded data: any marker except a stuffed zero and restart markers.
NEXT_MARKER = re.compile(rb"\xff([^\x00\xd0-\xd7\xff])")

END = b"\xff\xd9"


@dataclass(frozen=True)
class Frame:
    """The content of a start-of-frame segment; `blocks` by component id, at full size."""

    marker: int
    width: int
    height: int
    blocks: dict[int, int]


@dataclass(frozen=True)
class Segments:
    """Everything before the coded data of the first scan.

    Attributes:
        needed: The pieces up to the first scan that a decoder needs.
        first_scan: Offset of the first scan's segment.
    """

    frame: Frame
    needed: list[bytes | memoryview]
    first_scan: int
    exif: bytes
    profile: bytes


def read(data: bytes) -> Encoded:
    """Read the header.

    Raises:
        DecodeFailed: If it is damaged, or of a kind that browsers cannot show either.
        ImageTooLarge: If its scans would take too long.
    """
    segments = _read_segments(data)
    frame = segments.frame
    repeated = _count_scans(data, segments.first_scan, frame) > 1 or frame.marker == PROGRESSIVE
    shrink = shrink_for(frame.width, frame.height)
    pixels = frame.width * frame.height
    raster_bytes = 1 if len(frame.blocks) == 1 else 4
    # With several scans, every coefficient (two bytes) is kept until the last scan is read.
    kept = 128 * sum(frame.blocks.values()) if repeated else 0
    # The RGB pixels are made after the coefficients are freed.
    whole = data.find(END, segments.first_scan) >= 0
    raster = (1 if whole else 2) * raster_bytes * pixels // shrink**2
    memory = raster + max(kept, 3 * pixels // shrink**2)
    # The half of a marker at the end of a truncated file must not form one with the appended bytes.
    stop = len(data) if whole or not data.endswith(b"\xff") else len(data) - 1
    pieces = [*segments.needed, memoryview(data)[segments.first_scan : stop]]
    return Encoded(
        kind="a progressive JPEG" if repeated else "a JPEG",
        width=frame.width,
        height=frame.height,
        memory_bytes=memory,
        load=partial(_load, pieces, shrink) if whole else partial(_load_unended, pieces, shrink),
        exif=segments.exif,
        profile=segments.profile,
    )


def _read_segments(data: bytes) -> Segments:
    needed: list[bytes | memoryview] = [MAGIC[:2]]
    view = memoryview(data)
    exif, profiles, parts = b"", dict[int, bytes](), 0
    frame: Frame | None = None
    offset = 2
    for _ in range(MAX_SEGMENTS):
        offset = data.find(b"\xff", offset)
        marker = read_field(data, offset + 1, "B") if offset >= 0 else EOI
        if marker in (0x00, 0xFF):  # padding
            offset += 1
            continue
        if marker == EOI:
            raise DecodeFailed("it has no scan")
        length = read_field(data, offset + 2, ">H")
        if length < 2 or offset + 2 + length > len(data):
            raise DecodeFailed("it is truncated")
        body = view[offset + 4 : offset + 2 + length]
        if marker in FRAMES and frame is None:
            frame = _read_frame(marker, bytes(body))
            needed.append(view[offset : offset + 2 + length])
        elif marker == SOS:
            if frame is None:
                raise DecodeFailed("it has a scan before its header")
            return Segments(frame, needed, offset, exif, _join_profile(profiles, parts))
        elif marker in TABLES or (marker in (APP0, ADOBE) and bytes(body[:5]) in (b"JFIF\0", b"Adobe")):
            needed.append(view[offset : offset + 2 + length])
        elif marker == APP1 and not exif and bytes(body[:5]) == b"Exif\0":
            # The byte after it fills up, and may be any.
            exif = bytes(body[6:])
        elif marker == APP2 and bytes(body[:12]) == b"ICC_PROFILE\0" and len(body) > 14:
            profiles.setdefault(body[12], bytes(body[14:]))
            parts = parts or body[13]
        offset += 2 + length
    raise DecodeFailed(f"it has more than {MAX_SEGMENTS:,} segments before its picture")


def _join_profile(profiles: dict[int, bytes], parts: int) -> bytes:
    """Join the numbered parts of the ICC profile; empty if one of those announced is missing."""
    if sorted(profiles) != list(range(1, parts + 1)):
        return b""
    joined = b"".join(profiles[number] for number in sorted(profiles))
    return joined if len(joined) <= MAX_METADATA_BYTES else b""


def _read_frame(marker: int, body: bytes) -> Frame:
    if marker not in (BASELINE, EXTENDED, PROGRESSIVE) or read_field(body, 0, "B") != 8:
        raise UnsupportedMedia("a JPEG of a kind that is neither baseline nor progressive")
    height, width, count = read_field(body, 1, ">H"), read_field(body, 3, ">H"), read_field(body, 5, "B")
    if count not in (1, 3, 4):
        raise DecodeFailed(f"it has {count} components")
    factors = [
        (body[i], body[i + 1] >> 4, body[i + 1] & 15)
        for i in range(6, min(len(body), 6 + 3 * count), 3)
        if i + 1 < len(body)
    ]
    if len({name for name, _, _ in factors}) != count or not all(
        1 <= x <= 4 and 1 <= y <= 4 for _, x, y in factors
    ):
        raise DecodeFailed("its components are not as they should be")
    most_x, most_y = max(x for _, x, _ in factors), max(y for _, _, y in factors)
    across, down = -(-width // (8 * most_x)), -(-height // (8 * most_y))
    return Frame(marker, width, height, {name: across * x * down * y for name, x, y in factors})


def _count_scans(data: bytes, offset: int, frame: Frame) -> int:
    """How many scans a decoder reads.

    Raises:
        ImageTooLarge: If they would take too long.
    """
    scans = visits = 0
    for scan in _read_scans(data, offset, frame):
        scans += 1
        visits += sum(frame.blocks.get(component, 0) for component in scan)
        if scans > MAX_SCANS or (scans > 1 and visits > MAX_BLOCK_VISITS):
            raise ImageTooLarge(scans, scans - 1, "scans", "a picture of this size")
    return scans


def _read_scans(data: bytes, offset: int, frame: Frame) -> Iterator[bytes]:
    """The components of each scan, to the end of the picture."""
    while offset >= 0:
        scan = data[offset + 5 : offset + 5 + 2 * read_field(data, offset + 4, "B") : 2]
        yield scan
        if frame.marker != PROGRESSIVE and len(scan) == len(frame.blocks):
            return  # one scan has all components: the decoder stops here
        offset = _find_next_scan(data, offset + 2 + read_field(data, offset + 2, ">H"))


def _find_next_scan(data: bytes, offset: int) -> int:
    """Offset of the next scan's segment; -1 if there is none."""
    for _ in range(MAX_SEGMENTS):
        found = NEXT_MARKER.search(data, offset)
        if found is None or found[1][0] == EOI:
            return -1
        if found[1][0] == SOS:
            return found.start()
        if found.end() + 2 > len(data):
            return -1
        offset = found.end() + read_field(data, found.end(), ">H")
    raise DecodeFailed(f"it has more than {MAX_SEGMENTS:,} segments between its scans")


def _load(pieces: Sequence[bytes | memoryview], shrink: int) -> Raster:
    with translate_pillow_errors():
        image = JpegImageFile(Pieces(pieces))  # type: ignore[arg-type]
        if shrink > 1:
            # In the frequency domain: no aliasing, and a quarter of the work.
            image.draft(None, (max(1, image.width // shrink), max(1, image.height // shrink)))
        image.load()
    return image


def _load_unended(pieces: Sequence[bytes | memoryview], shrink: int) -> Raster:
    """Decode a JPEG without an end marker, which is good if it has every block.

    libjpeg silently makes up missing data. What it makes up depends on the bytes after the end; what it reads
    does not. So two decodings with different endings must agree.
    """
    image = _load([*pieces, END], shrink)
    other = _load([*pieces, FILLING, END], shrink)
    if not _are_equal(image, other):
        raise DecodeFailed("it is truncated")
    return image


def _make_filler() -> bytes:
    """Ordinary data with an occasional restart marker of each kind."""
    noise = np.random.default_rng(1).integers(0, 255, (1024, 60), np.uint8)
    return b"".join(line.tobytes() + bytes([0xFF, 0xD0 + i % 8]) for i, line in enumerate(noise))


FILLING = _make_filler()


def _are_equal(one: Raster, other: Raster) -> bool:
    if not isinstance(one, Image.Image) or not isinstance(other, Image.Image):
        return False
    rows = 64
    return all(
        one.crop((0, y, one.width, min(y + rows, one.height))).tobytes()
        == other.crop((0, y, one.width, min(y + rows, one.height))).tobytes()
        for y in range(0, one.height, rows)
    )
