"""torchvision's classifiers as embedders, and attention in those of them that are ResNets."""

import warnings

import torch
import torchvision
from torch import nn
from torchvision.models import ResNet
from torchvision.models.resnet import Bottleneck

from index.errors import suggest_nearest
from training.errors import NetworkInvalid
from training.networks.cbam import CBAM
from training.networks.embedder import SIZE


def build_classifier(kind: str, dim: int, cbam_stages: int = 0) -> nn.Module:
    """A classifier of torchvision whose classes are the dimensions of the embedding.

    Args:
        kind: Its name there.
        dim: Length of the embedding.
        cbam_stages: How many of the last stages of a ResNet carry attention.

    Raises:
        NetworkInvalid: If the kind is unknown, it does not accept faces of our size, or it has no place for
            attention.
    """
    known = torchvision.models.list_models(module=torchvision.models)
    if kind not in known:
        nearest = suggest_nearest(kind, ["dense", "vit", *known])
        raise NetworkInvalid(f"There is no network {kind!r}; {nearest}")
    _require_faces_to_fit(kind, dim)
    network = _build_untrained(kind, dim)
    if cbam_stages and not isinstance(network, ResNet):
        raise NetworkInvalid(f"{kind} has no residual stages to carry attention")
    if isinstance(network, ResNet):
        add_cbam(network, cbam_stages)
    return network


def _build_untrained(kind: str, dim: int) -> nn.Module:
    with warnings.catch_warnings():
        # Of two networks that other weights than ours would be drawn in future.
        warnings.simplefilter("ignore", FutureWarning)
        network: nn.Module = torchvision.models.get_model(kind, weights=None, num_classes=dim)
    return network


def _require_faces_to_fit(kind: str, dim: int) -> None:
    """Refuse networks for other picture sizes or with more than one output vector; computes nothing.

    Raises:
        NetworkInvalid: In the network's own words.
    """
    try:
        with torch.device("meta"):
            vectors = _build_untrained(kind, dim).train()(torch.empty(2, 3, SIZE, SIZE))
    except Exception as error:
        # Whatever a network of others raises: assertions, runtime errors, type errors.
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise NetworkInvalid(f"{kind} takes no faces of {SIZE}×{SIZE} pixels: {reason}") from error
    if not isinstance(vectors, torch.Tensor) or vectors.shape != (2, dim):
        raise NetworkInvalid(f"{kind} gives something else than one vector for each face")


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
