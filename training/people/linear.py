"""The part of the decoder that needs no training: a linear variational autoencoder in closed form.

The identity code is the template's principal components at unit variance. A small picture is regressed on
it; the principal components of what remains are the capture code. That is probabilistic PCA, which a linear
variational autoencoder converges to (Tipping and Bishop 1999; Lucas et al. 2019, theorem 1).
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Codes:
    """Maps between templates or small pictures and their codes; all codes have unit variance.

    Attributes:
        mean: (dim,) of the templates.
        axes: (dim, identity) of the templates, times the deviation along each.
        picture: (pixels,) mean of the small pictures, -1..1.
        of_identity: (pixels, identity) how a small picture follows from the identity code.
        of_capture: (pixels, capture) and from the capture code.
        noise: Variance of what neither explains, in each pixel.
    """

    mean: Floats
    axes: Floats
    picture: Floats
    of_identity: Floats
    of_capture: Floats
    noise: float

    def identity_of(self, templates: Tensor) -> Tensor:
        """(n, dim) to (n, identity)."""
        axes = torch.from_numpy(self.axes)
        return (templates - torch.from_numpy(self.mean)) @ (axes / (axes**2).sum(0))

    def template_of(self, identity: Tensor) -> Tensor:
        """(n, identity) to (n, dim) of unit length: the template of the code's person."""
        templates = torch.from_numpy(self.mean) + identity @ torch.from_numpy(self.axes).T
        return torch.nn.functional.normalize(templates, dim=1)

    def capture_of(self, pictures: Tensor, identity: Tensor) -> Tensor:
        """(n, pixels) and (n, identity) to (n, capture): the mean of the posterior."""
        rest = pictures - torch.from_numpy(self.picture) - identity @ torch.from_numpy(self.of_identity).T
        axes = torch.from_numpy(self.of_capture)
        return rest @ (axes / ((axes**2).sum(0) + self.noise))

    def capture_deviation(self) -> Tensor:
        """(capture,) deviation of the posterior."""
        signal = (torch.from_numpy(self.of_capture) ** 2).sum(0)
        return (self.noise / (signal + self.noise)).sqrt()


def fit_codes(templates: Floats, pictures: Floats, identity: int, capture: int) -> Codes:
    """The codes of some faces.

    Args:
        templates: (n, dim) of unit length.
        pictures: (n, pixels) small pictures, -1..1.
        identity: Length of the identity code.
        capture: Length of the capture code.
    """
    mean = templates.mean(0)
    axes = principal_axes(templates - mean, identity)
    code = (templates - mean) @ (axes / (axes**2).sum(0))
    picture = pictures.mean(0)
    # Codes are uncorrelated and of unit variance: the regression is their covariance with the pixels.
    of_identity = (pictures - picture).T @ code / len(code)
    rest = pictures - picture - code @ of_identity.T
    of_capture = principal_axes(rest, capture)
    noise = float(((rest**2).sum() / len(rest) - (of_capture**2).sum()) / (rest.shape[1] - capture))
    return Codes(mean, axes, picture, of_identity, of_capture, noise)


def principal_axes(centred: Floats, count: int) -> Floats:
    """(d, count) principal axes, each as long as the deviation along it, the longest first."""
    values, vectors = np.linalg.eigh(centred.T @ centred / len(centred))
    axes = vectors[:, ::-1][:, :count] * np.sqrt(np.maximum(values[::-1][:count], 0))
    return np.ascontiguousarray(axes, np.float32)
