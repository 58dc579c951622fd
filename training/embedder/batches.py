"""Which faces a step sees, and what is done to them.

All of it follows from the seed and the step, so a resumed training sees what an uninterrupted one would have,
and two processes see the two halves of what one would have.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.random import Generator, default_rng
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from training.data.faces import FaceSet, Rows
from training.embedder.augment import Augmentation, augment, mix, use_one_thread

PREFETCHED = 12
NICE = 5


@dataclass(frozen=True)
class Batch:
    """Faces of one step, of one process.

    Attributes:
        faces: (b, 112, 112, 3) uint8 RGB.
        rows: (b,) int64 row in the face set.
        labels: (b,) int64 class, or -1 where it has none.
        mixed: (m,) int64 places of the faces that were made of two.
        unaltered: (m, 112, 112, 3) uint8 RGB, those faces before anything was done to them.
        targets: (b, dim) what the embeddings are to be, where there is a teacher.
        maps: (b, channels, side, side) of each stage, what its maps are to be like, where there are hints.
    """

    faces: Tensor
    rows: Tensor
    labels: Tensor
    mixed: Tensor
    unaltered: Tensor
    targets: Tensor | None = None
    maps: tuple[Tensor, ...] = ()


class BatchOrder(Protocol):
    """Chooses the faces of each step."""

    def rows_of(self, step: int) -> Rows:
        """(batch,) rows of the face set."""


class EveryFace:
    """Every face once per epoch, in an order of its own for each epoch."""

    def __init__(self, rows: Rows, batch: int, seed: int) -> None:
        self.rows = rows
        self.batch = batch
        self.seed = seed
        self._epoch = -1
        self._order: Rows = rows

    def rows_of(self, step: int) -> Rows:
        """(batch,) rows; a batch may reach over the end of an epoch."""
        return np.array([self._row(place) for place in range(step * self.batch, (step + 1) * self.batch)])

    def _row(self, place: int) -> int:
        epoch, index = divmod(place, len(self.rows))
        if epoch != self._epoch:
            self._order = self.rows[default_rng((self.seed, epoch)).permutation(len(self.rows))]
            self._epoch = epoch
        return int(self._order[index])


class ByIdentity:
    """A few faces of each of a few identities; who has one picture is left out, for it makes no mated pair.

    Args:
        rows: Faces to train on.
        labels: Class of every face of the set, -1 where it has none.
        batch: A multiple of `each`.
        each: Faces of one identity; repeated where it has fewer.
        seed: Of the choice.
    """

    def __init__(self, rows: Rows, labels: Rows, batch: int, each: int, seed: int) -> None:
        grouped = [rows[labels[rows] == label] for label in np.unique(labels[rows]) if label >= 0]
        self.groups = [group for group in grouped if len(group) >= 2]
        self.left_out = len(grouped) - len(self.groups)
        self.identities = batch // each
        self.each = each
        self.seed = seed

    def rows_of(self, step: int) -> Rows:
        """(batch,) rows, the faces of one identity side by side."""
        random = default_rng((self.seed, step))
        too_few = len(self.groups) < self.identities
        chosen = random.choice(len(self.groups), self.identities, replace=too_few)
        return np.concatenate([self.faces_of(self.groups[i], random) for i in chosen])

    def faces_of(self, group: Rows, random: Generator) -> Rows:
        """(each,) random faces of one identity."""
        return random.choice(group, self.each, replace=len(group) < self.each)


class AnchorNeighbours:
    """A few random identities, each with the ones nearest to it: l' · m · t faces (Ge et al., 2018, 3.2).

    Until it is told who is near, all identities are drawn at random.

    Args:
        plain: Says how many identities and faces a batch has.
        labels: Class of every face of the set, -1 where it has none.
        together: m in the paper: an identity and its m - 1 nearest; divides the identities of a batch.
        seed: Of the choice.
    """

    def __init__(self, plain: ByIdentity, labels: Rows, together: int, seed: int) -> None:
        self.plain = plain
        self.members = {int(labels[group[0]]): group for group in plain.groups}
        self.together = together
        self.seed = seed
        self.nearest: Rows | None = None

    def take(self, nearest: Rows) -> None:
        """Uses a class tree from the next batch on: (classes, classes - 1) the others, the nearest first."""
        self.nearest = nearest

    def rows_of(self, step: int) -> Rows:
        """(batch,) rows, the faces of one identity side by side."""
        if self.nearest is None or len(self.members) < self.plain.identities:
            return self.plain.rows_of(step)
        random = default_rng((self.seed, step))
        chosen: list[int] = []
        while len(chosen) < self.plain.identities:
            free = [label for label in self.members if label not in chosen]
            anchor = int(random.choice(free))
            near = [int(label) for label in self.nearest[anchor] if label in free]
            chosen += [anchor, *near[: self.together - 1]]
        return np.concatenate(
            [self.plain.faces_of(self.members[label], random) for label in chosen[: self.plain.identities]]
        )


@dataclass(frozen=True)
class Part:
    """Which share of each batch this process sees: every `of`-th face, from `rank` on."""

    rank: int = 0
    of: int = 1


class Views(Dataset[Batch]):
    """The batch of each step: chosen, decoded, some of them mixed with another, and altered."""

    def __init__(
        self,
        faces: FaceSet,
        labels: Rows,
        order: BatchOrder,
        how: Augmentation,
        *,
        seed: int,
        mixed: float = 0.0,
        part: Part | None = None,
    ) -> None:
        self.faces = faces
        self.labels = labels
        self.order = order
        self.how = how
        self.seed = seed
        self.mixed = mixed
        self.part = part or Part()

    def __getitem__(self, step: int) -> Batch:
        rows = self.order.rows_of(step)
        places = range(self.part.rank, len(rows), self.part.of)
        mine = rows[self.part.rank :: self.part.of]
        labels = self.labels[mine].copy()
        views, mixed, unaltered = [], [], []
        for i, (place, row) in enumerate(zip(places, mine, strict=True)):
            random = default_rng((self.seed, step, place))
            face = self.faces.crop(int(row))
            if self.mixed and random.random() < self.mixed:
                face = mix(face, self.faces.crop(int(random.choice(rows))), random)
                labels[i] = -1
                mixed.append(i)
                unaltered.append(face)
            views.append(augment(face, self.how, random))
        return Batch(
            torch.from_numpy(np.stack(views)),
            torch.from_numpy(mine),
            torch.from_numpy(labels),
            torch.tensor(mixed, dtype=torch.int64),
            torch.from_numpy(np.reshape(unaltered, (-1, *views[0].shape)).astype(np.uint8)),
        )


def load(views: Views, steps: range, loaders: int) -> Iterator[Batch]:
    """The batches of some steps, prepared ahead by `loaders` processes (0: in this one)."""
    ahead = {"prefetch_factor": PREFETCHED, "worker_init_fn": _lower_priority} if loaders else {}
    return iter(DataLoader(views, batch_size=None, sampler=steps, num_workers=loaders, **ahead))  # type: ignore[arg-type]


def _lower_priority(_: int) -> None:
    """A loader gives way to the training, and may run where the training is not pinned."""
    os.nice(NICE)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, range(os.cpu_count() or 1))
    use_one_thread()
    torch.set_num_threads(1)
