"""The faces that a decoder learns from, with their templates."""

import csv
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor

from embedding.embedder import Embedder
from training.data.csv_files import read_csv
from training.data.faces import Split, decode_crop
from training.data.pictures import DESCRIPTION, open_pictures
from training.errors import PicturesInvalid
from training.people.recipe import Choice

SMALL_SIDE = 28
BATCH = 2048


@dataclass(frozen=True)
class Faces:
    """Aligned faces with the shipped embedder's templates.

    Attributes:
        pixels: (n, 112, 112, 3) uint8 RGB.
        templates: (n, dim) of unit length.
        weights: (n,) how often each is drawn; they sum to 1.
        digest: SHA-256 over the pixels: two sets with the same digest give the same training.
    """

    pixels: NDArray[np.uint8]
    templates: NDArray[np.float32]
    weights: NDArray[np.float64]
    digest: str

    def batch(self, random: Generator, count: int) -> tuple[Tensor, Tensor]:
        """(count, 3, 112, 112) in -1..1 and (count, dim); half are mirrored, which templates ignore."""
        rows = np.sort(random.choice(len(self.pixels), count, p=self.weights))
        crops = self.pixels[rows].copy()
        mirrored = random.random(count) < 0.5
        crops[mirrored] = crops[mirrored, :, ::-1]
        faces = torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 127.5 - 1
        return faces.contiguous(memory_format=torch.channels_last), torch.from_numpy(self.templates[rows])

    def small(self) -> NDArray[np.float32]:
        """(2 n, 2352) the faces and their mirror images at 28 x 28, -1..1, by colour, row and column."""
        plain = np.concatenate([_shrink(part) for part in _split_parts(self.pixels)])
        mirrored = plain.reshape(-1, 3, SMALL_SIDE, SMALL_SIDE)[..., ::-1].reshape(len(plain), -1)
        return np.concatenate([plain, mirrored])


def _split_parts(pixels: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    for start in range(0, len(pixels), BATCH):
        yield pixels[start : start + BATCH]


def _shrink(crops: NDArray[np.uint8]) -> NDArray[np.float32]:
    block = crops.shape[1] // SMALL_SIDE
    blocks = crops.astype(np.float32).reshape(-1, SMALL_SIDE, block, SMALL_SIDE, block, 3)
    shrunk: NDArray[np.float32] = blocks.mean((2, 4)) / 127.5 - 1
    return shrunk.transpose(0, 3, 1, 2).reshape(len(crops), -1)


def choose_faces(data: Path, split: Split, choice: Choice) -> tuple[list[str], NDArray[np.float64]]:
    """Names of the faces to learn from, and how often each is to be drawn.

    Args:
        data: Shards with `faces.csv`, which has the width and the border of each face.
        split: People held out here are left out.
        choice: Requirements for a face.

    Raises:
        PicturesInvalid: If it is not such a set, or has no usable face.
    """
    try:
        rows = read_csv(data / DESCRIPTION).rows
        chosen = [row for row in rows if row["identity"] not in split.held_out and choice.takes(row)]
    except (OSError, csv.Error, KeyError, ValueError) as error:
        raise PicturesInvalid(data, f"it has no {DESCRIPTION} that says how wide each face is") from error
    if not chosen:
        raise PicturesInvalid(data, "it holds no face that the recipe takes")
    weights = np.array([choice.weight(row) for row in chosen])
    return [f"{row['shard']}/{row['file']}" for row in chosen], weights / weights.sum()


def read_people_faces(data: Path, split: Split, choice: Choice, embedder: Embedder) -> Faces:
    """The faces to learn from, with their templates.

    Raises:
        PicturesInvalid: As `choose_faces`, or if a face is not a crop of 112 x 112.
    """
    names, weights = choose_faces(data, split, choice)
    pictures = open_pictures(data)
    crops = [decode_crop(pictures.read(name)) for name in names]
    usable = [crop for crop in crops if crop is not None and crop.shape == (112, 112, 3)]
    if len(usable) < len(crops):
        raise PicturesInvalid(data, f"{len(crops) - len(usable)} of its faces are no crops of 112x112")
    pixels = np.stack(usable)
    digest = hashlib.sha256(pixels.tobytes()).hexdigest()
    return Faces(pixels, embedder.embed_crops(pixels), weights, digest)
