"""Faces to paste onto faceless backgrounds: aligned crops, their boxes and landmarks from a teacher detector.

The detector's photos have few large faces; the recognition set has tens of thousands of people. Crops with a
face from a held-out photo are left out, so that pasting them does not leak into the evaluation.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from embedding.align import REFERENCE_LANDMARKS, align
from training.data.csv_files import read_csv
from training.detection.data import Floats, Photo, Pixels, read_shard_rows

MARGIN = 40  # pixels of repeated border that let the teacher see a face that fills its crop
SAME_PICTURE = 0.93  # correlation of two 16×16 grey thumbnails above which they show one photo


@dataclass(frozen=True)
class Bank:
    """Crops with exactly one face each."""

    pixels: Pixels  # (n, 112, 112, 3) BGR
    faces: Floats  # (n, 14) in crop pixels


def open_bank(stored: Path, data: Path, count: int, held_out: Sequence[Photo], seed: int) -> Bank:
    """The bank of a run, created if it is not stored yet."""
    if not stored.exists():
        bank = read_bank(data / "faces", data / "teacher" / "yunet.onnx", count, held_out, seed)
        with stored.open("wb") as file:
            np.savez(file, pixels=bank.pixels, faces=bank.faces)
    with np.load(stored) as arrays:
        return Bank(arrays["pixels"], arrays["faces"])


def read_bank(folder: Path, teacher: Path, count: int, held_out: Sequence[Photo], seed: int) -> Bank:
    """`count` crops of `faces.csv`, without those the teacher is unsure of or that are in held-out photos."""
    rows = [row for row in read_csv(folder / "faces.csv").rows if float(row["face_width_px"]) >= 60]
    random.Random(seed).shuffle(rows)
    detector = cv2.FaceDetectorYN.create(str(teacher), "", (112 + 2 * MARGIN, 112 + 2 * MARGIN), 0.8)
    seen = make_thumbnails([crop for photo in held_out for crop in _align_faces(photo)])
    pixels, faces = [], []
    for _, crop in read_shard_rows(folder, rows[:count]):
        face = _find_only_face(detector, crop)
        if face is not None and not _is_seen(crop, seen):
            pixels.append(crop)
            faces.append(face)
    return Bank(np.stack(pixels), np.stack(faces))


def make_thumbnails(crops: Sequence[Pixels]) -> Floats:
    """(n, 256) rows of zero mean and unit norm: their products are correlations."""
    if not crops:
        return np.zeros((0, 256), np.float32)
    grey = [
        cv2.cvtColor(cv2.resize(crop, (16, 16), interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY)
        for crop in crops
    ]
    rows = np.stack(grey).reshape(len(crops), -1).astype(np.float32)
    rows -= rows.mean(axis=1, keepdims=True)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)  # type: ignore[no-any-return]


def _is_seen(crop: Pixels, seen: Floats) -> bool:
    return bool(len(seen)) and bool((seen @ make_thumbnails([crop])[0]).max() > SAME_PICTURE)


def _align_faces(photo: Photo) -> list[Pixels]:
    return [align(photo.pixels, face[4:].reshape(5, 2)) for face in photo.faces]


def _find_only_face(detector: cv2.FaceDetectorYN, crop: Pixels) -> Floats | None:
    """(14,) the crop's only face as the teacher sees it; None if there is not exactly one, well aligned."""
    padded = cv2.copyMakeBorder(crop, MARGIN, MARGIN, MARGIN, MARGIN, cv2.BORDER_REPLICATE)
    _, found = detector.detect(padded)
    if found is None or len(found) != 1:
        return None
    face: Floats = found[0, :14].astype(np.float32)
    face[[0, 1]] -= MARGIN
    face[4:] -= MARGIN
    misplaced = np.abs(face[4:].reshape(5, 2) - REFERENCE_LANDMARKS).max() > 15
    return None if misplaced else face
