"""Divide and conquer: the space is divided among learners, and conquered by all of them together.

People are clustered by where they lie; each cluster has a learner, a slice of the last layer; a batch shows
one cluster and teaches its learner only. The clusters are made anew as the network moves; each keeps as many
of its learner's people as it can. At the end all learners are trained together.

Source: Sanakoyeu et al., "Divide and Conquer the Embedding Space for Metric Learning", CVPR 2019. It clusters
faces; here identities are, so that the mated pairs of a person stay together.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.random import default_rng
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from torch import Tensor, nn
from torch.nn.functional import normalize

from index.vectors import k_means
from training.data.faces import Rows
from training.embedder.batches import BatchOrder, ByIdentity
from training.embedder.validation import Labelled

TOGETHER = -1


@dataclass(frozen=True)
class DividePart:
    """How a training divides and conquers: the `[divide]` table of a recipe, with sampling `divided`.

    Attributes:
        every_epochs: How often the clusters are made anew as the network moves; 0: never.
        learners: Clusters, and slices of the embedding.
        together: Share of the steps, the last, in which all are trained together; a round is not parted, and
            the last one always is such.
    """

    every_epochs: float = 0.0
    learners: int = 4
    together: float = 0.25

    def find_conquer_step(self, every: int, steps: int) -> int:
        """The step from which all are trained together: the beginning of a round of `every` steps."""
        wanted = round((1 - self.together) * steps)
        return min(-(-wanted // every), (steps - 1) // every) * every


def cluster_identities(
    vectors: NDArray[np.float32], labels: Rows, clusters: int, seed: int = 0, former: Rows | None = None
) -> Rows:
    """The cluster of each identity's mean.

    Args:
        vectors: (n, dim).
        labels: (n,) 0 … c - 1, each of which occurs.
        clusters: How many.
        seed: Of k-means.
        former: (c,) clusters whose learners are to keep as many of their people as possible.

    Returns:
        (c,) 0 … clusters - 1.
    """
    means = np.zeros((int(labels.max()) + 1, vectors.shape[1]), np.float32)
    np.add.at(means, labels, vectors)
    means /= np.bincount(labels)[:, None]
    found = k_means(means, clusters, seed=seed)
    if former is None or (former == TOGETHER).any():
        return found
    kept = np.zeros((clusters, clusters), np.int64)
    np.add.at(kept, (found, former), 1)
    _, learner = linear_sum_assignment(kept, maximize=True)
    return np.asarray(learner[found], np.int64)


class Divided:
    """Batches of one cluster each, drawn as `ByIdentity` does; of everybody where nothing is divided.

    A cluster with fewer than two people who have two faces shows nothing and is left out.

    Args:
        plain: Draws from everybody.
        labels: Class of every face of the set, -1 where it has none.
    """

    def __init__(self, plain: ByIdentity, labels: Rows) -> None:
        self.plain = plain
        self.labels = labels
        self.of_cluster: Sequence[ByIdentity] = []

    def take(self, clusters: Rows) -> None:
        """Uses (classes,) clusters from the next batch on; `TOGETHER` for all leaves nothing divided."""
        batch, each, seed = self.plain.identities * self.plain.each, self.plain.each, self.plain.seed
        rows = np.flatnonzero(self.labels >= 0)
        cluster = clusters[self.labels[rows]]
        orders = [
            ByIdentity(rows[cluster == number], self.labels, batch, each, seed)
            for number in np.unique(clusters[clusters != TOGETHER])
        ]
        self.of_cluster = [order for order in orders if len(order.groups) >= 2]

    def rows_of(self, step: int) -> Rows:
        """(batch,) rows, the faces of one identity side by side."""
        if not self.of_cluster:
            return self.plain.rows_of(step)
        chosen = int(default_rng((self.plain.seed, step, 1)).integers(len(self.of_cluster)))
        return self.of_cluster[chosen].rows_of(step)


class DividedLoss(nn.Module):
    """The loss of the learner whose cluster a batch shows; of the whole embedding for other batches.

    Args:
        whole: Of the whole embedding.
        learners: Of one slice each, in the order of the clusters.
        classes: Identities.
    """

    clusters: Tensor

    def __init__(self, whole: nn.Module, learners: Sequence[nn.Module], classes: int) -> None:
        super().__init__()
        self.whole = whole
        self.learners = nn.ModuleList(learners)
        self.register_buffer("clusters", torch.full((classes,), TOGETHER))

    def take(self, clusters: Rows) -> None:
        """Uses (classes,) clusters from now on."""
        self.clusters.copy_(torch.from_numpy(clusters))

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """(n, dim) and (n,) → scalar."""
        shown = sorted(set(self.clusters[labels].tolist()))
        if len(shown) != 1 or shown[0] == TOGETHER:
            loss, part = self.whole, embeddings
        else:
            loss = self.learners[shown[0]]
            part = normalize(embeddings.chunk(len(self.learners), dim=1)[shown[0]])
        value: Tensor = loss(part, labels)
        return value


class RenewedClusters:
    """The renewal of the clusters.

    Args:
        every: Steps of a round.
        learners: Clusters.
        conquers_from: The step from which all are trained together.
        labelled: Whose identities are clustered.
        order: Draws the batches.
        losses: Of the training; at least one is divided.
    """

    file = "clusters/clusters.npy"
    given = False

    def __init__(
        self,
        every: int,
        learners: int,
        conquers_from: int,
        labelled: Labelled,
        order: Divided,
        losses: Iterable[nn.Module],
    ) -> None:
        self.every = every
        self.learners = learners
        self.conquers_from = conquers_from
        self.labelled = labelled
        self.order = order
        self.losses = [loss for loss in losses if isinstance(loss, DividedLoss)]

    def make(self, network: nn.Module, begun: int, file: Path) -> dict[str, Any]:
        """Clusters the identities, or puts them together, and writes which is where."""
        former = self.losses[0].clusters.cpu().numpy()
        if begun >= self.conquers_from:
            clusters = np.full_like(former, TOGETHER)
        else:
            vectors, labels = self.labelled.vectors(network), self.labelled.labels
            clusters = cluster_identities(vectors, labels, self.learners, self.order.plain.seed, former)
        with file.open("wb") as stored:
            np.save(stored, clusters)
        return {"clusters": np.bincount(clusters[clusters != TOGETHER], minlength=self.learners).tolist()}

    def take(self, file: Path) -> None:
        """Draws and weighs by clusters that were written."""
        use_clusters(np.load(file), self.order, self.losses)


def use_clusters(clusters: Rows, order: BatchOrder, losses: Iterable[nn.Module]) -> None:
    """Whatever can be divided is so from the next batch on."""
    if isinstance(order, Divided):
        order.take(clusters)
    for loss in losses:
        if isinstance(loss, DividedLoss):
            loss.take(clusters)
