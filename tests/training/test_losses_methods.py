"""Methods around a loss: the class tree and its batches, divide and conquer."""

import numpy as np
import pytest
import torch
from numpy.random import default_rng

from training.embedder.batches import AnchorNeighbours, ByIdentity
from training.embedder.class_tree import ClassTree
from training.embedder.divide import TOGETHER, Divided, DividedLoss, cluster_identities
from training.losses import build_loss

PEOPLE, EACH, DIM = 12, 4, 6


def made() -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors of twelve people, in three groups of four who are alike."""
    random = default_rng(4)
    groups = random.normal(size=(3, DIM))
    people = groups[np.arange(PEOPLE) % 3] + 0.3 * random.normal(size=(PEOPLE, DIM))
    labels = np.repeat(np.arange(PEOPLE), EACH)
    vectors = people[labels] + 0.1 * random.normal(size=(len(labels), DIM))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), labels


def d(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.square(a.astype(float) - b.astype(float)).sum())


def plain_levels(distance: np.ndarray, borders: np.ndarray) -> np.ndarray:
    """Level of every pair: the two nearest nodes are merged again and again, each at its lowest level."""
    nodes = [[i] for i in range(len(distance))]
    level = np.zeros(distance.shape, int)
    while len(nodes) > 1:
        apart = {
            (i, j): np.mean([distance[p, q] for p in nodes[i] for q in nodes[j]])
            for i in range(len(nodes))
            for j in range(i)
        }
        i, j = min(apart, key=lambda pair: apart[pair])
        reached = next((at for at in range(1, len(borders)) if apart[i, j] < borders[at]), len(borders) - 1)
        for p in nodes[i]:
            for q in nodes[j]:
                level[p, q] = level[q, p] = reached
        nodes[j] += nodes.pop(i)
    return level


def test_a_class_tree_equals_its_plain_loops() -> None:
    vectors, labels = made()
    of = [vectors[labels == label] for label in range(PEOPLE)]

    tree = ClassTree.of(vectors, labels)

    spread = [np.mean([d(x[i], x[j]) for i in range(EACH) for j in range(EACH) if i != j]) for x in of]
    borders = [level * (4 - np.mean(spread)) / 16 + np.mean(spread) for level in range(17)]
    for p in range(PEOPLE):
        for q in set(range(PEOPLE)) - {p}:
            assert tree.distance[p, q] == pytest.approx(np.mean([d(a, b) for a in of[p] for b in of[q]]))
    assert tree.spread == pytest.approx(spread)
    assert tree.borders == pytest.approx(borders)
    assert np.array_equal(tree.level, plain_levels(tree.distance, tree.borders))
    assert len(np.unique(tree.level)) > 3
    assert tree.rise()[2, 7] == pytest.approx(borders[tree.level[2, 7]] - spread[2])


def test_who_is_alike_merges_before_who_is_not() -> None:
    tree = ClassTree.of(*made())

    alike = np.arange(PEOPLE) % 3 == (np.arange(PEOPLE) % 3)[:, None]
    assert tree.level[alike].max() < tree.level[~alike].min()


def test_somebody_with_one_sample_has_the_spread_of_the_others() -> None:
    vectors, labels = made()

    tree = ClassTree.of(vectors[:-3], labels[:-3])

    assert tree.spread[-1] == pytest.approx(tree.spread[:-1].mean())


def test_a_batch_holds_people_beside_those_nearest_to_them() -> None:
    vectors, labels = made()
    nearest = ClassTree.of(vectors, labels).nearest()
    plain = ByIdentity(np.arange(len(labels)), labels, batch=18, each=3, seed=0)
    order = AnchorNeighbours(plain, labels, together=3, seed=0)
    before = order.rows_of(5)

    order.take(nearest)

    assert len(before) == 18
    for step in range(20):
        rows = order.rows_of(step)
        shown = labels[rows].reshape(6, 3)
        assert len(set(rows.tolist())) == 18  # t · m · l' = 3 · 3 · 2 different faces
        assert (shown == shown[:, :1]).all()
        first, second = shown[:3, 0].tolist(), shown[3:, 0].tolist()
        assert first[1:] == nearest[first[0]][:2].tolist()
        assert second[1:] == [int(n) for n in nearest[second[0]] if n not in first][:2]
    assert np.array_equal(order.rows_of(7), order.rows_of(7))


def test_batches_while_divided_show_one_cluster_and_afterwards_everybody() -> None:
    vectors, labels = made()
    clusters = cluster_identities(vectors, labels, 3)
    plain = ByIdentity(np.arange(len(labels)), labels, batch=8, each=2, seed=0)
    order = Divided(plain, labels)

    order.take(clusters)
    shown = [set(clusters[labels[order.rows_of(step)]].tolist()) for step in range(30)]
    order.take(np.full_like(clusters, TOGETHER))

    assert all(len(cluster) == 1 for cluster in shown)
    assert set.union(*shown) == {0, 1, 2}
    assert np.array_equal(order.rows_of(3), plain.rows_of(3))


def test_people_who_are_alike_are_in_one_cluster() -> None:
    clusters = cluster_identities(*made(), 3)

    assert [len(set(clusters[group::3].tolist())) for group in range(3)] == [1, 1, 1]


def test_a_divided_loss_moves_only_the_slice_of_the_learner_that_a_batch_is_for() -> None:
    whole, *learners = (build_loss("triplet", margin=2.0) for _ in range(3))
    loss = DividedLoss(whole, learners, classes=4)
    x = torch.randn(8, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).requires_grad_()
    y = torch.tensor([0, 0, 1, 1, 0, 0, 1, 1])

    loss.take(np.array([1, 1, 0, 0]))
    divided = loss(x, y)
    (moved,) = torch.autograd.grad(divided, x)
    loss.take(np.full(4, TOGETHER))

    alone = build_loss("triplet", margin=2.0)(torch.nn.functional.normalize(x[:, 3:]), y)
    assert divided.item() == pytest.approx(alone.item(), abs=1e-12)
    assert moved[:, :3].abs().max() == 0
    assert moved[:, 3:].abs().min() > 0
    assert loss(x, y).item() == pytest.approx(whole(x, y).item(), abs=1e-12)
