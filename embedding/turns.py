"""Find out which way up a face is.

The detector is trained on upright faces. It also finds rotated ones, but puts their landmarks where an
upright face would have them, so the roll computed from them is wrong by the face's rotation, which has to
come from further passes. If a close look leaves doubt, the detector searches the other three quarter turns of
the picture, and the result with the best score wins.
"""

from collections.abc import Sequence

import numpy as np

from embedding.detector import CERTAIN_UPRIGHT, QUICK, Detector, Face, overlap, suppress
from embedding.image import Pixels

# Of 300 faces of LFW in 28 rotations each, one in 8,000 reached this in a close look with landmarks of
# another rotation, and not in a second look; 93 % of the upright ones do.
SURE = 0.95

# Rotated clutter scores less: a cup on its side 0.82.
LIKELY = 0.9

SAME_PLACE = 0.3
"""Boxes with a larger intersection over union belong to the same face."""


def resolve_turns(detector: Detector, image: Pixels, faces: Sequence[Face]) -> list[Face]:
    """The faces, each in its most likely rotation, and those that only another quarter turn shows.

    Costs nothing if the detector is sure of every face, as it is of most upright ones.

    Args:
        detector: The detector that found the faces.
        image: (H, W, 3) uint8.
        faces: After a close look at each one; may be empty.
    """
    if faces and all(_is_surely_upright(detector, image, face) for face in faces):
        return list(faces)
    # A doubtful face gets a second close look, which starts from better landmarks.
    before = [face if face.uprightness >= SURE else detector.look_closely(image, face) for face in faces]
    turned = [face for turns in (1, 2, 3) for face in detector.look(image, QUICK, turns)]
    return _choose(before, [detector.look_closely(image, face) for face in turned])


def _is_surely_upright(detector: Detector, image: Pixels, face: Face) -> bool:
    """Whether the detector is sure of a face's rotation; where that is close, in a second look too."""
    if not SURE <= face.uprightness < CERTAIN_UPRIGHT:
        return face.uprightness >= SURE
    return detector.look_closely(image, face).uprightness >= SURE


def _choose(before: Sequence[Face], turned: Sequence[Face]) -> list[Face]:
    """For each place, the face with the greatest uprightness."""
    claims = [*before, *turned]
    if not claims:
        return []
    boxes = np.stack([face.box for face in claims])
    uprightness = np.array([face.uprightness for face in claims], np.float32)
    kept = suppress(boxes, uprightness, SAME_PLACE)
    # Beside a rotated face that is certain, or likelier than every earlier one, an earlier one is clutter
    # unless it is certain too: an arm in the picture of somebody upside down, a cap taken for a face.
    likelier = max([LIKELY, *(face.uprightness for face in before)])
    found = [i for i in kept if i >= len(before) and uprightness[i] >= min(likelier, SURE)]
    if found:
        return [claims[i] for i in kept if i in found or uprightness[i] >= SURE]
    if not before:
        return [claims[i] for i in kept if uprightness[i] >= LIKELY]
    seen_before = overlap(boxes, boxes[: len(before)]).max(axis=1) > SAME_PLACE
    return [claims[i] for i in kept if seen_before[i]]
