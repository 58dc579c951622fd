"""The Group Loss (Elezi et al., "The Group Loss for Deep Metric Learning", ECCV 2020)."""

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, normalize, one_hot, softmax

TINY = 1e-18
"""Keeps a logarithm and a division finite; its square is still a float32."""


class GroupLoss(nn.Module):
    """Cross-entropy of class probabilities after the faces of the batch have agreed on them.

    A linear classifier gives each face its first probabilities. A few faces of each identity are anchors,
    whose label is known. Then replicator dynamics move the others towards what the faces similar to them are
    (eq. 3); similarity is Pearson's correlation of embeddings, 0 where it is negative (eq. 1).

    Args:
        classes: Identities.
        dim: Length of an embedding.
        anchors: Faces of each identity of the batch whose label is given, the first ones: two in the code of
            the authors.
        rounds: T in the paper.
        temperature: Of the first probabilities. The authors' 10 to 80 are for embeddings of any length; here
            they have length 1, and their products are that much smaller.
    """

    def __init__(
        self, classes: int, dim: int, anchors: int = 2, rounds: int = 3, temperature: float = 0.3
    ) -> None:
        super().__init__()
        self.classifier = nn.Parameter(torch.randn(classes, dim) / dim**0.5)
        self.anchors = anchors
        self.rounds = rounds
        self.temperature = temperature

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """(n, dim) and (n,) → scalar: the mean over faces that are no anchors, 0 where there is none."""
        x = embeddings.to(self.classifier.dtype)
        with torch.autocast(x.device.type, enabled=False):
            known = one_hot(labels, len(self.classifier)).to(x.dtype)
            is_anchor = self._is_anchor(labels)
            first = softmax(linear(x, self.classifier) / self.temperature, dim=1)
            agreed = replicate(
                torch.where(is_anchor[:, None], known, first), correlations(x), self.rounds
            )  # (n, classes)
            losses = -(agreed * known).sum(1).clamp_min(TINY).log()
            return losses[~is_anchor].sum() / max(1, int((~is_anchor).sum()))

    def _is_anchor(self, labels: Tensor) -> Tensor:
        """(n,) → (n,): is the face one of the first of its identity."""
        before = torch.tril(labels[:, None] == labels[None], diagonal=-1).sum(1)
        return before < self.anchors


def correlations(x: Tensor) -> Tensor:
    """(n, dim) → (n, n) of max(0, Pearson's correlation), without that of a face with itself."""
    centred = normalize(x - x.mean(1, keepdim=True))
    return (centred @ centred.T).relu().masked_fill(torch.eye(len(x), dtype=torch.bool, device=x.device), 0)


def replicate(probabilities: Tensor, similarity: Tensor, rounds: int) -> Tensor:
    """(n, classes) and (n, n) → (n, classes) after some rounds of replicator dynamics (eq. 2-3)."""
    for _ in range(rounds):
        # A face that is like no other stays as it is.
        support = similarity @ probabilities + TINY  # (n, classes)
        probabilities = probabilities * support
        probabilities = probabilities / probabilities.sum(1, keepdim=True).clamp_min(TINY**2)
    return probabilities
