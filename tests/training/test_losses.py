"""Every loss against a plain loop over its definition, and against values measured once with the library."""

import math
from collections.abc import Callable

import pytest
import torch
from loss_oracles import CLASSES, DIM, close, cosine, draw, mean, squared, weight_of, with_weight
from torch import Tensor, nn

from training.errors import UnknownLoss, UnknownOption
from training.losses import LOSSES, Against, build_loss, loss_kind
from training.losses.adaptive import AdaptiveArcFace


def test_the_lecture_contrastive_loss_equals_its_plain_loop_and_the_reference(
    batch: tuple[Tensor, Tensor],
) -> None:
    x, y = batch
    pairs = [(squared(x[i], x[j]), bool(y[i] == y[j])) for i in range(16) for j in range(i)]
    wanted = mean([d for d, same in pairs if same])
    wanted += mean([max(0.0, 1.5**2 - d) for d, same in pairs if not same])

    value = build_loss("contrastive_lecture", margin=1.5)(x, y)

    assert close(value, wanted)
    assert close(value, 7.766820382261)


def test_hadsells_contrastive_loss_equals_its_plain_loop(batch: tuple[Tensor, Tensor]) -> None:
    x, y = batch
    pairs = [(squared(x[i], x[j]), bool(y[i] == y[j])) for i in range(16) for j in range(i)]
    wanted = mean([d for d, same in pairs if same])
    wanted += mean([max(0.0, 2.5 - math.sqrt(d)) ** 2 for d, same in pairs if not same])

    value = build_loss("contrastive", margin=2.5, active_only=False)(x, y)

    assert close(value, wanted)


def test_a_negative_pair_that_is_far_enough_does_not_weaken_the_others() -> None:
    def push(others: int) -> float:
        far = torch.tensor([[100.0 * (1 + i), 0.0] for i in range(others)], dtype=torch.float64)
        x = torch.cat([torch.tensor([[0.0, 0.0], [0.5, 0.0]], dtype=torch.float64), far]).requires_grad_()
        build_loss("contrastive")(x, torch.arange(2 + others)).backward()
        assert x.grad is not None
        return float(x.grad[1].norm())

    assert push(6) == pytest.approx(push(0)) == pytest.approx(1.0)


def test_only_hadsells_form_pushes_a_collapsed_negative_pair_apart() -> None:
    def push(name: str) -> float:
        x = torch.tensor([[0.0, 0.0], [1e-3, 0.0]], dtype=torch.float64, requires_grad=True)
        build_loss(name, margin=1.0)(x, torch.tensor([0, 1])).backward()
        assert x.grad is not None
        return float(x.grad[1].norm())

    assert push("contrastive_lecture") == pytest.approx(2e-3)
    assert push("contrastive") == pytest.approx(2.0, rel=2e-3)


@pytest.mark.parametrize(("active_only", "reference"), [(False, 1.839823119274), (True, 3.396596527890)])
def test_the_triplet_loss_equals_its_plain_loop_and_the_reference(
    batch: tuple[Tensor, Tensor], active_only: bool, reference: float
) -> None:
    x, y = batch
    triplets = [
        max(0.0, squared(x[a], x[p]) - squared(x[a], x[n]) + 0.5)
        for a in range(16)
        for p in range(16)
        for n in range(16)
        if a != p and y[a] == y[p] and y[a] != y[n]
    ]

    value = build_loss("triplet", margin=0.5, active_only=active_only)(x, y)

    assert (len(triplets), sum(loss > 0 for loss in triplets)) == (576, 312)
    assert close(value, mean([loss for loss in triplets if loss > 0 or not active_only]))
    assert close(value, reference)


@pytest.mark.parametrize(("name", "reference"), [("proxy_nca", 1.3319), ("proxy_nca_plus", 1.606731984569)])
def test_proxy_nca_differs_from_its_plus_form_by_the_own_proxy_in_the_denominator(
    batch: tuple[Tensor, Tensor], name: str, reference: float
) -> None:
    x, y = batch
    proxies = draw(CLASSES, DIM)
    options = {"scale": 1.0} if name == "proxy_nca_plus" else {}
    own_counts = name == "proxy_nca_plus"
    losses = []
    for embedding, label in zip(x, y.tolist(), strict=True):
        d = [2 - 2 * cosine(embedding, proxy) for proxy in proxies]
        others = sum(math.exp(-value) for c, value in enumerate(d) if own_counts or c != label)
        losses.append(d[label] + math.log(others))

    value = with_weight(name, proxies, **options)(x, y)

    assert close(value, mean(losses))
    assert value.item() == pytest.approx(reference, abs=5e-5)


