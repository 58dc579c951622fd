"""The hierarchical triplet loss and the Group Loss, against plain loops."""

import math

import pytest
import torch
from loss_oracles import CLASSES, DIM, close, draw, mean, squared, weight_of
from pytorch_metric_learning import distances, losses, reducers
from torch import Tensor

from training.embedder.class_tree import ClassTree
from training.losses import build_loss
from training.losses.hierarchical import HierarchicalTriplet


@pytest.mark.parametrize("as_d", [False, True])
def test_the_hierarchical_triplet_loss_equals_its_plain_loop(
    batch: tuple[Tensor, Tensor], as_d: bool
) -> None:
    x, y = batch
    rise = draw(CLASSES, CLASSES)
    loss = HierarchicalTriplet(CLASSES, beta=0.1, squared=as_d).double()
    power = 1 if as_d else 0.5
    terms = [
        max(0.0, squared(x[a], x[p]) ** power - squared(x[a], x[n]) ** power + 0.1 + float(rise[y[a], y[n]]))
        for a in range(16)
        for p in range(16)
        for n in range(16)
        if a != p and y[a] == y[p] and y[a] != y[n]
    ]

    loss.take(rise)

    assert close(loss(x, y), mean(terms) / 2)


def test_with_one_margin_for_all_it_is_half_the_triplet_loss_of_the_library(
    batch: tuple[Tensor, Tensor],
) -> None:
    library = losses.TripletMarginLoss(
        0.1, distance=distances.LpDistance(normalize_embeddings=False), reducer=reducers.MeanReducer()
    )

    loss = build_loss("hierarchical_triplet", classes=CLASSES, beta=0.1, squared=False)
    value = loss.double()(*batch)

    assert close(value, library(*batch).item() / 2)


def test_the_margins_of_a_class_tree_can_be_met_to_a_level_by_vectors_of_length_one() -> None:
    # d = 2 between any two identities, 0 within one
    x, y = torch.eye(6, dtype=torch.float64).repeat_interleave(2, 0), torch.arange(6).repeat_interleave(2)
    tree = ClassTree.of(x.numpy(), y.numpy())
    loss = HierarchicalTriplet(classes=6)

    loss.take(torch.from_numpy(tree.rise()))

    wide = float(tree.borders[1] - tree.borders[0])
    assert float(loss.double()(x, y)) <= (0.1 + wide) / 2


def test_two_equal_embeddings_leave_its_gradient_finite() -> None:
    x = torch.ones(4, 2, dtype=torch.float64, requires_grad=True)

    build_loss("hierarchical_triplet", classes=2)(x, torch.tensor([0, 0, 1, 1])).backward()

    assert x.grad is not None
    assert x.grad.isfinite().all()


def pearson(a: Tensor, b: Tensor) -> float:
    p, q = a - a.mean(), b - b.mean()
    return float((p * q).sum() / math.sqrt(float((p * p).sum() * (q * q).sum())))


def test_the_group_loss_equals_its_plain_loop(batch: tuple[Tensor, Tensor]) -> None:
    x, y = batch
    weight = draw(CLASSES, DIM)
    loss = build_loss("group", classes=CLASSES, dim=DIM, anchors=1, rounds=2, temperature=0.5).double()
    weight_of(loss).data = weight.clone()
    shares = []
    for i in range(16):
        exponentials = [math.exp(float(x[i] @ row) / 0.5) for row in weight]
        shares.append([value / sum(exponentials) for value in exponentials])
    for anchor in range(CLASSES):  # labels 0, 1, 2, 3, 0, …: the first of identity c is face c
        shares[anchor] = [1.0 if c == anchor else 0.0 for c in range(CLASSES)]
    for _ in range(2):
        grown = []
        for i in range(16):
            support = [
                sum(max(0.0, pearson(x[i], x[j])) * shares[j][c] for j in range(16) if j != i)
                for c in range(CLASSES)
            ]
            products = [share * by for share, by in zip(shares[i], support, strict=True)]
            grown.append([product / sum(products) if sum(products) else 0.0 for product in products])
        shares = grown
    wanted = mean([-math.log(shares[i][int(y[i])]) for i in range(CLASSES, 16)])

    assert close(loss(x, y), wanted)


def test_a_face_that_is_like_no_other_keeps_its_first_probabilities() -> None:
    x = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], dtype=torch.float64)
    loss = build_loss("group", classes=2, dim=3, anchors=0, temperature=1.0).double()
    logits = x @ weight_of(loss).detach().T
    wanted = torch.nn.functional.cross_entropy(logits, torch.tensor([0, 1]))

    assert close(loss(x, torch.tensor([0, 1])), wanted.item())


def test_two_faces_of_each_identity_are_anchors(batch: tuple[Tensor, Tensor]) -> None:
    x, y = batch
    loss = build_loss("group", classes=CLASSES, dim=DIM)

    assert loss.double()(x[: 2 * CLASSES], y[: 2 * CLASSES]).item() == 0
    assert loss.double()(x[: 3 * CLASSES], y[: 3 * CLASSES]).item() > 0


def test_a_batch_of_anchors_alone_has_no_group_loss(batch: tuple[Tensor, Tensor]) -> None:
    x, y = batch[0][:CLASSES], batch[1][:CLASSES]

    assert build_loss("group", classes=CLASSES, dim=DIM).double()(x, y).item() == 0
