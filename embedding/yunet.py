"""Decode a detector's outputs, which have YuNet's layout.

For each stride of 8, 16 and 32, each cell has a class and an objectness score, a box and five landmarks (Wu
et al., 2023, doi:10.1007/s11633-023-1423-y; OpenCV zoo). Our own network and the official file are
interchangeable.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np

from embedding.networks import Floats

STRIDES = (8, 16, 32)

DETECTOR_OUTPUTS = tuple(f"{part}_{stride}" for part in ("cls", "obj", "bbox", "kps") for stride in STRIDES)


def decode_outputs(
    outputs: Mapping[str, Floats], canvas: Sequence[int], score_threshold: float
) -> tuple[Floats, Floats, Floats]:
    """Decode the network's outputs to boxes (n, 4), landmarks (n, 5, 2) and scores (n,), in canvas pixels.

    As in OpenCV's `FaceDetectorYN`: score = √(class · objectness); the box centre is (cell + offset) · stride
    and its size exp(size) · stride; a landmark is (cell + offset) · stride.

    Args:
        outputs: `cls_s`, `obj_s` (cells, 1), `bbox_s` (cells, 4), `kps_s` (cells, 10) for each stride s.
        canvas: Height and width of the canvas.
        score_threshold: Cells with a lower score are left out.
    """
    found = [_decode_stride(outputs, stride, canvas, score_threshold) for stride in STRIDES]
    boxes, landmarks, scores = (np.concatenate(part) for part in zip(*found, strict=True))
    return boxes, landmarks, scores


def _decode_stride(
    outputs: Mapping[str, Floats], stride: int, canvas: Sequence[int], score_threshold: float
) -> tuple[Floats, Floats, Floats]:
    product = outputs[f"cls_{stride}"][:, 0].clip(0, 1) * outputs[f"obj_{stride}"][:, 0].clip(0, 1)
    # Compared without the square root, because nearly all cells are dropped here.
    chosen = np.flatnonzero(product >= score_threshold**2)
    scores = np.sqrt(product[chosen])
    cells = _cells(canvas[0] // stride, canvas[1] // stride)[chosen]  # (n, 2)
    box, points = outputs[f"bbox_{stride}"][chosen], outputs[f"kps_{stride}"][chosen]
    centre = (cells + box[:, :2]) * stride
    # A size beyond e^8 strides is not a face, and would overflow.
    size = np.exp(np.minimum(box[:, 2:], 8)) * stride
    landmarks = (points.reshape(-1, 5, 2) + cells[:, None]) * stride
    return np.hstack([centre - size / 2, size]), landmarks, scores


@lru_cache(maxsize=32)
def _cells(rows: int, columns: int) -> Floats:
    """(rows · columns, 2) float32: column and row of each cell, row by row."""
    row, column = np.divmod(np.arange(rows * columns), columns)
    return np.column_stack([column, row]).astype(np.float32)
