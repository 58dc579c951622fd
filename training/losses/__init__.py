"""The losses that training minimises."""

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
