"""Batches of views with assigned cells, prepared by a separate process while the network trains."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from training.detection.assign import assign, cell_points
from training.detection.augment import Composer, View, mirror
from training.detection.recipe import Shape
from training.detection.teacher import DetectorTeacher, learn_from_labels, make_lesson
from training.detection.tone import change_tone

MIRROR_DELAY = 6  # batches between a view and its mirror image


@dataclass(frozen=True)
class Drawn:
    """Views of one size as drawn; the owners of a view are rows of its own faces."""

    pictures: Tensor  # (n, s, s, 3) uint8 BGR
    owners: list[Tensor]  # n times (cells,) int16
    faces: list[Tensor]  # n times (k, 14) float32

    @property
    def size(self) -> int:
        """The side of its views, in pixels."""
        return self.pictures.shape[1]


@dataclass(frozen=True)
class DetectorBatch:
    """Views of one size and their targets; `owners` are rows of `faces`, which has those of all views."""

    pictures: Tensor  # (n, s, s, 3) uint8 BGR
    owners: Tensor  # (n, cells) int32
    scores: Tensor  # (n, cells) float32, the teacher's; NaN if there is none or it is wrong
    faces: Tensor  # (f, 14) float32
    size: int


class DetectorViews(IterableDataset[Drawn]):
    """An endless stream of views; shapes vary by batch, so that scale and frame stay independent.

    Every view is used twice, the second time mirrored and in another light: composing costs as much as a
    training step, mirroring almost nothing.
    """

    def __init__(self, composer: Composer, shapes: Sequence[Shape], seed: int) -> None:
        self._composer = composer
        self._shapes = shapes
        self._random = np.random.default_rng(seed)

    def __iter__(self) -> Iterator[Drawn]:
        cv2.setNumThreads(1)
        shares = np.array([shape.share for shape in self._shapes])
        waiting: deque[list[View]] = deque()
        while True:
            shape = self._shapes[self._random.choice(len(shares), p=shares / shares.sum())]
            views = [self._composer.draw(shape.size) for _ in range(shape.count)]
            yield prepare_views(views, self._random)
            waiting.append([mirror(view) for view in views])
            if len(waiting) > MIRROR_DELAY:
                yield prepare_views(waiting.popleft(), self._random)


def prepare_views(views: list[View], random: np.random.Generator) -> Drawn:
    """Change each view's tone and assign its cells."""
    points = cell_points(views[0].size, views[0].size)
    labels = [view.labels() for view in views]
    return Drawn(
        torch.from_numpy(np.stack([change_tone(view.pixels, random) for view in views])),
        [torch.from_numpy(assign(points, faces, ignored)) for faces, ignored in labels],
        [torch.from_numpy(faces) for faces, _ in labels],
    )


def add_targets(views: Drawn, teacher: DetectorTeacher | None) -> DetectorBatch:
    """Compute each cell's target, and number the faces of all views."""
    points = cell_points(views.size, views.size)
    lessons = [
        make_lesson(owners.numpy(), faces.numpy(), *teacher.look(pixels.numpy(), points))
        if teacher
        else learn_from_labels(owners.numpy(), faces.numpy())
        for pixels, owners, faces in zip(views.pictures, views.owners, views.faces, strict=True)
    ]
    firsts = np.cumsum([0, *(len(each.faces) for each in lessons)])[:-1, None]
    owners = np.stack([each.owners for each in lessons]).astype(np.int32)
    return DetectorBatch(
        views.pictures,
        torch.from_numpy(np.where(owners >= 0, owners + firsts, owners)),
        torch.from_numpy(np.stack([each.scores for each in lessons])),
        torch.from_numpy(np.concatenate([each.faces for each in lessons])),
        views.size,
    )


def load_batches(views: DetectorViews, teacher: DetectorTeacher | None) -> Iterator[DetectorBatch]:
    """Batches whose views one worker process draws, a few ahead.

    The teacher runs in this process: OpenVINO does not survive a fork.
    """
    for batch in DataLoader(views, batch_size=None, num_workers=1, prefetch_factor=4):
        yield add_targets(batch, teacher)
