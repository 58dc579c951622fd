"""Convolutional block attention (Woo et al., ECCV 2018): first which channels, then which places."""

import torch
from torch import Tensor, nn
from torchvision.models import ResNet
from torchvision.models.resnet import Bottleneck


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


def add_cbam(network: ResNet, stages: int) -> None:
    """Puts a CBAM at the end of each residual branch of a torchvision ResNet's last `stages` stages."""
    layers = (network.layer1, network.layer2, network.layer3, network.layer4)
    for block in (block for layer in layers[len(layers) - stages :] for block in layer):
        last = "bn3" if isinstance(block, Bottleneck) else "bn2"
        norm = getattr(block, last)
        setattr(block, last, nn.Sequential(norm, CBAM(norm.num_features)))


def stride_in_first_convolution(network: ResNet) -> None:
    """Moves a bottleneck's stride from its 3x3 to its first 1x1 convolution.

    The first ResNets, and the table of the CBAM paper, have it there; torchvision has it in the 3x3.
    """
    for block in network.modules():
        if isinstance(block, Bottleneck):
            block.conv1.stride, block.conv2.stride = block.conv2.stride, block.conv1.stride
