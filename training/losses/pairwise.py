"""Losses over pairs and triplets of one batch, in squared Euclidean distance.

Embeddings are not normalised here; the network gives unit vectors, so 0 <= d <= 4. A batch without a pair (or
triplet) of the needed kind contributes 0, with a gradient of 0.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import relu


def squared_distances(x: Tensor) -> Tensor:
    """(n, dim) → (n, n) of d; from differences, because 2 - 2·cos loses all digits of a small d."""
    return (x[:, None] - x[None]).square().sum(-1)


def same_and_different(labels: Tensor) -> tuple[Tensor, Tensor]:
    """(n,) → two (n, n) masks: same identity without the diagonal, and different identities."""
    same = labels[:, None] == labels[None]
    return same & ~torch.eye(len(labels), dtype=torch.bool, device=labels.device), ~same


def mean_or_zero(values: Tensor) -> Tensor:
    """The mean; 0 for an empty tensor, still part of the graph."""
    return values.sum() / max(1, values.numel())


class LectureContrastive(nn.Module):
    """Positive pair: d; negative pair: max(0, m² - d). Both means are added.

    The gradient of a collapsed negative pair vanishes with its distance; `Contrastive` keeps it.

    Source: R. Aliev, "Computer vision, lecture 10: similarity learning", 2020.
    """

    def __init__(self, margin: float = 1.0) -> None:
        super().__init__()
        self.margin = margin

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """(n, dim) and (n,) → scalar."""
        d = squared_distances(embeddings)
        same, different = same_and_different(labels)
        return mean_or_zero(d[same]) + mean_or_zero(relu(self.margin**2 - d[different]))


class Contrastive(nn.Module):
    """Positive pair: d; negative pair: max(0, m - √d)². Both means are added.

    Source: Hadsell, Chopra, LeCun, CVPR 2006, eq. 4, without its factors of one half.

    Args:
        margin: In units of √d.
        active_only: Take the mean over negative pairs within the margin. The paper sums over pairs; in a mean
            over all, the few that are still too near would pull less with each that is far enough.
    """

    def __init__(self, margin: float = 1.0, active_only: bool = True) -> None:
        super().__init__()
        self.margin = margin
        self.active_only = active_only

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """(n, dim) and (n,) → scalar."""
        same, different = same_and_different(labels)
        a, b = torch.nonzero(different, as_tuple=True)
        # The norm of each difference, not √d of the matrix: its gradient at 0 is 0 instead of NaN.
        lengths = torch.linalg.vector_norm(embeddings[a] - embeddings[b], dim=1)
        positive = mean_or_zero(squared_distances(embeddings)[same])
        negative = relu(self.margin - lengths).square()
        return positive + mean_or_zero(negative[negative > 0] if self.active_only else negative)


class Triplet(nn.Module):
    """max(0, d(A, P) - d(A, N) + m) over every triplet of the batch.

    Args:
        margin: In units of d.
        active_only: Take the mean over triplets above 0 instead of over all, as pytorch-metric-learning does
            by default; otherwise the gradient fades as more triplets are satisfied.
    """

    def __init__(self, margin: float = 0.2, active_only: bool = False) -> None:
        super().__init__()
        self.margin = margin
        self.active_only = active_only

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """(n, dim) and (n,) → scalar."""
        d = squared_distances(embeddings)
        same, different = same_and_different(labels)
        violation = relu(d[:, :, None] - d[:, None, :] + self.margin)  # (anchor, positive, negative)
        losses = violation[same[:, :, None] & different[:, None, :]]
        return mean_or_zero(losses[losses > 0] if self.active_only else losses)
