"""The losses that pytorch-metric-learning lends, its miners and its memory, against plain loops."""

import math
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import torch
from loss_oracles import CLASSES, DIM, close, cosine, draw, mean, squared, weight_of, with_weight
from torch import Tensor
from torch.nn.functional import normalize

from training.errors import LossWithoutPairs, UnknownMiner, UnknownOption
from training.losses import build_loss, build_mined_loss

ALL = range(16)


def unit(x: Tensor) -> Tensor:
    return normalize(x)


def length(a: Tensor, b: Tensor) -> float:
    return math.sqrt(squared(a, b))


def dot(a: Tensor, b: Tensor) -> float:
    return sum(float(p) * float(q) for p, q in zip(a, b, strict=True))


def pairs_of(y: Tensor, same: bool) -> list[tuple[int, int]]:
    """Ordered pairs of two faces."""
    return [(i, j) for i in ALL for j in ALL if i != j and bool(y[i] == y[j]) == same]


def triplets_of(y: Tensor) -> list[tuple[int, int, int]]:
    return [(a, p, n) for a, p in pairs_of(y, same=True) for n in ALL if y[n] != y[a]]


def log_sum(values: list[float]) -> float:
    return math.log(sum(map(math.exp, values)))


def test_n_pairs_equals_its_plain_loop(batch: tuple[Tensor, Tensor]) -> None:
    x, _ = batch
    # With labels 0, 1, 2, 3, 0, 1, … the first two faces of identity c are c and c + 4.
    losses = []
    for c in range(CLASSES):
        products = [dot(x[c], x[other + 4]) for other in range(CLASSES)]
        losses.append(log_sum(products) - products[c])

    assert close(build_loss("n_pairs", scale=1.0)(*batch), mean(losses))


def test_n_pairs_sees_longer_embeddings_by_its_scale(batch: tuple[Tensor, Tensor]) -> None:
    x, y = batch

    assert close(build_loss("n_pairs", scale=9.0)(x, y), build_loss("n_pairs", scale=1.0)(3 * x, y).item())


def test_n_pairs_is_not_symmetric_in_anchor_and_positive(batch: tuple[Tensor, Tensor]) -> None:
    x, y = batch
    swapped = torch.cat([x[4:8], x[:4], x[8:]])

    assert not close(build_loss("n_pairs")(swapped, y), build_loss("n_pairs")(x, y).item())


def test_lifted_structure_equals_its_plain_loop_and_the_reference(batch: tuple[Tensor, Tensor]) -> None:
    x, y = batch
    losses = []
    for i, j in pairs_of(y, same=True):
        near = [1 - length(x[k], x[n]) for k in (i, j) for n in ALL if y[n] != y[k]]
        losses.append(max(0.0, log_sum(near) + length(x[i], x[j])) ** 2 / 2)

    value = build_loss("lifted_structure", margin=1.0)(x, y)

    assert close(value, mean(losses))
    assert close(value, 9.537714793852)


def test_angular_equals_its_plain_loop_and_takes_degrees(batch: tuple[Tensor, Tensor]) -> None:
    x, y = unit(batch[0]), batch[1]
    steep = math.tan(math.radians(36)) ** 2
    losses = []
    for a, p in pairs_of(y, same=True):
        terms = [
            4 * steep * dot(x[a] + x[p], x[n]) - 2 * (1 + steep) * dot(x[a], x[p])
            for n in ALL
            if y[n] != y[a]
        ]
        losses.append(math.log(1 + sum(map(math.exp, terms))))

    assert close(build_loss("angular", alpha_degrees=36.0)(x, y), mean(losses))


def test_the_margin_loss_equals_its_plain_loop_and_the_reference(batch: tuple[Tensor, Tensor]) -> None:
    x, y = batch
    terms = []
    for a, p, n in triplets_of(y):
        terms += [
            max(0.0, length(x[a], x[p]) - 1.2 + 0.2),
            max(0.0, 1.2 - length(x[a], x[n]) + 0.2),
        ]

    value = build_loss("margin", classes=CLASSES)(*batch)

    assert close(value, sum(terms) / sum(term > 0 for term in terms))
    assert close(value, 1.715081482776)


