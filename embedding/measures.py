"""Measure one face: size, light, sharpness, pose.

These are cheap stand-ins for the quality components of ISO/IEC 29794-5:2025, computed from five landmarks and
the aligned crop; we do not claim conformance.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from embedding.align import ALIGNED_SIZE, REFERENCE_LANDMARKS, fit_similarity
from embedding.detector import Face
from embedding.image import Pixels
from embedding.quality import Measures


def measure(face: Face, crop: Pixels, picture_size: tuple[int, int]) -> Measures:
    """All measures of a face.

    Args:
        face: As detected.
        crop: (112, 112, 3) uint8, aligned.
        picture_size: Height and width of the picture in pixels; the box may extend beyond it.
    """
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).astype(np.float32)
    skin = grey[FACE_AREA]
    yaw, pitch, roll = estimate_head_pose(face.landmarks)
    contrasts = _feature_contrasts(grey, skin)
    return Measures(
        inter_eye_distance=float(np.linalg.norm(face.landmarks[0] - face.landmarks[1])),
        sharpness=_sharpness(grey),
        luminance_mean=float(skin.mean() / 255),
        under_exposure=float((skin <= 25).mean()),
        over_exposure=float((skin >= 247).mean()),
        dynamic_range=_entropy(skin),
        head_pose_yaw=yaw,
        head_pose_pitch=pitch,
        head_pose_roll=roll,
        face_inside=_share_inside(face, picture_size),
        feature_contrast=contrasts[0],
        uprightness=face.uprightness,
        flattest_feature=contrasts[0] / max(contrasts[1], 1e-6),
        ill_lit_half=_ill_lit_half(grey),
    )


# Distance of the tip of the nose from the plane of eyes and mouth, in inter-eye distances.
NOSE_DEPTH = 0.6

RIGHT_EYE, LEFT_EYE, NOSE, RIGHT_MOUTH, LEFT_MOUTH = range(5)


def estimate_head_pose(landmarks: NDArray[np.float32]) -> tuple[float, float, float]:
    """Yaw, pitch and roll in degrees, from how far the nose is from its place between eyes and mouth.

    In the plane of the face (after removing the roll), a nose of depth z moves sideways by z·tan(yaw) and
    along the face by z·tan(pitch), in inter-eye distances. Accurate to about ten degrees.
    """
    turn = fit_similarity(landmarks, REFERENCE_LANDMARKS)
    roll = float(np.degrees(np.arctan2(turn[1, 0], turn[0, 0])))
    points = landmarks.astype(np.float64) @ turn[:, :2].T
    eyes = (points[RIGHT_EYE] + points[LEFT_EYE]) / 2
    mouth = (points[RIGHT_MOUTH] + points[LEFT_MOUTH]) / 2
    width = max(float(points[LEFT_EYE, 0] - points[RIGHT_EYE, 0]), 1.0)
    height = max(float(mouth[1] - eyes[1]), 1.0)
    along = (points[NOSE, 1] - eyes[1]) / height
    middle = eyes[0] + along * (mouth[0] - eyes[0])
    yaw = np.degrees(np.arctan2(points[NOSE, 0] - middle, NOSE_DEPTH * width))
    pitch = np.degrees(np.arctan2((along - NOSE_ALONG) * height, NOSE_DEPTH * max(width, height / 1.15)))
    return float(yaw), float(pitch), roll


NOSE_ALONG = 0.56
"""Position of the nose between eyes (0) and mouth (1) in a frontal face: the median over photographs of
people who look at the camera. The reference landmarks of the crop have 0.49."""


def _build_face_mask() -> NDArray[np.bool_]:
    """(112, 112): the ellipse of a crop that the face fills, without hair and background."""
    y, x = np.mgrid[:ALIGNED_SIZE, :ALIGNED_SIZE]
    return np.asarray(((x - 56) / 34) ** 2 + ((y - 68) / 42) ** 2 <= 1)


FACE_AREA = _build_face_mask()
_BELOW_NOSE = np.arange(ALIGNED_SIZE)[:, None] > REFERENCE_LANDMARKS[NOSE, 1]
UPPER_HALF, LOWER_HALF = FACE_AREA & ~_BELOW_NOSE, FACE_AREA & _BELOW_NOSE


def _sharpness(grey: NDArray[np.float32]) -> float:
    """Deviation of what a small blur removes, over that of the crop, so that contrast cancels out."""
    fine = grey - cv2.GaussianBlur(grey, (0, 0), 1.5)
    return float(fine[FACE_AREA].std() / (grey[FACE_AREA].std() + 4.0))


def _entropy(luminance: NDArray[np.float32]) -> float:
    counts = np.bincount(luminance.astype(np.uint8), minlength=256)
    shares = counts[counts > 0] / len(luminance)
    return float(-(shares * np.log2(shares)).sum())


def _share_inside(face: Face, picture_size: tuple[int, int]) -> float:
    x, y, width, height = face.box.astype(np.float64)
    seen_width = min(x + width, picture_size[1]) - max(x, 0)
    seen_height = min(y + height, picture_size[0]) - max(y, 0)
    return float(max(seen_width, 0) * max(seen_height, 0) / max(width * height, 1e-9))


def _feature_contrasts(grey: NDArray[np.float32], skin: NDArray[np.float32]) -> list[float]:
    """Contrast at the eyes and the mouth, flattest first, as a share of the whole face's.

    Skin, cloth and hair are flatter than the features that they hide.
    """
    half = 9
    mouth = REFERENCE_LANDMARKS[3:].mean(0)
    places = [REFERENCE_LANDMARKS[RIGHT_EYE], REFERENCE_LANDMARKS[LEFT_EYE], mouth]
    patches = [grey[int(y) - half : int(y) + half, int(x) - half : int(x) + half] for x, y in places]
    return sorted(float(patch.std() / (skin.std() + 4.0)) for patch in patches)


def _ill_lit_half(grey: NDArray[np.float32]) -> float:
    ill_lit = (grey <= 25) | (grey >= 247)
    return float(min(ill_lit[half].mean() for half in (UPPER_HALF, LOWER_HALF)))
