"""Odd but legal files. A HEIC looks as in libheif's own tool; for the others tests/pages has a browser."""

import io
import shutil
import struct
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_heic import cropped, made_heic, mirrored, profile, turned
from made_pictures import (
    HEIGHT,
    WIDTH,
    bmp_of_fields,
    coded,
    exif_of,
    film,
    gamma,
    icc_profile,
    jpegs,
    scene,
    transparent,
    with_chunks,
)
from numpy.typing import NDArray
from PIL import Image

from benchmarks.picture_corpus import chunk, photo, saved
from embedding.errors import DecodeFailed, UnsupportedMedia
from embedding.image import ImageLimits, decode

LIMITS = ImageLimits()
Picture = NDArray[np.uint8]

TOLERANCE = 2
"""Of 255, in any channel of any pixel: another version rounds otherwise."""

UNENDED = ("jpeg without an end", "jpeg progressive without an end")


def farthest(one: Picture, other: Picture) -> int:
    """The largest difference of any channel of any pixel."""
    assert one.shape == other.shape
    return int(np.abs(one.astype(int) - other).max())


@pytest.mark.parametrize("name", UNENDED)
def test_a_jpeg_that_lacks_only_its_end_is_as_good_as_the_whole(name: str) -> None:
    data = jpegs()[name]

    assert np.array_equal(decode(data, LIMITS), decode(data + b"\xff\xd9", LIMITS))


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_blocks": 4}])
@pytest.mark.parametrize("share", [0.3, 0.8, 0.99])
def test_a_jpeg_that_lacks_more_than_its_end_is_refused(options: dict[str, Any], share: float) -> None:
    data = saved(photo(640, 480), "JPEG", **options)

    with pytest.raises(DecodeFailed):
        decode(data[: int(len(data) * share)], LIMITS)


def test_an_orientation_in_xmp_alone_turns_nothing() -> None:
    assert (
        decode(jpegs()["jpeg with a turn in its xmp"], LIMITS).shape == decode(jpegs()["jpeg"], LIMITS).shape
    )


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_a_wide_profile_is_converted_and_srgb_by_name_is_left_alone(form: str) -> None:
    lossless = {"quality": 100, "subsampling": 0} if form == "JPEG" else {"lossless": True}
    plain = decode(saved(scene(), form, **lossless), LIMITS)

    srgb = icc_profile(((0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.7141)))

    assert np.array_equal(decode(saved(scene(), form, icc_profile=srgb, **lossless), LIMITS), plain)
    assert farthest(decode(saved(scene(), form, icc_profile=icc_profile(), **lossless), LIMITS), plain) > 10


@pytest.mark.parametrize("transfer", [16, 18])
def test_a_png_for_screens_of_a_high_dynamic_range_is_refused_in_words(transfer: int) -> None:
    with pytest.raises(DecodeFailed, match="high dynamic range"):
        decode(with_chunks(saved(scene(), "PNG"), coded(9, transfer)), LIMITS)


@pytest.mark.parametrize(("matrix", "full_range"), [(1, 1), (9, 0), (0, 2)])
def test_a_png_that_calls_its_colours_no_rgb_is_refused_as_by_a_browser(matrix: int, full_range: int) -> None:
    with pytest.raises(DecodeFailed, match="cICP"):
        decode(with_chunks(saved(scene(), "PNG"), coded(12, 13, matrix, full_range)), LIMITS)


def test_the_gamma_of_a_png_is_undone() -> None:
    plain, linear = saved(scene(), "PNG"), with_chunks(saved(scene(), "PNG"), gamma(1.0))

    assert farthest(decode(linear, LIMITS), decode(plain, LIMITS)) > 50


@pytest.mark.parametrize("numbers", [(1, 2, 3), (0, 2, 3), (0, 1, 3)])
def test_an_animated_png_without_its_first_frame_is_refused(numbers: tuple[int, int, int]) -> None:
    with pytest.raises(DecodeFailed):
        decode(film((40, 30, 20, 10), numbers=numbers), LIMITS)


@pytest.mark.parametrize("place", [(60, 30, 20, 10), (40, 40, 20, 10), (2**32 - 1, 30, 0, 0)])
def test_an_animated_png_whose_frame_is_not_on_its_canvas_is_refused(
    place: tuple[int, int, int, int],
) -> None:
    data = film((40, 30, 20, 10))
    at = data.index(b"fcTL") + 8

    with pytest.raises(DecodeFailed, match="animation"):
        decode(data[:at] + struct.pack(">4I", *place) + data[at + 16 :], LIMITS)


def test_a_profile_of_colours_without_a_name_is_left_alone() -> None:
    profile = bytearray(icc_profile())
    profile[16:20] = b"R\xb6B "

    shown = decode(saved(scene(), "PNG", icc_profile=bytes(profile)), LIMITS)

    assert np.array_equal(shown, decode(saved(scene(), "PNG"), LIMITS))


def test_a_png_without_its_palette_is_refused() -> None:
    data = saved(scene().quantize(16), "PNG")
    at = data.index(b"PLTE") - 4
    length = int.from_bytes(data[at : at + 4])

    with pytest.raises(DecodeFailed, match="no palette"):
        decode(data[:at] + data[at + 12 + length :], LIMITS)


