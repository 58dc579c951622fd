"""What every training shares: the optimiser, the learning rate of a step, the average of the weights."""

import math
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Protocol

import torch
from torch import Tensor, nn


class Schedule(Protocol):
    """The part of a recipe that the optimiser follows."""

    @property
    def steps(self) -> int: ...  # noqa: D102
    @property
    def learning_rate(self) -> float: ...  # noqa: D102
    @property
    def betas(self) -> tuple[float, float]: ...  # noqa: D102
    @property
    def weight_decay(self) -> float: ...  # noqa: D102
    @property
    def warm_up_steps(self) -> int: ...  # noqa: D102
    @property
    def final_share(self) -> float: ...  # noqa: D102
    @property
    def clip(self) -> float: ...  # noqa: D102


class Method(StrEnum):
    """How a step follows from the gradient."""

    ADAMW = "adamw"
    SGD = "sgd"
    """Stochastic gradient descent with Nesterov's momentum, the first of `betas`."""


def build_optimiser(
    module: nn.Module, part: Schedule, method: Method = Method.ADAMW
) -> torch.optim.Optimizer:
    """The optimiser of a recipe; it decays weights only: a decayed bias or scale has nothing to gain."""
    weights = [p for p in module.parameters() if p.ndim > 1]
    others = [p for p in module.parameters() if p.ndim <= 1]
    groups: list[dict[str, Any]] = [
        {"params": weights, "weight_decay": part.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    if method is Method.SGD:
        momentum = part.betas[0]
        return torch.optim.SGD(groups, lr=part.learning_rate, momentum=momentum, nesterov=momentum > 0)
    return torch.optim.AdamW(groups, lr=part.learning_rate, betas=part.betas, fused=True)


def learning_rate(part: Schedule, step: int) -> float:
    """Of a step counted from 0: a straight rise, then half a cosine down to `final_share`."""
    if step < part.warm_up_steps:
        return part.learning_rate * (step + 1) / part.warm_up_steps
    progress = (step - part.warm_up_steps) / max(1, part.steps - part.warm_up_steps)
    falling = 0.5 * (1 + math.cos(math.pi * progress))
    return part.learning_rate * (part.final_share + (1 - part.final_share) * falling)


class Average:
    """The exponential moving average of a network's weights and of what its normalisations have seen.

    Args:
        network: Whose weights are followed.
        decay: Of the average.
        forgets_start: In the first steps the decay is smaller, so that the beginning is soon forgotten.
    """

    def __init__(self, network: nn.Module, decay: float, *, forgets_start: bool = True) -> None:
        self.decay = decay
        self.forgets_start = forgets_start
        self.values: dict[str, Tensor] = {
            name: value.detach().clone() for name, value in network.state_dict().items()
        }

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Takes up the weights after a step counted from 0."""
        decay = min(self.decay, (1 + step) / (10 + step)) if self.forgets_start else self.decay
        for name, value in network.state_dict().items():
            if value.is_floating_point():
                self.values[name].lerp_(value, 1 - decay)
            else:
                self.values[name].copy_(value)

    def restore(self, values: Mapping[str, Tensor]) -> None:
        """Goes on from a checkpoint's average."""
        for name, value in values.items():
            self.values[name].copy_(value)
