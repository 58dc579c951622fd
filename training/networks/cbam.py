"""Convolutional block attention (Woo et al., ECCV 2018): first which channels, then which places."""

import torch
from torch import Tensor, nn


class CBAM(nn.Module):
    """Channel attention, then spatial attention, on one feature map.

    Args:
        channels: Of the feature map.
        reduction: Of the hidden layer of the channel attention (16 in the paper).
        kernel: Of the spatial attention (7 in the paper).
    """

    def __init__(self, channels: int, reduction: int = 16, kernel: int = 7) -> None:
        super().__init__()
        hidden = max(channels // reduction, 1)
        self.mlp = nn.Sequential(nn.Linear(channels, hidden), nn.ReLU(), nn.Linear(hidden, channels))
        self.spatial = nn.Conv2d(2, 1, kernel, padding=kernel // 2, bias=False)
        self.spatial_norm = nn.BatchNorm2d(1)

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, h, w) to the same shape."""
        what = self.mlp(x.mean((2, 3))) + self.mlp(x.amax((2, 3)))  # (n, c), equation 2
        x = x * what.sigmoid()[:, :, None, None]
        where = torch.cat([x.mean(1, keepdim=True), x.amax(1, keepdim=True)], 1)  # (n, 2, h, w), equation 3
        attended: Tensor = x * self.spatial_norm(self.spatial(where)).sigmoid()
        return attended
