"""Aligned faces to train on, and the split into training and held-out identities.

Faces come from a folder, an archive, or tar shards with `faces.csv` (see `training/data/pictures.py`). They
stay encoded in memory and are decoded when needed: 45,000 JPEGs take 160 MB, their pixels 1.7 GB.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

import cv2
import numpy as np
from numpy.typing import NDArray

from embedding.align import ALIGNED_SIZE
from embedding.files import write_file
from training.data.pictures import Pictures, open_pictures
from training.data.reading import reason_of
from training.errors import PicturesInvalid, SplitInvalid

SPLIT = "split.json"
"""File in a run folder."""

Crop = NDArray[np.uint8]  # (112, 112, 3) RGB
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class FaceSet:
    """Faces in a fixed order.

    Attributes:
        names: (n) of the pictures.
        identities: (n) of the people; "" if unknown.
        encoded: (n) bytes of the pictures.
        skipped: Pictures that could not be used, each with the reason.
    """

    names: list[str]
    identities: list[str]
    encoded: list[bytes]
    skipped: dict[str, str]

    def __len__(self) -> int:
        return len(self.names)

    def crop(self, row: int) -> Crop:
        """One face as (112, 112, 3) uint8 RGB."""
        crop = decode_crop(self.encoded[row])
        assert crop is not None  # every picture was decoded once when the set was read
        return crop

    def crops(self, rows: Sequence[int] | Rows) -> NDArray[np.uint8]:
        """Several faces as (k, 112, 112, 3) uint8 RGB."""
        return np.stack([self.crop(int(row)) for row in rows])

    @property
    def picture_digests(self) -> list[str]:
        """(n) SHA-256 of the pictures' bytes."""
        return [hashlib.sha256(picture).hexdigest() for picture in self.encoded]

    @property
    def digest(self) -> str:
        """SHA-256 of all pictures in order: sets with the same digest give the same training."""
        return hashlib.sha256("".join(self.picture_digests).encode()).hexdigest()


def read_faces(path: Path) -> FaceSet:
    """Read every face under a path; lists unusable ones with the reason instead of dropping them silently.

    Raises:
        PicturesInvalid: If the path has no pictures, or a shard has no usable ones.
    """
    pictures = open_pictures(path)
    kept: list[tuple[str, str, bytes]] = []
    skipped: dict[str, str] = {}
    for name, identity in pictures.identity.items():
        content, reason = _read(pictures, name)
        if reason:
            skipped[name] = reason
        else:
            kept.append((name, identity, content))
    _refuse_empty(pictures, [name for name, _, _ in kept])
    names, identities, encoded = (list(column) for column in zip(*kept, strict=True))
    return FaceSet(names, identities, encoded, skipped)


def decode_crop(content: bytes) -> Crop | None:
    """(h, w, 3) uint8 RGB, or None if the bytes are not a picture."""
    if not content:
        return None
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    return None if pixels is None else np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), np.uint8)


def _read(pictures: Pictures, name: str) -> tuple[bytes, str]:
    """The bytes of a face, and why it cannot be used, if so."""
    try:
        content = pictures.read(name)
    except OSError as error:
        return b"", f"it cannot be read ({error.strerror or 'missing'})"
    crop = decode_crop(content)
    if crop is None:
        return b"", "it is not a picture that can be decoded"
    if crop.shape != (ALIGNED_SIZE, ALIGNED_SIZE, 3):
        return b"", f"it is {crop.shape[1]}x{crop.shape[0]}, not an aligned face of 112x112"
    return content, ""


def _refuse_empty(pictures: Pictures, kept: Sequence[str]) -> None:
    """Refuse a shard without usable faces: that is a broken download, not a small loss."""
    shards = {_shard(name) for name in pictures.identity if ".tar" in name}
    empty = sorted(shards - {_shard(name) for name in kept})
    if empty:
        raise PicturesInvalid(pictures.path / empty[0], "the shard holds no face that can be used")
    if not kept:
        raise PicturesInvalid(pictures.path, "it holds no face that can be used")


def _shard(name: str) -> str:
    return PurePosixPath(name).parts[0]


@dataclass(frozen=True)
class Split:
    """Identities held out of training: half for calibration, half for tests.

    Raises:
        SplitInvalid: If an identity is in two parts.
    """

    seed: int
    calibrate: tuple[str, ...]
    test: tuple[str, ...]

    def __post_init__(self) -> None:
        both = set(self.calibrate) & set(self.test)
        if both:
            raise SplitInvalid(f"{len(both)} identities are in both parts of the split.")

    @property
    def held_out(self) -> frozenset[str]:
        """All identities held out of training."""
        return frozenset(self.calibrate) | frozenset(self.test)

    def training_rows(self, faces: FaceSet) -> Rows:
        """Rows of the faces to train on: all whose identity is not held out."""
        held_out = self.held_out
        return np.flatnonzero([identity not in held_out for identity in faces.identities])

    def write(self, path: Path) -> None:
        """Write JSON atomically, because other processes of the training read it."""
        write_file(path, (json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n").encode())

    @classmethod
    def read(cls, path: Path) -> "Split":
        """Read and validate what `write` wrote: people edit such files.

        Raises:
            SplitInvalid: If it cannot be read, or an identity is in two parts.
        """
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            return cls(content["seed"], tuple(content["calibrate"]), tuple(content["test"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise SplitInvalid(f"{path} is not a split ({reason_of(error)}).") from error


def split_identities(faces: FaceSet, share: float, seed: int) -> Split:
    """Hold out a share of the identities with at least two pictures; the same ones for the same seed.

    Faces without an identity, and identities with one picture, go into training: they have no mated pair to
    measure.

    Raises:
        SplitInvalid: If there are too few identities to train, calibrate and test on.
    """
    pictures = Counter(identity for identity in faces.identities if identity)
    candidates = sorted(identity for identity, count in pictures.items() if count >= 2)
    order = np.random.default_rng(seed).permutation(len(candidates))
    count = round(share * len(candidates))
    if share and (count < 4 or len(candidates) - count < 1):
        raise SplitInvalid(
            f"{len(candidates)} identities have two pictures or more; a share of {share} cannot be held out "
            "so that two remain to calibrate, two to test and one to train."
        )
    held_out = [candidates[i] for i in order[:count]]
    return Split(seed, tuple(sorted(held_out[: count // 2])), tuple(sorted(held_out[count // 2 :])))


def class_labels(faces: FaceSet, rows: Rows) -> Rows:
    """(len(faces),) class of each training face; -1 for the others."""
    known = sorted({faces.identities[row] for row in rows} - {""})
    number = {identity: i for i, identity in enumerate(known)}
    labels = np.full(len(faces), -1, np.int64)
    labels[rows] = [number.get(faces.identities[row], -1) for row in rows]
    return labels
