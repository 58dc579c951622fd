"""Bytes to pixels: limits, formats, turns, damage."""

import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from fixtures_pictures import Picture, encoded, jpeg
from hypothesis import given, settings
from hypothesis import strategies as st
from made_heic import made_heic, mirrored, turned
from made_pictures import every_picture
from PIL import Image

from embedding.errors import DecodeFailed, EmbeddingError, ImageTooLarge, UnsupportedMedia
from embedding.image import DECODED_LONG_SIDE, EXIF_ORIENTATION, ImageLimits, decode

LIMITS = ImageLimits()

# Four colours, one in each corner, so that every turn and every swapped channel shows.
CORNERS = np.zeros((40, 60, 3), np.uint8)
CORNERS[:20, :30] = (200, 30, 30)
CORNERS[:20, 30:] = (30, 200, 30)
CORNERS[20:, :30] = (30, 30, 200)
CORNERS[20:, 30:] = (220, 220, 30)


def png_header(width: int, height: int) -> bytes:
    """A PNG whose header announces a size and whose single data chunk is short."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "BMP"])
def test_every_format_gives_the_same_pixels(form: str) -> None:
    pixels = decode(encoded(CORNERS, form), LIMITS)

    assert pixels.shape == (40, 60, 3)
    assert pixels.dtype == np.uint8
    assert pixels.flags.c_contiguous
    for y, x in [(10, 15), (10, 45), (30, 15), (30, 45)]:
        assert np.abs(pixels[y, x].astype(int) - CORNERS[y, x]).max() < 12


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_turned_upright_whatever_its_exif_orientation(orientation: int) -> None:
    # How a camera that is held so stores the scene: the inverse of each turn, by its definition in EXIF 2.32.
    stored: dict[int, Callable[[Picture], Picture]] = {
        1: lambda p: p,
        2: lambda p: p[:, ::-1],
        3: lambda p: p[::-1, ::-1],
        4: lambda p: p[::-1],
        5: lambda p: p.transpose(1, 0, 2),
        6: lambda p: np.rot90(p, 1),
        7: lambda p: p[::-1, ::-1].transpose(1, 0, 2),
        8: lambda p: np.rot90(p, -1),
    }
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = orientation
    picture = encoded(np.ascontiguousarray(stored[orientation](CORNERS)), "PNG", exif=exif)

    assert np.array_equal(decode(picture, LIMITS), CORNERS)


def test_a_damaged_exif_block_leaves_the_picture_as_it_is() -> None:
    picture = encoded(CORNERS, "PNG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")

    assert np.array_equal(decode(picture, LIMITS), CORNERS)


def test_grey_becomes_three_equal_channels() -> None:
    grey = CORNERS[:, :, 0]

    pixels = decode(encoded(grey, "PNG"), LIMITS)

    assert np.array_equal(pixels, np.repeat(grey[:, :, None], 3, axis=2))


def test_sixteen_bits_are_scaled_and_not_clipped() -> None:
    ramp = np.linspace(0, 65535, 256).astype(np.uint16).reshape(16, 16)

    pixels = decode(encoded(ramp, "PNG"), LIMITS)

    assert np.array_equal(pixels[:, :, 1].ravel(), np.arange(256))


def test_transparency_is_laid_on_white() -> None:
    layer = np.dstack([CORNERS, np.full(CORNERS.shape[:2], 255, np.uint8)])
    layer[:20, :, 3] = 0
    layer[20:, 30:, 3] = 128

    pixels = decode(encoded(layer, "PNG"), LIMITS)

    assert (pixels[:20] == 255).all()
    assert np.array_equal(pixels[30, 15], (30, 30, 200))
    assert np.abs(pixels[30, 45].astype(int) - (237, 237, 142)).max() <= 1  # halfway to white


def test_a_palette_and_its_transparent_colour_are_resolved() -> None:
    palette = Image.fromarray(CORNERS).quantize(4)
    stream = io.BytesIO()
    palette.save(stream, "PNG", transparency=palette.getpixel((0, 0)))

    pixels = decode(stream.getvalue(), LIMITS)

    assert (pixels[:20, :30] == 255).all()
    assert np.array_equal(pixels[20:], CORNERS[20:])


def test_one_bit_a_pixel_is_black_and_white() -> None:
    bits = Image.fromarray(CORNERS[:, :, 0] > 100)
    stream = io.BytesIO()
    bits.save(stream, "PNG")

    pixels = decode(stream.getvalue(), LIMITS)

    assert (pixels[:20, :30] == 255).all()
    assert not pixels[:20, 30:].any()


def test_a_print_shop_jpeg_in_cmyk_keeps_its_colours() -> None:
    stream = io.BytesIO()
    Image.fromarray(CORNERS).convert("CMYK").save(stream, "JPEG", quality=95)

    pixels = decode(stream.getvalue(), LIMITS)

    assert np.abs(pixels[10, 15].astype(int) - CORNERS[10, 15]).max() < 12


def test_a_very_large_jpeg_is_decoded_smaller_but_never_below_what_a_face_needs(astronaut: Picture) -> None:
    large = np.asarray(Image.fromarray(astronaut).resize((4000, 3000)))

    pixels = decode(jpeg(large), LIMITS)

    assert pixels.shape == (1500, 2000, 3)
    assert DECODED_LONG_SIDE <= max(pixels.shape) < 2 * DECODED_LONG_SIDE
    direct = np.asarray(Image.fromarray(astronaut).resize((2000, 1500)))
    assert np.abs(pixels.astype(int) - direct).mean() < 3


def test_one_byte_too_many_is_refused() -> None:
    picture = encoded(CORNERS, "PNG")

    assert decode(picture, ImageLimits(max_bytes=len(picture))).any()
    with pytest.raises(ImageTooLarge) as refusal:
        decode(picture, ImageLimits(max_bytes=len(picture) - 1))

    assert (refusal.value.actual, refusal.value.unit) == (len(picture), "bytes")


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "BMP"])
def test_one_pixel_too_many_is_refused_in_every_format(form: str) -> None:
    picture = encoded(CORNERS, form)

    assert decode(picture, ImageLimits(max_pixels=2400)).any()
    with pytest.raises(ImageTooLarge) as refusal:
        decode(picture, ImageLimits(max_pixels=2399))

    assert (refusal.value.actual, refusal.value.limit, refusal.value.unit) == (2400, 2399, "pixels")


@pytest.mark.parametrize(
    "options", [{"lossless": True}, {"lossless": False}, {"exif": b"Exif\0\0II*\0\x08\0\0\0"}]
)
def test_the_size_of_every_kind_of_webp_is_read_from_its_first_chunk(options: dict[str, object]) -> None:
    picture = encoded(CORNERS, "WEBP", **options)

    with pytest.raises(ImageTooLarge) as refusal:
        decode(picture, ImageLimits(max_pixels=1))

    assert refusal.value.actual == 2400


def test_a_png_of_900_million_pixels_is_refused_from_its_header() -> None:
    with pytest.raises(ImageTooLarge) as refusal:
        decode(png_header(30_000, 30_000), LIMITS)

    assert refusal.value.actual == 900_000_000


def test_a_real_png_bomb_is_refused_before_it_unfolds() -> None:
    rows = zlib.compressobj(9)
    body = b"".join(rows.compress(b"\0" * 90_001) for _ in range(300)) + rows.flush()

    with pytest.raises(ImageTooLarge):
        decode(png_header(30_000, 30_000)[:33] + struct.pack(">I", len(body)) + b"IDAT" + body, LIMITS)


def test_a_picture_without_pixels_is_refused() -> None:
    with pytest.raises(DecodeFailed):
        decode(png_header(0, 10), LIMITS)


def test_nothing_at_all_is_refused() -> None:
    with pytest.raises(DecodeFailed, match="empty"):
        decode(b"", LIMITS)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "BMP"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_truncated_picture_is_refused_and_never_filled_up(
    form: str, share: float, astronaut: Picture
) -> None:
    picture = encoded(astronaut, form)

    with pytest.raises(DecodeFailed):
        decode(picture[: int(len(picture) * share)], LIMITS)


@pytest.mark.parametrize("form", ["GIF", "TIFF", "PPM"])
def test_another_format_is_not_supported_whatever_it_is_called(form: str) -> None:
    with pytest.raises(UnsupportedMedia):
        decode(encoded(CORNERS, form), LIMITS)


@pytest.mark.parametrize(
    "text", [b"hello", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"%PDF-1.7", b"\0" * 100]
)
def test_what_is_no_picture_is_not_supported(text: bytes) -> None:
    with pytest.raises(UnsupportedMedia):
        decode(text, LIMITS)


MAGIC = [
    b"",
    b"\xff\xd8\xff",
    b"\x89PNG\r\n\x1a\n",
    b"RIFF\x20\0\0\0WEBPVP8 ",
    b"RIFF\x20\0\0\0WEBPVP8X",
    b"BM",
]


@settings(max_examples=300, deadline=None)
@given(magic=st.sampled_from(MAGIC), noise=st.binary(max_size=400))
def test_random_bytes_only_ever_raise_our_own_errors(magic: bytes, noise: bytes) -> None:
    try:
        decode(magic + noise, ImageLimits(max_pixels=1_000_000))
    except EmbeddingError:
        return


TURNED = Image.Exif()
TURNED[EXIF_ORIENTATION] = 6
SEEDS = [
    *(encoded(CORNERS, form) for form in ("JPEG", "PNG", "WEBP", "BMP")),
    jpeg(CORNERS, exif=TURNED),
    *every_picture().values(),
    *(made_heic((turned(90), mirrored(1)), grid) for grid in (None, (2, 1))),
]


@settings(max_examples=400, deadline=None)
@given(
    seed=st.sampled_from(SEEDS),
    changes=st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), min_size=1, max_size=8),
)
def test_a_picture_with_changed_bytes_decodes_or_raises_our_own_errors(
    seed: bytes, changes: list[tuple[int, int]]
) -> None:
    damaged = bytearray(seed)
    for place, value in changes:
        damaged[place % len(damaged)] = value

    try:
        pixels = decode(bytes(damaged), ImageLimits(max_pixels=1_000_000))
    except EmbeddingError:
        return

    assert pixels.ndim == 3
    assert pixels.shape[2] == 3
