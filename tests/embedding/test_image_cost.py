"""What decoding a picture may cost: refused before the work, or within the memory of one picture."""

import struct
from pathlib import Path

import numpy as np
import pytest
from made_heic import Coded, box, full, made_heic, made_of_lists, portrait
from PIL import Image

from benchmarks.odd_webp import webp_of_many_codes, webp_of_many_transforms
from benchmarks.picture_corpus import (
    corpus,
    flat_jpeg,
    flat_png,
    many_scans,
    photo,
    saved,
)
from embedding.errors import DecodeFailed, ImageError, ImageTooLarge, UnsupportedMedia
from embedding.image import ImageLimits, decode

pytestmark = pytest.mark.not_quick("decodes the largest pictures that are taken")

LIMITS = ImageLimits()
CORPUS = corpus()

MEMORY_LIMIT_BYTES = 150_000_000

TOO_LARGE = [
    "JPEG of 400 scans",
    "JPEG of a few scans too many",
    "JPEG of 100,000 scans of one block",
    "progressive JPEG of 48 MP",
    "PNG of 6300² in one colour, RGBA, 8 bits",
    "PNG of 4800² in one colour, RGBA, 16 bits",
    "PNG of 108 MP in black and white",
    "WebP of 6300² in one colour, lossy",
    "WebP of 4200² in one colour, lossless",
    "WebP of 65,536 groups of codes",
    "WebP whose transparency has 65,536 groups of codes",
    "BMP of 12 MB of runs",
]
DAMAGED = [
    "JPEG with a million comments",
    "JPEG with 600,000 pieces of EXIF",
    "JPEG with 12 MB of padding",
    "PNG in a million pieces",
]
WITHIN = [
    "JPEG of 108 MP in one colour",
    "JPEG of 200 MP in one colour",
    "progressive JPEG of 24 MP",
    "JPEG whose EXIF unfolds",
    "JPEG with 12 MB of profile",
    "JPEG without its end",
    "PNG of 6300² in one colour, grey, 16 bits",
    "PNG of 4800² in one colour, RGBA, 8 bits",
    "interlaced PNG",
    "PNG with 100 MB of text",
    "PNG with 100 MB of profile",
    "animated PNG of 60 frames",
    "WebP of 3190², transparent",
    "animated WebP of 60 frames",
    "BMP of one bit",
]


def peak_bytes(data: bytes) -> int:
    """How far the process grows while a picture is decoded."""
    status, refs = Path("/proc/self/status"), Path("/proc/self/clear_refs")
    if not refs.exists():
        pytest.skip("only Linux tells a process's peak of memory again and again")

    def kilobytes(name: str) -> int:
        return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith(name))

    refs.write_text("5")
    resting = kilobytes("VmRSS")
    decode(data, LIMITS)
    return (kilobytes("VmHWM") - resting) * 1024


@pytest.mark.parametrize("name", TOO_LARGE)
def test_what_would_cost_too_much_is_refused_from_its_header(name: str) -> None:
    with pytest.raises(ImageTooLarge):
        decode(CORPUS[name](), LIMITS)


@pytest.mark.parametrize("name", DAMAGED)
def test_a_file_of_endless_pieces_is_refused(name: str) -> None:
    with pytest.raises(DecodeFailed):
        decode(CORPUS[name](), LIMITS)


@pytest.mark.parametrize("name", WITHIN)
def test_what_is_taken_stays_within_the_memory_of_one_picture(name: str) -> None:
    assert peak_bytes(CORPUS[name]()) < MEMORY_LIMIT_BYTES


def test_the_limit_of_a_refusal_is_one_that_a_picture_can_keep() -> None:
    with pytest.raises(ImageTooLarge) as refusal:
        decode(flat_png(6300, 6300, 4, 8), LIMITS)

    assert refusal.value.unit == "pixels"
    assert refusal.value.actual == 6300 * 6300
    assert "PNG" in str(refusal.value)
    side = int(refusal.value.limit**0.5) - 8
    assert decode(flat_png(side, side, 4, 8), LIMITS).any()


def test_an_ordinary_progressive_photograph_is_taken_with_all_its_scans() -> None:
    pixels = decode(saved(photo(4032, 3024), "JPEG", progressive=True), LIMITS)

    assert pixels.shape == (1512, 2016, 3)


def test_scans_count_by_the_blocks_they_go_over_and_not_by_their_number() -> None:
    assert decode(many_scans(160, 120, 400), LIMITS).shape == (120, 160, 3)
    with pytest.raises(ImageTooLarge) as refusal:
        decode(many_scans(4000, 3000, 400), LIMITS)

    assert refusal.value.unit == "scans"


@pytest.mark.parametrize(("width", "height"), [(8160, 6120), (12_000, 9000)])
def test_a_telephone_with_very_many_pixels_is_read_at_a_reduced_size(width: int, height: int) -> None:
    pixels = decode(flat_jpeg(width, height), LIMITS)

    assert 1600 <= max(pixels.shape) < 3200
    assert pixels.shape[1] * height == pixels.shape[0] * width


def test_a_large_png_is_made_smaller_by_the_mean_of_its_pixels() -> None:
    stripes = np.zeros((20, 4000, 3), np.uint8)
    stripes[:, ::2] = 200

    pixels = decode(saved(Image.fromarray(stripes), "PNG"), LIMITS)

    assert pixels.shape == (10, 2000, 3)
    assert (pixels == 100).all()


