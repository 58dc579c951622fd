"""Pictures that cost more than they look: made here, and each small enough to be sent.

Those of a kind that is taken are as large as may be; the others must be refused before the work.
"""

import io
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from functools import partial

import numpy as np
from PIL import Image, ImageCms, PngImagePlugin

from benchmarks.odd_webp import webp_of_many_codes, webp_of_many_transforms

MAX_BYTES = 12 * 1024 * 1024

Make = Callable[[], bytes]


def corpus() -> Mapping[str, Make]:
    """What makes each picture, by its name."""
    return {**dict(jpegs()), **dict(pngs()), **dict(webps()), **dict(bmps()), **dict(ordinary())}


def ordinary() -> Iterator[tuple[str, Make]]:
    """What people send."""
    for form, options in (("JPEG", {"quality": 90}), ("PNG", {}), ("WEBP", {"quality": 85, "method": 0})):
        yield f"{form} of a webcam", partial(saved, photo(640, 480), form, **options)
    yield "JPEG of a telephone", partial(saved, photo(4032, 3024), "JPEG", quality=90)
    yield "progressive JPEG of a telephone", partial(saved, photo(4032, 3024), "JPEG", progressive=True)
    yield "WebP of a telephone", partial(saved, photo(4032, 3024), "WEBP", quality=85, method=0)


def jpegs() -> Iterator[tuple[str, Make]]:
    """Scans without end, segments without number, and sizes at the limit."""
    yield "JPEG of 400 scans", partial(many_scans, 6300, 6300, 400)
    yield "JPEG of a few scans too many", partial(many_scans, 4000, 3000, 60)
    yield "JPEG of 100,000 scans of one block", partial(many_scans, 8, 8, 100_000)
    for megapixels, (width, height) in {40: (7300, 5475), 108: (12_000, 9000), 200: (16_320, 12_240)}.items():
        yield f"JPEG of {megapixels} MP in one colour", partial(flat_jpeg, width, height)
    yield "JPEG of noise, 12 MB", partial(noisy_jpeg, 3180, 3180)
    yield "JPEG of 30 MP of noise at little quality", partial(noisy_jpeg, 6400, 4800, 20)
    for sampling in (0, 2):
        many = {"progressive": True, "quality": 88, "subsampling": sampling}
        yield (
            f"progressive JPEG of 12 MP, sampling {sampling}",
            partial(saved, photo(4032, 3024), "JPEG", **many),
        )
    yield "progressive JPEG of 24 MP", partial(saved, photo(5712, 4284), "JPEG", progressive=True)
    yield "progressive JPEG of 48 MP", partial(saved, photo(8064, 6048), "JPEG", progressive=True, quality=50)
    yield "progressive JPEG in CMYK", partial(progressive_cmyk, 3900, 2925)
    yield "JPEG with a million comments", partial(with_segments, 0xFE, b"", 1_000_000)
    yield "JPEG with 600,000 pieces of EXIF", partial(with_segments, 0xE1, b"Exif\0\0abcd", 600_000)
    yield "JPEG whose EXIF unfolds", partial(with_segments, 0xE1, unfolding_exif(), 1)
    yield (
        "JPEG with 12 MB of profile",
        partial(with_segments, 0xE2, b"ICC_PROFILE\0\1\xff" + bytes(65_000), 180),
    )
    yield "JPEG with 12 MB of padding", lambda: jpeg_with(b"\xff" * 12_000_000)
    yield "JPEG with 12 MB of nothing", lambda: jpeg_with(bytes(12_000_000))
    yield "JPEG without its end", lambda: saved(photo(3180, 3180), "JPEG", quality=95)[:-2]


def pngs() -> Iterator[tuple[str, Make]]:
    """One colour unfolds a thousandfold; text and frames are beside the picture."""
    for channels, name in ((1, "grey"), (3, "RGB"), (4, "RGBA")):
        for depth in (8, 16):
            for side in (3190, 4800, 6300):
                kind = f"PNG of {side}² in one colour, {name}, {depth} bits"
                yield kind, partial(flat_png, side, side, channels, depth)
    yield "PNG of 108 MP in black and white", partial(flat_png, 12_000, 9000, 1, 1)
    yield "PNG of rows that are filtered", partial(flat_png, 4700, 4700, 4, 8, 4)
    yield "PNG of noise, 12 MB", lambda: saved(noise(2000, 2000), "PNG", compress_level=1)
    yield "interlaced PNG", partial(flat_png, 4400, 4400, 4, 8, 0, True)
    yield "PNG with a palette that is transparent", partial(palette_png, 4900)
    yield "PNG with 100 MB of text", partial(text_png, 100)
    yield (
        "PNG with 100 MB of profile",
        lambda: png_with(b"iCCP", b"x\0\0" + zlib.compress(bytes(100_000_000), 9)),
    )
    yield "PNG with 10 MB of EXIF", lambda: png_with(b"eXIf", bytes(10_000_000))
    yield "PNG in a million pieces", partial(chopped_png, 900_000)
    yield "animated PNG of 60 frames", partial(animated, "PNG", 60)


