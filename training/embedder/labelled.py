"""The labelled faces of a training, as its network sees them at one moment."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from training.data.faces import FaceSet, Rows
from training.embedder.validation import embed_faces


@dataclass(frozen=True)
class Labelled:
    """Faces that are trained on and whose identity is known.

    Attributes:
        faces: All of the data.
        rows: (n,) which of them.
        labels: (n,) class of each, 0 … c - 1, each of which occurs.
        device: Where a network is asked.
    """

    faces: FaceSet
    rows: Rows
    labels: Rows
    device: torch.device

    def vectors(self, network: nn.Module) -> NDArray[np.float32]:
        """(n, dim) unit vectors of the faces as they are."""
        return embed_faces(network, self.faces, self.rows, self.device)
