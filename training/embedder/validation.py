"""How good a network is on people it was not trained on, while it trains."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from training.data.faces import FaceSet, Rows
from training.evaluation.comparisons import compare_all
from training.evaluation.error_rates import operating_point, smallest_supported_fmr

TARGET_FMRS = (1e-1, 1e-2, 1e-3, 1e-4)
JUDGED_AT = 1e-3
BATCH = 64


@torch.inference_mode()
def embed_faces(network: nn.Module, faces: FaceSet, rows: Rows, device: torch.device) -> NDArray[np.float32]:
    """(k, dim) unit vectors of some faces as they are."""
    network.eval()
    parts = [
        network(torch.from_numpy(faces.crops(rows[start : start + BATCH])).to(device)).cpu().numpy()
        for start in range(0, len(rows), BATCH)
    ]
    return np.concatenate(parts)


def measure_fnmr(
    network: nn.Module, faces: FaceSet, identities: tuple[str, ...], device: torch.device
) -> dict[float, float]:
    """FNMR over all comparisons of some identities, at each target FMR that their number supports."""
    wanted = set(identities)
    rows = np.flatnonzero([identity in wanted for identity in faces.identities])
    _, numbers = np.unique([faces.identities[row] for row in rows], return_inverse=True)
    vectors = embed_faces(network, faces, rows, device)
    curve = compare_all(vectors, numbers.astype(np.int64)).curve()
    supported = [fmr for fmr in TARGET_FMRS if fmr >= smallest_supported_fmr(curve.non_mated)]
    return {fmr: operating_point(curve, fmr).fnmr for fmr in supported}


def choose_headline_fnmr(fnmr: dict[float, float]) -> float:
    """The one number that says which of two networks is better: FNMR at FMR 1e-3, or near it."""
    return fnmr[min(fmr for fmr in fnmr if fmr >= JUDGED_AT)]


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
