"""A loss on what a student and a teacher make of each place of a picture, stage by stage."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity


class Hints(nn.Module):
    """1 - cos of the student's channels, as a 1x1 convolution sees them, and the teacher's, at each place.

    FitNets (Romero et al., ICLR 2015) with the cosine in place of the squared distance, so that no stage
    outweighs another. The convolutions serve the training alone: no export has them.

    Args:
        student: Channels of each stage.
        teacher: Channels of each of its maps.
    """

    def __init__(self, student: Sequence[int], teacher: Sequence[int]) -> None:
        super().__init__()
        self.regressors = nn.ModuleList(
            nn.Conv2d(inputs, outputs, 1) for inputs, outputs in zip(student, teacher, strict=True)
        )

    def forward(self, student: Sequence[Tensor], teacher: Sequence[Tensor]) -> Tensor:
        """Maps (n, channels, side, side) of each stage → scalar: the mean over places, then over stages."""
        terms = [
            (1 - cosine_similarity(regress(own), wanted, dim=1)).mean()
            for regress, own, wanted in zip(self.regressors, student, teacher, strict=True)
        ]
        return torch.stack(terms).mean()
