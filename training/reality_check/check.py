"""Many losses under one protocol: same network, same dimension, same batches, people the network never saw.

Published tables mix networks and dimensions, and most of what they show as progress of the loss is not
(Musgrave, Belongie, Lim, "A Metric Learning Reality Check", ECCV 2020). Here only the loss differs, and each
is tuned equally little: by the same grid, on people who are neither trained on nor measured. The pictures are
small and grey and the network has 166,000 weights: ranks say something of losses, and nothing of how well a
face can be recognised.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.random import default_rng
from torch import nn

from embedding.embedder import Embedder
from training.data.faces import Rows
from training.data.pictures import Pictures
from training.embedder.batches import AnchorNeighbours, BatchOrder, ByIdentity
from training.embedder.class_tree import ClassTree, use_tree
from training.embedder.divide import TOGETHER, Divided, DividedLoss, cluster_identities, use_clusters
from training.embedder.objective import build_part_loss
from training.embedder.recipe import LossPart
from training.evaluation.comparisons import compare_all
from training.evaluation.error_rates import equal_error_rate, operating_point, smallest_supported_fmr
from training.evaluation.retrieval import measure_clustering_nmi, measure_retrieval
from training.losses.registry import Against, loss_kind
from training.reality_check.network import SmallEmbedder
from training.reality_check.thumbnails import Thumbnails, Vectors, embed_raw_pixels, normalise, vary

RAW_PIXELS, SHIPPED_NETWORK = "raw pixels", "shipped network"
KS = (1, 2, 4, 8)
FMRS = (1e-2, 1e-3)
PROXY_RATE = 10.0
"""How much faster proxies learn than weights: they see one identity's faces only."""


@dataclass(frozen=True)
class Protocol:
    """What all losses have in common.

    Attributes:
        folds: Parts of the people; each is unseen once, while the network is trained on the others.
        seeds: Networks for each fold; they are also joined to one.
        steps: Of training.
        identities: People in a batch.
        each: Faces of each of them.
        dim: Length of the embedding.
        grid: Highest learning rates of AdamW on one cycle; each method has the one that suits it best.
        validation: Share of the people of a fold that the grid is tried on, while the others are trained on.
        renewals: How often class trees and clusters are rebuilt.
    """

    folds: int = 2
    seeds: int = 3
    steps: int = 240
    identities: int = 8
    each: int = 4
    dim: int = 64
    grid: tuple[float, ...] = (3e-4, 1e-3, 3e-3)
    validation: float = 0.25
    renewals: int = 6


@dataclass(frozen=True)
class Method:
    """A row of the table.

    Attributes:
        name: Its printed name.
        part: The loss; None for a network as it is drawn.
        also: A second one, by its weight.
        neighbours: Whether a batch groups people with those nearest to them.
        learners: Learners of divide and conquer; 1 for none.
    """

    name: str
    part: LossPart | None
    also: LossPart | None = None
    neighbours: bool = False
    learners: int = 1

    @property
    def is_taught(self) -> bool:
        """Whether it copies a teacher, whatever the labels say."""
        return self.part is not None and loss_kind(self.part.name).against is Against.TEACHER


def _method(name: str, loss: str = "", *, miner: str = "", memory: int = 0) -> Method:
    return Method(name, LossPart(loss or name, miner=miner, memory=memory))


def _triplet(name: str, miner: str = "", learners: int = 1) -> Method:
    """Without the triplets that are satisfied already, the gradient does not fade."""
    part = LossPart("triplet", options={"margin": 0.2, "active_only": True}, miner=miner)
    return Method(name, part, learners=learners)


METHODS: tuple[Method, ...] = (
    Method("random network", None),
    Method("RKD", LossPart("distil_distance"), LossPart("distil_angle", weight=2.0)),
    _method("contrastive"),
    _method("contrastive_lecture"),
    _method("contrastive, memory", "contrastive", memory=512),
    _triplet("triplet"),
    _triplet("triplet, semi-hard", "semi_hard"),
    _triplet("triplet, batch-hard", "batch_hard"),
    Method("hierarchical_triplet", LossPart("hierarchical_triplet"), neighbours=True),
    _triplet("triplet, divide and conquer", learners=2),
    _method("n_pairs"),
    _method("lifted_structure"),
    _method("angular"),
    _method("margin, distance-weighted", "margin", miner="distance_weighted"),
    _method("multi_similarity"),
    _method("multi_similarity, mined", "multi_similarity", miner="multi_similarity"),
    _method("ranked_list"),
    _method("fast_ap"),
    _method("snr"),
    _method("group"),
    _method("proxy_nca"),
    _method("proxy_nca_plus"),
    _method("proxy_anchor"),
    _method("soft_triple"),
    _method("normalised_softmax"),
    _method("cosface"),
    _method("arcface"),
    _method("sub_centre_arcface"),
)