def test_the_border_of_the_margin_loss_is_learnt_for_each_identity_where_the_recipe_wants_that(
    batch: tuple[Tensor, Tensor],
) -> None:
    loss = build_loss("margin", classes=CLASSES, learn_beta=True).double()

    loss(*batch).backward()

    beta = weight_of(loss)
    assert beta.shape == (CLASSES,)
    assert beta.grad is not None
    assert beta.grad.abs().min() > 0


def test_ranked_list_equals_its_plain_loop(batch: tuple[Tensor, Tensor]) -> None:
    x, y = unit(batch[0]), batch[1]
    losses = []
    for i in ALL:
        near = [length(x[i], x[n]) for n in ALL if y[n] != y[i]]
        far = [length(x[i], x[p]) for p in ALL if p != i and y[p] == y[i]]
        violating = [1.2 - d for d in near if d < 1.2]
        weights = [math.exp(10 * violation) for violation in violating]
        positive = [d - 0.8 for d in far if d > 0.8]
        # The library adds 1e-5 for each of the 16 faces, so that an empty sum divides.
        pulled = sum(positive) / (len(positive) + 16e-5)
        pushed = sum(w * v for w, v in zip(weights, violating, strict=True)) / (sum(weights) + 16e-5)
        losses.append(0.5 * pulled + 0.5 * pushed)

    assert close(build_loss("ranked_list")(*batch), mean(losses))


def test_fast_ap_equals_its_plain_loop(batch: tuple[Tensor, Tensor]) -> None:
    x, y = unit(batch[0]), batch[1]
    width = 4 / 10
    losses = []
    for i in ALL:
        d = {j: squared(x[i], x[j]) for j in ALL if j != i}
        positives = same_so_far = all_so_far = precision = 0.0
        for bin_number in range(11):
            share = {j: max(0.0, 1 - abs(value - bin_number * width) / width) for j, value in d.items()}
            positives = sum(share[j] for j in d if y[j] == y[i])
            same_so_far += positives
            all_so_far += sum(share.values())
            precision += positives * same_so_far / all_so_far if positives else 0.0
        losses.append(1 - precision / 3)

    assert close(build_loss("fast_ap", bins=10)(*batch), mean(losses))


def variance(x: Tensor) -> float:
    values = [float(value) for value in x]
    return sum((value - mean(values)) ** 2 for value in values) / (len(values) - 1)


@pytest.mark.parametrize("active_only", [True, False])
def test_snr_equals_its_plain_loop(batch: tuple[Tensor, Tensor], active_only: bool) -> None:
    x, y = unit(batch[0]), batch[1]

    def noise(i: int, j: int) -> float:
        return variance(x[i] - x[j]) / variance(x[i])

    def mean_of(values: list[float]) -> float:
        return mean([value for value in values if value > 0 or not active_only])

    wanted = mean_of([max(0.0, noise(i, j) - 0.3) for i, j in pairs_of(y, same=True)])
    wanted += mean_of([max(0.0, 1.5 - noise(i, j)) for i, j in pairs_of(y, same=False)])
    wanted += 0.1 * mean([abs(float(embedding.sum())) for embedding in batch[0]])
    loss = build_loss("snr", positive_margin=0.3, negative_margin=1.5, zero_mean=0.1, active_only=active_only)

    assert close(loss(*batch), wanted)


def test_proxy_anchor_equals_its_plain_loop(batch: tuple[Tensor, Tensor]) -> None:
    x, y = batch
    proxies = draw(CLASSES + 1, DIM)  # nobody of the batch is of the last identity
    pulled, pushed = [], []
    for c, proxy in enumerate(proxies):
        own = [math.exp(-32 * (cosine(x[i], proxy) - 0.1)) for i in ALL if y[i] == c]
        others = [math.exp(32 * (cosine(x[i], proxy) + 0.1)) for i in ALL if y[i] != c]
        pulled.append(math.log(1 + sum(own)))
        pushed.append(math.log(1 + sum(others)))
    loss = build_loss("proxy_anchor", classes=CLASSES + 1, dim=DIM).double()
    weight_of(loss).data = proxies.clone()

    assert close(loss(x, y), sum(pulled) / CLASSES + sum(pushed) / (CLASSES + 1))


