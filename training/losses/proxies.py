"""Losses against a learnt vector (or several) per identity.

All normalise both sides, so only angles count. Most come from pytorch-metric-learning, except that margins
are in radians here.
"""

import math

import torch
from pytorch_metric_learning import losses as library
from torch import Tensor, nn
from torch.nn.functional import normalize

from training.losses.library import FromLibrary


class ProxyNCA(nn.Module):
    """-log( exp(-d(x, p_y)) / Σ_{z ≠ y} exp(-d(x, p_z)) ): the own proxy is not in the denominator.

    Source: Movshovitz-Attias et al., ICCV 2017, eq. 4 and 9.
    """

    def __init__(self, classes: int, dim: int) -> None:
        super().__init__()
        self.proxies = nn.Parameter(torch.randn(classes, dim))

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """(n, dim) and (n,) → scalar."""
        precise = embeddings.to(self.proxies.dtype)
        difference = normalize(precise)[:, None] - normalize(self.proxies)[None]  # (n, classes, dim)
        d = difference.square().sum(-1)  # (n, classes)
        own = nn.functional.one_hot(labels, len(self.proxies)).bool()
        others = (-d).masked_fill(own, -torch.inf).logsumexp(dim=1)
        return (d[own] + others).mean()


def proxy_nca_plus(classes: int, dim: int, scale: float = 9.0) -> FromLibrary:
    """ProxyNCA++ (Teh et al., ECCV 2020): softmax over all proxies; scale = 1 / temperature."""
    return FromLibrary(library.ProxyNCALoss(classes, dim, softmax_scale=scale))


def soft_triple(
    classes: int, dim: int, centres: int = 3, scale: float = 20.0, gamma: float = 0.1, margin: float = 0.01
) -> FromLibrary:
    """SoftTriple (Qian et al., ICCV 2019, eq. 7-8), several centres an identity.

    Args:
        classes: Identities.
        dim: Length of an embedding.
        centres: Centres per identity.
        scale: λ in the paper.
        gamma: Temperature of the choice among centres; the paper's γ is its inverse.
        margin: δ in the paper, in units of cosine.
    """
    return FromLibrary(
        library.SoftTripleLoss(classes, dim, centers_per_class=centres, la=scale, gamma=gamma, margin=margin)
    )


def cos_face(classes: int, dim: int, scale: float = 64.0, margin: float = 0.35) -> FromLibrary:
    """CosFace (Wang et al., CVPR 2018, eq. 4): the own cosine less `margin`."""
    return FromLibrary(library.CosFaceLoss(classes, dim, margin=margin, scale=scale))


def arc_face(classes: int, dim: int, scale: float = 64.0, margin: float = 0.5) -> FromLibrary:
    """ArcFace (Deng et al., CVPR 2019, eq. 3): the own angle plus `margin`, in radians."""
    # The library takes degrees: 0.5 of these would be almost no margin.
    return FromLibrary(library.ArcFaceLoss(classes, dim, margin=math.degrees(margin), scale=scale))


def sub_centre_arc_face(
    classes: int, dim: int, centres: int = 3, scale: float = 64.0, margin: float = 0.5
) -> FromLibrary:
    """Sub-centre ArcFace (Deng et al., ECCV 2020, eq. 3-4): the nearest of `centres` counts."""
    return FromLibrary(
        library.SubCenterArcFaceLoss(
            num_classes=classes,
            embedding_size=dim,
            sub_centers=centres,
            margin=math.degrees(margin),
            scale=scale,
        )
    )


def normalised_softmax(classes: int, dim: int, temperature: float = 0.05) -> FromLibrary:
    """Cross-entropy of cosines / temperature (Zhai and Wu, BMVC 2019, eq. 3)."""
    return FromLibrary(library.NormalizedSoftmaxLoss(classes, dim, temperature))


def proxy_anchor(classes: int, dim: int, scale: float = 32.0, margin: float = 0.1) -> FromLibrary:
    """Proxy-Anchor (Kim et al., CVPR 2020, eq. 4): proxies as anchors, the batch as positives and negatives.

    Args:
        classes: Identities.
        dim: Length of an embedding.
        scale: α in the paper.
        margin: δ in the paper, in units of cosine.
    """
    return FromLibrary(library.ProxyAnchorLoss(classes, dim, margin=margin, alpha=scale))
