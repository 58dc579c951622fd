"""HEIC files made of one coded picture: turned, mirrored, in a grid, with a profile or with an EXIF block.

The picture is Eileen Collins's (NASA, public domain), coded once: nothing that is installed codes HEVC.
"""

import struct
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from embedding.formats.isobmff import read_items

PORTRAIT = Path(__file__).parent / "pictures" / "portrait.heic"
SIDE = 320


@dataclass(frozen=True)
class Coded:
    """One HEVC picture: how a decoder is set up, and the units it is fed."""

    configuration: bytes
    units: bytes


@lru_cache
def portrait() -> Coded:
    """(320, 320): the portrait without its file."""
    data = PORTRAIT.read_bytes()
    items = read_items(data)
    (extent,) = items.items[items.primary].extents
    return Coded(next(items.properties_of(items.primary, b"hvcC")), data[extent.start : extent.stop])


def made_heic(
    properties: tuple[bytes, ...] = (),
    grid: tuple[int, int] | None = None,
    exif: bytes = b"",
    size: tuple[int, int] = (SIDE, SIDE),
    coded: Coded | None = None,
    pieces: int = 1,
) -> bytes:
    """A HEIC file.

    Args:
        properties: Boxes of the picture beside its size, as `turned(90)`.
        grid: Columns and rows, each the same tile.
        exif: A block with its header `Exif`.
        size: What the file says of a tile's size.
        coded: Of the tile.
        pieces: How often the file names the place of each item, as if its data were that many pieces.
    """
    coded = coded or portrait()
    tiles = 1 if grid is None else grid[0] * grid[1]
    boxes = [box(b"hvcC", coded.configuration), full(b"ispe", struct.pack(">II", *size)), *properties]
    own = list(range(3, 3 + len(properties)))
    kinds = dict.fromkeys(range(1, tiles + 1), b"hvc1")
    wanted = {item: [1, 2] for item in kinds}
    places = dict.fromkeys(kinds, coded.units)
    primary = 1
    references = b""
    if grid is None:
        wanted[1] = [1, 2, *own]
    else:
        primary = tiles + 1
        width, height = size[0] * grid[0], size[1] * grid[1]
        boxes.append(full(b"ispe", struct.pack(">II", width, height)))
        kinds[primary], wanted[primary] = b"grid", [len(boxes), *own]
        places[primary] = struct.pack(">BBBBII", 0, 1, grid[1] - 1, grid[0] - 1, width, height)
        references += box(b"dimg", struct.pack(f">HH{tiles}H", primary, tiles, *range(1, tiles + 1)))
    if exif:
        item = max(kinds) + 1
        kinds[item], wanted[item], places[item] = b"Exif", [], struct.pack(">I", 6) + exif
        references += box(b"cdsc", struct.pack(">HHH", item, 1, primary))
    return _file(primary, kinds, boxes, wanted, places, references, pieces)


def turned(degrees: int) -> bytes:
    """Anti-clockwise, as the standard says."""
    return box(b"irot", bytes([degrees // 90]))


def mirrored(axis: int) -> bytes:
    """0: top and bottom change places; 1: left and right."""
    return box(b"imir", bytes([axis]))


def cropped(width: int, height: int) -> bytes:
    """The middle of the picture alone is shown."""
    return box(b"clap", struct.pack(">8I", width, 1, height, 1, 0, 1, 0, 1))


def profile(icc: bytes) -> bytes:
    """An ICC profile."""
    return box(b"colr", b"prof" + icc)


def made_of_lists(*lists: bytes) -> bytes:
    """A file of nothing but boxes that list something."""
    return box(b"ftyp", b"heic\0\0\0\0mif1heic") + full(b"meta", b"".join(lists))


def box(name: bytes, body: bytes) -> bytes:
    """A box with its length."""
    return struct.pack(">I", 8 + len(body)) + name + body


def full(name: bytes, body: bytes, version: int = 0, flags: int = 0) -> bytes:
    """A box that has a version and flags."""
    return box(name, bytes([version, 0, 0, flags]) + body)


def _file(
    primary: int,
    kinds: dict[int, bytes],
    boxes: list[bytes],
    wanted: dict[int, list[int]],
    places: dict[int, bytes],
    references: bytes,
    pieces: int,
) -> bytes:
    head = box(b"ftyp", b"heic\0\0\0\0mif1heic")
    # Equal data lie in the file once.
    data = list(dict.fromkeys(places.values()))
    # A tile is no picture of its own: it is marked as hidden.
    entries = b"".join(
        full(b"infe", struct.pack(">HH4sx", item, 0, kind), 2, int(kind == b"hvc1" and item != primary))
        for item, kind in kinds.items()
    )
    associations = b"".join(
        struct.pack(">HB", item, len(wanted[item])) + bytes(0x80 | index for index in wanted[item])
        for item in kinds
    )
    properties = box(b"ipco", b"".join(boxes)) + full(b"ipma", struct.pack(">I", len(kinds)) + associations)

    def meta(start: int) -> bytes:
        starts, at = {}, start
        for body in data:
            starts[body] = at
            at += len(body)
        located = b"".join(
            struct.pack(">HHH", item, 0, pieces) + struct.pack(">II", starts[body], len(body)) * pieces
            for item, body in places.items()
        )
        return full(
            b"meta",
            full(b"hdlr", b"\0\0\0\0pict" + bytes(13))
            + full(b"pitm", struct.pack(">H", primary))
            + full(b"iloc", struct.pack(">HH", 0x4400, len(places)) + located)
            + full(b"iinf", struct.pack(">H", len(kinds)) + entries)
            + (full(b"iref", references) if references else b"")
            + box(b"iprp", properties),
        )

    start = len(head) + len(meta(0)) + 8
    return head + meta(start) + box(b"mdat", b"".join(data))
