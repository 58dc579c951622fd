"""Another detector's view of a picture: a score for every cell, and the face that the cell predicts.

Labels say where faces are; a teacher also says how much every other place looks like one, in the augmented
view. If it misses a labelled face, the label counts and not the teacher.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from embedding.detector import compile_detector, overlap
from embedding.manifest import YUNET_INPUT
from embedding.networks import NetworkRefused
from embedding.yunet import DETECTOR_OUTPUTS, STRIDES
from training.detection.assign import IGNORED, NEGATIVE, Owners
from training.detection.data import Floats, Pixels
from training.detection.loss import decode_boxes, decode_landmarks
from training.errors import RecipeInvalid

SURE = 0.6  # a face of which no cell scores so much is one that the teacher misses
PLAIN = 0.3  # cells that score so much learn a box and landmarks
SAME_FACE = 0.5  # overlap from which the teacher's face is the labelled one


@dataclass(frozen=True)
class Lesson:
    """The targets of one view.

    Attributes:
        owners: (cells,) the row of `faces` a cell answers for, NEGATIVE or IGNORED.
        scores: (cells,) what class and objectness should be; NaN where the labels alone say it.
        faces: (n, 14) the labelled faces, then those that only the teacher sees.
    """

    owners: Owners
    scores: Floats
    faces: Floats


class DetectorTeacher:
    """A detector in YuNet's layout.

    Raises:
        RecipeInvalid: If the file is none.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise RecipeInvalid(path, "there is no such teacher", "teacher")
        try:
            self._network = compile_detector(path.read_bytes(), YUNET_INPUT, threads=1)
        except NetworkRefused as error:
            raise RecipeInvalid(path, str(error), "teacher") from error

    def look(self, pixels: Pixels, points: Floats) -> tuple[Floats, Floats]:
        """Scores (cells,) and faces (cells, 14) in pixels, of a (s, s, 3) BGR view."""
        outputs = dict(zip(DETECTOR_OUTPUTS, self._network(pixels[None, :, :, ::-1]), strict=True))
        cls, obj, box, marks = (
            torch.from_numpy(np.concatenate([outputs[f"{part}_{stride}"][0] for stride in STRIDES]))
            for part in ("cls", "obj", "bbox", "kps")
        )
        places = torch.from_numpy(points)
        scores = (cls.clamp(0, 1) * obj.clamp(0, 1)).sqrt()[:, 0]
        faces = torch.cat([decode_boxes(box, places), decode_landmarks(marks, places).flatten(1)], dim=1)
        return scores.numpy(), faces.numpy()


def make_lesson(owners: Owners, faces: Floats, scores: Floats, seen: Floats) -> Lesson:
    """Combine the labels' and the teacher's targets for one view.

    Args:
        owners: (cells,) as the labels assign them.
        faces: (n, 14) labelled.
        scores: (cells,) the teacher's.
        seen: (cells, 14) the face each cell of the teacher shows.
    """
    joined = np.where(owners == IGNORED, NEGATIVE, owners)
    plain = np.flatnonzero(scores >= PLAIN)
    shared = overlap(seen[plain, :4], faces[:, :4])
    known = shared.max(axis=1, initial=0) >= SAME_FACE
    joined[plain[known]] = shared[known].argmax(axis=1) if known.any() else []
    joined[plain[~known]] = len(faces) + np.arange(np.count_nonzero(~known))
    targets = scores.copy()
    for face in range(len(faces)):
        if scores[joined == face].max(initial=0) < SURE:
            targets[owners == face] = np.nan
            joined[owners == face] = face
    return Lesson(joined, targets, np.concatenate([faces, seen[plain[~known]]]))


def learn_from_labels(owners: Owners, faces: Floats) -> Lesson:
    """The targets from the labels alone."""
    return Lesson(owners, np.full(len(owners), np.nan, np.float32), faces)
