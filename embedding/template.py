"""A template, and the only measure of similarity: d(A, B)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from embedding.errors import ModelMismatch

Vector = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Template:
    """The vector of one face; comparable only with templates of the same model.

    Attributes:
        vector: (dim,) float32 of unit length.
        model_id: The bundle's id, `sha256:…`.
    """

    vector: Vector
    model_id: str


def distance(a: Template, b: Template) -> float:
    """d(A, B) = ‖a − b‖² between unit vectors: 0 ≤ d ≤ 4, smaller is nearer.

    Raises:
        ModelMismatch: If the templates come from different models.
    """
    if a.model_id != b.model_id:
        raise ModelMismatch(expected=a.model_id, actual=b.model_id)
    difference = a.vector.astype(np.float64) - b.vector.astype(np.float64)
    return min(4.0, float(difference @ difference))
