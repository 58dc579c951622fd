"""Five landmarks → an upright 112×112 crop, by a similarity transform."""

import cv2
import numpy as np
from numpy.typing import NDArray

from embedding.image import Pixels

ALIGNED_SIZE = 112

REFERENCE_LANDMARKS = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]],
    np.float64,
)
"""Where the landmarks lie in the crop (ArcFace, arXiv:1801.07698): right eye, left eye, nose, mouth corners.

The person's right eye is on the left of the picture."""


def align(image: Pixels, landmarks: NDArray[np.float32]) -> Pixels:
    """The face, upright and scaled to (112, 112, 3) uint8; black beyond the edge of the picture.

    Args:
        image: (H, W, 3) uint8.
        landmarks: (5, 2) in pixels of `image`, in the order of `REFERENCE_LANDMARKS`.
    """
    return warp(image, fit_similarity(landmarks, REFERENCE_LANDMARKS), ALIGNED_SIZE)


def crop_corners(landmarks: NDArray[np.float32]) -> NDArray[np.float64]:
    """Where the crop lies in its picture: (4, 2) in pixels, clockwise from the crop's top left.

    Args:
        landmarks: (5, 2) in pixels of the picture, as for `align`.
    """
    turn, shift = np.split(fit_similarity(landmarks, REFERENCE_LANDMARKS), [2], axis=1)
    edge = ALIGNED_SIZE - 0.5
    corners = np.array([[-0.5, -0.5], [edge, -0.5], [edge, edge], [-0.5, edge]])
    # A pixel's centre is its coordinate; a picture's edge lies half a pixel before it.
    return np.asarray(np.linalg.solve(turn, corners.T - shift).T + 0.5)


def warp(image: Pixels, transform: NDArray[np.float64], side: int) -> Pixels:
    """The part of a picture that a transform maps onto a (side, side, 3) square; black beyond the edge.

    Args:
        image: (H, W, 3) uint8.
        transform: (2, 3) from the picture's pixels to the square's: rotation, uniform scale and shift.
        side: Of the square, in pixels.
    """
    scale = float(np.hypot(transform[0, 0], transform[1, 0]))
    # Bilinear sampling reads only four pixels: a face that shrinks by more than a factor of two would alias.
    while scale < 0.5 and min(image.shape[:2]) >= 2:
        image, transform, scale = _halve(image, transform, scale)
    return np.asarray(cv2.warpAffine(image, transform, (side, side), flags=cv2.INTER_LINEAR), np.uint8)


def fit_similarity(source: NDArray[np.floating], target: NDArray[np.floating]) -> NDArray[np.float64]:
    """The (2, 3) rotation, uniform scale and shift with the least squared error from `source` to `target`.

    The closed form of Umeyama (1991), equations 40 to 43; in the plane the rotation needs no decomposition.
    Points that all coincide have no scale: the result then only shifts.

    Args:
        source: (n, 2) points.
        target: (n, 2) points, in the same order.
    """
    source, target = source.astype(np.float64), target.astype(np.float64)
    source_mean, target_mean = source.mean(0), target.mean(0)
    a, b = source - source_mean, target - target_mean
    spread = float((a * a).sum())
    if spread < 1e-12:
        return np.column_stack([np.eye(2), target_mean - source_mean])
    cosine = float((a * b).sum()) / spread
    sine = float((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum()) / spread
    turn = np.array([[cosine, -sine], [sine, cosine]])
    return np.column_stack([turn, target_mean - turn @ source_mean])


def _halve(
    image: Pixels, transform: NDArray[np.float64], scale: float
) -> tuple[Pixels, NDArray[np.float64], float]:
    """Averages 2×2 pixels; the transform follows (a pixel's centre is its coordinate)."""
    height, width = image.shape[0] // 2, image.shape[1] // 2
    smaller = cv2.resize(image[: 2 * height, : 2 * width], (width, height), interpolation=cv2.INTER_AREA)
    back = np.array([[2.0, 0.0, 0.5], [0.0, 2.0, 0.5], [0.0, 0.0, 1.0]])
    return np.asarray(smaller, np.uint8), transform @ back, scale * 2
