"""Small grey pictures of people, to compare losses on."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from embedding.align import ALIGNED_SIZE
from embedding.embedder import Embedder
from embedding.image import ImageLimits, decode
from training.data.faces import Rows
from training.data.pictures import Pictures
from training.errors import SplitInvalid
from training.evaluation.acquire import acquire
from training.reality_check.network import SIZE

Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class Thumbnails:
    """Small grey pictures.

    Attributes:
        pixels: (n, 28, 24) float32 in -1..1.
        labels: (n,) 0 … c - 1, in the order of the names of the people, numbers by their value.
        taught: (n, dim) unit vectors of the pictures by the shipped network; dim is 0 without one.
    """

    pixels: Vectors
    labels: Rows
    taught: Vectors

    @classmethod
    def of(cls, pictures: Pictures, shipped: Embedder | None = None) -> "Thumbnails":
        """Of every labelled picture."""
        names = pictures.labelled
        order = {
            identity: i for i, identity in enumerate(sorted({*pictures.identity.values()}, key=_sort_key))
        }
        people = sorted({order[pictures.identity[name]] for name in names})
        labels = np.searchsorted(people, [order[pictures.identity[name]] for name in names])
        return cls(
            np.stack([thumbnail(pictures.read(name)) for name in names]),
            labels.astype(np.int64),
            np.empty((len(names), 0), np.float32)
            if shipped is None
            else embed_by_teacher(shipped, pictures, names),
        )

    def where(self, mask: NDArray[np.bool_]) -> "Thumbnails":
        """Some of them, their people numbered anew."""
        labels = np.unique(self.labels[mask], return_inverse=True)[1]
        return Thumbnails(self.pixels[mask], labels, self.taught[mask])

    def split_people(self, share: float) -> tuple["Thumbnails", "Thumbnails"]:
        """The first people, and this share of them, the last ones; two at least on either side.

        Raises:
            SplitInvalid: If there are fewer than four.
        """
        people = int(self.labels.max()) + 1
        if people < 4:
            raise SplitInvalid(f"{people} people cannot be parted into two and two.")
        last = min(people - 2, max(2, round(share * people)))
        return self.where(self.labels < people - last), self.where(self.labels >= people - last)

    def folds(self, count: int) -> list[tuple["Thumbnails", "Thumbnails"]]:
        """The others and the unseen people of each fold.

        Raises:
            SplitInvalid: If a fold would have fewer than two people.
        """
        people = int(self.labels.max()) + 1
        if count < 2 or people < 2 * count:
            raise SplitInvalid(f"{people} people cannot be parted into {count} folds of two or more.")
        fold = self.labels * count // people
        return [(self.where(fold != number), self.where(fold == number)) for number in range(count)]


def _sort_key(name: str) -> list[tuple[int, str]]:
    """s2 before s10."""
    return [(int(digits or 0), text) for digits, text in re.findall(r"(\d*)(\D*)", name)]


def thumbnail(content: bytes) -> Vectors:
    """(28, 24) float32 in -1..1 of an encoded picture."""
    grey = Image.fromarray(decode(content, ImageLimits())).convert("L")
    return np.asarray(grey.resize((SIZE[1], SIZE[0])), np.float32) / 127.5 - 1


def embed_by_teacher(shipped: Embedder, pictures: Pictures, names: Sequence[str]) -> Vectors:
    """(n, dim) unit vectors as the service makes them; where it finds no face, of the whole picture."""
    acquired = acquire(shipped, pictures, names)
    found = dict(zip(acquired.names, acquired.vectors, strict=True))
    for name in names:
        if name not in found:
            whole = Image.fromarray(decode(pictures.read(name), ImageLimits()))
            crop = np.asarray(whole.resize((ALIGNED_SIZE, ALIGNED_SIZE)), np.uint8)
            found[name] = shipped.embed_crops(crop[None])[0]
    return np.stack([found[name] for name in names])


def normalise(vectors: NDArray[np.floating]) -> Vectors:
    """Every row to length 1."""
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def embed_raw_pixels(faces: Thumbnails) -> Vectors:
    """(n, 672) unit vectors without any training: the pixels less their mean over these pictures."""
    flat = faces.pixels.reshape(len(faces.pixels), -1).astype(np.float64)
    return normalise(flat - flat.mean(axis=0))


def vary(pixels: Vectors, random: Generator) -> Tensor:
    """(n, 28, 24) → (n, 1, 28, 24), each mirrored or not, moved by up to two pixels, brighter or darker."""
    padded = np.pad(pixels, ((0, 0), (2, 2), (2, 2)), mode="edge")
    views = np.empty(pixels.shape)
    for i, (down, right) in enumerate(random.integers(0, 5, (len(pixels), 2))):
        view = padded[i, down : down + SIZE[0], right : right + SIZE[1]]
        views[i] = view[:, ::-1] if random.random() < 0.5 else view
    views = views * random.uniform(0.8, 1.2, (len(views), 1, 1)) + random.uniform(
        -0.1, 0.1, (len(views), 1, 1)
    )
    return torch.from_numpy(views.astype(np.float32)[:, None])
