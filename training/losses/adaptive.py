"""A margin loss whose class centres follow a teacher, at the pace at which the student follows it."""

import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity, cross_entropy, normalize

EDGE = 1e-6
"""The angle has no gradient at a cosine of 1."""


class AdaptiveArcFace(nn.Module):
    """ArcFace against centres that are not learnt but drawn towards the teacher's vectors.

    For a face x of class y the centre moves from c to α c + (1 - α) t, t the teacher's vector of the face and
    α = cos(x, t) · cos(c, t), no factor below 0: while the student is far from the teacher, a centre is near
    the last vector of the person; later it is their mean. Several faces of a class in a batch move its centre
    to the mean of where each would. Source: Boutros et al., AdaDistill, ECCV 2024 (AdaArcDistill).

    Args:
        classes: Identities.
        dim: Length of an embedding, and of the teacher's.
        scale: s of ArcFace.
        margin: m of ArcFace, in radians.
    """

    centres: Tensor

    def __init__(self, classes: int, dim: int, scale: float = 64.0, margin: float = 0.45) -> None:
        super().__init__()
        self.scale = scale
        self.margin = margin
        self.register_buffer("centres", 0.01 * torch.randn(classes, dim))

    def forward(self, embeddings: Tensor, labels: Tensor, teacher: Tensor) -> Tensor:
        """(n, dim), (n,) and (n, dim) → scalar."""
        student = normalize(embeddings.to(self.centres.dtype))
        if self.training:
            self._move(student.detach(), labels, normalize(teacher.to(self.centres.dtype)))
        with torch.autocast(embeddings.device.type, enabled=False):
            cosines = student @ normalize(self.centres).T  # (n, classes)
        cosines = cosines.clamp(-1 + EDGE, 1 - EDGE)
        own = torch.arange(len(labels), device=labels.device), labels
        with_margin = cosines.index_put(own, (cosines[own].acos() + self.margin).cos())
        return cross_entropy(self.scale * with_margin, labels)

    @torch.no_grad()
    def _move(self, student: Tensor, labels: Tensor, teacher: Tensor) -> None:
        former = self.centres[labels]  # (n, dim)
        follows = cosine_similarity(student, teacher) * cosine_similarity(former, teacher).clamp(min=0)
        pace = follows.clamp(0, 1)[:, None]
        moved = pace * former + (1 - pace) * teacher
        count = torch.bincount(labels, minlength=len(self.centres))[:, None]
        total = torch.zeros_like(self.centres).index_add_(0, labels, moved)
        self.centres.copy_(torch.where(count > 0, total / count.clamp(min=1), self.centres))