def test_the_normalised_softmax_equals_its_plain_loop(batch: tuple[Tensor, Tensor]) -> None:
    x, y = batch
    proxies = draw(CLASSES, DIM)
    losses = []
    for i in ALL:
        logits = [cosine(x[i], proxy) / 0.1 for proxy in proxies]
        losses.append(log_sum(logits) - logits[int(y[i])])

    assert close(with_weight("normalised_softmax", proxies, temperature=0.1)(x, y), mean(losses))


def test_sub_centre_arcface_counts_the_nearest_centre_only(batch: tuple[Tensor, Tensor]) -> None:
    x, y = batch
    centres = draw(CLASSES * 3, DIM)
    losses = []
    for i in ALL:
        nearest = [max(cosine(x[i], centres[3 * c + k]) for k in range(3)) for c in range(CLASSES)]
        own = int(y[i])
        angle = math.acos(nearest[own])
        penalised = math.cos(angle + 0.5) if angle <= math.pi - 0.5 else nearest[own] - 0.5 * math.sin(0.5)
        logits = [64 * (penalised if c == own else value) for c, value in enumerate(nearest)]
        losses.append(log_sum(logits) - logits[own])

    assert close(with_weight("sub_centre_arcface", centres)(x, y), mean(losses))


def hardest(x: Tensor, y: Tensor) -> list[tuple[int, int, int]]:
    chosen = []
    for a in ALL:
        positive = max((p for p in ALL if p != a and y[p] == y[a]), key=lambda p: squared(x[a], x[p]))
        negative = min((n for n in ALL if y[n] != y[a]), key=lambda n: squared(x[a], x[n]))
        chosen.append((a, positive, negative))
    return chosen


def semi_hard(x: Tensor, y: Tensor) -> list[tuple[int, int, int]]:
    return [(a, p, n) for a, p, n in triplets_of(y) if 0 < squared(x[a], x[n]) - squared(x[a], x[p]) <= 0.2]


@pytest.mark.parametrize(
    ("miner", "choose"), [("batch_hard", hardest), ("semi_hard", semi_hard)], ids=["hardest", "semi-hard"]
)
def test_a_mined_triplet_loss_is_the_mean_over_the_triplets_a_plain_loop_chooses(
    batch: tuple[Tensor, Tensor],
    miner: str,
    choose: Callable[[Tensor, Tensor], list[tuple[int, int, int]]],
) -> None:
    x, y = unit(batch[0]), batch[1]
    triplets = choose(x, y)
    losses = [max(0.0, squared(x[a], x[p]) - squared(x[a], x[n]) + 0.5) for a, p, n in triplets]

    value = build_mined_loss("triplet", dim=DIM, miner=miner, margin=0.5)(x, y)

    assert 0 < len(triplets) < 576
    assert close(value, mean(losses))


def test_the_multi_similarity_miner_leaves_out_easy_pairs(batch: tuple[Tensor, Tensor]) -> None:
    x, y = batch
    losses = []
    for i in ALL:
        same = [cosine(x[i], x[j]) for j in ALL if j != i and y[j] == y[i]]
        others = [cosine(x[i], x[j]) for j in ALL if y[j] != y[i]]
        near = [cos for cos in same if cos - 0.1 < max(others)]
        far = [cos for cos in others if cos + 0.1 > min(same)]
        pulled = math.log(1 + sum(math.exp(-2 * (cos - 0.5)) for cos in near)) / 2
        pushed = math.log(1 + sum(math.exp(50 * (cos - 0.5)) for cos in far)) / 50
        losses.append(pulled + pushed)

    value = build_mined_loss("multi_similarity", dim=DIM, miner="multi_similarity")(x, y)

    assert close(value, mean(losses))


