"""The embedding networks by their names in recipes, and their description in a checkpoint."""

import warnings
from dataclasses import dataclass

import torch
import torchvision
from torch import nn
from torchvision.models import ResNet

from index.errors import suggest_nearest
from training.errors import NetworkInvalid
from training.networks.cbam import add_cbam
from training.networks.embedder import DenseTrunk, FaceEmbedder
from training.networks.vit import VisionTransformer

SIZE = 112
"""Side of a face in pixels."""


@dataclass(frozen=True)
class NetworkConfig:
    """Everything needed to rebuild a network; every checkpoint has one.

    Attributes:
        kind: `dense`, `vit`, or the name of a torchvision classifier.
        widths: Channels of each stage of `dense`; of `vit` the width of a token.
        depths: Blocks of each stage; of `vit` all its blocks.
        dim: Length of the embedding.
        head_channels: Of `dense`.
        cbam_stages: How many of the last stages of `dense` or of a torchvision ResNet carry attention.
    """

    kind: str = "dense"
    widths: tuple[int, ...] = (64, 128, 256)
    depths: tuple[int, ...] = (2, 3, 2)
    dim: int = 128
    head_channels: int = 64
    cbam_stages: int = 0


def build_network(config: NetworkConfig) -> FaceEmbedder:
    """The network, untrained.

    Raises:
        NetworkInvalid: If the kind is unknown, it does not accept faces of our size, or it has no place for
            attention.
    """
    if config.kind == "dense":
        shape = (config.widths, config.depths, config.dim, config.head_channels, config.cbam_stages)
        return FaceEmbedder(DenseTrunk(*shape))
    if config.kind == "vit":
        return FaceEmbedder(VisionTransformer(config.widths[0], config.depths[0], config.dim))
    return FaceEmbedder(_build_torchvision(config))


def _build_torchvision(config: NetworkConfig) -> nn.Module:
    """A classifier of torchvision whose classes are the dimensions of the embedding."""
    known = torchvision.models.list_models(module=torchvision.models)
    if config.kind not in known:
        nearest = suggest_nearest(config.kind, ["dense", "vit", *known])
        raise NetworkInvalid(f"There is no network {config.kind!r}; {nearest}")
    _require_faces_to_fit(config)
    network = _build_untrained(config)
    if config.cbam_stages and not isinstance(network, ResNet):
        raise NetworkInvalid(f"{config.kind} has no residual stages to carry attention")
    if isinstance(network, ResNet):
        add_cbam(network, config.cbam_stages)
    return network


def _build_untrained(config: NetworkConfig) -> nn.Module:
    with warnings.catch_warnings():
        # Of two networks that other weights than ours would be drawn in future.
        warnings.simplefilter("ignore", FutureWarning)
        network: nn.Module = torchvision.models.get_model(config.kind, weights=None, num_classes=config.dim)
    return network


def _require_faces_to_fit(config: NetworkConfig) -> None:
    """Refuse networks for other picture sizes or with more than one output vector; computes nothing.

    Raises:
        NetworkInvalid: In the network's own words.
    """
    try:
        with torch.device("meta"):
            vectors = _build_untrained(config).train()(torch.empty(2, 3, SIZE, SIZE))
    except Exception as error:
        # Whatever a network of others raises: assertions, runtime errors, type errors.
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise NetworkInvalid(f"{config.kind} takes no faces of {SIZE}×{SIZE} pixels: {reason}") from error
    if not isinstance(vectors, torch.Tensor) or vectors.shape != (2, config.dim):
        raise NetworkInvalid(f"{config.kind} gives something else than one vector for each face")
