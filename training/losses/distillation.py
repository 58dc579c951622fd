"""Losses that pull a student's embeddings towards a teacher's, for the same pictures.

The cosine form copies the teacher's space, so both need the same dimension. The relational forms copy only
how the pictures of a batch lie to each other (Park et al., "Relational Knowledge Distillation", CVPR 2019).
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity, normalize, smooth_l1_loss


class CosineDistillation(nn.Module):
    """Mean of 1 - cos(student, teacher); for unit vectors that is d / 2."""

    def forward(self, embeddings: Tensor, teacher: Tensor) -> Tensor:
        """(n, dim) twice → scalar."""
        return (1 - cosine_similarity(embeddings, teacher, dim=1)).mean()


def relative_distances(x: Tensor) -> Tensor:
    """(n, dim) → (n (n - 1) / 2,) Euclidean distances over their mean (eq. 6-7)."""
    a, b = torch.triu_indices(len(x), len(x), offset=1, device=x.device)
    lengths = torch.linalg.vector_norm(x[a] - x[b], dim=1)
    relative: Tensor = lengths / lengths.mean()
    return relative


class RelationalDistance(nn.Module):
    """RKD-D: Huber loss between relative distances, mean over pairs (eq. 8)."""

    def forward(self, embeddings: Tensor, teacher: Tensor) -> Tensor:
        """(n, a) and (n, b) with n >= 2 → scalar."""
        with torch.no_grad():
            wanted = relative_distances(teacher)
        return smooth_l1_loss(relative_distances(embeddings), wanted)


def angles(x: Tensor) -> Tensor:
    """(n, dim) → (n (n - 1) (n - 2),) cosines of the angle at j between i and k, all distinct (eq. 9)."""
    n = len(x)
    arms = normalize(x[None] - x[:, None], dim=-1)  # (j, i, dim): from j to i
    cosines = arms @ arms.transpose(1, 2)  # (j, i, k)
    apart = ~torch.eye(n, dtype=torch.bool, device=x.device)
    return cosines[apart[:, :, None] & apart[:, None, :] & apart[None]]


class RelationalAngle(nn.Module):
    """RKD-A: Huber loss between angles, mean over triplets (eq. 10). Memory grows with n³."""

    def forward(self, embeddings: Tensor, teacher: Tensor) -> Tensor:
        """(n, a) and (n, b) with n >= 3 → scalar."""
        with torch.no_grad():
            wanted = angles(teacher)
        return smooth_l1_loss(angles(embeddings), wanted)
