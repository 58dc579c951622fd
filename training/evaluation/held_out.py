"""The people held out of a training, and the false match rates that they support."""

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

from training.data.faces import FaceSet, Split
from training.data.pictures import PER_PERSON
from training.errors import HeldOutTooFew
from training.evaluation.calibrate import TARGETS
from training.evaluation.error_rates import RULE_OF_THREE, smallest_supported_fmr
from training.evaluation.gate import FMRS as GATE_FMRS

MARGIN = 1.1
"""Comparisons left out as suspects must not make a recorded target unsupported."""


def count_non_mated(faces: FaceSet, people: Sequence[str]) -> int:
    """Comparisons between two of these people that a calibration makes."""
    wanted = frozenset(people)
    counts = Counter(identity for identity in faces.identities if identity in wanted)
    sizes = [min(count, PER_PERSON) for count in counts.values()]
    return (sum(sizes) ** 2 - sum(size**2 for size in sizes)) // 2


def count_people_needed(fmr: float, pictures: float) -> int:
    """How many people, with this many pictures each, have enough non-mated comparisons for an FMR."""
    wanted = RULE_OF_THREE / fmr / pictures**2  # of n (n - 1) / 2 pairs of people
    return math.ceil(0.5 + math.sqrt(0.25 + 2 * wanted))


def refuse_too_few_people(faces: FaceSet, split: Split, fmrs: Sequence[float], share: float) -> None:
    """Refuse before the training what the comparison and the calibration would refuse after it.

    Args:
        faces: All of them.
        split: Who is held out.
        fmrs: False match rates that the calibration must support.
        share: Of the people who are held out, half of them for either purpose.

    Raises:
        HeldOutTooFew: Naming the smallest false match rate that the people held out support, and how many
            people would do.
    """
    counts = Counter(identity for identity in faces.identities if identity in split.held_out)
    pictures = float(np.mean([min(count, PER_PERSON) for count in counts.values()])) if counts else 2.0
    for purpose, people, wanted in (
        ("calibrate", split.calibrate, min(fmrs)),
        ("test", split.test, max(GATE_FMRS)),
    ):
        non_mated = count_non_mated(faces, people)
        smallest = smallest_supported_fmr(non_mated) if non_mated else 1.0
        if wanted < smallest:
            enough = math.ceil(2 * count_people_needed(wanted, pictures) / share) if share else None
            raise HeldOutTooFew(purpose, len(people), wanted, smallest, enough)


def choose_targets(faces: FaceSet, split: Split, fmrs: Sequence[float]) -> tuple[float, ...]:
    """False match rates to record: those in use, and the usual ones that the people held out support."""
    smallest = MARGIN * smallest_supported_fmr(count_non_mated(faces, split.calibrate))
    return tuple(sorted({*fmrs, *(fmr for fmr in TARGETS if fmr >= smallest)}, reverse=True))