def test_a_heic_that_refers_to_a_property_which_it_lacks_is_refused() -> None:
    data = made_heic((turned(90),))
    own = b"\x81\x82\x83"

    with pytest.raises(DecodeFailed):
        decode(data.replace(own, own[:2] + b"\xff", 1), LIMITS)


def test_a_png_of_two_headers_is_refused_and_not_judged_by_the_first() -> None:
    data = saved(scene(), "PNG")
    header = chunk(b"IHDR", struct.pack(">2I5B", 5000, 5000, 8, 2, 0, 0, 0))

    with pytest.raises(DecodeFailed, match="two headers"):
        decode(with_chunks(data, header), LIMITS)


def test_a_bmp_whose_channels_are_scattered_bits_or_cut_off_is_refused() -> None:
    values = np.zeros((HEIGHT, WIDTH), np.uint32)

    with pytest.raises(DecodeFailed, match="scattered"):
        decode(bmp_of_fields(40, 32, 3, (0xF00F0000, 0xFF00, 0xFF), values), LIMITS)
    with pytest.raises(DecodeFailed, match="truncated"):
        decode(bmp_of_fields(40, 32, 3, (0xFF0000, 0xFF00, 0xFF), values)[:-1], LIMITS)


HEICS = {
    "plain": made_heic(),
    "turned by 90": made_heic((turned(90),)),
    "turned by 180": made_heic((turned(180),)),
    "turned by 270": made_heic((turned(270),)),
    "mirrored": made_heic((mirrored(1),)),
    "mirrored the other way": made_heic((mirrored(0),)),
    "turned, then mirrored": made_heic((turned(90), mirrored(1))),
    "in a grid": made_heic(grid=(3, 2)),
    "in a grid that is turned": made_heic((turned(270),), grid=(3, 2)),
    "with an orientation in its EXIF too": made_heic((turned(270),), exif=exif_of(6)),
}


@pytest.fixture(scope="session")
def heif_convert() -> str:
    """libheif's own tool."""
    found = shutil.which("heif-convert") or shutil.which("heif-dec")
    if found is None:
        pytest.skip("no heif-convert: `apt-get install libheif-examples` (Debian) brings it")
    return found


@pytest.mark.parametrize("name", HEICS)
def test_a_heic_looks_as_libheif_shows_it(heif_convert: str, tmp_path: Path, name: str) -> None:
    (tmp_path / "made.heic").write_bytes(HEICS[name])
    command = [heif_convert, str(tmp_path / "made.heic"), str(tmp_path / "made.png")]
    subprocess.run(command, check=True, capture_output=True)

    with Image.open(tmp_path / "made.png") as shown:
        expected = np.asarray(shown.convert("RGB"))

    assert farthest(decode(HEICS[name], LIMITS), expected) <= TOLERANCE


def test_the_turn_of_a_heic_is_not_applied_a_second_time_for_its_exif() -> None:
    upright = decode(HEICS["plain"], LIMITS)

    assert np.array_equal(decode(HEICS["turned by 270"], LIMITS), np.rot90(upright, -1))
    assert np.array_equal(decode(HEICS["with an orientation in its EXIF too"], LIMITS), np.rot90(upright, -1))
    assert np.array_equal(decode(made_heic(exif=exif_of(6)), LIMITS), upright)


def test_the_profile_of_a_heic_is_converted() -> None:
    plain = decode(HEICS["plain"], LIMITS)

    wide = decode(made_heic((profile(icc_profile()),)), LIMITS)

    expected = decode(saved(Image.fromarray(plain), "PNG", icc_profile=icc_profile()), LIMITS)
    assert np.array_equal(wide, expected)
    assert not np.array_equal(wide, plain)


def test_a_heic_that_shows_a_part_of_its_picture_is_cropped_or_refused() -> None:
    part = decode(made_heic((cropped(300, 280),)), LIMITS)

    assert np.array_equal(part, decode(HEICS["plain"], LIMITS)[20:300, 10:310])
    with pytest.raises(DecodeFailed):
        # libheif decodes no picture that is more than 64 pixels larger than its visible part.
        decode(made_heic((cropped(200, 100),)), LIMITS)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_truncated_heic_is_refused(share: float) -> None:
    data = HEICS["plain"]

    with pytest.raises(DecodeFailed):
        decode(data[: int(len(data) * share)], LIMITS)


def test_an_avif_is_not_supported() -> None:
    stream = io.BytesIO()
    scene().save(stream, "AVIF")

    with pytest.raises(UnsupportedMedia):
        decode(stream.getvalue(), LIMITS)


def test_a_small_frame_lies_where_the_animation_puts_it() -> None:
    canvas = Image.new("RGBA", (200, 100))
    canvas.paste(transparent(), (20, 10))
    second = Image.new("RGBA", (200, 100), "red")

    data = saved(canvas, "WEBP", lossless=True, save_all=True, append_images=[second], exact=True)

    white = Image.new("RGB", (200, 100), "white")
    white.paste(canvas, mask=canvas.getchannel("A"))
    assert farthest(decode(data, LIMITS), np.asarray(white)) <= TOLERANCE