def test_soft_triple_equals_its_plain_loop(batch: tuple[Tensor, Tensor]) -> None:
    x, y = batch
    centres = draw(CLASSES * 3, DIM)
    losses = []
    for embedding, label in zip(x, y.tolist(), strict=True):
        logits = []
        for c in range(CLASSES):
            cosines = [cosine(embedding, centre) for centre in centres[3 * c : 3 * c + 3]]
            weights = [math.exp(value / 0.1) for value in cosines]
            relaxed = sum(w * v for w, v in zip(weights, cosines, strict=True)) / sum(weights)
            logits.append(20 * (relaxed - (0.01 if c == label else 0)))
        losses.append(math.log(sum(map(math.exp, logits))) - logits[label])

    value = with_weight("soft_triple", centres)(x, y)

    assert close(value, mean(losses))


def add_to_cosine(cos: float) -> float:
    return cos - 0.35


def add_to_angle(cos: float) -> float:
    angle = math.acos(cos)
    return math.cos(angle + 0.5) if angle <= math.pi - 0.5 else cos - 0.5 * math.sin(0.5)


@pytest.mark.parametrize(
    ("name", "earlier_draws", "penalise", "reference"),
    [("cosface", 1, add_to_cosine, 49.718461907347), ("arcface", 2, add_to_angle, 46.597057757406)],
)
def test_margin_softmax_equals_its_plain_loop_and_the_reference(
    batch: tuple[Tensor, Tensor],
    name: str,
    earlier_draws: int,
    penalise: Callable[[float], float],
    reference: float,
) -> None:
    x, y = batch
    draw(CLASSES * 4, DIM)  # what the reference drew before: the proxies and centres of other losses
    weight = [draw(DIM, CLASSES) for _ in range(earlier_draws)][-1].T
    losses = []
    for embedding, label in zip(x, y.tolist(), strict=True):
        cosines = [cosine(embedding, row) for row in weight]
        logits = [64 * (penalise(v) if c == label else v) for c, v in enumerate(cosines)]
        losses.append(math.log(sum(map(math.exp, logits))) - logits[label])

    value = with_weight(name, weight)(x, y)

    assert close(value, mean(losses))
    assert close(value, reference)


def test_multi_similarity_equals_its_plain_loop_and_the_reference(batch: tuple[Tensor, Tensor]) -> None:
    x, y = batch
    losses = []
    for i in range(16):
        cosines = [(cosine(x[i], x[j]), bool(y[i] == y[j])) for j in range(16) if j != i]
        near = sum(math.exp(-2 * (cos - 0.5)) for cos, same in cosines if same)
        far = sum(math.exp(50 * (cos - 0.5)) for cos, same in cosines if not same)
        losses.append(math.log(1 + near) / 2 + math.log(1 + far) / 50)

    value = build_loss("multi_similarity")(x, y)

    assert close(value, mean(losses))
    assert close(value, 1.254137944354)


def huber(difference: float) -> float:
    return difference**2 / 2 if abs(difference) < 1 else abs(difference) - 0.5


def test_cosine_distillation_is_half_the_mean_distance_of_unit_vectors(batch: tuple[Tensor, Tensor]) -> None:
    student = nn.functional.normalize(batch[0])
    teacher = nn.functional.normalize(draw(16, DIM))

    value = build_loss("distil_cosine")(student, teacher)

    assert close(value, mean([squared(s, t) / 2 for s, t in zip(student, teacher, strict=True)]))


def test_relational_distance_equals_its_plain_loop_and_ignores_scale(batch: tuple[Tensor, Tensor]) -> None:
    student, teacher = batch[0], draw(16, 5)

    def relative(x: Tensor) -> list[float]:
        lengths = [math.sqrt(squared(x[i], x[j])) for i in range(16) for j in range(i)]
        return [length / mean(lengths) for length in lengths]

    wanted = mean([huber(s - t) for s, t in zip(relative(student), relative(teacher), strict=True)])
    loss = build_loss("distil_distance")

    assert close(loss(student, teacher), wanted)
    assert close(loss(3 * student, teacher), wanted)


