"""Hierarchical triplet loss (Ge et al., "Deep Metric Learning with Hierarchical Triplet Loss", ECCV 2018)."""

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from training.losses.pairwise import same_and_different, squared_distances


class HierarchicalTriplet(nn.Module):
    """1 / (2 Z) Σ max(0, d(a, p) - d(a, n) + α_z) over all Z triplets of the batch (eq. 4).

    The margin of a triplet depends on the identities of its anchor and of its negative; it comes from a class
    tree (`training.embedder.class_tree`) and is updated when the tree is rebuilt; until then it is β.

    Args:
        classes: Identities.
        beta: Margin that separates even the identities that merge at the lowest level.
        squared: Take d, in whose units the levels of the tree are: with its root, of 2 at most, hardly any
            margin could be met. The paper writes ‖a - p‖ for either.
    """

    margins: Tensor

    def __init__(self, classes: int, beta: float = 0.1, squared: bool = True) -> None:
        super().__init__()
        self.beta = beta
        self.squared = squared
        self.register_buffer("margins", torch.full((classes, classes), beta))

    def take(self, rise: Tensor) -> None:
        """Uses the margins β + d_H(a, n) - s_a of a class tree from now on (eq. 5).

        Args:
            rise: (classes, classes) of d_H(a, n) - s_a; rows are the anchor's identity.
        """
        self.margins.copy_(self.beta + rise)

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """(n, dim) and (n,) → scalar; 0 where the batch holds no triplet."""
        same, different = same_and_different(labels)
        a, p, n = torch.nonzero(same[:, :, None] & different[:, None, :], as_tuple=True)
        apart = squared_distances(embeddings) if self.squared else lengths(embeddings)
        margin = self.margins[labels[a], labels[n]].to(apart.dtype)
        return relu(apart[a, p] - apart[a, n] + margin).sum() / (2 * max(1, len(a)))


def lengths(x: Tensor) -> Tensor:
    """(n, dim) → (n, n) of √d, with a gradient of 0 where d is 0 instead of NaN."""
    apart: Tensor = torch.linalg.vector_norm(x[:, None] - x[None], dim=-1)
    return apart