def webps() -> Iterator[tuple[str, Make]]:
    """Still and animated, with loss and without."""
    for side in (3190, 4200, 6300):
        for lossless in (False, True):
            name = f"WebP of {side}² in one colour, {'lossless' if lossless else 'lossy'}"
            yield name, partial(saved, flat(side, 3), "WEBP", lossless=lossless, method=0, quality=10)
        kind = f"WebP of {side}², transparent"
        yield kind, partial(saved, flat(side, 4), "WEBP", method=0, quality=10)
    yield (
        "WebP of noise, lossless",
        lambda: saved(noise(1900, 1900), "WEBP", lossless=True, method=0, quality=0),
    )
    yield "WebP of 65,536 groups of codes", webp_of_many_codes
    yield (
        "WebP whose transparency has 65,536 groups of codes",
        lambda: webp_of_many_codes(lossy=saved(Image.new("RGB", (1024, 1024)), "WEBP")),
    )
    for transform in ("indexing", "predictor", "green"):
        name = f"WebP of 100,000 transforms, {transform}"
        yield name, partial(webp_of_many_transforms, transform, 100_000)
    yield "animated WebP of 60 frames", partial(animated, "WEBP", 60)


def bmps() -> Iterator[tuple[str, Make]]:
    """Run lengths, and as many pixels as 12 MB hold."""
    yield "BMP of 24 bits", lambda: saved(photo(2300, 1800), "BMP")
    yield "BMP of one bit", partial(bit_bmp, 9000, 9000)
    yield "BMP of 12 MB of runs", partial(runs_bmp, 2800, 2200)
    yield "BMP of 1 MB of runs", partial(runs_bmp, 800, 620)


