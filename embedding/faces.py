"""Which face of several is meant.

Who waits in the background has a face less than half as wide and does not count. A face that does count may
still be a bystander's; whether one is taken then, and which, an operator decides for each purpose.
"""

from collections.abc import Sequence
from enum import StrEnum

from embedding.detector import Face

RIVAL_WIDTH = 0.5
"""A second face counts when it is at least this share of the widest: who waits in the background does not."""

CLEARLY_LARGER = 1.3
"""How many times wider than the next face one has to be to be taken for the nearest: as much nearer to the
camera. Of two people side by side neither is."""

CENTRAL_SHARE = 0.5
"""The middle of a central face lies in this middle part of the picture's width."""


class FacePolicy(StrEnum):
    """What is done when several faces count."""

    EXACTLY_ONE = "exactly_one"
    """Refuse."""
    CENTRAL = "central"
    """Take the one that is clearly larger than any other and central; refuse where there is none."""
    LARGEST = "largest"
    """Take the one that is clearly larger than any other, wherever it is; refuse where there is none."""


def faces_that_count(faces: Sequence[Face], picture_width: int, policy: FacePolicy) -> list[Face]:
    """The one face that is meant, or all that it might be, the widest first; empty where there is none."""
    rivals = sorted(faces, key=lambda face: -face.width)
    rivals = [face for face in rivals if face.width >= RIVAL_WIDTH * rivals[0].width]
    if len(rivals) < 2 or policy is FacePolicy.EXACTLY_ONE:
        return rivals
    nearest, next_nearest = rivals[:2]
    if nearest.width < CLEARLY_LARGER * next_nearest.width:
        return rivals
    if policy is FacePolicy.CENTRAL and not is_central(nearest, picture_width):
        return rivals
    return [nearest]


def is_central(face: Face, picture_width: int) -> bool:
    """Whether the middle of a face lies in the middle part of the picture."""
    middle = float(face.box[0] + face.box[2] / 2)
    return abs(middle - picture_width / 2) <= CENTRAL_SHARE / 2 * picture_width