@dataclass(frozen=True)
class Score:
    """What one set of vectors reaches on unseen people, in percent.

    Attributes:
        recall: R@K at each K of `KS`; of P@1 the first.
        nmi: Between the people and as many clusters of k-means.
        r_precision: RP.
        map_at_r: MAP@R.
        eer: Equal error rate.
        tar: 1 - FNMR at each FMR of `FMRS`; NaN where there are too few comparisons for it.
    """

    recall: tuple[float, ...]
    nmi: float
    r_precision: float
    map_at_r: float
    eer: float
    tar: tuple[float, ...]

    @property
    def row(self) -> list[float]:
        """All of it, in the order of the table."""
        return [*self.recall, self.nmi, self.r_precision, self.map_at_r, self.eer, *self.tar]

    def as_json(self) -> dict[str, Any]:
        """The same by name."""
        tar = [None if math.isnan(rate) else rate for rate in self.tar]
        return {
            "recall": dict(zip(map(str, KS), self.recall, strict=True)),
            "nmi": self.nmi,
            "r_precision": self.r_precision,
            "map_at_r": self.map_at_r,
            "eer": self.eer,
            "tar": dict(zip(map(str, FMRS), tar, strict=True)),
        }


def score(vectors: Vectors, labels: Rows) -> Score:
    """Of (n, dim) unit vectors with (n,) labels."""
    found = measure_retrieval(vectors, labels, ks=KS)
    curve = compare_all(vectors, labels).curve()
    supported = smallest_supported_fmr(curve.non_mated)
    tar = [1 - operating_point(curve, fmr).fnmr if fmr >= supported else float("nan") for fmr in FMRS]
    return Score(
        tuple(100 * found.recall.get(k, 1.0) for k in KS),  # with fewer samples, K nearest are all of them
        100 * measure_clustering_nmi(vectors, labels),
        100 * found.r_precision,
        100 * found.map_at_r,
        100 * equal_error_rate(curve.fmr, curve.fnmr),
        tuple(100 * rate for rate in tar),
    )


def embed_all(networks: Sequence[Vectors]) -> Vectors:
    """Several networks' (n, dim) unit vectors as one of (n, k dim): its d is the mean of theirs."""
    return normalise(np.concatenate(networks, axis=1))


@dataclass(frozen=True)
class CheckRow:
    """A row of the table: of each fold and seed, and of the joined networks of each fold."""

    name: str
    singles: list[list[Score]]
    """For each fold, the score of each seed."""
    joined: list[Score]
    rates: list[float]
    """For each fold, the learning rate that suited it best; none where nothing was trained."""

    def as_json(self) -> dict[str, Any]:
        """All of it, in percent; null where there were too few comparisons."""
        return {
            "name": self.name,
            "folds": [[score.as_json() for score in fold] for fold in self.singles],
            "joined": [score.as_json() for score in self.joined],
            "learning_rates": self.rates,
        }


def reality_check(
    pictures: Pictures,
    methods: Sequence[Method] = METHODS,
    protocol: Protocol | None = None,
    finished: Callable[[CheckRow], None] | None = None,
    shipped: Embedder | None = None,
) -> list[CheckRow]:
    """Tunes every method on every fold, and trains it there with every seed.

    Args:
        pictures: Labelled faces of any size.
        methods: Rows of the table; raw pixels and the shipped network come before them.
        protocol: What they share.
        finished: Called with each row.
        shipped: A row of its own, and the teacher of what copies one; both are left out without it.

    Raises:
        SplitInvalid: If there are too few people.
    """
    protocol = protocol or Protocol()
    folds = Thumbnails.of(pictures, shipped).folds(protocol.folds)
    rows: list[CheckRow] = []

    def done(row: CheckRow) -> None:
        rows.append(row)
        if finished:
            finished(row)

    done(
        CheckRow(
            RAW_PIXELS, [[score(embed_raw_pixels(unseen), unseen.labels)] for _, unseen in folds], [], []
        )
    )
    if shipped is not None:
        done(
            CheckRow(SHIPPED_NETWORK, [[score(unseen.taught, unseen.labels)] for _, unseen in folds], [], [])
        )
    for method in methods:
        if shipped is not None or not method.is_taught:
            done(_row(method, folds, protocol))
    return rows


