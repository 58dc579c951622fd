"""Whether a face moved as a head does, or as a picture of one: from a few frames of one camera.

Two views of a plane differ by a homography; what has depth differs by a parallax beside it (Hartley and
Zisserman, "Multiple View Geometry", section 13.3). The dense flow of a face between two frames (DIS; Kroeger
and others 2016, arXiv:1603.03590) is fitted by the best homography, and again by one with the parallax of a
head. What surrounds the face is looked at by the same homography: a print moves with what is printed around
the face, a head moves before a room.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import isnan, nan

import cv2
import numpy as np
from numpy.typing import NDArray

from embedding.detector import Face
from embedding.image import ImageLimits, Pixels

MOST_SIDE = 320
"""Pixels of a frame's longer side: as much as the page sends."""

FEWEST_FRAMES, MOST_FRAMES = 2, 8

FRAME_LIMITS = ImageLimits(max_bytes=128 * 1024, max_pixels=MOST_SIDE * MOST_SIDE)

# Chosen on the scenes of the first generator of `python -m benchmarks motion`. Motion in widths of the face.
LEAST_MOTION, MOST_MOTION = 0.03, 0.35
HEAD_DEPTH, PLANE_DEPTH = 0.35, 0.25
APART, TOGETHER = 0.45, 0.3
CAMERA_STILL = 0.45

_STEP = 2
_FEWEST_PLACES = 30

# Least texture, as a share of the median on the face; a wall has less, and what it does not show is no place.
_ON_FACE, _AROUND = 0.6, 0.2

Points = NDArray[np.float32]
Grey = NDArray[np.uint8]


class Motion(StrEnum):
    """What frames tell about a face."""

    LIVE = "live"
    FLAT = "flat"
    NOT_TOLD = "not_told"


@dataclass(frozen=True)
class Movement:
    """How a face moved between two frames; what could not be measured is NaN.

    Attributes:
        motion: Of the face, in its widths.
        depth: Share of what the best homography leaves over that the parallax of a head explains, 0 to 1.
        near: By how much the surroundings miss the face's homography, as a share of the motion.
        far: The same of the rest of the picture: near 0 the camera moved, and nothing before it.
    """

    motion: float = nan
    depth: float = nan
    near: float = nan
    far: float = nan

    @property
    def tells(self) -> Motion:
        """What that says; a face that hardly moved, or moved with the whole picture, says nothing."""
        if not LEAST_MOTION <= self.motion <= MOST_MOTION or isnan(self.depth) or isnan(self.near):
            return Motion.NOT_TOLD
        if self.depth >= HEAD_DEPTH and self.near >= APART:
            return Motion.LIVE
        is_plane = self.depth <= PLANE_DEPTH and self.near <= TOGETHER
        return Motion.FLAT if is_plane and self.far >= CAMERA_STILL else Motion.NOT_TOLD


def measure_movement(frames: Sequence[Pixels], detect: Callable[[Pixels], Sequence[Face]]) -> Movement:
    """How the widest face moved from the middle frame to the one where it is farthest from there.

    Args:
        frames: (H, W, 3) uint8 RGB, all of one size, in the order in which they were taken.
        detect: Finds the faces of one of them.
    """
    middle = len(frames) // 2
    faces = detect(frames[middle])
    if not faces:
        return Movement()
    face = max(faces, key=lambda one: one.width)
    grey: list[Grey] = [np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), np.uint8) for frame in frames]
    places = _choose_places(grey[middle], face)
    if len(places.face) < _FEWEST_PLACES:
        return Movement()
    farthest = _find_farthest(grey, middle, places.face, face.width)
    if farthest is None:
        return Movement(motion=0.0)
    return _measure(grey[middle], grey[farthest], places, face)


@dataclass(frozen=True)
class _Places:
    """Points with enough texture to be followed: on the face, next to it, and in the rest of the picture."""

    face: Points
    near: Points
    far: Points


def _choose_places(grey: Grey, face: Face) -> _Places:
    height, width = grey.shape
    y, x = np.mgrid[4 : height - 4 : _STEP, 4 : width - 4 : _STEP]
    points = np.stack([x.ravel(), y.ravel()], axis=1).astype(np.float32)
    texture = cv2.cornerMinEigenVal(cv2.GaussianBlur(grey, (0, 0), 1.0), 7)[y.ravel(), x.ravel()]
    middle, half = face.box[:2] + face.box[2:] / 2, face.box[2:] / 2
    away = np.hypot(*((points - middle) / half).T)
    on_face = away < 1
    if not on_face.any():
        return _Places(points[:0], points[:0], points[:0])
    clear = texture / max(float(np.median(texture[on_face])), 1e-12)
    return _Places(
        face=points[on_face & (clear > _ON_FACE)],
        near=points[(away > 1.3) & (away < 2.0) & (clear > _AROUND)],
        far=points[(away > 2.2) & (clear > _AROUND)],
    )


