"""Maps of a decision by gradients of the trained network, to be tested beside those that need none.

The score is −d to the other face. All are of the face alone, without its mirror image; what serves judges
them. References: CAM (Zhou et al. 2016; the layer after the last maps is linear in its places, so what each
brings is known exactly), Grad-CAM (Selvaraju et al. 2017), Grad-CAM++ (Chattopadhay et al. 2018), Layer-CAM
(Jiang et al. 2021), saliency (Simonyan et al. 2014), guided backpropagation (Springenberg et al. 2015).
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from captum.attr import LayerGradCam, Saliency
from torch import Tensor
from torch.overrides import TorchFunctionMode

from embedding.embedder import Embedder
from embedding.explaining import CELLS, Map
from embedding.image import Pixels
from embedding.template import Vector
from training.embedder.export import build_served_network
from training.errors import CheckpointInvalid
from training.networks.embedder import BothSides, DenseTrunk, FaceEmbedder

Explain = Callable[[Pixels, Vector], Map]


def gradient_methods(checkpoint: Path, embedder: Embedder) -> dict[str, Explain]:
    """The methods by name, for a bundle made of a checkpoint whose trunk is a `DenseTrunk`.

    Raises:
        CheckpointInvalid: If the bundle was not made of it, or its trunk is another.
    """
    served = build_served_network(checkpoint, embedder)
    network = served.embedder if isinstance(served, BothSides) else served
    if not isinstance(network, FaceEmbedder) or not isinstance(network.trunk, DenseTrunk):
        raise CheckpointInvalid(checkpoint, "the bundle was not made of it, or has another trunk")
    maps = GradientMaps(network)
    return {
        "CAM": maps.cam,
        "Grad-CAM": maps.grad_cam,
        "Grad-CAM++": maps.grad_cam_plus,
        "Layer-CAM": maps.layer_cam,
        "saliency": maps.saliency,
        "guided backpropagation": maps.guided,
    }


class GradientMaps:
    """Each method gives a (7, 7) map of a (112, 112, 3) crop and the vector of the other face."""

    def __init__(self, network: FaceEmbedder) -> None:
        assert isinstance(network.trunk, DenseTrunk)
        self._network = network.requires_grad_(False).eval()
        self._trunk = network.trunk

    def cam(self, crop: Pixels, other: Vector) -> Map:
        """What each place of the last maps adds to the product with the other vector."""
        with torch.inference_mode():
            last = self._last_maps(crop)
            head = F.relu(self._trunk.head_norm(self._trunk.head(last)))  # (1, c, 7, 7)
            goal = torch.from_numpy(other) * _scale(self._trunk)
            weights = (goal @ self._trunk.project.weight).reshape(head.shape[1:])
            return _cells((head[0] * weights).sum(0))

    def grad_cam(self, crop: Pixels, other: Vector) -> Map:
        """The last maps, each by the mean of its gradients."""
        layer = LayerGradCam(self._score_of(other), self._trunk.stages[-1])
        return _cells(layer.attribute(_input(crop), relu_attributions=False)[0, 0])

    def grad_cam_plus(self, crop: Pixels, other: Vector) -> Map:
        """The last maps, each by a mean of its positive gradients that favours where they are strong."""
        maps, slopes = self._slopes(crop, other)
        square, cube = slopes**2, slopes**3
        below = 2 * square + maps.sum((1, 2), keepdim=True) * cube
        share = torch.where(below != 0, square / below, torch.zeros_like(below))
        weights = (share * F.relu(slopes)).sum((1, 2), keepdim=True)
        return _cells((weights * maps).sum(0))

    def layer_cam(self, crop: Pixels, other: Vector) -> Map:
        """The last maps, each place by its own positive gradient."""
        maps, slopes = self._slopes(crop, other)
        return _cells((F.relu(slopes) * maps).sum(0))

    def saliency(self, crop: Pixels, other: Vector) -> Map:
        """How much each pixel changes the score."""
        found = Saliency(self._score_of(other)).attribute(_input(crop), abs=True)
        return _cells(found[0].amax(2))

    def guided(self, crop: Pixels, other: Vector) -> Map:
        """The same, with nothing passed back that is negative."""
        face = _input(crop)
        with _Guided():
            score = self._score_of(other)(face)
        (slopes,) = torch.autograd.grad(score.sum(), face)
        return _cells(slopes[0].abs().amax(2))

    def _score_of(self, other: Vector) -> Callable[[Tensor], Tensor]:
        goal = torch.from_numpy(other)
        return lambda faces: -(self._network(faces) - goal).square().sum(1)

    def _last_maps(self, crop: Pixels) -> Tensor:
        return self._trunk.stage_maps(self._network.pixels(torch.from_numpy(crop[None])))[-1]

    def _slopes(self, crop: Pixels, other: Vector) -> tuple[Tensor, Tensor]:
        """The last maps, (c, 7, 7), and the score's gradients at them."""
        with torch.no_grad():
            last = self._last_maps(crop)
        last.requires_grad_(True)
        vector = F.normalize(self._trunk.join_places(last), dim=1)
        score = -(vector - torch.from_numpy(other)).square().sum()
        (slopes,) = torch.autograd.grad(score, last)
        return last[0].detach(), slopes[0]


def _scale(trunk: DenseTrunk) -> Tensor:
    """What the last normalisation multiplies each number of a vector by."""
    norm = trunk.project_norm
    assert norm.running_var is not None
    scale = torch.rsqrt(norm.running_var + norm.eps)
    return scale * norm.weight if norm.affine else scale


class _GuidedRelu(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        passed: Tensor = slopes[0].clamp(min=0) * (x > 0)
        return passed


class _Guided(TorchFunctionMode):
    """Every rectifier passes back what is positive alone; the trunk calls the function, not a module."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in (F.relu, torch.relu):
            return _GuidedRelu.apply(args[0])  # type: ignore[no-untyped-call]
        return func(*args, **(kwargs or {}))


def _input(crop: Pixels) -> Tensor:
    return torch.from_numpy(crop[None]).float().requires_grad_(True)


def _cells(values: Tensor) -> Map:
    """Any map in 7×7 cells."""
    cells = F.adaptive_avg_pool2d(values.detach()[None, None], CELLS)[0, 0]
    return np.asarray(cells.numpy(), np.float64)
