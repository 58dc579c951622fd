"""Divide and conquer: the space is divided among learners, and conquered by all of them together.

People are clustered by where they lie; each cluster has a learner, a slice of the last layer; a batch shows
one cluster and teaches its learner only. The clusters are made anew as the network moves, and at the end all
learners are trained together.

Source: Sanakoyeu et al., "Divide and Conquer the Embedding Space for Metric Learning", CVPR 2019. It clusters
faces; here identities are, so that the mated pairs of a person stay together.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.random import default_rng
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import normalize

from training.batches import ByIdentity
from training.data import Rows
from training.retrieval import k_means

TOGETHER = -1


def cluster_identities(vectors: NDArray[np.float32], labels: Rows, clusters: int, seed: int = 0) -> Rows:
    """(n, dim) and (n,) labels 0 … c - 1, each of which occurs → (c,) cluster of each identity's mean."""
    means = np.zeros((int(labels.max()) + 1, vectors.shape[1]), np.float32)
    np.add.at(means, labels, vectors)
    means /= np.bincount(labels)[:, None]
    return k_means(means, clusters, seed)


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