def _find_farthest(grey: Sequence[Grey], middle: int, on_face: Points, width: float) -> int | None:
    """The frame in which the face has moved most; None where there is none that can still be followed."""
    quick = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
    moved = {
        at: _length(_look_up(_calculate(quick, grey[middle], other), on_face)) / width
        for at, other in enumerate(grey)
        if at != middle
    }
    followed = {at: motion for at, motion in moved.items() if motion <= MOST_MOTION}
    return max(followed, key=lambda at: followed[at]) if followed else None


def _measure(here: Grey, there: Grey, places: _Places, face: Face) -> Movement:
    flow, back = _compute_flow(here, there), _compute_flow(there, here)
    followed = _follow(flow, back, places.face)
    if followed is None:
        return Movement()
    points, moves = followed
    homography = _fit_homography(points, points + moves)
    if homography is None:
        return Movement()
    motion = _length(moves)

    def missed(where: Points) -> float:
        found = _follow(flow, back, where)
        if found is None:
            return nan
        expected = cv2.perspectiveTransform(found[0][None], homography)[0] - found[0]
        return float(np.median(np.linalg.norm(expected - found[1], axis=1))) / max(motion, 1e-6)

    depth = _measure_depth(points, moves, face)
    return Movement(motion / face.width, depth, missed(places.near), missed(places.far))


def _compute_flow(here: Grey, there: Grey) -> NDArray[np.float32]:
    """(H, W, 2) where each pixel went: at full size, for the parallax of a face is a pixel or less."""
    # Made each time: it keeps buffers, and is not documented as thread-safe.
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    flow.setFinestScale(0)
    return _calculate(flow, here, there)


def _calculate(flow: cv2.DISOpticalFlow, here: Grey, there: Grey) -> NDArray[np.float32]:
    return np.asarray(flow.calc(here, there, np.zeros((*here.shape, 2), np.float32)), np.float32)


def _follow(
    flow: NDArray[np.float32], back: NDArray[np.float32], points: Points
) -> tuple[Points, Points] | None:
    """Those points that come back to where they were, and their moves; None of too few."""
    if len(points) < _FEWEST_PLACES:
        return None
    moves = _look_up(flow, points)
    missed = np.linalg.norm(moves + _look_up(back, points + moves), axis=1)
    kept = missed < 0.5 + 0.05 * np.linalg.norm(moves, axis=1)
    return (points[kept], moves[kept]) if kept.sum() >= _FEWEST_PLACES else None


def _fit_homography(here: Points, there: Points) -> NDArray[np.float64] | None:
    """The best homography, and once more without what misses it by far."""
    found, _ = cv2.findHomography(here, there, 0)
    if found is None:
        return None
    missed = np.linalg.norm(cv2.perspectiveTransform(here[None], found)[0] - there, axis=1)
    kept = missed <= 4 * np.median(missed)
    again, _ = cv2.findHomography(here[kept], there[kept], 0)
    return np.asarray(found if again is None else again, np.float64)


def _measure_depth(points: Points, moves: Points, face: Face) -> float:
    """Share of what a homography's flow leaves over that a head's parallax explains.

    Both are linear in their unknowns for small motion: eight of the homography, two of the parallax.
    """
    middle = face.box[:2] + face.box[2:] / 2
    x, y = ((points - middle) / face.width).T
    u, v = moves.T
    one, none = np.ones_like(x), np.zeros_like(x)
    relief = _relief(x, y)
    of_plane = np.block(
        [
            [np.stack([x, y, one, none, none, none, x * x, x * y], axis=1)],
            [np.stack([none, none, none, x, y, one, x * y, y * y], axis=1)],
        ]
    )
    of_head = np.block([[relief[:, None], none[:, None]], [none[:, None], relief[:, None]]])
    left = _left_over(of_plane, np.concatenate([u, v]))
    return 1 - _left_over(np.hstack([of_plane, of_head]), np.concatenate([u, v])) / max(left, 1e-12)


def _relief(x: NDArray[np.float32], y: NDArray[np.float32]) -> NDArray[np.float32]:
    """How far a place of any face lies before its rim, in widths of the face: an ellipsoid and a nose."""
    round_ = np.sqrt(np.clip(1 - (x**2 + (y / 1.3) ** 2) / 0.75**2, 0, 1))
    nose = np.exp(-((x / 0.12) ** 2) - ((y - 0.07) / 0.18) ** 2)
    return np.asarray(0.4 * round_ + 0.13 * nose, np.float32)


def _left_over(columns: NDArray[np.float32], values: NDArray[np.float32]) -> float:
    found = np.linalg.lstsq(columns, values, rcond=None)[0]
    return float(np.square(values - columns @ found).sum())


def _look_up(field: NDArray[np.float32], points: Points) -> Points:
    x, y = points[:, 0].copy(), points[:, 1].copy()
    return np.asarray(cv2.remap(field, x, y, cv2.INTER_LINEAR).reshape(-1, 2), np.float32)


def _length(moves: Points) -> float:
    return float(np.sqrt(np.square(moves).sum(axis=1).mean()))
