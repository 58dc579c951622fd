"""The face detector: a dense network on a stride-4 stem, 117 k parameters.

Every cell of three grids (strides 8, 16, 32) says whether a face is centred near it, how well its box fits,
the box and five landmarks. Outputs carry YuNet's names and layout (Wu, Peng and Yu, "YuNet: A Tiny
Millisecond-level Face Detector", Machine Intelligence Research 20, 2023): `cv2.FaceDetectorYN` runs the file.

Full resolution is where depthwise networks lose their time: memory traffic, not arithmetic. Here one 6×6
convolution of stride 4 leaves it at once, and dense 3×3 convolutions follow while the grids are large.
Depthwise 5×5 convolutions appear only at strides 16 and 32, where they widen the view for few parameters
until it holds a face that fills the frame.
"""

import torch
from torch import Tensor, nn

from embedding.yunet import STRIDES

CHANNELS_PER_CELL = (1, 1, 4, 10)  # class, objectness, box, five landmarks


class Conv(nn.Sequential):
    """Convolution without bias, batch norm, ReLU; halves the grid when `stride` is 2."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
        )


class Separable(nn.Sequential):
    """Depthwise then pointwise convolution; batch norm once, because it costs more than either."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(inputs, inputs, kernel, stride, kernel // 2, groups=inputs, bias=False),
            nn.Conv2d(inputs, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
        )


class Residual(nn.Module):
    """x + body(x): both ends have the same number of channels."""

    def __init__(self, *body: nn.Module) -> None:
        super().__init__()
        self.body = nn.Sequential(*body)

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, h, w) → the same shape."""
        return x + self.body(x)  # type: ignore[no-any-return]


class FaceDetector(nn.Module):
    """Pictures to raw cells: BGR 0–255, height and width multiples of 32."""

    def __init__(self, stem: int = 16, fine: int = 32, coarse: int = 64, head: int = 64) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, stem, 6, stride=4, padding=1, bias=False),
            nn.BatchNorm2d(stem),
            nn.ReLU(inplace=True),
        )
        self.stage_8 = nn.Sequential(
            Conv(stem, fine, 3, stride=2),
            Residual(Conv(fine, fine, 3), Conv(fine, fine, 3)),
            Residual(Conv(fine, fine, 3), Conv(fine, fine, 3)),
        )
        self.stage_16 = nn.Sequential(
            Conv(fine, coarse, 3, stride=2),
            Residual(Separable(coarse, coarse, 5)),
            Residual(Separable(coarse, coarse, 5)),
        )
        self.stage_32 = nn.Sequential(
            Separable(coarse, coarse, 5, stride=2),
            Residual(Separable(coarse, coarse, 5)),
            Residual(Separable(coarse, coarse, 5)),
        )
        self.narrow_16 = nn.Conv2d(coarse, fine, 1)
        self.narrow_32 = nn.Conv2d(coarse, fine, 1)
        self.blend_16 = Separable(fine, fine, 3)
        self.upsample = nn.Upsample(scale_factor=2, mode="nearest")
        self.shared = nn.Conv2d(fine, head, 3, padding=1, bias=False)
        # One normalisation a stride: their statistics differ; a common running mean would fit none.
        self.norms = nn.ModuleList(nn.BatchNorm2d(head) for _ in STRIDES)
        self.cells = nn.Conv2d(head, sum(CHANNELS_PER_CELL), 1)
        nn.init.normal_(self.cells.weight, std=0.01)
        nn.init.constant_(self.cells.bias, 0.0)  # type: ignore[arg-type]
        # A cell is a face about once in a hundred; from there the first steps are not all about background.
        nn.init.constant_(self.cells.bias[:2], -4.6)  # type: ignore[index]

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """(n, 3, h, w) → three (n, 16, h/stride, w/stride): class and objectness logits, box, landmarks."""
        x = self.stem(pictures * (1 / 255))  # (n, 16, h/4, w/4)
        c8 = self.stage_8(x)  # (n, 32, h/8, w/8)
        c16 = self.stage_16(c8)  # (n, 64, h/16, w/16)
        c32 = self.stage_32(c16)  # (n, 64, h/32, w/32)
        p32 = self.narrow_32(c32)
        p16 = self.blend_16(self.narrow_16(c16) + self.upsample(p32))
        p8 = c8 + self.upsample(p16)  # (n, 32, h/8, w/8)
        levels = zip(self.norms, (p8, p16, p32), strict=True)
        return [self.cells(torch.relu(norm(self.shared(p)))) for norm, p in levels]


class YuNetLayout(nn.Module):
    """The exported form: twelve outputs, class and objectness as probabilities, one row per cell."""

    def __init__(self, network: FaceDetector) -> None:
        super().__init__()
        self.network = network

    def forward(self, pictures: Tensor) -> tuple[Tensor, ...]:
        """(n, 3, h, w) → cls ×3, obj ×3 (n, cells, 1), bbox ×3 (n, cells, 4), kps ×3 (n, cells, 10)."""
        grids = [grid.permute(0, 2, 3, 1).flatten(1, 2) for grid in self.network(pictures)]  # (n, cells, 16)
        parts = [grid.split(CHANNELS_PER_CELL, dim=2) for grid in grids]
        outputs = [[level[kind] for level in parts] for kind in range(len(CHANNELS_PER_CELL))]
        return (*map(torch.sigmoid, outputs[0] + outputs[1]), *outputs[2], *outputs[3])
