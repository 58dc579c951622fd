"""All that changes while training; a checkpoint holds all of it."""

import logging
import os
import shutil
import sysconfig
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn

from training.embedder.batches import Batch
from training.embedder.distributed import Process, freeze_norms
from training.embedder.material import Material
from training.embedder.objective import Objective
from training.embedder.recipe import OptimiserPart, Recipe
from training.embedder.start import build_starting_network
from training.embedder.weights import describe_network
from training.engine.optimise import Average, build_optimiser
from training.engine.run import FORMAT, load_weights
from training.errors import CheckpointInvalid
from training.losses.hints import Hints
from training.networks.embedder import FaceEmbedder


@dataclass
class Training:
    """A training between two steps.

    Attributes:
        network: What is trained.
        objective: The network with its losses.
        shared: The objective as one over all processes.
        weights: (terms,) of the losses.
        average: Of the network's weights: what is exported.
        optimiser: With its moments.
        data_digest: Of the faces.
        step: Steps done.
    """

    recipe: Recipe
    network: FaceEmbedder
    objective: Objective
    shared: nn.Module
    device: torch.device
    weights: Tensor
    average: Average
    optimiser: torch.optim.Optimizer
    data_digest: str
    step: int = 0

    @classmethod
    def begin(cls, recipe: Recipe, material: Material, process: Process) -> Self:
        """A fresh network, or the one the recipe starts from."""
        network = build_starting_network(recipe)
        hints = _build_hints(recipe, material)
        objective = Objective(
            network, recipe.losses, material.classes, recipe.network.dim, recipe.learners, hints
        )
        objective = objective.to(process.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        if recipe.machine.compile and has_compiler():
            network.compile()
        terms = [part.weight for part in recipe.losses] + [recipe.teacher.hint_weight] * (hints is not None)
        weights = torch.tensor(terms, device=process.device)
        part = recipe.optimiser
        average = Average(network, part.average, forgets_start=part.forgets_start)
        optimiser = build_optimiser(objective, part, part.method)
        objective.train()
        if recipe.freeze_norms:
            freeze_norms(network)
        digest = material.faces.digest
        return cls(recipe, network, objective, objective, process.device, weights, average, optimiser, digest)

    @property
    def schedule(self) -> OptimiserPart:
        """Of the optimiser."""
        return self.recipe.optimiser

    @property
    def names(self) -> list[str]:
        """(terms,) of the losses."""
        hints = ["hints"] if self.objective.hints is not None else []
        return [*(part.name for part in self.recipe.losses), *hints]

    @property
    def samples(self) -> int:
        """Faces seen so far."""
        return self.step * self.recipe.optimiser.batch

    def share(self, process: Process) -> None:
        """From here on all processes train together, from the weights of the first."""
        self.shared = process.share(self.objective, unused=self.objective.has_proxies)

    def losses(self, batch: Batch) -> Tensor:
        """(terms,) of the joined batch of all processes."""
        targets = None if batch.targets is None else batch.targets.to(self.device)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.recipe.machine.bf16):
            maps = [one.to(self.device) for one in batch.maps]
            faces, labels = batch.faces.to(self.device), batch.labels.to(self.device)
            terms: Tensor = self.shared(faces, labels, targets, maps)
        return terms

    def parameters(self) -> Iterator[nn.Parameter]:
        """Of the network and its losses."""
        return self.objective.parameters()

    def checkpoint(self) -> dict[str, Any]:
        """Everything needed to go on, or to build the network anywhere else."""
        return {
            "format": FORMAT,
            "network": describe_network(self.recipe.network),
            "weights": self.network.state_dict(),
            "ema": self.average.values,
            "losses": self.objective.losses.state_dict(),
            "hints": self.objective.hints.state_dict() if self.objective.hints is not None else {},
            "optimiser": self.optimiser.state_dict(),
            "step": self.step,
            "samples": self.samples,
            "recipe": _strip_classes(asdict(self.recipe)),
            "data_digest": self.data_digest,
            "rng": torch.get_rng_state(),
        }

    def restore(self, checkpoint: dict[str, Any], path: Path) -> None:
        """Goes on where a checkpoint was written.

        Raises:
            CheckpointInvalid: If it is of another network or of other faces.
        """
        if checkpoint["data_digest"] != self.data_digest:
            raise CheckpointInvalid(path, "it was trained on other faces")
        load_weights(self.network, checkpoint["weights"], path)
        self.average.restore(checkpoint["ema"])
        self.objective.losses.load_state_dict(checkpoint["losses"])
        if self.objective.hints is not None:
            self.objective.hints.load_state_dict(checkpoint["hints"])
        self.optimiser.load_state_dict(checkpoint["optimiser"])
        self.step = checkpoint["step"]
        torch.set_rng_state(checkpoint["rng"])


def _build_hints(recipe: Recipe, material: Material) -> Hints | None:
    if material.hints is None:
        return None
    return Hints(recipe.network.widths, [channels for channels, _ in material.hints.shapes])


def _strip_classes(value: Any) -> Any:
    """Without the classes of this project, so that a checkpoint can be read without running code."""
    if isinstance(value, dict):
        return {key: _strip_classes(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_strip_classes(item) for item in value]
    return str(value) if isinstance(value, str) else value


log = logging.getLogger("invigil.training")


def has_compiler() -> bool:
    """Whether there are a C++ compiler and Python's headers; says so where there are not."""
    command = os.environ.get("CXX", "g++").split()
    compiler = bool(command) and shutil.which(command[0]) is not None
    headers = (Path(sysconfig.get_path("include")) / "Python.h").is_file()
    if compiler and headers:
        return True
    missing = "Python's headers" if compiler else "a C++ compiler (g++, or what CXX names)"
    log.warning("There is no sign of %s: training goes on without torch.compile, and slower.", missing)
    return False
