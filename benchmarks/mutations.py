"""Pictures that something happened to on their way; the same seed gives the same ones."""

import random
from collections.abc import Callable, Iterator

from PIL import Image

from benchmarks.picture_corpus import saved

Change = Callable[[random.Random, bytes], bytes]


def mutated(picture: Image.Image, count: int, seed: int = 0) -> Iterator[bytes]:
    """So many files, each one of a kind that people send, with one to three changes."""
    chance = random.Random(seed)
    files = encoded(picture)
    for _ in range(count):
        data = chance.choice(files)
        for change in chance.choices(CHANGES, k=chance.randint(1, 3)):
            data = change(chance, data)
        yield data


def encoded(picture: Image.Image) -> list[bytes]:
    """The picture in every format and mode that is read."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return [
        saved(picture, "JPEG", quality=90, exif=exif),
        saved(picture, "JPEG", progressive=True),
        saved(picture.convert("L"), "JPEG"),
        saved(picture.convert("CMYK"), "JPEG"),
        *(saved(picture.convert(mode), "PNG") for mode in ("RGB", "RGBA", "L", "LA", "P", "1")),
        saved(picture, "WEBP", quality=80),
        saved(picture, "WEBP", save_all=True, append_images=[picture.rotate(9)]),
        saved(picture, "BMP"),
    ]


def flip_bits(chance: random.Random, data: bytes) -> bytes:
    """Up to 20 bits anywhere, as a bad disk does."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, 20)):
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def cut(chance: random.Random, data: bytes) -> bytes:
    """The rest did not arrive."""
    return data[: chance.randrange(1, max(2, len(data)))]


def leave_out(chance: random.Random, data: bytes) -> bytes:
    """A piece was lost."""
    start = chance.randrange(len(data))
    return data[:start] + data[start + chance.randint(1, 4096) :] or b"\0"


def say_twice(chance: random.Random, data: bytes) -> bytes:
    """A piece came twice."""
    start = chance.randrange(len(data))
    end = start + chance.randint(1, 4096)
    return data[:end] + data[start:end] * chance.randint(1, 8) + data[end:]


def overwrite_head(chance: random.Random, data: bytes) -> bytes:
    """Sizes, lengths and markers are near the beginning."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, 8)):
        changed[chance.randrange(min(64, len(changed)))] = chance.choice((0, 1, 0x7F, 0x80, 0xFF))
    return bytes(changed)


def splice(chance: random.Random, data: bytes) -> bytes:
    """The beginning of one place, the end of another."""
    return data[: chance.randrange(1, max(2, len(data)))] + data[chance.randrange(len(data)) :]


CHANGES: tuple[Change, ...] = (flip_bits, cut, leave_out, say_twice, overwrite_head, splice)
