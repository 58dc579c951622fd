"""Batches of views with their cells assigned, made by a process of its own while the network trains."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from training.detection.assign import assign, cell_points
from training.detection.augment import Composer, View, mirrored
from training.detection.recipe import Shape
from training.detection.tone import change_tone

MIRROR_DELAY = 6  # batches between a view and its mirror image


@dataclass(frozen=True)
class Batch:
    """Views of one size; `owners` are rows of `faces`, which lists the faces of all views."""

    pictures: Tensor  # (n, s, s, 3) uint8 BGR
    owners: Tensor  # (n, cells) int32
    faces: Tensor  # (f, 14) float32
    size: int


class Views(IterableDataset[Batch]):
    """Batches without end; the shape changes from batch to batch, so that no scale is learned with its frame.

    Every view is used twice, the second time as its mirror image under another light: composing costs as much
    as a step of the network, mirroring next to nothing.
    """

    def __init__(self, composer: Composer, shapes: Sequence[Shape], seed: int) -> None:
        self._composer = composer
        self._shapes = shapes
        self._random = np.random.default_rng(seed)

    def __iter__(self) -> Iterator[Batch]:
        cv2.setNumThreads(1)
        shares = np.array([shape.share for shape in self._shapes])
        waiting: deque[list[View]] = deque()
        while True:
            shape = self._shapes[self._random.choice(len(shares), p=shares / shares.sum())]
            views = [self._composer.draw(shape.size) for _ in range(shape.count)]
            yield make_batch(views, self._random)
            waiting.append([mirrored(view) for view in views])
            if len(waiting) > MIRROR_DELAY:
                yield make_batch(waiting.popleft(), self._random)


def make_batch(views: list[View], random: np.random.Generator) -> Batch:
    """Change each view's tone and assign its cells."""
    size = len(views[0].pixels)
    points = cell_points(size, size)
    owners, faces = [], []
    first = 0
    for view in views:
        found, ignored = view.labels()
        own = assign(points, found, ignored).astype(np.int32)
        own[own >= 0] += first
        first += len(found)
        owners.append(own)
        faces.append(found)
    return Batch(
        torch.from_numpy(np.stack([change_tone(view.pixels, random) for view in views])),
        torch.from_numpy(np.stack(owners)),
        torch.from_numpy(np.concatenate(faces)),
        size,
    )


def loader(views: Views) -> Iterator[Batch]:
    """Batches from one worker process, a few ahead."""
    return iter(DataLoader(views, batch_size=None, num_workers=1, prefetch_factor=4))
