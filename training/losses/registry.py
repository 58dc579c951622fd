"""Losses by the name a recipe gives them."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from torch import nn

from training.errors import UnknownLoss, UnknownOption
from training.losses import distillation, pairwise, proxies


class Against(StrEnum):
    """What the second argument of a loss is."""

    LABELS = "labels"
    """(n,) int64, 0 <= label < classes."""
    TEACHER = "teacher"
    """(n, dim) embeddings of the same pictures by the teacher."""


@dataclass(frozen=True)
class LossKind:
    """How a loss is built, and what it is called with besides the embeddings.

    Attributes:
        build: Its parameters are the options of the loss.
        against: What the second argument of the loss is.
        has_proxies: It holds parameters to optimise, and must be built with `classes` and `dim`.
    """

    build: Callable[..., nn.Module]
    against: Against = Against.LABELS
    has_proxies: bool = False


LOSSES: dict[str, LossKind] = {
    "contrastive": LossKind(pairwise.Contrastive),
    "contrastive_lecture": LossKind(pairwise.LectureContrastive),
    "triplet": LossKind(pairwise.Triplet),
    "multi_similarity": LossKind(proxies.multi_similarity),
    "proxy_nca": LossKind(proxies.ProxyNCA, has_proxies=True),
    "proxy_nca_plus": LossKind(proxies.proxy_nca_plus, has_proxies=True),
    "soft_triple": LossKind(proxies.soft_triple, has_proxies=True),
    "cosface": LossKind(proxies.cos_face, has_proxies=True),
    "arcface": LossKind(proxies.arc_face, has_proxies=True),
    "distil_cosine": LossKind(distillation.CosineDistillation, Against.TEACHER),
    "distil_distance": LossKind(distillation.RelationalDistance, Against.TEACHER),
    "distil_angle": LossKind(distillation.RelationalAngle, Against.TEACHER),
}


def loss_kind(name: str) -> LossKind:
    """The kind of a loss.

    Raises:
        UnknownLoss: If there is none of this name.
    """
    if name not in LOSSES:
        raise UnknownLoss(name, LOSSES)
    return LOSSES[name]


def build_loss(name: str, **options: Any) -> nn.Module:
    """A loss `f(embeddings, target) -> scalar`; see `LossKind` for its target and its parameters.

    Raises:
        UnknownLoss: If there is none of this name.
        UnknownOption: If it has no such option.
        TypeError: If it has proxies and `classes` or `dim` is missing.
    """
    kind = loss_kind(name)
    known = inspect.signature(kind.build).parameters
    for option in options:
        if option not in known:
            raise UnknownOption(name, option, known)
    return kind.build(**options)
