"""The people held out of a training, and which false match rates they support."""

from collections import Counter
from collections.abc import Sequence

from training.data.faces import FaceSet, Split
from training.data.pictures import PER_PERSON
from training.errors import HeldOutTooFew
from training.evaluation.calibrate import TARGETS
from training.evaluation.error_rates import smallest_supported_fmr
from training.evaluation.gate import FMRS as GATE_FMRS

MARGIN = 1.1
"""Comparisons left out as suspects must not make a recorded target unsupported."""


def non_mated_of(faces: FaceSet, people: Sequence[str]) -> int:
    """Comparisons between two of these people that a calibration makes."""
    wanted = frozenset(people)
    counts = Counter(identity for identity in faces.identities if identity in wanted)
    sizes = [min(count, PER_PERSON) for count in counts.values()]
    return (sum(sizes) ** 2 - sum(size**2 for size in sizes)) // 2


def refuse_too_few_people(faces: FaceSet, split: Split, fmrs: Sequence[float]) -> None:
    """Refuse now what the comparison and the calibration would refuse after the training.

    Raises:
        HeldOutTooFew: Naming the smallest false match rate that the people held out support.
    """
    for purpose, people, wanted in (
        ("calibrate", split.calibrate, min(fmrs)),
        ("test", split.test, max(GATE_FMRS)),
    ):
        non_mated = non_mated_of(faces, people)
        smallest = smallest_supported_fmr(non_mated) if non_mated else 1.0
        if wanted < smallest:
            raise HeldOutTooFew(purpose, len(people), wanted, smallest)


def targets_of(faces: FaceSet, split: Split, fmrs: Sequence[float]) -> tuple[float, ...]:
    """False match rates to record: those in use, and the usual ones that the people held out support."""
    smallest = MARGIN * smallest_supported_fmr(non_mated_of(faces, split.calibrate))
    return tuple(sorted({*fmrs, *(fmr for fmr in TARGETS if fmr >= smallest)}, reverse=True))