def photo(width: int, height: int) -> Image.Image:
    """Something with detail at every size, and some noise of a sensor; it repeats."""
    y, x = np.mgrid[:512, :512].astype(np.float32)
    grain = np.random.default_rng(3).normal(0, 4, (512, 512)).astype(np.float32)
    grey = 128 + 30 * (np.sin(x / 37) + np.cos(y / 53) + np.sin((x + y) / 211)) + grain
    bands = np.dstack([np.clip(grey * gain, 0, 255).astype(np.uint8) for gain in (1.1, 1.0, 0.8)])
    return Image.fromarray(np.tile(bands, (-(-height // 512), -(-width // 512), 1))[:height, :width])


def noise(width: int, height: int) -> Image.Image:
    """What no format can make smaller."""
    return Image.fromarray(np.random.default_rng(5).integers(0, 256, (height, width, 3), np.uint8))


def flat(side: int, channels: int) -> Image.Image:
    """One colour."""
    return Image.fromarray(np.full((side, side, channels), 128, np.uint8))


def saved(picture: Image.Image, form: str, **options: object) -> bytes:
    """The picture in a format."""
    stream = io.BytesIO()
    picture.save(stream, form, **options)
    return stream.getvalue()


def animated(form: str, frames: int) -> bytes:
    """A film in which everything moves."""
    rng = np.random.default_rng(7)
    pictures = [
        Image.fromarray(np.kron(rng.integers(0, 256, (30, 40, 3), np.uint8), np.ones((16, 16, 1), np.uint8)))
        for _ in range(frames)
    ]
    return saved(pictures[0], form, save_all=True, append_images=pictures[1:], duration=20)


# --- JPEG


def segment(marker: int, body: bytes) -> bytes:
    """A marker with what belongs to it."""
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(body) + 2) + body


def many_scans(width: int, height: int, scans: int) -> bytes:
    """A grey progressive JPEG whose every scan says "nothing in the next blocks" for the whole picture."""
    blocks = -(-width // 8) * -(-height // 8)
    head = segment(0xDB, b"\0" + bytes([1] * 64))
    head += segment(0xC2, struct.pack(">BHHB", 8, height, width, 1) + bytes([1, 0x11, 0]))
    head += segment(0xC4, bytes([0, 1] + [0] * 15 + [0])) + segment(
        0xC4, bytes([0x10, 1] + [0] * 15 + [0xE0])
    )
    first = segment(0xDA, bytes([1, 1, 0, 0, 0, 0])) + b"\0" * -(-blocks // 8)
    bits, left = "", blocks
    while left > 0:
        run = max(min(left, 32_767), 16_384)
        bits += "0" + format(run - 16_384, "014b")
        left -= run
    bits += "1" * (-len(bits) % 8)
    data = bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits), 8)).replace(b"\xff", b"\xff\0")
    again = segment(0xDA, bytes([1, 1, 0, 1, 63, 0x10])) + data
    return (
        b"\xff\xd8"
        + head
        + first
        + segment(0xDA, bytes([1, 1, 0, 1, 63, 1]))
        + data
        + again * scans
        + b"\xff\xd9"
    )


def flat_jpeg(width: int, height: int) -> bytes:
    """A baseline JPEG with two bits to a block: a large picture in few bytes."""
    blocks = 6 * -(-width // 16) * -(-height // 16)
    head = segment(0xDB, b"\0" + bytes([1] * 64))
    components = bytes([1, 0x22, 0, 2, 0x11, 0, 3, 0x11, 0])
    head += segment(0xC0, struct.pack(">BHHB", 8, height, width, 3) + components)
    head += segment(0xC4, bytes([0, 1] + [0] * 15 + [0])) + segment(0xC4, bytes([0x10, 1] + [0] * 15 + [0]))
    return (
        b"\xff\xd8"
        + head
        + segment(0xDA, bytes([3, 1, 0, 2, 0, 3, 0, 0, 63, 0]))
        + bytes(blocks // 4 + 1)
        + b"\xff\xd9"
    )


def noisy_jpeg(width: int, height: int, quality: int = 97) -> bytes:
    """Noise, as fine as the bytes allow."""
    made = saved(noise(width, height), "JPEG", quality=quality, subsampling=0 if quality > 50 else 2)
    return made if len(made) <= MAX_BYTES else noisy_jpeg(width, height, quality - 2)


def progressive_cmyk(width: int, height: int) -> bytes:
    """Four components at full size."""
    return saved(photo(width, height).convert("CMYK"), "JPEG", progressive=True, quality=80)


def jpeg_with(between: bytes) -> bytes:
    """An ordinary JPEG with something before its picture."""
    made = saved(photo(640, 480), "JPEG")
    return made[:2] + segment(0xFE, b"x") + between + made[2:]


def with_segments(marker: int, body: bytes, count: int) -> bytes:
    """An ordinary JPEG with a segment many times over."""
    return jpeg_with(segment(marker, body) * count)


def unfolding_exif() -> bytes:
    """64 kB in which each of 5,000 entries points at all of them."""
    count = 5_000
    entries = b"".join(struct.pack("<HHII", 1000 + i, 7, 60_000, 8) for i in range(count))
    return b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", count) + entries


# --- PNG


def chunk(kind: bytes, body: bytes) -> bytes:
    """A chunk with its length and sum."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, depth: int, colour: int, coded: bytes, interlaced: bool = False) -> bytes:
    """A PNG of compressed rows."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", coded) + chunk(b"IEND", b"")


def flat_png(
    width: int, height: int, channels: int, depth: int, filtered: int = 0, interlaced: bool = False
) -> bytes:
    """One colour; `filtered` is the kind of filter of each row."""
    colour = {1: 0, 3: 2, 4: 6}[channels]
    coded, total = b"\x78\x01", 1
    for left, top, across, down in ADAM7 if interlaced else [(0, 0, 1, 1)]:
        columns, rows = -(-(width - left) // across), -(-(height - top) // down)
        row = bytes([filtered]) + b"\x80" * -(-columns * channels * depth // 8)
        deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
        # A row that ends on a whole byte can be repeated without being compressed again.
        coded += (deflate.compress(row) + deflate.flush(zlib.Z_FULL_FLUSH)) * rows
        for _ in range(rows):
            total = zlib.adler32(row, total)
    return png(width, height, depth, colour, coded + b"\x03\0" + struct.pack(">I", total), interlaced)


ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def palette_png(side: int) -> bytes:
    """A colour table with a transparent entry."""
    picture = Image.new("P", (side, side), 1)
    picture.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    return saved(picture, "PNG", transparency=1)


def png_with(kind: bytes, body: bytes) -> bytes:
    """An ordinary PNG with another chunk before its picture."""
    made = saved(photo(640, 480), "PNG")
    return made[:33] + chunk(kind, body) + made[33:]


def text_png(megabytes: int) -> bytes:
    """Compressed text, a megabyte to a chunk."""
    notes = PngImagePlugin.PngInfo()
    for number in range(megabytes):
        notes.add_text(f"note {number}", "x" * 1_000_000, zip=True)
    return saved(photo(640, 480), "PNG", pnginfo=notes)


def chopped_png(pieces: int) -> bytes:
    """The picture after very many empty chunks of it."""
    made = saved(photo(640, 480), "PNG")
    return made[:33] + chunk(b"IDAT", b"") * pieces + made[33:]


# --- BMP


def bmp(width: int, height: int, bits: int, packing: int, pixels: bytes) -> bytes:
    """A BMP with a palette of two greys."""
    palette = bytes([0, 0, 0, 0, 200, 200, 200, 0])
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, packing, len(pixels), 0, 0, 2, 0)
    offset = 14 + len(head) + len(palette)
    return struct.pack("<2sIII", b"BM", offset + len(pixels), 0, offset) + head + palette + pixels


def bit_bmp(width: int, height: int) -> bytes:
    """One bit to a pixel."""
    return bmp(width, height, 1, 0, bytes(-(-width // 32) * 4 * height))


def runs_bmp(width: int, height: int) -> bytes:
    """Runs of one pixel, in two greys that take turns."""
    row = (b"\1\1\1\0" * width)[: 2 * width] + b"\0\0"
    return bmp(width, height, 8, 1, row * height + b"\0\1")


def profile_of(name: str) -> bytes:
    """An ICC profile that the colour library makes."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile(name)).tobytes()  # type: ignore[arg-type]
