"""HEIC (ISO/IEC 23008-12), as telephones make it: one HEVC picture, or a grid of them.

libheif turns and mirrors the picture as the file asks (`irot`, `imir`), so its EXIF orientation is not used.
"""

from functools import partial

import numpy as np
import pi_heif
from pi_heif import options

from embedding.errors import DecodeFailed, UnsupportedMedia
from embedding.formats.encoded import (
    MAX_METADATA_BYTES,
    MEMORY_BYTES,
    Encoded,
    Raster,
    field,
    memory_of,
    pillow_damage,
    shrink_for,
)
from embedding.formats.hevc import check_units, read_configuration
from embedding.formats.isobmff import Items, read_items

BRANDS = (b"heic", b"heix", b"heim", b"heis")
ANY_IMAGE = b"mif1"

MAX_ITEMS = 1_000
MAX_DECODED_PIXELS = 30_000_000
"""Of all coded pictures that make the one: they take a second."""

# Only the picture itself is wanted. More than one picture is worked on at once, so each in one thread.
options.THUMBNAILS = options.DEPTH_IMAGES = options.AUX_IMAGES = False
options.DECODE_THREADS = 1

CODED, GRID = b"hvc1", b"grid"
METADATA = (b"Exif", b"mime", b"uri ")


def is_heic(data: bytes) -> bool:
    """By the brands that the file names first."""
    if data[4:8] != b"ftyp":
        return False
    brands = data[8 : min(int.from_bytes(data[:4], "big"), 256)]
    return brands[:4] in BRANDS or (brands[:4] == ANY_IMAGE and b"heic" in brands)


def read(data: bytes) -> Encoded:
    """Reads the boxes and the size in the coded stream.

    Raises:
        DecodeFailed: If they are damaged.
        UnsupportedMedia: If the picture is coded otherwise than as HEVC.
    """
    items = read_items(data)
    _check_items(items)
    width, height = _size(items, items.primary)
    coded = _coded(items, items.primary)
    alpha = [
        one
        for aux in items.referring(b"auxl", items.primary)
        if aux != items.primary
        for one in _coded(items, aux)
    ]
    streams = {
        item: read_configuration(next(items.properties_of(item, b"hvcC"), b"")) for item in {*coded, *alpha}
    }
    for item, stream in streams.items():
        extents = items.items[item].extents
        check_units(b"".join(data[at.start : at.stop] for at in extents), stream.length_bytes)
    # A grid may name the same tile many times, and each time it is decoded.
    decoded = sum(streams[item].width * streams[item].height for item in coded + alpha)
    largest = max(stream.width * stream.height * stream.sample_bytes for stream in streams.values())
    shrink = shrink_for(width, height)
    samples = max(stream.sample_bytes for stream in streams.values())
    raster_bytes = 4 if alpha else 3
    # The samples of all tiles, beside them one tile or the pixels that are made of them.
    making = width * height * (samples + (5 if alpha else raster_bytes))
    return Encoded(
        kind="a HEIC picture",
        width=width,
        height=height,
        memory_bytes=max(
            memory_of(width, height, raster_bytes, shrink),
            int(making + (largest if len(coded) > 1 else 0)),
            # What takes too long counts as what takes too much.
            int(decoded * MEMORY_BYTES / MAX_DECODED_PIXELS),
        ),
        load=partial(_load, data),
        shrink=shrink,
        profile=_profile(items, coded),
    )


def _check_items(items: Items) -> None:
    """Refuses what would be read many times over."""
    if items.primary not in items.items:
        raise DecodeFailed("it names no picture")
    if len(items.items) > MAX_ITEMS:
        raise DecodeFailed(f"it has more than {MAX_ITEMS:,} items")
    metadata = sum(item.length for item in items.items.values() if item.kind in METADATA)
    if metadata > MAX_METADATA_BYTES:
        raise DecodeFailed("its metadata are larger than any picture's")


def _size(items: Items, item: int) -> tuple[int, int]:
    for extent in items.properties_of(item, b"ispe"):
        return field(extent, 4, ">I"), field(extent, 8, ">I")
    raise DecodeFailed("it does not say how large it is")


def _coded(items: Items, item: int) -> list[int]:
    """The coded pictures that make an item."""
    kind = items.items[item].kind
    if kind == CODED:
        return [item]
    tiles = items.referred(b"dimg", item)
    if kind != GRID or not tiles or any(items.items[tile].kind != CODED for tile in tiles):
        raise UnsupportedMedia("a HEIC picture of a kind that telephones do not make")
    return tiles


def _profile(items: Items, coded: list[int]) -> bytes:
    for item in (items.primary, coded[0]):
        for colour in items.properties_of(item, b"colr"):
            if colour[:4] in (b"prof", b"rICC") and len(colour) <= MAX_METADATA_BYTES:
                return colour[4:]
    return b""


class _Held:
    """The decoder's own pixels without a copy: they live as long as the picture does, and no longer."""

    def __init__(self, picture: pi_heif.HeifFile) -> None:
        self._picture = picture
        self.__array_interface__ = np.asarray(picture).__array_interface__


def _load(data: bytes) -> Raster:
    with pillow_damage():
        return np.asarray(_Held(pi_heif.open_heif(data, convert_hdr_to_8bit=True)))
