"""Losses by their names in recipes."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from torch import nn

from training.errors import LossWithoutPairs, UnknownLoss, UnknownMiner, UnknownOption
from training.losses import adaptive, distillation, group, hierarchical, library, pairwise, proxies
from training.losses.library import MINERS, FromLibrary, Memory, whole_batch


class Against(StrEnum):
    """What a loss is called with besides the embeddings."""

    @property
    def needs_teacher(self) -> bool:
        """Whether there must be a teacher."""
        return self is not Against.LABELS

    @property
    def needs_labels(self) -> bool:
        """Whether faces without a label are left out."""
        return self is not Against.TEACHER

    LABELS = "labels"
    """(n,) int64, 0 <= label < classes."""
    TEACHER = "teacher"
    """(n, dim) embeddings of the same pictures by the teacher."""
    BOTH = "labels and teacher"
    """Labels, and then the teacher's embeddings as a third argument; of faces that have a label."""


@dataclass(frozen=True)
class LossKind:
    """How to build a loss, and what to call it with besides the embeddings.

    Attributes:
        build: Its parameters are the options of the loss.
        against: What the loss is called with besides the embeddings.
        has_proxies: It always holds parameters to optimise.
        pairs: Builds the same loss as one of the library, to which a miner can say
            which pairs count, and which can pair a batch with former ones.
    """

    build: Callable[..., nn.Module]
    against: Against = Against.LABELS
    has_proxies: bool = False
    pairs: Callable[..., nn.Module] | None = None

    def sizes(self, classes: int, dim: int) -> dict[str, int]:
        """Those of its parameters that are determined by the data and the network."""
        known = inspect.signature(self.build).parameters
        sizes = {"classes": classes, "dim": dim}
        return {name: size for name, size in sizes.items() if name in known}


def of_library(pairs: Callable[..., nn.Module]) -> LossKind:
    """A loss on pairs or triplets that is the library's own."""
    return LossKind(whole_batch(pairs), pairs=pairs)


LOSSES: dict[str, LossKind] = {
    "contrastive": LossKind(pairwise.Contrastive, pairs=library.contrastive),
    "contrastive_lecture": LossKind(pairwise.LectureContrastive, pairs=library.contrastive_lecture),
    "triplet": LossKind(pairwise.Triplet, pairs=library.triplet),
    "hierarchical_triplet": LossKind(hierarchical.HierarchicalTriplet),
    "n_pairs": LossKind(whole_batch(library.n_pairs)),
    "lifted_structure": of_library(library.lifted_structure),
    "angular": of_library(library.angular),
    "margin": of_library(library.margin),
    "multi_similarity": of_library(library.multi_similarity),
    "ranked_list": LossKind(whole_batch(library.ranked_list)),
    "fast_ap": LossKind(whole_batch(library.fast_ap)),
    "snr": of_library(library.snr),
    "proxy_nca": LossKind(proxies.ProxyNCA, has_proxies=True),
    "proxy_nca_plus": LossKind(proxies.proxy_nca_plus, has_proxies=True),
    "proxy_anchor": LossKind(proxies.proxy_anchor, has_proxies=True),
    "soft_triple": LossKind(proxies.soft_triple, has_proxies=True),
    "normalised_softmax": LossKind(proxies.normalised_softmax, has_proxies=True),
    "cosface": LossKind(proxies.cos_face, has_proxies=True),
    "arcface": LossKind(proxies.arc_face, has_proxies=True),
    "sub_centre_arcface": LossKind(proxies.sub_centre_arc_face, has_proxies=True),
    "ada_arcface": LossKind(adaptive.AdaptiveArcFace, Against.BOTH),
    "group": LossKind(group.GroupLoss, has_proxies=True),
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
        TypeError: If it needs `classes` or `dim`, and that is missing.
    """
    return _build(name, loss_kind(name).build, options)


def build_mined_loss(
    name: str,
    *,
    dim: int,
    miner: str = "",
    miner_options: Mapping[str, Any] | None = None,
    memory: int = 0,
    **options: Any,
) -> FromLibrary:
    """A loss on pairs or triplets that a miner chooses, with those of former batches among them.

    Args:
        name: Of the loss.
        dim: Length of an embedding.
        miner: Name of the miner; by default every pair counts.
        miner_options: Of the miner.
        memory: Embeddings of former batches that are kept; at least those of one batch.
        options: Of the loss.

    Raises:
        UnknownLoss: If there is no loss of this name.
        UnknownMiner: If there is no miner of its name.
        UnknownOption: If one of them has no such option.
        LossWithoutPairs: If the loss is not one on pairs or triplets.
    """
    kind = loss_kind(name)
    if kind.pairs is None:
        usable = [known for known, other in LOSSES.items() if other.pairs]
        raise LossWithoutPairs(name, usable)
    if miner and miner not in MINERS:
        raise UnknownMiner(miner, MINERS)
    loss = _build(name, kind.pairs, options)
    chooses = _build(miner, MINERS[miner], dict(miner_options or {})) if miner else None
    if memory:
        return FromLibrary(Memory(loss, dim, memory, chooses))
    return FromLibrary(loss, chooses)


def _build(name: str, build: Callable[..., nn.Module], options: Mapping[str, Any]) -> nn.Module:
    known = inspect.signature(build).parameters
    for option in options:
        if option not in known:
            raise UnknownOption(name, option, known)
    return build(**options)
