"""A network so small that a comparison of many losses takes minutes on one core."""

from itertools import pairwise

from torch import Tensor, nn
from torch.nn.functional import normalize

WIDTHS = (32, 64, 128)
SIZE = (28, 24)
"""Height and width of its pictures."""


class SmallEmbedder(nn.Module):
    """Three convolutions, each halving the picture, and a linear layer."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        blocks: list[nn.Module] = []
        for inputs, outputs in pairwise((1, *WIDTHS)):
            blocks += [
                nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
                nn.BatchNorm2d(outputs),
                nn.ReLU(),
                nn.MaxPool2d(2),
            ]
        self.blocks = nn.Sequential(*blocks)
        places = (SIZE[0] // 2 ** len(WIDTHS)) * (SIZE[1] // 2 ** len(WIDTHS))
        self.project = nn.Linear(WIDTHS[-1] * places, dim)

    def forward(self, x: Tensor) -> Tensor:
        """(n, 1, 28, 24) in -1..1 to (n, dim) of unit length."""
        x = self.blocks(x)  # (n, 128, 3, 3)
        return normalize(self.project(x.flatten(1)))  # (n, dim)
