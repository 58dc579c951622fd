"""What the engine trains."""

from collections.abc import Iterator, Sequence
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor, nn

from training.engine.optimise import Average, Schedule

B = TypeVar("B", contravariant=True)


class Trainee(Protocol[B]):
    """A network with its losses, its optimiser and the average of its weights, between two steps.

    Attributes:
        step: Steps done.
    """

    step: int

    @property
    def network(self) -> nn.Module:
        """Whose weights are averaged."""

    @property
    def average(self) -> Average:
        """What is exported."""

    @property
    def optimiser(self) -> torch.optim.Optimizer:
        """With its moments."""

    @property
    def weights(self) -> Tensor:
        """(terms,) of the losses in their sum."""

    @property
    def schedule(self) -> Schedule:
        """How many steps, and at which learning rates."""

    @property
    def names(self) -> Sequence[str]:
        """(terms,) of the losses, for the metrics."""

    @property
    def samples(self) -> int:
        """Seen in the steps done."""

    def losses(self, batch: B) -> Tensor:
        """(terms,) unweighted, of the network as it is."""

    def parameters(self) -> Iterator[nn.Parameter]:
        """Everything that is trained, proxies of losses among it."""

    def checkpoint(self) -> dict[str, Any]:
        """Everything needed to go on."""
