"""Score-CAM on a bundle: which places its last layer looks at, each of its maps weighed by what it is worth.

Wang et al., "Score-CAM: Score-Weighted Visual Explanations for Convolutional Neural Networks", CVPR Workshops
2020. It needs no gradients, so it runs on the network that serves. The score is -d to the other face.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from embedding.align import ALIGNED_SIZE
from embedding.bundle import Bundle
from embedding.errors import BundleInvalid
from embedding.explaining import CELLS, Embed, Map, distances
from embedding.image import Pixels
from embedding.layers import compile_activations
from embedding.networks import NetworkRefused
from embedding.template import Vector

Activations = NDArray[np.float32]
"""(k, h, w): what each of k channels of a layer answers at each place."""


class ScoreCam:
    """Score-CAM of one bundle's embedder. Thread-safe."""

    def __init__(self, bundle: Bundle, embed: Embed, threads: int = 1) -> None:
        """Compile the network once more, up to its last layer that still has places.

        Raises:
            BundleInvalid: If no layer of it has places: it has no convolution.
        """
        record = bundle.manifest.embedder
        try:
            self._network = compile_activations(bundle.read(record), record, threads)
        except NetworkRefused as error:
            raise BundleInvalid(bundle.path, str(error)) from error
        self._embed = embed

    def __call__(self, crop: Pixels, other: Vector) -> Map:
        """The (7, 7) map of a face: above 0 what made it near to the other; in one batch of k crops."""
        # The first view is the face itself, the second one its mirror image.
        maps: Activations = self._network(crop[None])[0][0]
        return weigh_maps(maps, distances(self._embed(reveal(crop, maps)), other))


def reveal(crop: Pixels, maps: Activations) -> NDArray[np.uint8]:
    """The crop once for each map, shown where the map is large and in its mean colour where it is small."""
    mean = crop.mean((0, 1))
    shown = np.empty((len(maps), *crop.shape), np.uint8)
    for place, one in enumerate(maps):
        low, high = float(one.min()), float(one.max())
        scaled = (one - low) / (high - low) if high > low else np.zeros_like(one)
        mask = cv2.resize(scaled, (ALIGNED_SIZE, ALIGNED_SIZE), interpolation=cv2.INTER_LINEAR)[..., None]
        shown[place] = (crop * mask + mean * (1 - mask)).round()
    return shown


def weigh_maps(maps: Activations, d: NDArray[np.float64]) -> Map:
    """The sum of maps, each by the softmax of its score -d (equations 6 and 7 there), in 7×7 cells.

    The rectifier at the end of equation 7 is left out: it would only make places equal.
    """
    weights = np.exp(d.min() - d)
    cells = np.tensordot(weights / weights.sum(), maps.astype(np.float64), 1)
    return np.asarray(cv2.resize(cells, (CELLS, CELLS), interpolation=cv2.INTER_AREA), np.float64)
