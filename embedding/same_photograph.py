"""Whether two pictures are one photograph, cropped, compressed or printed since, and not two of a person.

A photograph of a photograph is the first one seen as a plane: a homography maps the places of one onto those
of the other (Hartley and Zisserman, "Multiple View Geometry", section 13.1). Two photographs of one person
agree about the face, but not about each lash, light and grain: few places fit one homography. The places are
those of SIFT (Lowe 2004, doi:10.1023/B:VISI.0000029664.99615.94), matched by his ratio test.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from embedding.image import Pixels

SIDE = 224
"""Pixels of the longer side at which pictures are compared: details of an aligned crop are then found."""

MOST_PLACES = 400
"""Places of a picture, the strongest first; it bounds the time of a comparison."""

CONTRAST = 0.03
"""Below the usual 0.04 of SIFT: skin has little contrast."""

NEXT_BEST = 0.8
"""A place matches if the next best one is farther than this (Lowe 2004, section 7.1)."""

REPROJECTION = 4.0
"""Pixels by which a place may miss the homography."""

MINIMAL_SHARE = 0.6
"""Share of the places that fit one homography, chosen by `python -m benchmarks.same_photograph`."""

MINIMAL_PLACES = 20
"""Fewer that fit say nothing: a blurred or plain picture agrees with another by chance."""

_ITERATIONS, _CONFIDENCE = 500, 0.99

# A descriptor has 4 rows, 4 columns and 8 directions, relative to the direction of its place. Seen in a
# mirror the rows change their order and the directions their sign.
_MIRRORED = np.arange(128).reshape(4, 4, 8)[::-1, :, -np.arange(8) % 8].reshape(-1)


@dataclass(frozen=True)
class Places:
    """What is found again in another picture: (n, 2) points in pixels and (n, 128) descriptors.

    Attributes:
        width: Of the picture in which they lie.
    """

    points: NDArray[np.float32]
    descriptors: NDArray[np.float32]
    width: int

    def mirrored(self) -> "Places":
        """The places of the mirrored picture."""
        points = self.points * np.array([-1, 1], np.float32)
        points += np.array([self.width - 1, 0], np.float32)
        return Places(points, self.descriptors[:, _MIRRORED], self.width)


@dataclass(frozen=True)
class Agreement:
    """How far two pictures agree as one plane seen twice.

    Attributes:
        places: How many places fit the best homography.
        share: Of all places of the picture that has fewer of them, from 0 to 1.
    """

    places: int
    share: float

    @property
    def is_same_photograph(self) -> bool:
        """Whether so much agrees only between copies of one photograph."""
        return self.places >= MINIMAL_PLACES and self.share >= MINIMAL_SHARE


def find_places(picture: Pixels) -> Places:
    """The places of a picture, (H, W, 3) uint8 RGB; none in a plain one."""
    height, width = picture.shape[:2]
    scale = SIDE / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    smooth = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    grey = cv2.cvtColor(cv2.resize(picture, size, interpolation=smooth), cv2.COLOR_RGB2GRAY)
    # Not shared: a detector is not documented as thread-safe, and making one takes microseconds.
    detector = cv2.SIFT.create(nfeatures=MOST_PLACES, contrastThreshold=CONTRAST)
    found, descriptors = detector.detectAndCompute(grey, None)
    if not found:
        return Places(np.empty((0, 2), np.float32), np.empty((0, 128), np.float32), size[0])
    # OpenCV keeps all that are as strong as the last one: of a pattern, any number.
    points = np.array([one.pt for one in found[:MOST_PLACES]], np.float32)
    return Places(points, np.asarray(descriptors[:MOST_PLACES], np.float32), size[0])


def measure_agreement(a: Places, b: Places) -> Agreement:
    """How far two pictures agree, as they are or with one of them mirrored, whichever is more."""
    plain = _measure(a, b)
    return (
        plain
        if plain.is_same_photograph
        else max(plain, _measure(a, b.mirrored()), key=lambda one: one.share)
    )


def is_among(picture: Pixels, others: Iterable[Pixels]) -> bool:
    """Whether a picture is the same photograph as one of these."""
    places: Places | None = None
    for other in others:
        places = places or find_places(picture)
        if measure_agreement(places, find_places(other)).is_same_photograph:
            return True
    return False


def _measure(a: Places, b: Places) -> Agreement:
    fewer = min(len(a.points), len(b.points))
    pairs = _match(a, b) if fewer >= MINIMAL_PLACES else []
    if len(pairs) < MINIMAL_PLACES:
        return Agreement(len(pairs), 0.0)
    of_a, of_b = np.array(pairs).T
    _, fits = cv2.findHomography(
        a.points[of_a],
        b.points[of_b],
        cv2.RANSAC,
        REPROJECTION,
        maxIters=_ITERATIONS,
        confidence=_CONFIDENCE,
    )
    places = 0 if fits is None else len({*of_b[fits.ravel() > 0].tolist()})
    return Agreement(places, places / fewer)


def _match(a: Places, b: Places) -> list[tuple[int, int]]:
    """Indices of places in both, by the ratio test."""
    found = cv2.BFMatcher(cv2.NORM_L2).knnMatch(a.descriptors, b.descriptors, k=2)
    return [
        (best.queryIdx, best.trainIdx)
        for best, next_best in found
        if best.distance < NEXT_BEST * next_best.distance
    ]
