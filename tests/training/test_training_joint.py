"""Two processes compute the gradient of one process with the joined batch, for losses on pairs too."""

from pathlib import Path
from typing import Any

import pytest
import torch
from made_training import TINY_NETWORK, tiny_recipe
from torch import distributed, nn
from torch.multiprocessing.spawn import spawn

from training.embedder.batches import Part
from training.embedder.distributed import Process, freeze_norms
from training.embedder.objective import Objective
from training.networks.backbones import build_network
from training.networks.embedder import FaceEmbedder

LOSSES: dict[str, list[dict[str, Any]]] = {
    "triplet": [{"name": "triplet", "options": {"active_only": True}}],
    "contrastive": [{"name": "contrastive"}],
    "batch-hard": [{"name": "triplet", "miner": "batch_hard"}],
    "memory": [{"name": "contrastive", "memory": 16}],
    "arcface": [{"name": "arcface"}],
    "two": [{"name": "multi_similarity"}, {"name": "proxy_anchor", "weight": 0.5}],
    "distilled": [{"name": "distil_distance"}],
}
Gradients = dict[str, torch.Tensor]


class PreciseEmbedder(FaceEmbedder):
    """In double precision: nothing is left of rounding, and what differs is wrong."""

    def forward(self, faces: torch.Tensor) -> torch.Tensor:
        return nn.functional.normalize(self.trunk(faces.permute(0, 3, 1, 2).double() / 127.5 - 1), dim=1)


def objective_of(losses: list[dict[str, Any]]) -> Objective:
    torch.manual_seed(5)
    recipe = tiny_recipe(losses=losses, network=TINY_NETWORK)
    network = PreciseEmbedder(build_network(recipe.network).trunk)
    # A residual branch that starts at zero would hide its gradients.
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
    return Objective(network, recipe.losses, classes=4, dim=16).double().train()


def batch() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(3)
    faces = torch.randint(0, 256, (8, 112, 112, 3), dtype=torch.uint8, generator=random)
    return faces, torch.arange(8) // 2, torch.randn(8, 16, generator=random, dtype=torch.float64)


def gradients_of(module: nn.Module, objective: Objective, part: slice) -> tuple[Gradients, list[float]]:
    faces, labels, targets = batch()
    terms = module(faces[part], labels[part], targets[part])
    terms.sum().backward()
    found = {name: p.grad for name, p in objective.named_parameters() if p.grad is not None}
    for name, value in objective.network.named_buffers():
        found[f"buffer {name}"] = value.double()
    return found, terms.tolist()


def train_a_part(rank: int, meeting: str, losses: dict[str, list[dict[str, Any]]], to: str) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=2)
    found = {}
    for name, parts in losses.items():
        objective = objective_of(parts)
        process = Process(Part(rank, 2), torch.device("cpu"))
        module = process.share(objective, unused=objective.has_proxies)
        found[name] = gradients_of(module, objective, slice(rank, None, 2))
    torch.save(found, f"{to}.{rank}")
    distributed.destroy_process_group()


@pytest.fixture(scope="module")
def of_two(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, tuple[Gradients, list[float]]]]:
    """Of each process, by loss."""
    folder: Path = tmp_path_factory.mktemp("joint")
    args = (str(folder / "meeting"), LOSSES, str(folder / "found"))
    spawn(train_a_part, args, nprocs=2)  # type: ignore[no-untyped-call]
    return [torch.load(folder / f"found.{rank}") for rank in range(2)]


@pytest.mark.slow("starts two processes with torch")
@pytest.mark.parametrize("name", LOSSES)
def test_two_processes_compute_the_gradient_of_one_with_the_joined_batch(
    of_two: list[dict[str, tuple[Gradients, list[float]]]], name: str
) -> None:
    objective = objective_of(LOSSES[name])
    wanted, terms = gradients_of(objective, objective, slice(None))

    for found, found_terms in (process[name] for process in of_two):
        assert found.keys() == wanted.keys()
        assert found_terms == pytest.approx(terms, abs=1e-9)
        for parameter, gradient in wanted.items():
            assert (found[parameter] - gradient).abs().max() < 1e-9, parameter


def test_frozen_normalisations_keep_their_statistics_and_learn_their_scale() -> None:
    objective = objective_of([{"name": "triplet", "options": {"margin": 2.0}}])
    freeze_norms(objective.network)
    norms = [module for module in objective.modules() if isinstance(module, nn.BatchNorm2d)]
    before = [norm.running_mean.clone() for norm in norms if norm.running_mean is not None]

    found, _ = gradients_of(objective, objective, slice(None))

    after = [norm.running_mean for norm in norms if norm.running_mean is not None]
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert all(norm.weight.grad is not None and norm.weight.grad.abs().max() > 0 for norm in norms)
    assert found
