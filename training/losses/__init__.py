"""What a network is trained to make small."""

from training.losses.library import MINERS
from training.losses.registry import (
    LOSSES,
    Against,
    LossKind,
    build_loss,
    build_mined_loss,
    loss_kind,
)

__all__ = ["LOSSES", "MINERS", "Against", "LossKind", "build_loss", "build_mined_loss", "loss_kind"]