def test_relational_angle_equals_its_plain_loop(batch: tuple[Tensor, Tensor]) -> None:
    student, teacher = batch[0][:7], draw(7, 5)

    def angle(x: Tensor, i: int, j: int, k: int) -> float:
        return cosine(x[i] - x[j], x[k] - x[j])

    triplets = [(i, j, k) for i in range(7) for j in range(7) for k in range(7) if len({i, j, k}) == 3]
    wanted = mean([huber(angle(student, *t) - angle(teacher, *t)) for t in triplets])

    assert close(build_loss("distil_angle")(student, teacher), wanted)


def test_adaptive_centres_follow_the_teacher_as_the_student_does_and_its_loss_equals_its_plain_loop(
    batch: tuple[Tensor, Tensor],
) -> None:
    x, y = batch
    teacher = x + 0.5 * draw(16, DIM)
    before = draw(CLASSES, DIM)
    loss = AdaptiveArcFace(classes=CLASSES, dim=DIM, scale=4.0, margin=0.3).double()
    loss.centres.copy_(before)

    value = loss(x, y, teacher)

    centres = [before[k] for k in range(CLASSES)]
    for k in range(CLASSES):
        moved = []
        for i in range(16):
            if y[i] == k:
                pace = max(0.0, cosine(x[i], teacher[i])) * max(0.0, cosine(before[k], teacher[i]))
                moved.append(
                    pace * before[k] + (1 - pace) * teacher[i] / math.sqrt(squared(teacher[i], 0 * x[i]))
                )
        if moved:
            centres[k] = sum(moved[1:], moved[0]) / len(moved)
    terms = []
    for i in range(16):
        angles = [
            math.acos(cosine(x[i], centre)) + (0.3 if y[i] == k else 0) for k, centre in enumerate(centres)
        ]
        terms.append(
            -math.log(math.exp(4 * math.cos(angles[y[i]])) / sum(math.exp(4 * math.cos(a)) for a in angles))
        )
    assert torch.allclose(loss.centres, torch.stack(centres))
    assert not torch.allclose(loss.centres, before)
    assert close(value, mean(terms))


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_the_gradient_of_every_loss_is_that_of_its_value(name: str, batch: tuple[Tensor, Tensor]) -> None:
    kind = loss_kind(name)
    x, y = batch
    given = {Against.LABELS: [y[:6]], Against.TEACHER: [draw(6, DIM)], Against.BOTH: [y[:6], draw(6, DIM)]}
    loss = build_loss(name, **kind.sizes(CLASSES, DIM)).double()
    loss.train(kind.against is not Against.BOTH)  # its centres would move from one call to the next

    def value(embeddings: Tensor) -> Tensor:
        result: Tensor = loss(embeddings, *given[kind.against])
        return result

    assert torch.autograd.gradcheck(value, (x[:6].requires_grad_(),))


@pytest.mark.parametrize("name", sorted(name for name, kind in LOSSES.items() if kind.has_proxies))
def test_proxies_keep_their_precision_under_bf16_embeddings(name: str, batch: tuple[Tensor, Tensor]) -> None:
    x, y = batch
    loss = build_loss(name, classes=CLASSES, dim=DIM)
    before = weight_of(loss).detach().clone()

    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = loss(x.bfloat16(), y)

    assert value.dtype == torch.float32
    assert torch.equal(weight_of(loss).detach(), before)


@pytest.mark.parametrize("name", ["contrastive", "contrastive_lecture", "triplet"])
def test_a_batch_of_one_identity_has_no_negatives_and_a_finite_gradient(name: str) -> None:
    x = torch.ones(3, 2, dtype=torch.float64, requires_grad=True)

    build_loss(name)(x, torch.zeros(3, dtype=torch.int64)).backward()

    assert x.grad is not None
    assert torch.equal(x.grad, torch.zeros(3, 2, dtype=torch.float64))


def test_an_unknown_loss_is_refused_naming_the_nearest() -> None:
    with pytest.raises(UnknownLoss, match="no loss 'arcfase'; did you mean 'arcface'"):
        build_loss("arcfase")


def test_an_unknown_option_is_refused_naming_the_nearest() -> None:
    with pytest.raises(UnknownOption, match="'triplet' has no option 'margins'; did you mean 'margin'"):
        build_loss("triplet", margins=0.2)


def test_a_loss_with_proxies_needs_the_number_of_classes() -> None:
    with pytest.raises(TypeError, match="classes"):
        build_loss("arcface", scale=64)
