"""Choose the face that is meant from several.

People in the background have faces less than half as wide, which do not count. A face that counts may still
be a bystander's; the operator decides for each purpose whether one face is then chosen, and which.
"""

from collections.abc import Sequence
from enum import StrEnum

from embedding.detector import Face

RIVAL_WIDTH = 0.5
"""A second face counts if it is at least this share of the widest one's width; people in the background are
not."""

CLEARLY_LARGER = 1.3
"""How many times wider than the next face the widest must be to be chosen: it is then that much nearer to the
camera. Of two people side by side, neither is."""

CENTRAL_SHARE = 0.5
"""A face is central if its middle lies within this share of the picture's width, around its middle."""


class FacePolicy(StrEnum):
    """What to do when several faces count."""

    EXACTLY_ONE = "exactly_one"
    """Refuse."""
    CENTRAL = "central"
    """Take the one that is clearly larger than any other and central; refuse if there is none."""
    LARGEST = "largest"
    """Take the one that is clearly larger than any other, wherever it is; refuse if there is none."""


def faces_that_count(faces: Sequence[Face], picture_width: int, policy: FacePolicy) -> list[Face]:
    """The one face that is meant, or all that it might be, widest first; empty if there are none."""
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
