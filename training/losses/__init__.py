"""What a network is trained to make small."""

from training.losses.registry import LOSSES, Against, LossKind, build_loss, loss_kind

__all__ = ["LOSSES", "Against", "LossKind", "build_loss", "loss_kind"]
