"""The decoder of made-up faces, and the critic that makes it sharp.

The decoder adds two pictures: a linear one of 28 x 28, whose weights are known in closed form before any
training (`training.people.linear`), and what convolutions learn to add at 112 x 112. Both codes also scale
and shift every layer (FiLM, Perez et al. 2018): one picture in 7 x 7 corners holds too little of a face.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

BASE_SIZE = 28
FIRST_SIZE = 7


class Modulated(nn.Module):
    """A 3x3 convolution whose output the codes scale and shift."""

    def __init__(self, inputs: int, outputs: int, code: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.film = nn.Linear(code, 2 * outputs)
        nn.init.kaiming_normal_(self.convolution.weight, a=0.2)
        nn.init.normal_(self.film.weight, std=0.02)
        nn.init.zeros_(self.film.bias)

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        """(n, inputs, h, w) and (n, code) to (n, outputs, h, w)."""
        scale, shift = self.film(code)[:, :, None, None].chunk(2, dim=1)
        return F.leaky_relu(unit_pixels(self.convolution(x)) * (1 + scale) + shift, 0.2)


class FaceDecoder(nn.Module):
    """Codes in, a face out.

    Args:
        identity: Length of the identity code.
        capture: Length of the capture code.
        widths: Channels at 7, 14, 28 and 56 pixels a side.
    """

    def __init__(self, identity: int, capture: int, widths: Sequence[int] = (96, 96, 64, 32)) -> None:
        super().__init__()
        code = identity + capture
        self.base = nn.Linear(code, 3 * BASE_SIZE**2)
        self.first = nn.Linear(code, widths[0] * FIRST_SIZE**2)
        self.at_7 = Modulated(widths[0], widths[1], code)
        self.at_14 = nn.ModuleList([Modulated(widths[1], widths[1], code) for _ in range(2)])
        self.into_28 = Modulated(widths[1] + 3, widths[2], code)
        self.at_28 = Modulated(widths[2], widths[2], code)
        self.at_56 = nn.ModuleList(
            [Modulated(widths[2], widths[3], code), Modulated(widths[3], widths[3], code)]
        )
        self.last = nn.Conv2d(widths[3], 12, 3, padding=1)
        # At the start the picture is the linear one.
        nn.init.zeros_(self.last.weight)
        assert self.last.bias is not None
        nn.init.zeros_(self.last.bias)

    def forward(self, identity: Tensor, capture: Tensor) -> Tensor:
        """(n, identity) and (n, capture) to (n, 3, 112, 112), RGB, about -1..1."""
        code = torch.cat([identity, capture], dim=1)
        base = self.base(code).reshape(-1, 3, BASE_SIZE, BASE_SIZE)
        x = F.leaky_relu(self.first(code), 0.2).reshape(
            -1, self.at_7.convolution.in_channels, FIRST_SIZE, FIRST_SIZE
        )
        x = enlarge(self.at_7(x.contiguous(memory_format=torch.channels_last), code))
        for layer in self.at_14:
            x = layer(x, code)  # (n, widths[1], 14, 14)
        x = self.into_28(torch.cat([enlarge(x), base.to(x.dtype)], dim=1), code)
        x = enlarge(self.at_28(x, code))  # (n, widths[2], 56, 56)
        for layer in self.at_56:
            x = layer(x, code)
        detail = F.pixel_shuffle(self.last(x), 2)  # (n, 3, 112, 112)
        return F.interpolate(base, scale_factor=4.0, mode="bilinear") + detail.float()


def unit_pixels(x: Tensor) -> Tensor:
    """Scale each pixel's channels to a mean square of 1, for stability (Karras et al. 2018, section 4.2)."""
    return x * torch.rsqrt(x.square().mean(1, keepdim=True) + 1e-6)


def enlarge(x: Tensor) -> Tensor:
    """Twice the side, each pixel four times."""
    return F.interpolate(x, scale_factor=2.0, mode="nearest")


class PatchCritic(nn.Module):
    """A small critic: whether each 46-pixel patch is from a photograph (Isola et al. 2017)."""

    def __init__(self, widths: Sequence[int] = (32, 64, 128)) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inputs = 3
        for width in widths:
            layers += [nn.utils.spectral_norm(nn.Conv2d(inputs, width, 4, 2, 1)), nn.LeakyReLU(0.2)]
            inputs = width
        self.layers = nn.Sequential(*layers, nn.utils.spectral_norm(nn.Conv2d(inputs, 1, 3, padding=1)))

    def forward(self, faces: Tensor) -> Tensor:
        """(n, 3, 112, 112) to (n, 1, 14, 14); positive: a photograph."""
        verdicts: Tensor = self.layers(faces)
        return verdicts