def test_a_grid_is_as_expensive_as_its_tiles_however_often_it_names_one() -> None:
    assert decode(made_heic(grid=(12, 9)), LIMITS).shape == (1440, 1920, 3)
    with pytest.raises(ImageTooLarge) as refusal:
        decode(made_heic(grid=(24, 18)), LIMITS)

    assert "HEIC" in str(refusal.value)


def test_a_heic_that_says_it_is_small_is_judged_by_the_size_in_its_stream() -> None:
    with pytest.raises(ImageError):
        decode(made_heic(grid=(20, 20), size=(8, 8)), LIMITS)


def test_a_heic_of_many_pictures_in_one_is_refused() -> None:
    coded = portrait()

    with pytest.raises(DecodeFailed, match="several pictures"):
        decode(made_heic(coded=Coded(coded.configuration, coded.units * 50)), LIMITS)


def test_a_heic_whose_pieces_are_the_same_bytes_again_and_again_is_refused() -> None:
    coded = portrait()
    large = Coded(coded.configuration, coded.units + bytes(100_000))

    with pytest.raises(DecodeFailed, match="larger than the file"):
        decode(made_heic(coded=large, pieces=32), LIMITS)
    with pytest.raises(DecodeFailed, match="more than 32 pieces"):
        decode(made_heic(coded=large, pieces=1000), LIMITS)


NOTHING = struct.pack(">HHH", 1, 0, 65_535)
LONG_LISTS = {
    "pieces of no byte": full(b"iloc", struct.pack(">HH", 0, 30) + NOTHING * 30),
    "places": full(b"iloc", struct.pack(">HH", 0, 65_535) + struct.pack(">HHH", 1, 0, 0) * 65_535),
    "items with properties": box(
        b"iprp", full(b"ipma", struct.pack(">I", 1_000_000) + struct.pack(">HB", 1, 0) * 1_000_000)
    ),
    "properties": box(b"iprp", box(b"ipco", box(b"free", b"") * 9_999)) * 10,
    "references": full(b"iref", box(b"dimg", struct.pack(">HH", 1, 65_535) + bytes(2 * 65_535))),
    "names of items": full(b"iinf", struct.pack(">H", 0) + box(b"free", b"") * 9_999) * 10,
}


@pytest.mark.parametrize("name", LONG_LISTS)
def test_a_heic_of_endless_lists_is_refused(name: str) -> None:
    with pytest.raises(DecodeFailed, match=r"pieces|entries"):
        decode(made_of_lists(LONG_LISTS[name]), LIMITS)


def test_a_heic_that_sets_up_its_stream_again_and_again_is_refused() -> None:
    coded = portrait()
    sets = bytes([33 << 1, 1, *bytes(60)])
    units = struct.pack(">BH", 33, 200) + (struct.pack(">H", len(sets)) + sets) * 200
    record = coded.configuration[:22] + b"\1" + units

    with pytest.raises(DecodeFailed, match="set up"):
        decode(made_heic(coded=Coded(record, coded.units)), LIMITS)


def test_a_jpeg_that_no_browser_shows_is_not_supported() -> None:
    arithmetic = saved(photo(64, 64), "JPEG").replace(b"\xff\xc0", b"\xff\xc9", 1)

    with pytest.raises(UnsupportedMedia):
        decode(arithmetic, LIMITS)


@pytest.mark.parametrize("method", [0, 4, 6])
def test_the_codes_of_an_ordinary_lossless_webp_are_counted(method: int) -> None:
    picture = photo(512, 384)

    made = saved(picture, "WEBP", lossless=True, method=method)
    through = saved(picture.convert("RGBA").rotate(10), "WEBP", method=method)

    assert np.array_equal(decode(made, LIMITS), np.asarray(picture))
    assert decode(through, LIMITS).shape == (384, 512, 3)


def test_a_webp_of_few_codes_is_taken_and_one_whose_codes_end_early_is_damaged() -> None:
    few = webp_of_many_codes(blocks=16)

    assert decode(few, LIMITS).shape == (64, 64, 3)
    with pytest.raises(DecodeFailed):
        decode(few[:200], LIMITS)


@pytest.mark.parametrize("transform", ["indexing", "predictor", "green"])
def test_a_webp_that_is_transformed_twice_in_one_way_is_damaged(transform: str) -> None:
    complaint = "remembers" if transform == "predictor" else "two transforms of one kind"

    with pytest.raises(DecodeFailed, match=complaint):
        decode(webp_of_many_transforms(transform, 100_000), LIMITS)
    if transform != "predictor":
        assert decode(webp_of_many_transforms(transform, 1), LIMITS).shape == (4, 4, 3)


def test_the_bytes_of_a_file_count_towards_its_memory() -> None:
    made = flat_png(4900, 4900, 4, 8)
    padding = struct.pack(">I", 60_000_000) + b"teXt" + bytes(60_000_004)
    roomy = ImageLimits(max_bytes=100_000_000)

    assert decode(made, roomy).any()
    with pytest.raises(ImageTooLarge):
        decode(made[:33] + padding + made[33:], roomy)
