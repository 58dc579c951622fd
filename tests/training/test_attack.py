"""Attacks on a network: the descent against plain loops, and judged by what serves."""

from pathlib import Path

import numpy as np
import pytest
import torch
from made_faces import made_faces, pixels_of, write_folder
from made_training import TINY_NETWORK
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from training.data.pictures import open_pictures
from training.embedder.tables import read_table
from training.errors import NoComparisons, PicturesInvalid
from training.evaluation.attack import Attack, AttackAttempts, AttackedModel, AttackPairs, add_noise, perturb
from training.evaluation.gate_attack import EPSILON, attack_both
from training.networks.backbones import NetworkConfig, build_network

Crops = NDArray[np.uint8]
Vectors = NDArray[np.float32]


@pytest.fixture(scope="module")
def network() -> nn.Module:
    """A network of a few thousand random weights whose normalisations have seen something."""
    torch.manual_seed(1)
    built = build_network(read_table(TINY_NETWORK, NetworkConfig, "tiny"))
    built(torch.randint(0, 256, (32, 112, 112, 3), dtype=torch.uint8))
    return built.eval().requires_grad_(False)


def crops_of(count: int, seed: int = 0) -> Crops:
    """Crops with values at both ends of the range."""
    return np.random.default_rng(seed).integers(0, 256, (count, 112, 112, 3)).astype(np.uint8)


def embedded(network: nn.Module, crops: Crops) -> Vectors:
    with torch.inference_mode():
        return np.asarray(network(torch.from_numpy(crops)).numpy(), np.float32)


def descended(
    network: nn.Module, crops: Crops, goals: Vectors, epsilon: int, sign: int
) -> NDArray[np.float64]:
    """The same descent step by step, one face at a time but for the first point."""
    torch.manual_seed(0)
    whole = torch.from_numpy(crops).float()
    begin = (whole + torch.rand_like(whole) * epsilon * 2 - epsilon).clamp(0, 255)
    found = []
    for face, point, goal in zip(whole, begin, torch.from_numpy(goals), strict=True):
        for _ in range(4):
            point = point.detach().requires_grad_(True)
            d = ((network(point[None])[0] - goal) ** 2).sum()
            d.backward()
            assert point.grad is not None
            moved = point.detach() + sign * 2.5 * epsilon / 4 * torch.sign(point.grad)
            point = torch.minimum(torch.maximum(moved, face - epsilon), face + epsilon).clamp(0, 255)
        found.append(point.detach().numpy())
    return np.stack(found)


@pytest.mark.parametrize(("away", "sign"), [(False, -1), (True, 1)])
def test_the_descent_is_the_one_of_plain_loops(network: nn.Module, away: bool, sign: int) -> None:
    crops, goals = crops_of(3), embedded(network, crops_of(3, seed=1))

    found = perturb(network, crops, goals, 4, away=away, steps=4)

    wanted = descended(network, crops, goals, 4, sign)
    # Where a gradient is all but 0 its sign is chance.
    assert (np.abs(found - np.round(wanted)) <= 1).mean() > 0.99
    before, after = (np.square(embedded(network, each) - goals).sum(1) for each in (crops, found))
    assert (after > before).all() if away else (after < before).all()


@pytest.mark.parametrize("epsilon", [1, 8])
def test_no_channel_changes_by_more_than_it_may_nor_leaves_its_range(
    network: nn.Module, epsilon: int
) -> None:
    crops = crops_of(17)  # more than a batch
    goals = embedded(network, np.roll(crops, 1, axis=0))

    for found in (perturb(network, crops, goals, epsilon, steps=3), add_noise(crops, epsilon)):
        change = found.astype(int) - crops
        assert found.shape == crops.shape
        assert np.abs(change).max() == epsilon
        inside = (crops >= epsilon) & (crops <= 255 - epsilon)
        assert np.abs(change)[inside].mean() > epsilon / 2


def test_an_attack_leaves_the_program_s_random_numbers_alone(network: nn.Module) -> None:
    crops = crops_of(1)
    torch.manual_seed(7)
    wanted = torch.rand(3)

    torch.manual_seed(7)
    first = perturb(network, crops, embedded(network, crops_of(1, 1)), 2, steps=1)
    second = perturb(network, crops, embedded(network, crops_of(1, 1)), 2, steps=1)

    assert torch.equal(torch.rand(3), wanted)
    assert np.array_equal(first, second)


