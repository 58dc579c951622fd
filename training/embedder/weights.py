"""The embedding network of a checkpoint, and how a checkpoint describes it."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from training.engine.run import load_checkpoint, load_weights
from training.errors import CheckpointInvalid
from training.networks.backbones import NetworkConfig, build_network
from training.networks.embedder import FaceEmbedder


def network_config(checkpoint: Mapping[str, Any], path: Path) -> NetworkConfig:
    """The network that the checkpoint at `path` holds.

    Raises:
        CheckpointInvalid: If it is one of something else.
    """
    if "network" not in checkpoint:
        raise CheckpointInvalid(path, "it is no checkpoint of an embedding network")
    stored: dict[str, Any] = checkpoint["network"]
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in stored.items()}
    return NetworkConfig(**values)


def load_network(path: Path) -> FaceEmbedder:
    """The network of a checkpoint with its averaged weights, ready to embed.

    Raises:
        CheckpointInvalid: If it is no checkpoint, or its weights are not of the network it names.
    """
    checkpoint = load_checkpoint(path)
    network = build_network(network_config(checkpoint, path))
    load_weights(network, checkpoint["ema"], path)
    return network.eval()


def describe_network(config: NetworkConfig) -> dict[str, Any]:
    """A network's description as plain values, for a checkpoint or a record."""
    return {key: list(v) if isinstance(v, tuple) else v for key, v in asdict(config).items()}