def test_distance_weighted_sampling_draws_every_length_as_often(batch: tuple[Tensor, Tensor]) -> None:
    x, y = unit(batch[0]), batch[1]
    loss = build_mined_loss("margin", dim=DIM, classes=CLASSES, miner="distance_weighted")
    assert loss.miner is not None
    torch.manual_seed(3)
    drawn: Counter[int] = Counter()
    for _ in range(1500):
        anchors, positives, negatives = loss.miner(x, y)
        assert bool(((y[anchors] == y[positives]) & (y[anchors] != y[negatives])).all())
        drawn.update(negatives[anchors == 0].tolist())

    weights = {}
    for n in ALL:
        d = max(length(x[0], x[n]), 0.5)
        density = d ** (DIM - 2) * (1 - d * d / 4) ** ((DIM - 3) / 2)
        weights[n] = 1 / density if y[n] != y[0] and d < 1.4 else 0.0
    for n in ALL:
        share = weights[n] / sum(weights.values())
        tolerance = 5 * math.sqrt(share * (1 - share) / drawn.total())
        assert abs(drawn[n] / drawn.total() - share) <= tolerance


@pytest.mark.parametrize("name", ["contrastive", "contrastive_lecture"])
def test_a_memory_pairs_a_batch_with_itself_and_the_batches_before(
    batch: tuple[Tensor, Tensor], name: str
) -> None:
    first, second, y = batch[0], draw(16, DIM), batch[1]
    all_pairs: dict[str, Any] = {"active_only": False} if name == "contrastive" else {}
    loss = build_mined_loss(name, dim=DIM, memory=40, margin=2.5, **all_pairs)
    pulled, pushed = [], []
    for i, (label, anchor) in enumerate(zip(y, second, strict=True)):
        kept = [*zip(y, first, strict=True), *zip(y, second, strict=True)]
        for j, (other, embedding) in enumerate(kept):
            if other == label and j != 16 + i:
                pulled.append(squared(anchor, embedding))
            elif other != label and name == "contrastive":
                pushed.append(max(0.0, 2.5 - length(anchor, embedding)) ** 2)
            elif other != label:
                pushed.append(max(0.0, 2.5**2 - squared(anchor, embedding)))

    loss(first, y)
    value = loss(second, y)

    assert close(value, mean(pulled) + mean(pushed))


def test_a_memory_goes_on_from_its_state_and_forgets_what_does_not_fit(
    batch: tuple[Tensor, Tensor],
) -> None:
    x, y = batch
    steps = [x, draw(16, DIM), draw(16, DIM)]

    def fresh() -> torch.nn.Module:
        return build_mined_loss("triplet", dim=DIM, memory=24, miner="batch_hard").double()

    whole, before, after = fresh(), fresh(), fresh()
    values = [whole(step, y).item() for step in steps]
    for step in steps[:2]:
        before(step, y)
    after.load_state_dict(before.state_dict())

    assert close(after(steps[2], y), values[2])


@pytest.mark.parametrize("name", ["contrastive", "contrastive_lecture", "triplet"])
def test_a_loss_over_chosen_pairs_is_the_one_over_all_where_all_are_chosen(
    batch: tuple[Tensor, Tensor], name: str
) -> None:
    x = batch[0].clone().requires_grad_()
    ours, theirs = build_loss(name)(x, batch[1]), build_mined_loss(name, dim=DIM)(x, batch[1])
    gradients = [torch.autograd.grad(loss, x)[0] for loss in (ours, theirs)]

    assert close(ours, theirs.item())
    assert (gradients[0] - gradients[1]).abs().max() < 1e-9


def test_the_names_of_miners_and_their_options_are_checked() -> None:
    with pytest.raises(UnknownMiner, match="no miner 'batchhard'; did you mean 'batch_hard'"):
        build_mined_loss("triplet", dim=DIM, miner="batchhard")
    with pytest.raises(UnknownOption, match="'semi_hard' has no option 'margins'; did you mean 'margin'"):
        build_mined_loss("triplet", dim=DIM, miner="semi_hard", miner_options={"margins": 1})
    with pytest.raises(LossWithoutPairs, match="'arcface' takes no miner and no memory"):
        build_mined_loss("arcface", dim=DIM, miner="batch_hard")
