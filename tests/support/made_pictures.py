"""Small pictures of every kind that people may send, legal and odd, each with what makes it so."""

import io
import struct
import zlib
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from benchmarks.picture_corpus import chunk, png, runs_bmp, saved, segment

WIDTH, HEIGHT = 67, 45

ORIENTATION = 0x0112
# Display P3's red, green and blue in XYZ under D50.
P3 = ((0.51512, 0.2412, -0.00105), (0.29198, 0.69225, 0.04189), (0.1571, 0.06657, 0.78407))
XMP_TURNED = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/>'
    b"</rdf:RDF></x:xmpmeta>"
)


def scene(width: int = WIDTH, height: int = HEIGHT) -> Image.Image:
    """Colours that run across and down, with a corner of its own: every turn and every mix-up shows."""
    y, x = np.mgrid[:height, :width]
    bands = [x * 255 // width, y * 255 // height, 255 - x * 200 // width]
    pixels = np.dstack(bands).astype(np.uint8)
    pixels[: height // 4, : width // 4] = (250, 20, 20)
    return Image.fromarray(pixels)


def transparent() -> Image.Image:
    """The scene, more transparent from left to right."""
    picture = scene().convert("RGBA")
    alpha = np.tile(np.linspace(255, 0, WIDTH).astype(np.uint8), (HEIGHT, 1))
    picture.putalpha(Image.fromarray(alpha))
    return picture


def exif_of(orientation: int) -> bytes:
    """An EXIF block that says how the camera was held."""
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return exif.tobytes()


def exif_block(*orientations: int) -> bytes:
    """The same without a library, so that it may hold what no camera writes."""
    entries = b"".join(struct.pack("<HHIHH", ORIENTATION, 3, 1, one, 0) for one in orientations)
    return struct.pack("<2sHIH", b"II", 42, 8, len(orientations)) + entries + bytes(4)


def profile_part(number: int, of: int) -> bytes:
    """A wide profile as one of several parts."""
    return segment(0xE2, b"ICC_PROFILE\0" + bytes([number, of]) + icc_profile())


def icc_profile(primaries: tuple[tuple[float, float, float], ...] = P3, linear: bool = False) -> bytes:
    """A profile of three colours; its curves are sRGB's, or none."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    for i in range(struct.unpack_from(">I", profile, 128)[0]):
        name, offset, _ = struct.unpack_from(">4sII", profile, 132 + 12 * i)
        if name in (b"rXYZ", b"gXYZ", b"bXYZ"):
            colour = primaries[b"rgb".index(name[:1])]
            struct.pack_into(">3i", profile, offset + 8, *(round(65536 * part) for part in colour))
        elif linear and name in (b"rTRC", b"gTRC", b"bTRC"):
            # A parametric curve of the first kind: y = x ** g.
            struct.pack_into(">HHi", profile, offset + 8, 0, 0, 65536)
    return bytes(profile)


def sixteen_bits(channels: int, colour: int, chunks: bytes = b"") -> bytes:
    """A PNG of sixteen bits, which Pillow reads and does not write."""
    values = np.linspace(0, 65535, WIDTH * HEIGHT * channels).astype(">u2").reshape(HEIGHT, -1)
    rows = b"".join(b"\0" + row.tobytes() for row in values)
    return with_chunks(png(WIDTH, HEIGHT, 16, colour, zlib.compress(rows)), chunks)


def with_chunks(made: bytes, chunks: bytes) -> bytes:
    """A PNG with more chunks after its header."""
    return made[:33] + chunks + made[33:]


def jpegs() -> Mapping[str, bytes]:
    """JPEG files."""
    usual = saved(scene(), "JPEG", quality=95)
    cmyk = saved(scene().convert("CMYK"), "JPEG", quality=95)
    adobe = cmyk.index(b"Adobe")
    mpo = io.BytesIO()
    scene().save(mpo, "MPO", save_all=True, append_images=[scene().rotate(180)])
    made = {
        "jpeg": usual,
        "jpeg 4:4:4": saved(scene(), "JPEG", quality=95, subsampling=0),
        "jpeg grey": saved(scene().convert("L"), "JPEG", quality=95),
        "jpeg progressive": saved(scene(), "JPEG", quality=95, progressive=True),
        "jpeg restarted": saved(scene(), "JPEG", quality=95, restart_marker_blocks=2),
        "jpeg rgb": saved(scene(), "JPEG", quality=95, keep_rgb=True),
        "jpeg cmyk": cmyk,
        "jpeg cmyk without a mark": cmyk[: adobe - 4] + cmyk[adobe + 12 :],
        "jpeg ycck": cmyk[: adobe + 11] + b"\2" + cmyk[adobe + 12 :],
        "jpeg with a profile": saved(scene(), "JPEG", quality=95, icc_profile=icc_profile()),
        "jpeg in linear light": saved(scene(), "JPEG", quality=95, icc_profile=icc_profile(linear=True)),
        "jpeg with a damaged profile": saved(scene(), "JPEG", quality=95, icc_profile=b"nothing" * 40),
        "jpeg grey with a profile": saved(scene().convert("L"), "JPEG", icc_profile=icc_profile(linear=True)),
        "jpeg without an end": usual[:-2],
        "jpeg progressive without an end": saved(scene(), "JPEG", quality=95, progressive=True)[:-2],
        "jpeg with bytes after it": usual + b"and more" * 100,
        "jpeg with a turn in its xmp": saved(scene(), "JPEG", quality=95, xmp=XMP_TURNED),
        "jpeg of two pictures": mpo.getvalue(),
        "jpeg after filling bytes": usual[:2] + b"\xff\xff\xff" + usual[2:],
        "jpeg with a byte that fills up its exif": usual[:2]
        + segment(0xE1, b"Exif\0\xff" + exif_block(6))
        + usual[2:],
        "jpeg turned in an unknown way, and in a known one": usual[:2]
        + segment(0xE1, b"Exif\0\0" + exif_block(9, 6))
        + usual[2:],
        "jpeg with a part of a profile": usual[:2] + profile_part(1, 2) + usual[2:],
        "jpeg with a profile in one part": usual[:2] + profile_part(1, 1) + usual[2:],
        "jpeg with a comment": usual[:2] + segment(0xFE, b"hello") + usual[2:],
    }
    turned = {f"jpeg turned {i}": saved(scene(), "JPEG", quality=95, exif=exif_of(i)) for i in range(1, 9)}
    return made | turned


def damaged(made: bytes) -> bytes:
    """A chunk whose check sum is wrong."""
    return made[:-1] + bytes([made[-1] ^ 1])


def grey_of(depth: int) -> bytes:
    """A PNG of few levels of grey, one of them transparent."""
    levels = (np.arange(WIDTH) * 2**depth // WIDTH).astype(np.uint8)
    bits = np.unpackbits(levels[:, None], axis=1)[:, -depth:].ravel()
    row = b"\0" + np.packbits(bits).tobytes()
    return before_pixels(png(WIDTH, HEIGHT, depth, 0, zlib.compress(row * HEIGHT)), chunk(b"tRNS", b"\0\1"))


def film(
    place: tuple[int, int, int, int], *, exif: bytes = b"", numbers: tuple[int, int, int] = (0, 1, 2)
) -> bytes:
    """An animated PNG whose still picture is no frame: browsers show the first frame, at its place.

    Args:
        place: Width, height, left and top.
        exif: Its orientation.
        numbers: That the frame and the two parts of its pixels carry.
    """
    width, height, left, top = place
    rows = np.asarray(scene(width, height).rotate(180))
    packed = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    control = struct.pack(">5I2H2B", numbers[0], width, height, left, top, 1, 10, 0, 0)
    parts = [struct.pack(">I", numbers[1]) + packed[:40], struct.pack(">I", numbers[2]) + packed[40:]]
    frame = chunk(b"fcTL", control) + b"".join(chunk(b"fdAT", part) for part in parts)
    usual = with_chunks(saved(scene(), "PNG", exif=exif), chunk(b"acTL", struct.pack(">2I", 1, 0)))
    return usual[:-12] + frame + usual[-12:]


def pngs() -> Mapping[str, bytes]:
    """PNG files."""
    turned = chunk(b"eXIf", exif_block(6))
    usual = saved(scene(), "PNG")
    palette = scene().quantize(16)
    key = struct.pack(">HHH", 250, 20, 20)
    return {
        "png": usual,
        "png grey": saved(scene().convert("L"), "PNG"),
        "png grey and transparent": saved(transparent().convert("LA"), "PNG"),
        "png transparent": saved(transparent(), "PNG"),
        "png palette": saved(palette, "PNG"),
        "png transparent palette": saved(palette, "PNG", transparency=palette.getpixel((0, 0))),
        "png transparent colour": with_chunks(usual, chunk(b"tRNS", key)),
        "png one bit": saved(scene().convert("1"), "PNG"),
        "png two bits": saved(scene().quantize(4), "PNG", bits=2),
        "png 16 bits grey": sixteen_bits(1, 0),
        "png 16 bits grey, one transparent": sixteen_bits(1, 0, chunk(b"tRNS", b"\0\0")),
        "png 16 bits": sixteen_bits(3, 2),
        "png 16 bits transparent": sixteen_bits(4, 6),
        "png turned": saved(scene(), "PNG", exif=exif_of(6)),
        "png turned by a damaged chunk": with_chunks(usual, damaged(turned)),
        "png turned twice": with_chunks(usual, turned + chunk(b"eXIf", exif_block(3))),
        "png grey of two bits, one transparent": grey_of(2),
        "png grey of four bits, one transparent": grey_of(4),
        "png with a damaged transparent colour": with_chunks(usual, damaged(chunk(b"tRNS", key))),
        "png whose transparency precedes its palette": with_chunks(
            saved(palette, "PNG"), chunk(b"tRNS", bytes(9))
        ),
        "png animated without its still picture": film((WIDTH, HEIGHT, 0, 0)),
        "png animated in a part of its canvas": film((40, 30, 20, 10)),
        "png animated and turned": film((40, 30, 20, 10), exif=exif_of(6)),
        "png with a profile": saved(scene(), "PNG", icc_profile=icc_profile()),
        "png transparent with a profile": saved(transparent(), "PNG", icc_profile=icc_profile()),
        "png without an end": usual[:-12],
        "png with bytes after it": usual + bytes(500),
        "png animated": saved(
            scene(), "PNG", save_all=True, append_images=[scene().rotate(180)], duration=50
        ),
        **{f"png {name}": with_chunks(usual, chunks) for name, chunks in colour_chunks().items()},
        "png of 16 bits and a gamma": sixteen_bits(3, 2, gamma(1.0)),
        "png grey with a gamma": with_chunks(saved(scene().convert("L"), "PNG"), gamma(1.0)),
        "png palette with a gamma": with_chunks(saved(palette, "PNG"), gamma(1.0)),
        "png transparent with a gamma": with_chunks(saved(transparent(), "PNG"), gamma(1.0)),
        "png with a gamma after its palette": before_pixels(saved(palette, "PNG"), gamma(1.0)),
        "png with a code after its palette": before_pixels(saved(palette, "PNG"), coded(12, 13)),
        "png with a gamma after its pixels": usual[:-12] + gamma(1.0) + usual[-12:],
    }


def colour_chunks() -> Mapping[str, bytes]:
    """What a PNG may say of its colours, in the order of its chunks."""
    wide = chromaticities(0.68, 0.32, 0.265, 0.69, 0.15, 0.06)
    srgb = chromaticities(0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
    profile = chunk(b"iCCP", b"any\0\0" + zlib.compress(icc_profile()))
    gammas = {f"with a gamma of {value}": gamma(value) for value in (0.1, 0.44, 0.5, 0.55556, 1.0, 2.5)}
    codes = (*((primaries, 13) for primaries in range(14)), *((1, transfer) for transfer in range(16)))
    named = {f"with the codes {pair}": coded(*pair) for pair in (*codes, (22, 13), (1, 17), (9, 14))}
    return {
        **gammas,
        **named,
        "with a gamma of nothing": gamma(0.0),
        "with wide colours and no gamma": wide,
        "with wide colours": wide + gamma(0.45455),
        "with wide colours after the gamma": gamma(0.55556) + wide,
        "with the colours of sRGB": srgb + gamma(0.45455),
        "with another white": chromaticities(0.64, 0.33, 0.3, 0.6, 0.15, 0.06, white=(0.28, 0.29))
        + gamma(0.5),
        "with colours on one line": chromaticities(0.3, 0.3, 0.3, 0.3, 0.3, 0.3) + gamma(0.5),
        "with colours of nothing": chunk(b"cHRM", bytes(32)) + gamma(0.5),
        "with half of its colours": chunk(b"cHRM", bytes(16)) + gamma(1.0),
        "with two gammas": gamma(1.0) + gamma(0.5),
        "with a long gamma": chunk(b"gAMA", bytes(3) + b"\1\0"),
        "with a damaged gamma": gamma(1.0)[:-1] + bytes([gamma(1.0)[-1] ^ 1]),
        "with sRGB before a gamma": chunk(b"sRGB", b"\0") + gamma(1.0),
        "with sRGB after a gamma": gamma(1.0) + chunk(b"sRGB", b"\0"),
        "with an unknown sRGB": chunk(b"sRGB", b"\7") + gamma(1.0),
        "with a profile without a name": chunk(b"iCCP", b"\0\0" + zlib.compress(icc_profile())),
        "with a profile that is packed in an unknown way": chunk(
            b"iCCP", b"any\0\1" + zlib.compress(icc_profile())
        ),
        "with a profile that is cut off": chunk(b"iCCP", b"any\0\0" + zlib.compress(icc_profile())[:-6]),
        "with a profile and sRGB": profile + chunk(b"sRGB", b"\0"),
        "with a profile and a gamma": gamma(1.0) + profile,
        "with a code and a profile": coded(1, 13) + profile,
        "with a code and a gamma": coded(12, 13) + gamma(1.0),
        "with unknown codes and a gamma": coded(12, 99) + gamma(1.0),
        "with the code of a narrow range": coded(12, 13, full_range=0) + gamma(1.0),
        "with half of a code": chunk(b"cICP", b"\x0c\x0d") + gamma(1.0),
    }


def gamma(value: float) -> bytes:
    """A gAMA chunk."""
    return chunk(b"gAMA", struct.pack(">I", round(100_000 * value)))


def chromaticities(*colours: float, white: tuple[float, float] = (0.3127, 0.329)) -> bytes:
    """A cHRM chunk: x and y of red, green and blue."""
    return chunk(b"cHRM", struct.pack(">8I", *(round(100_000 * part) for part in (*white, *colours))))


def coded(primaries: int, transfer: int, matrix: int = 0, full_range: int = 1) -> bytes:
    """A cICP chunk."""
    return chunk(b"cICP", bytes([primaries, transfer, matrix, full_range]))


def before_pixels(made: bytes, chunks: bytes) -> bytes:
    """A PNG with more chunks before its pixels."""
    at = made.index(b"IDAT") - 4
    return made[:at] + chunks + made[at:]


def webps() -> Mapping[str, bytes]:
    """WebP files."""
    film = [scene(), scene().rotate(180)]
    return {
        "webp": saved(scene(), "WEBP", quality=95),
        "webp lossless": saved(scene(), "WEBP", lossless=True),
        "webp transparent": saved(transparent(), "WEBP", quality=95),
        "webp transparent and lossless": saved(transparent(), "WEBP", lossless=True, exact=True),
        "webp turned": saved(scene(), "WEBP", lossless=True, exif=exif_of(8)),
        "webp with a profile": saved(scene(), "WEBP", lossless=True, icc_profile=icc_profile()),
        "webp animated": saved(film[0], "WEBP", lossless=True, save_all=True, append_images=film[1:]),
    }


def bmp_of_fields(
    header: int, bits: int, compression: int, masks: tuple[int, ...], values: NDArray[np.uint32]
) -> bytes:
    """A BMP of 16 or 32 bits; its header of so many bytes says which bits of a pixel are which channel."""
    rows = b"".join(
        row.astype(f"<u{bits // 8}").tobytes() + bytes(-WIDTH * bits // 8 % 4) for row in values[::-1]
    )
    info = struct.pack("<I2i2H6I", header, WIDTH, HEIGHT, 1, bits, compression, len(rows), 0, 0, 0, 0)
    named = struct.pack(f"<{len(masks)}I", *masks)
    head = (info + named).ljust(max(header, len(info + named)), b"\0")
    return struct.pack("<2s3I", b"BM", 14 + len(head) + len(rows), 0, 14 + len(head)) + head + rows


def fields_bmps() -> Mapping[str, bytes]:
    """BMP files that say which bits of a pixel are which channel."""
    red, green, blue = (channel.astype(np.uint32) for channel in np.asarray(scene()).transpose(2, 0, 1))
    alpha = np.asarray(transparent())[..., 3].astype(np.uint32)
    usual, bits_32 = (0xFF0000, 0xFF00, 0xFF, 0xFF000000), alpha << 24 | red << 16 | green << 8 | blue
    bits_16 = (alpha >> 7) << 15 | (red >> 3) << 10 | (green >> 3) << 5 | blue >> 3
    four = (alpha >> 4) << 12 | (red >> 4) << 8 | (green >> 4) << 4 | blue >> 4
    ten = red << 22 | green << 12 | blue << 2
    return {
        "bmp of 32 bits in another order": bmp_of_fields(40, 32, 3, (0xFF, 0xFF00, 0xFF0000), bits_32),
        "bmp of ten bits a channel": bmp_of_fields(40, 32, 3, (0x3FF00000, 0xFFC00, 0x3FF), ten),
        "bmp of one bit a channel": bmp_of_fields(40, 32, 3, (0x800000, 0x8000, 0x80), bits_32),
        "bmp without a channel": bmp_of_fields(40, 32, 3, (0, 0xFF00, 0xFF), bits_32),
        "bmp transparent without saying so": bmp_of_fields(40, 32, 0, (), bits_32),
        "bmp transparent by its header": bmp_of_fields(124, 32, 3, usual, bits_32),
        "bmp transparent by its header alone": bmp_of_fields(124, 32, 0, usual, bits_32),
        "bmp transparent by its older header": bmp_of_fields(108, 32, 0, usual, bits_32),
        "bmp transparent by four masks": bmp_of_fields(40, 32, 6, usual, bits_32),
        "bmp of 16 bits": bmp_of_fields(40, 16, 0, (), bits_16),
        "bmp of 16 bits, green of six": bmp_of_fields(40, 16, 3, (0xF800, 0x7E0, 0x1F), bits_16),
        "bmp of 16 bits, transparent or not": bmp_of_fields(
            108, 16, 3, (0x7C00, 0x3E0, 0x1F, 0x8000), bits_16
        ),
        "bmp of 16 bits, four a channel": bmp_of_fields(124, 16, 3, (0xF00, 0xF0, 0xF, 0xF000), four),
    }


def bmps() -> Mapping[str, bytes]:
    """BMP files."""
    usual = saved(scene(), "BMP")
    rows = np.frombuffer(usual[54:], np.uint8).reshape(HEIGHT, -1)
    topdown = usual[:22] + struct.pack("<i", -HEIGHT) + usual[26:54] + rows[::-1].tobytes()
    return {
        "bmp": usual,
        "bmp from the top": topdown,
        "bmp palette": saved(scene().quantize(16), "BMP"),
        "bmp one bit": saved(scene().convert("1"), "BMP"),
        "bmp 32 bits": saved(transparent(), "BMP"),
        "bmp of runs": runs_bmp(WIDTH, HEIGHT),
    }


def every_picture() -> Mapping[str, bytes]:
    """All of them, by what they are."""
    return {**jpegs(), **pngs(), **webps(), **bmps(), **fields_bmps()}
