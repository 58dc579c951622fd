"""Photos with labelled faces, from tar shards and three CSV files.

A face is a row of 14 numbers in pixels: box x, y, w, h, then x, y of right eye, left eye, nose, right and
left mouth corner, seen from the person. `uncertain` faces are neither face nor background, and teach nothing.
"""

import random
import tarfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from training.data.csv_files import read_csv

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]

FACE_COLUMNS = (
    "x",
    "y",
    "w",
    "h",
    *(f"{part}_{axis}" for part in ("re", "le", "nose", "rm", "lm") for axis in "xy"),
)
SPLIT = 20261121
NO_FACES: Floats = np.zeros((0, len(FACE_COLUMNS)), np.float32)


@dataclass(frozen=True)
class Photo:
    """One picture and the labels of its faces."""

    name: str
    source: str
    pixels: Pixels  # (h, w, 3) BGR
    faces: Floats  # (n, 14)
    uncertain: Floats  # (m, 14)


@dataclass(frozen=True)
class PhotoSet:
    """The readable pictures of a folder, and the names of the others."""

    photos: list[Photo]
    undecodable: list[str]


def read_photos(folder: Path) -> PhotoSet:
    """Decode every picture in `images.csv`; list those that are missing or not pictures."""
    faces, uncertain = read_faces(folder / "faces.csv"), read_faces(folder / "uncertain.csv")
    rows = read_csv(folder / "images.csv").rows
    encoded = dict(_members(folder, sorted({row["shard"] for row in rows})))
    photos, undecodable = [], []
    for row in rows:
        name = row["file"]
        pixels = decode(encoded.get(name, b""))
        if pixels is None:
            undecodable.append(name)
            continue
        photos.append(
            Photo(name, row["source"], pixels, faces.get(name, NO_FACES), uncertain.get(name, NO_FACES))
        )
    return PhotoSet(photos, undecodable)


def decode(data: bytes) -> Pixels | None:
    """(h, w, 3) BGR, or None if the bytes are not a picture."""
    if not data:
        return None
    pixels: Any = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    return pixels  # type: ignore[no-any-return]


def read_faces(path: Path) -> dict[str, Floats]:
    """File name → (n, 14) faces."""
    rows: defaultdict[str, list[list[float]]] = defaultdict(list)
    for row in read_csv(path).rows:
        rows[row["file"]].append([float(row[column]) for column in FACE_COLUMNS])
    return {name: np.array(faces, np.float32) for name, faces in rows.items()}


def split_photos(photos: Sequence[Photo], held_out: float) -> tuple[list[Photo], list[Photo]]:
    """Training and held-out pictures: the same share of every source, with and without faces.

    They are the same for every recipe and seed, so that a training that continues another one, and the
    evaluation of either, hold out the same pictures.
    """
    strata: defaultdict[tuple[str, bool], list[Photo]] = defaultdict(list)
    for photo in photos:
        strata[photo.source, len(photo.faces) > 0].append(photo)
    train: list[Photo] = []
    held: list[Photo] = []
    for key in sorted(strata):
        members = sorted(strata[key], key=lambda photo: photo.name)
        random.Random(f"{SPLIT} {key}").shuffle(members)
        cut = round(len(members) * held_out)
        held += members[:cut]
        train += members[cut:]
    return train, held


def _members(folder: Path, shards: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    for shard in shards:
        with tarfile.open(folder / shard) as tar:
            for member in tar:
                content = tar.extractfile(member)
                if content is not None:
                    yield member.name, content.read()


def read_shard_rows(folder: Path, rows: Iterable[Mapping[str, str]]) -> Iterator[tuple[str, Pixels]]:
    """Decoded pictures of the given rows (`shard`, `file`), shard by shard."""
    wanted: defaultdict[str, set[str]] = defaultdict(set)
    for row in rows:
        wanted[row["shard"]].add(row["file"])
    for shard in sorted(wanted):
        for name, data in _members(folder, [shard]):
            pixels = decode(data) if name in wanted[shard] else None
            if pixels is not None:
                yield name, pixels
