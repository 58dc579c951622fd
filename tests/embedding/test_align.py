"""The similarity transform and the aligned crop."""

import numpy as np
import pytest
from fixtures_pictures import Picture
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from skimage.transform import SimilarityTransform, warp

from embedding.align import ALIGNED_SIZE, REFERENCE_LANDMARKS, align, fit_similarity

coordinate = st.floats(-500, 500)
five_points = st.lists(st.tuples(coordinate, coordinate), min_size=5, max_size=5).map(np.array)


def moved(
    points: NDArray[np.float64], angle: float, scale: float, shift: tuple[float, float]
) -> NDArray[np.float64]:
    """Turned by `angle` radians, then scaled, then shifted: one formula per coordinate."""
    x, y = points[:, 0], points[:, 1]
    return np.column_stack(
        [
            scale * (np.cos(angle) * x - np.sin(angle) * y) + shift[0],
            scale * (np.sin(angle) * x + np.cos(angle) * y) + shift[1],
        ]
    )


@given(
    angle=st.floats(-3.1, 3.1),
    scale=st.floats(0.05, 20),
    shift=st.tuples(coordinate, coordinate),
)
def test_a_turned_scaled_and_shifted_face_is_brought_back(
    angle: float, scale: float, shift: tuple[float, float]
) -> None:
    landmarks = moved(REFERENCE_LANDMARKS, angle, scale, shift)

    transform = fit_similarity(landmarks, REFERENCE_LANDMARKS)

    back = landmarks @ transform[:, :2].T + transform[:, 2]
    assert np.allclose(back, REFERENCE_LANDMARKS, atol=1e-6)


@given(points=five_points)
def test_the_transform_is_the_least_squares_one(points: NDArray[np.float64]) -> None:
    if np.ptp(points, axis=0).min() < 1:
        return
    oracle = SimilarityTransform.from_estimate(points, REFERENCE_LANDMARKS)
    if not oracle:
        return

    transform = fit_similarity(points, REFERENCE_LANDMARKS)

    ours = points @ transform[:, :2].T + transform[:, 2]
    error, least = (
        ((ours - REFERENCE_LANDMARKS) ** 2).sum(),
        ((oracle(points) - REFERENCE_LANDMARKS) ** 2).sum(),
    )
    assert error == pytest.approx(least, rel=1e-6, abs=1e-6)


def test_landmarks_that_all_coincide_only_shift() -> None:
    transform = fit_similarity(np.full((5, 2), 7.0), REFERENCE_LANDMARKS)

    assert np.array_equal(transform[:, :2], np.eye(2))
    assert np.all(np.isfinite(transform))


def test_the_crop_shows_what_a_slow_warp_shows(astronaut: Picture) -> None:
    landmarks = moved(REFERENCE_LANDMARKS, 0.2, 1.4, (160, 40)).astype(np.float32)

    crop = align(astronaut, landmarks)

    oracle = warp(
        astronaut,
        SimilarityTransform.from_estimate(REFERENCE_LANDMARKS, landmarks),
        output_shape=(ALIGNED_SIZE, ALIGNED_SIZE),
        order=1,
        preserve_range=True,
    )
    assert crop.shape == (112, 112, 3)
    assert crop.dtype == np.uint8
    assert np.abs(crop.astype(float) - oracle).mean() < 1.0


def test_a_large_face_is_averaged_and_not_sampled() -> None:
    # A chessboard of single pixels is mid-grey from afar; four-pixel sampling would show black and white.
    board = np.indices((1120, 1120)).sum(0) % 2 * 255
    picture = np.repeat(board[:, :, None], 3, axis=2).astype(np.uint8)

    crop = align(picture, (REFERENCE_LANDMARKS * 9.7).astype(np.float32))

    assert crop[20:90, 20:90].min() > 100
    assert crop[20:90, 20:90].max() < 155


def test_a_large_face_is_not_shifted_by_the_averaging(astronaut: Picture) -> None:
    landmarks = moved(REFERENCE_LANDMARKS, 0, 1.2, (150, 60)).astype(np.float32)
    enlarged = np.repeat(np.repeat(astronaut, 4, axis=0), 4, axis=1)

    crop = align(astronaut, landmarks)
    same = align(enlarged, landmarks * 4 + 1.5)  # the centre of pixel (x, y) is now at 4x + 1.5

    assert np.abs(crop.astype(float) - same).mean() < 2.5


def test_what_lies_outside_the_picture_is_black(astronaut: Picture) -> None:
    beyond = (REFERENCE_LANDMARKS - 56).astype(np.float32)

    crop = align(astronaut, beyond)

    assert not crop[:50].any()
    assert crop[60:, 60:].any()
