"""Plain-loop arithmetic that the losses are checked against."""

import math

import torch
from torch import Tensor, nn

from training.losses import build_loss

CLASSES, DIM = 4, 8


def draw(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64)


def weight_of(loss: nn.Module) -> nn.Parameter:
    (weight,) = loss.parameters()
    return weight


def with_weight(name: str, weight: Tensor, **options: float) -> nn.Module:
    """A loss with proxies whose parameter is (classes × centres, dim), however the library lays it out."""
    loss = build_loss(name, classes=CLASSES, dim=DIM, **options).double()
    parameter = weight_of(loss)
    parameter.data = (weight if parameter.shape == weight.shape else weight.T).clone().contiguous()
    return loss


def squared(a: Tensor, b: Tensor) -> float:
    return sum((float(p) - float(q)) ** 2 for p, q in zip(a, b, strict=True))


def cosine(a: Tensor, b: Tensor) -> float:
    dot = sum(float(p) * float(q) for p, q in zip(a, b, strict=True))
    return dot / math.sqrt(squared(a, a * 0) * squared(b, b * 0))


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


def close(value: Tensor, wanted: float) -> bool:
    return abs(value.item() - wanted) < 1e-9