def _row(method: Method, folds: Sequence[tuple[Thumbnails, Thumbnails]], protocol: Protocol) -> CheckRow:
    singles, joined, rates = [], [], []
    for seen, unseen in folds:
        rate = tune(method, seen, protocol)
        vectors = [
            embed(train_method(method, seen, protocol, seed, rate), unseen) for seed in range(protocol.seeds)
        ]
        singles.append([score(each, unseen.labels) for each in vectors])
        joined.append(score(embed_all(vectors), unseen.labels))
        rates.append(rate)
    return CheckRow(method.name, singles, joined, rates if method.part else [])


def tune(method: Method, seen: Thumbnails, protocol: Protocol) -> float:
    """The learning rate of the grid that is best for a method on people it was not trained on.

    By MAP@R of one network each; of equally good ones the smallest rate.
    """
    if method.part is None or len(protocol.grid) == 1:
        return protocol.grid[0]
    known, unknown = seen.split_people(protocol.validation)
    reached = {
        rate: score(embed(train_method(method, known, protocol, 0, rate), unknown), unknown.labels).map_at_r
        for rate in protocol.grid
    }
    return max(reached, key=lambda rate: (reached[rate], -rate))


def train_method(
    method: Method, faces: Thumbnails, protocol: Protocol, seed: int, rate: float
) -> SmallEmbedder:
    """A network trained by one method, or as it is drawn."""
    torch.manual_seed(seed)
    network = SmallEmbedder(protocol.dim)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if method.part is None:
        return network
    loss = build_method_loss(method, int(faces.labels.max()) + 1, protocol.dim)
    also = None if method.also is None else build_part_loss(method.also, 0, protocol.dim)
    order = build_order(method, faces, protocol, seed)
    optimiser = torch.optim.AdamW(_groups(network, loss, rate))
    rates = [group["lr"] for group in optimiser.param_groups]
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rates, total_steps=protocol.steps)
    for step in range(protocol.steps):
        if step and step % (protocol.steps // protocol.renewals) == 0:
            renew(method, loss, order, network, faces, protocol, step)
        rows = order.rows_of(step)
        views = vary(faces.pixels[rows], default_rng((seed, step)))
        optimiser.zero_grad()
        against = torch.from_numpy((faces.taught if method.is_taught else faces.labels)[rows])
        embeddings = network(views)
        total = loss(embeddings, against)
        if also is not None and method.also is not None:
            total = total + method.also.weight * also(embeddings, against)
        total.backward()
        optimiser.step()
        schedule.step()
    return network


def _groups(network: nn.Module, loss: nn.Module, rate: float) -> list[dict[str, object]]:
    groups: list[dict[str, object]] = [{"params": list(network.parameters()), "lr": rate}]
    proxies = list(loss.parameters())
    return groups + ([{"params": proxies, "lr": PROXY_RATE * rate}] if proxies else [])


def build_method_loss(method: Method, classes: int, dim: int) -> nn.Module:
    """The loss of a method, with a learner for each slice where it divides."""
    assert method.part is not None
    return build_part_loss(method.part, classes, dim, method.learners)


def build_order(method: Method, faces: Thumbnails, protocol: Protocol, seed: int) -> BatchOrder:
    """How the batches of a method are drawn."""
    batch = protocol.identities * protocol.each
    plain = ByIdentity(np.arange(len(faces.labels)), faces.labels, batch, protocol.each, seed)
    if method.learners > 1:
        return Divided(plain, faces.labels)
    if method.neighbours:
        return AnchorNeighbours(plain, faces.labels, protocol.identities // 2, seed)
    return plain


def renew(
    method: Method,
    loss: nn.Module,
    order: BatchOrder,
    network: SmallEmbedder,
    faces: Thumbnails,
    protocol: Protocol,
    step: int,
) -> None:
    """Rebuild the class tree or clusters from the current embeddings; at the end nothing is divided."""
    if method.neighbours:
        use_tree(ClassTree.of(embed(network, faces), faces.labels), order, [loss])
    if isinstance(loss, DividedLoss):
        former = loss.clusters.numpy()
        if step >= protocol.steps * 2 // 3:
            clusters = np.full_like(former, TOGETHER)
        else:
            clusters = cluster_identities(embed(network, faces), faces.labels, method.learners, former=former)
        use_clusters(clusters, order, [loss])


@torch.inference_mode()
def embed(network: SmallEmbedder, faces: Thumbnails) -> Vectors:
    """(n, dim) unit vectors of the pictures as they are."""
    network.eval()
    vectors: Vectors = network(torch.from_numpy(faces.pixels[:, None])).numpy()
    network.train()
    return vectors
