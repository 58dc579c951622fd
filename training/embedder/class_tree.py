"""The class tree of the hierarchical triplet loss: which identities are alike, and from which level on.

It sets the margins of the loss, and says who stands beside whom in batches of anchors and their neighbours.

Source: Ge et al., "Deep Metric Learning with Hierarchical Triplet Loss", ECCV 2018, section 3.1.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.cluster.hierarchy import cophenet, linkage
from scipy.spatial.distance import squareform
from torch import nn

from training.data.faces import Rows
from training.embedder.batches import AnchorNeighbours, BatchOrder
from training.embedder.validation import Labelled
from training.losses.hierarchical import HierarchicalTriplet

Matrix = NDArray[np.float64]
LEVELS = 16
LARGEST = 4.0
"""d of two unit vectors that are opposite: at the last level all identities are one."""


@dataclass(frozen=True)
class TreePart:
    """How a class tree is built and used: the `[tree]` table of a recipe.

    Attributes:
        every_epochs: How often it is built anew as the network moves; 0: never.
        together: With sampling `anchor_neighbours`: so many people stand together, one and those nearest to
            him; m in the paper.
        levels: L in the paper.
    """

    every_epochs: float = 0.0
    together: int = 4
    levels: int = LEVELS


@dataclass(frozen=True)
class ClassTree:
    """Identities merged level by level. Memory grows with their number squared: 0.8 GB for 10,000.

    Attributes:
        distance: (c, c) mean d of a sample of one identity and a sample of another (eq. 1).
        spread: (c,) mean d of two samples of one identity, s in the paper; of one with a single sample the
            mean of the others.
        borders: (LEVELS + 1,) d_l: nodes whose identities lie nearer on average are one at level l (eq. 2).
        level: (c, c) the lowest level at which two identities are in one node, from 1; 0 on the diagonal.
    """

    distance: Matrix
    spread: Matrix
    borders: Matrix
    level: Rows

    @classmethod
    def of(cls, vectors: NDArray[np.float32], labels: Rows, levels: int = LEVELS) -> "ClassTree":
        """The tree of (n, dim) unit vectors with (n,) labels 0 … c - 1, each of which occurs.

        Raises:
            ValueError: If no identity has two samples.
        """
        sizes = np.bincount(labels)
        if sizes.max() < 2:
            raise ValueError("A class tree needs an identity with two samples.")
        x = vectors.astype(np.float64)
        means = np.zeros((len(sizes), x.shape[1]))
        np.add.at(means, labels, x)
        means /= sizes[:, None]
        squares = np.bincount(labels, weights=np.square(x).sum(1)) / sizes
        distance = np.maximum(squares[:, None] + squares - 2 * means @ means.T, 0)
        several = sizes > 1
        # Pairs of a sample with itself are 0 and are not counted.
        own = np.diag(distance)[several] * sizes[several] / (sizes[several] - 1)
        spread = np.full(len(sizes), own.mean())
        spread[several] = own
        borders = np.arange(levels + 1) * (LARGEST - own.mean()) / levels + own.mean()
        return cls(distance, spread, borders, _merge_levels(distance, borders))

    def rise(self) -> Matrix:
        """(c, c) what the margin of anchor and negative has above β: d_H(a, n) - s_a (eq. 5)."""
        return np.asarray(self.borders[self.level] - self.spread[:, None])

    def nearest(self) -> Rows:
        """(c, c - 1) the other identities of each, the nearest first."""
        apart = self.distance.copy()
        np.fill_diagonal(apart, np.inf)
        return np.argsort(apart, axis=1, kind="stable")[:, :-1]

    def write(self, path: Path) -> None:
        """As NumPy arrays."""
        with path.open("wb") as file:
            np.savez(file, **asdict(self))

    @classmethod
    def read(cls, path: Path) -> "ClassTree":
        """What `write` wrote."""
        with np.load(path) as stored:
            return cls(**stored)


class RenewedTree:
    """The renewal of a class tree.

    Args:
        every: Steps of a round.
        part: How it is built.
        labelled: Whose identities it merges.
        order: Draws the batches.
        losses: Of the training.
    """

    file = "tree/tree.npz"
    given = False

    def __init__(
        self, every: int, part: TreePart, labelled: Labelled, order: BatchOrder, losses: Iterable[nn.Module]
    ) -> None:
        self.every = every
        self.part = part
        self.labelled = labelled
        self.order = order
        self.losses = losses

    def make(self, network: nn.Module, begun: int, file: Path) -> dict[str, Any]:
        """Builds the tree, and writes it."""
        tree = ClassTree.of(self.labelled.vectors(network), self.labelled.labels, self.part.levels)
        tree.write(file)
        return {"tree": {"spread": float(tree.spread.mean()), "distance": float(tree.distance.mean())}}

    def take(self, file: Path) -> None:
        """Draws and weighs by a tree that was written."""
        use_tree(ClassTree.read(file), self.order, self.losses)


def use_tree(tree: ClassTree, order: BatchOrder, losses: Iterable[nn.Module]) -> None:
    """Whatever can use a tree uses this one from the next batch on."""
    if isinstance(order, AnchorNeighbours):
        order.take(tree.nearest())
    for loss in losses:
        if isinstance(loss, HierarchicalTriplet):
            loss.take(torch.from_numpy(tree.rise()))


def _merge_levels(distance: Matrix, borders: Matrix) -> Rows:
    """(c, c): nodes merge by the mean distance of their identities, as long as it is below the border."""
    apart = distance.copy()
    np.fill_diagonal(apart, 0)
    if len(apart) < 2:
        return np.zeros(apart.shape, np.int64)
    merged_at = squareform(cophenet(linkage(squareform(apart, checks=False), "average")))
    level = np.clip(np.searchsorted(borders[1:], merged_at, side="right") + 1, 1, len(borders) - 1)
    np.fill_diagonal(level, 0)
    return np.asarray(level, np.int64)
