"""The network that a training begins with: fresh, a former one, or a former one made wider."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from training.embedder.recipe import Recipe
from training.engine.run import load_checkpoint, load_weights
from training.errors import CheckpointInvalid
from training.networks.backbones import build_network
from training.networks.embedder import FaceEmbedder


def build_starting_network(recipe: Recipe) -> FaceEmbedder:
    """What the recipe starts from, in a network of the recipe's shape.

    Raises:
        CheckpointInvalid: If the checkpoint is of another network; says the first difference.
    """
    torch.manual_seed(recipe.seed)
    network = build_network(recipe.network)
    if recipe.start_from:
        path = Path(recipe.start_from)
        weights = load_checkpoint(path)["ema"]
        load_weights(
            network, widen_weights(network.state_dict(), weights, path) if recipe.widen else weights, path
        )
    return network


def widen_weights(fresh: Mapping[str, Tensor], narrow: Mapping[str, Tensor], path: Path) -> dict[str, Tensor]:
    """Weights of a wide network that computes what a narrow one does, until it is trained.

    The narrow network's channels come first. New channels start with fresh weights, and what reads them
    starts at zero where it feeds an old channel, so that they can learn without disturbing what is known. It
    is the widening of Net2Net (Chen et al. 2016) with zeros in place of copies, which would stay alike.

    Args:
        fresh: Of the wide network, initialised.
        narrow: Of the narrow one, with the same names.
        path: The narrow network's checkpoint, for the error.

    Raises:
        CheckpointInvalid: If a tensor is missing, or wider in the narrow network; says which.
    """
    wide = {}
    for name, value in fresh.items():
        known = narrow.get(name)
        if known is None or known.ndim != value.ndim or any(map(int.__gt__, known.shape, value.shape)):
            raise CheckpointInvalid(path, f"it cannot be widened to this network: {name} does not fit")
        wide[name] = value.clone()
        if value.ndim > 1:
            wide[name][: len(known)] = 0  # (outputs, inputs, ...): old outputs do not read new inputs yet
        wide[name][tuple(map(slice, known.shape))] = known
    return wide