def test_the_bundle_judges_and_not_the_network_that_was_attacked(network: nn.Module) -> None:
    pairs = AttackPairs(crops_of(4, 1), crops_of(4, 2))
    asked: list[Crops] = []

    def embed(crops: Crops) -> Vectors:
        asked.append(crops)
        return np.eye(4, 16, dtype=np.float32)[: len(crops)]

    attack = Attack(AttackedModel(network, embed), pairs)
    attempts = attack.judge(attack.pgd(2, 2), lambda crops: crops // 2)

    assert all(crops.dtype == np.uint8 for crops in asked)
    assert np.array_equal(attempts.towards, [2, 2, 2, 2])
    assert np.array_equal(attempts.own, [0, 0, 0, 0])


def test_successes_are_counted_at_each_threshold() -> None:
    attempts = AttackAttempts(
        towards=np.array([0.5, 1.0, 1.1, 1.3, 1.9], np.float32),
        own=np.array([0.2, 1.05, 1.0, 1.4, 1.5], np.float32),
    )

    strict, lax = attempts.outcomes([(1e-4, 1.0), (1e-3, 1.25)])

    assert (strict.impersonated.value, lax.impersonated.value) == (2 / 5, 3 / 5)
    assert (strict.dodged.value, lax.dodged.value) == (3 / 5, 2 / 5)
    assert strict.impersonated.interval == pytest.approx((0.1176, 0.7693), abs=1e-4)  # Wilson, by hand


def test_two_pictures_of_each_person_take_part_and_whoever_has_one_does_not(tmp_path: Path) -> None:
    faces = made_faces(6, 3)
    faces = {name: content for name, content in faces.items() if name not in ("p003/1.png", "p003/2.png")}
    pictures = open_pictures(write_folder(tmp_path / "faces", faces))
    lonely = open_pictures(write_folder(tmp_path / "lonely", made_faces(5, 1)))
    (tmp_path / "broken" / "a").mkdir(parents=True)
    for name in ("1.png", "2.png"):
        (tmp_path / "broken" / "a" / name).write_bytes(b"no picture")
        write_folder(tmp_path / "broken", {f"b/{name}": faces["p000/0.png"]})
    broken = open_pictures(tmp_path / "broken")

    pairs = AttackPairs.of(pictures, pictures.labelled, 60)

    assert len(pairs) == 5
    assert np.array_equal(pairs.templates[3], pixels_of(faces["p004/0.png"]))
    assert np.array_equal(pairs.tries[3], pixels_of(faces["p004/1.png"]))
    assert len(AttackPairs.of(pictures, pictures.labelled, 2)) == 2
    with pytest.raises(NoComparisons):
        AttackPairs.of(lonely, lonely.labelled, 60)
    with pytest.raises(PicturesInvalid, match="not an aligned face of 112x112"):
        AttackPairs.of(broken, broken.labelled, 60)


class Coarse(nn.Module):
    """Means of 14×14 pixels; with a weight, also how rows alternate, which the smallest changes can say."""

    def __init__(self, weight: float = 0.0) -> None:
        super().__init__()
        self.weight = weight

    def forward(self, faces: Tensor) -> Tensor:
        planes = faces.float().permute(0, 3, 1, 2) - 128
        coarse = functional.avg_pool2d(planes, 14).flatten(1)
        stripes = torch.ones(112).reshape(-1, 1, 1)
        stripes[::2] = -1
        fine = functional.avg_pool2d((faces.float() * stripes).permute(0, 3, 1, 2), 14).flatten(1)
        return functional.normalize(coarse + self.weight * fine, dim=1)


def made_pairs(people: int) -> AttackPairs:
    faces = [pixels_of(content) for content in made_faces(people, 2, spread=0.2).values()]
    return AttackPairs(np.stack(faces[::2]), np.stack(faces[1::2]))


def model_of(network: nn.Module) -> AttackedModel:
    return AttackedModel(network, lambda crops: embedded(network, crops))


def test_a_candidate_that_small_changes_fool_more_often_is_worse() -> None:
    steady, fickle, pairs = model_of(Coarse()), model_of(Coarse(40.0)), made_pairs(12)

    worse = attack_both((steady, fickle), pairs, 1e-3, (0.5, 0.5))
    better = attack_both((fickle, steady), pairs, 1e-3, (0.5, 0.5))
    same = attack_both((fickle, fickle), pairs, 1e-3, (0.5, 0.5))

    assert worse["worse"] == ["impersonated", "dodged"]
    assert worse["incumbent"] == better["candidate"] == {"impersonated": 0.0, "dodged": 0.0}
    assert worse["candidate"]["dodged"] > 0.5
    assert (worse["people"], worse["epsilon"], worse["fmr"]) == (12, EPSILON, 1e-3)
    assert better["worse"] == same["worse"] == []
    assert same["interval"] == {"impersonated": [0.0, 0.0], "dodged": [0.0, 0.0]}
