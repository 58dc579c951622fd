"""The embedding networks by their names in recipes, and their description in a checkpoint."""

from dataclasses import dataclass

from training.networks.embedder import DenseTrunk, FaceEmbedder
from training.networks.vit import VisionTransformer


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
    # Loaded where it is wanted alone: torchvision brings the compiler of torch, which takes seconds.
    from training.networks.classifiers import build_classifier

    return FaceEmbedder(build_classifier(config.kind, config.dim, config.cbam_stages))
