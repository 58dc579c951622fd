"""The embedding network: aligned faces in, unit vectors out.

Its shape suits a CPU. A space-to-depth stem reduces the picture to 28 x 28 without losing a pixel, every
convolution after it is dense (depthwise ones wait for memory, not for arithmetic), and the convolutions stay
at 28 x 28, 14 x 14 and 7 x 7, where channels are wide enough to fill the vector units.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.networks.cbam import CBAM

PIXEL_CENTRE = 127.5
PIXEL_SCALE = 1 / 127.5
SIZE = 112
"""Side of a face in pixels."""
STEM_BLOCK = 4
STEM_SIZE = SIZE // STEM_BLOCK


class FaceEmbedder(nn.Module):
    """Any trunk, with the pixel normalisation before it and the unit length after it.

    Training and export use this module as a whole, so no caller has to normalise pixels or vectors.

    Args:
        trunk: (n, 3, 112, 112) in -1..1 to (n, dim).
    """

    def __init__(self, trunk: nn.Module) -> None:
        super().__init__()
        self.trunk = trunk

    def forward(self, faces: Tensor) -> Tensor:
        """(n, 112, 112, 3) uint8 RGB to (n, dim) float32 of unit length."""
        return F.normalize(self.trunk(self.pixels(faces)).float(), dim=1)  # (n, dim)

    def embed_with_maps(self, faces: Tensor) -> tuple[Tensor, list[Tensor]]:
        """As `forward`, and what each stage of a `DenseTrunk` made of the faces on the way."""
        assert isinstance(self.trunk, DenseTrunk)
        maps = self.trunk.stage_maps(self.pixels(faces))
        return F.normalize(self.trunk.join_places(maps[-1]).float(), dim=1), maps

    @staticmethod
    def pixels(faces: Tensor) -> Tensor:
        """(n, 112, 112, 3) uint8 RGB to (n, 3, 112, 112) in -1..1, channels last in memory."""
        return (faces.permute(0, 3, 1, 2).float() - PIXEL_CENTRE) * PIXEL_SCALE


class BothSides(nn.Module):
    """A trained embedder, its vectors averaged over the face and its mirror image: twice the work."""

    def __init__(self, embedder: FaceEmbedder) -> None:
        super().__init__()
        self.embedder = embedder

    def forward(self, faces: Tensor) -> Tensor:
        """(n, 112, 112, 3) uint8 RGB to (n, dim) float32 of unit length."""
        # As one batch: weights are loaded once, and a batch of two uses a core better than two batches of
        # one.
        both: Tensor = self.embedder(torch.cat([faces, faces.flip(2)]))  # (2 n, dim)
        return F.normalize(both.reshape(2, -1, both.shape[1]).sum(0), dim=1)


class SideBySide(nn.Module):
    """Several trained embedders as one: the d of two faces is the mean of theirs.

    Args:
        embedders: (n, 112, 112, 3) to (n, dim) of unit length, each with a dim of its own.
    """

    def __init__(self, embedders: Sequence[nn.Module]) -> None:
        super().__init__()
        self.embedders = nn.ModuleList(embedders)

    def forward(self, faces: Tensor) -> Tensor:
        """(n, 112, 112, 3) uint8 RGB to (n, sum of dims) float32 of unit length."""
        joined = torch.cat([each(faces) for each in self.embedders], dim=1)  # of length √k
        return joined / math.sqrt(len(self.embedders))


class DenseTrunk(nn.Module):
    """The trunk that ships: space-to-depth stem, stages of dense residual blocks, a head that keeps places.

    Args:
        widths: Channels of the stages, which work at 28, 14 and 7 pixels a side.
        depths: Blocks of each stage.
        dim: Length of the embedding.
        head_channels: Channels kept at each of the 7 x 7 places before they are joined.
        cbam_stages: How many of the last stages carry channel and spatial attention.
    """

    def __init__(
        self,
        widths: Sequence[int] = (64, 128, 256),
        depths: Sequence[int] = (2, 3, 2),
        dim: int = 128,
        head_channels: int = 64,
        cbam_stages: int = 0,
    ) -> None:
        super().__init__()
        self.unshuffle = nn.PixelUnshuffle(STEM_BLOCK)
        self.stem = convolution(3 * STEM_BLOCK**2, widths[0], 3)
        self.stem_norm = nn.BatchNorm2d(widths[0])
        self.stages = nn.ModuleList()
        inputs = widths[0]
        for number, (width, depth) in enumerate(zip(widths, depths, strict=True)):
            with_cbam = number >= len(widths) - cbam_stages
            self.stages.append(stage(inputs, width, depth, 2 if number else 1, with_cbam))
            inputs = width
        places = (STEM_SIZE // 2 ** (len(widths) - 1)) ** 2
        self.head = convolution(inputs, head_channels, 1)
        self.head_norm = nn.BatchNorm2d(head_channels)
        self.project = nn.Linear(head_channels * places, dim, bias=False)
        self.project_norm = nn.BatchNorm1d(dim)
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """(n, 3, 112, 112) to (n, dim), not yet of unit length."""
        return self.join_places(self.stage_maps(x)[-1])

    def stage_maps(self, x: Tensor) -> list[Tensor]:
        """(n, 3, 112, 112) to what each stage makes of it."""
        x = self.unshuffle(x)  # (n, 48, 28, 28)
        x = F.relu(self.stem_norm(self.stem(x)))  # (n, widths[0], 28, 28)
        maps = []
        for blocks in self.stages:
            x = blocks(x)  # (n, widths[i], 28 / 2^i, 28 / 2^i)
            maps.append(x)
        return maps

    def join_places(self, x: Tensor) -> Tensor:
        """The last stage's maps to (n, dim)."""
        x = F.relu(self.head_norm(self.head(x)))  # (n, head_channels, 7, 7)
        embedding: Tensor = self.project_norm(self.project(x.flatten(1)))  # (n, dim)
        return embedding


class BasicBlock(nn.Module):
    """Two 3x3 convolutions (He et al. 2016, figure 2) beside an average-pooled shortcut (He et al. 2019)."""

    def __init__(self, inputs: int, outputs: int, stride: int, with_cbam: bool) -> None:
        super().__init__()
        self.conv1 = convolution(inputs, outputs, 3, stride)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = convolution(outputs, outputs, 3)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.attention = CBAM(outputs) if with_cbam else nn.Identity()
        self.shortcut = nn.Sequential()
        if stride > 1:
            self.shortcut.append(nn.AvgPool2d(stride))
        if inputs != outputs:
            self.shortcut.append(convolution(inputs, outputs, 1))

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs, h, w) to (n, outputs, h / stride, w / stride)."""
        y = F.relu(self.norm1(self.conv1(x)))
        y = self.attention(self.norm2(self.conv2(y)))
        return F.relu(y + self.shortcut(x))


def stage(inputs: int, width: int, depth: int, stride: int, with_cbam: bool) -> nn.Sequential:
    """`depth` blocks of one width; the first of them changes size and width."""
    first = BasicBlock(inputs, width, stride, with_cbam)
    return nn.Sequential(first, *(BasicBlock(width, width, 1, with_cbam) for _ in range(depth - 1)))


def convolution(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    """A "same" convolution without bias: the normalisation after it has one."""
    return nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)


def initialise(trunk: nn.Module) -> None:
    """He initialisation; every residual branch starts at zero (Goyal et al. 2017, section 5.1)."""
    for module in trunk.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        if isinstance(module, BasicBlock):
            nn.init.zeros_(module.norm2.weight)
