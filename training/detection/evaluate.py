"""Measure what the detector finds and misses, and its false faces, on pictures it was not trained on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from embedding.detector import Face, overlap
from training.detection.data import Floats, Photo, Pixels
from training.detection.geometry import face_sizes
from training.evaluation.bootstrap import Interval
from training.evaluation.shares import share_interval

Finder = Callable[[Pixels], Sequence[Face]]
"""Takes (h, w, 3) RGB."""

SIZES = ((0, 15), (15, 20), (20, 30), (30, 50), (50, 100), (100, 1000))
LARGE = (30, 1000)  # sizes that the aims speak of
OVERLAP = 0.5
UNCERTAIN_OVERLAP = 0.3  # a detection that overlaps an uncertain face this much is neither right nor wrong


@dataclass(frozen=True)
class SizeRow:
    """Faces of one range of sizes, √(w·h) in pixels of the picture.

    Attributes:
        recall: Share found at an overlap of 0.5 or more; None without faces.
        landmark_error: Mean distance of five points over the inter-eye distance; median over found faces.
    """

    sizes: tuple[int, int]
    faces: int
    found: int
    recall: float | None
    recall_interval: Interval | None
    landmark_error: float | None
    landmark_interval: Interval | None


@dataclass(frozen=True)
class DetectorReport:
    """One evaluation.

    Attributes:
        false_faces: In pictures without any face; detections of uncertain faces do not count.
        false_interval: Interval of false faces per 100 pictures, by bootstrap over pictures.
    """

    rows: tuple[SizeRow, ...]
    large: SizeRow
    faceless: int
    false_faces: int
    false_interval: Interval | None

    @property
    def false_per_100(self) -> float | None:
        """False faces in 100 pictures without a face."""
        return 100 * self.false_faces / self.faceless if self.faceless else None


def evaluate_detector(photos: Sequence[Photo], find: Finder) -> DetectorReport:
    """Run the detector on every photo and compare its detections with the labels."""
    false_counts: list[int] = []
    sizes: list[float] = []
    errors: list[float] = []
    for photo in photos:
        found = find(np.ascontiguousarray(photo.pixels[:, :, ::-1]))
        boxes = np.array([face.box for face in found], np.float32).reshape(-1, 4)
        if len(photo.faces):
            sizes += face_sizes(photo.faces).tolist()
            errors += match_faces(photo.faces, found, boxes)
        else:
            unsure = overlap(boxes, photo.uncertain[:, :4]).max(axis=1, initial=0) >= UNCERTAIN_OVERLAP
            false_counts.append(int((~unsure).sum()))
    of_size, error = np.array(sizes), np.array(errors)
    return DetectorReport(
        rows=tuple(_row(limits, of_size, error) for limits in SIZES),
        large=_row(LARGE, of_size, error),
        faceless=len(false_counts),
        false_faces=sum(false_counts),
        false_interval=bootstrap_interval(100 * np.array(false_counts, np.float64), np.mean),
    )


def match_faces(labelled: Floats, found: Sequence[Face], boxes: Floats) -> list[float]:
    """Landmark error of each labelled face in inter-eye distances; infinite if it was not found.

    Each detection matches at most one face; the largest overlaps are matched first.
    """
    errors = [float("inf")] * len(labelled)
    shared = overlap(labelled[:, :4], boxes)
    while shared.size and shared.max() >= OVERLAP:
        face, find = divmod(int(shared.argmax()), len(found))
        errors[face] = landmark_error(labelled[face, 4:].reshape(5, 2), found[find].landmarks)
        shared[face, :] = 0
        shared[:, find] = 0
    return errors


def landmark_error(labelled: Floats, found: Floats) -> float:
    """Mean distance of five points over the labelled distance of the eyes."""
    eyes = float(np.linalg.norm(labelled[0] - labelled[1]))
    return float(np.linalg.norm(labelled - found, axis=1).mean()) / max(eyes, 1e-6)


def _row(limits: tuple[int, int], sizes: NDArray[np.float64], errors: NDArray[np.float64]) -> SizeRow:
    chosen = errors[(sizes >= limits[0]) & (sizes < limits[1])]
    hits = chosen[np.isfinite(chosen)]
    return SizeRow(
        limits,
        len(chosen),
        len(hits),
        len(hits) / len(chosen) if len(chosen) else None,
        share_interval(len(hits), len(chosen)) if len(chosen) else None,
        float(np.median(hits)) if len(hits) else None,
        bootstrap_interval(hits, np.median),
    )


def bootstrap_interval(
    values: NDArray[np.float64], statistic: Callable[..., np.floating], replicates: int = 1000
) -> Interval | None:
    """95 % interval by drawing the values again, with a fixed seed; None without values."""
    if not len(values):
        return None
    if len(values) == 1:  # scipy refuses to draw from one value
        return float(values[0]), float(values[0])
    interval = stats.bootstrap(
        (values,), statistic, n_resamples=replicates, method="percentile", rng=0
    ).confidence_interval
    return float(interval.low), float(interval.high)
