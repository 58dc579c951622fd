"""HEIC (ISO/IEC 23008-12), as phones write it: one HEVC picture, or a grid of them.

libheif rotates and mirrors the picture according to the file (`irot`, `imir`), so the EXIF orientation is
ignored.
"""

from collections.abc import Mapping
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
    memory_of,
    read_field,
    shrink_for,
    translate_pillow_errors,
)
from embedding.formats.hevc import Stream, check_units, read_configuration
from embedding.formats.isobmff import Items, read_items

BRANDS = (b"heic", b"heix", b"heim", b"heis")
ANY_IMAGE = b"mif1"

MAX_ITEMS = 1_000
MAX_DECODED_PIXELS = 30_000_000
"""Total pixels of all coded pictures of a file: decoding them takes a second."""

# Decode only the picture itself, and in one thread, because several pictures are decoded at once.
options.THUMBNAILS = options.DEPTH_IMAGES = options.AUX_IMAGES = False
options.DECODE_THREADS = 1

CODED, GRID = b"hvc1", b"grid"
METADATA = (b"Exif", b"mime", b"uri ")


def is_heic(data: bytes) -> bool:
    """Whether the file starts with the brands of HEIC."""
    if data[4:8] != b"ftyp":
        return False
    brands = data[8 : min(int.from_bytes(data[:4], "big"), 256)]
    return brands[:4] in BRANDS or (brands[:4] == ANY_IMAGE and b"heic" in brands)


def read(data: bytes) -> Encoded:
    """Read the boxes, and the size from the coded stream.

    Raises:
        DecodeFailed: If they are damaged.
        UnsupportedMedia: If the picture is not coded as HEVC.
    """
    items = read_items(data)
    _check_items(items)
    width, height = _read_size(items, items.primary)
    coded = _find_coded(items, items.primary)
    alpha = [
        one
        for aux in items.sources_of(b"auxl", items.primary)
        if aux != items.primary
        for one in _find_coded(items, aux)
    ]
    streams = {
        item: read_configuration(next(items.properties_of(item, b"hvcC"), b"")) for item in {*coded, *alpha}
    }
    _check_streams(data, items, streams)
    # A grid may name the same tile many times, and it is decoded each time.
    decoded = sum(streams[item].width * streams[item].height for item in coded + alpha)
    largest = max(stream.width * stream.height * stream.sample_bytes for stream in streams.values())
    shrink = shrink_for(width, height)
    samples = max(stream.sample_bytes for stream in streams.values())
    raster_bytes = 4 if alpha else 3
    # The samples of all tiles, and with them either one tile or the pixels made from them.
    making = width * height * (samples + (5 if alpha else raster_bytes))
    return Encoded(
        kind="a HEIC picture",
        width=width,
        height=height,
        memory_bytes=max(
            memory_of(width, height, raster_bytes, shrink),
            int(making + (largest if len(coded) > 1 else 0)),
            # Too much time counts as too much memory.
            int(decoded * MEMORY_BYTES / MAX_DECODED_PIXELS),
        ),
        load=partial(_load, data),
        shrink=shrink,
        profile=_read_profile(items, coded),
    )


def _check_items(items: Items) -> None:
    """Refuse files whose items would be read many times."""
    if items.primary not in items.items:
        raise DecodeFailed("it names no picture")
    if len(items.items) > MAX_ITEMS:
        raise DecodeFailed(f"it has more than {MAX_ITEMS:,} items")
    metadata = sum(item.length for item in items.items.values() if item.kind in METADATA)
    if metadata > MAX_METADATA_BYTES:
        raise DecodeFailed("its metadata are larger than any picture's")


def _check_streams(data: bytes, items: Items, streams: Mapping[int, Stream]) -> None:
    """Refuse a stream of more than one picture, and pieces that name the same bytes again and again.

    Several items may be the same stream, which is looked at once.
    """
    lengths = {tuple(items.items[item].extents): one.length_bytes for item, one in streams.items()}
    if sum(len(extent) for extents in lengths for extent in extents) > len(data):
        raise DecodeFailed("its pictures are larger than the file")
    for extents, length_bytes in lengths.items():
        check_units(b"".join(data[at.start : at.stop] for at in extents), length_bytes)


def _read_size(items: Items, item: int) -> tuple[int, int]:
    for extent in items.properties_of(item, b"ispe"):
        return read_field(extent, 4, ">I"), read_field(extent, 8, ">I")
    raise DecodeFailed("it does not say how large it is")


def _find_coded(items: Items, item: int) -> list[int]:
    """The coded pictures that make up an item."""
    kind = items.items[item].kind
    if kind == CODED:
        return [item]
    tiles = items.targets_of(b"dimg", item)
    if kind != GRID or not tiles or any(items.items[tile].kind != CODED for tile in tiles):
        raise UnsupportedMedia("a HEIC picture of a kind that telephones do not make")
    return tiles


def _read_profile(items: Items, coded: list[int]) -> bytes:
    for item in (items.primary, coded[0]):
        for colour in items.properties_of(item, b"colr"):
            if colour[:4] in (b"prof", b"rICC") and len(colour) <= MAX_METADATA_BYTES:
                return colour[4:]
    return b""


class _BorrowedPixels:
    """The decoder's pixels without a copy, which keeps the picture alive as long as they are used."""

    def __init__(self, picture: pi_heif.HeifFile) -> None:
        self._picture = picture
        self.__array_interface__ = np.asarray(picture).__array_interface__


def _load(data: bytes) -> Raster:
    try:
        with translate_pillow_errors():
            return np.asarray(_BorrowedPixels(pi_heif.open_heif(data, convert_hdr_to_8bit=True)))
    except (RuntimeError, IndexError) as refusal:
        # What libheif refuses by its own limits or cannot do, and a file whose main picture it does not list.
        raise DecodeFailed(str(refusal)[:200]) from refusal
