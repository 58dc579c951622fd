"""The secret rotation of an installation's vectors (ISO/IEC 24745: renewability and unlinkability).

An orthogonal matrix keeps every distance: ‖Ra − Rb‖ = ‖a − b‖. So thresholds do not change, while the stored
vectors of two installations, or of one under two keys, are unrelated. It is not a one-way function: the
matrix, or enough distances, reveals the vectors.
"""

import hashlib
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Rotation = NDArray[np.float64]
"""(dim, dim), orthogonal."""

_WORD_BYTES = 8


@lru_cache(maxsize=16)
def draw_rotation(seed: bytes, dim: int) -> Rotation:
    """The orthogonal matrix of a seed, uniform over all of them (Haar).

    A product of Householder reflections (Stewart 1980; Mezzadri 2007) in elementary float64 operations on our
    own random stream: other machines and library versions give the same matrix to about 1e-14.

    Args:
        seed: Secret.
        dim: Dimension of the vectors, at least 1.
    """
    normal = _draw_normal_numbers(seed, dim * (dim + 1) // 2)
    matrix, signs, start = np.eye(dim), np.ones(dim), 0
    for n in range(dim):
        x = normal[start : start + dim - n].copy()
        start += dim - n
        signs[n] = 1.0 if x[0] >= 0 else -1.0
        x[0] += signs[n] * np.sqrt(np.sum(x * x))
        x *= np.sqrt(2.0 / np.sum(x * x))
        matrix[:, n:] -= np.outer(matrix[:, n:] @ x, x)
    matrix *= signs
    matrix.flags.writeable = False
    return matrix


def _draw_normal_numbers(seed: bytes, count: int) -> NDArray[np.float64]:
    """Standard normal numbers from SHAKE-256 (FIPS 202), by the Box-Muller transform."""
    pairs = (count + 1) // 2
    stream = hashlib.shake_256(b"invigil rotation" + seed).digest(2 * pairs * _WORD_BYTES)
    # 53 bits give a float64 above 0 and at most 1, whose logarithm is finite.
    uniform = ((np.frombuffer(stream, "<u8") >> np.uint64(11)).astype(np.float64) + 1.0) / 2.0**53
    radius, angle = np.sqrt(-2.0 * np.log(uniform[:pairs])), 2.0 * np.pi * uniform[pairs:]
    numbers: NDArray[np.float64] = np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])
    return numbers[:count]
