"""What a check-in comes to: pure rules over what was compared and who was there before."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from embedding.calibration import Calibration
from service.decisions.decision import Outcome
from service.exams.schemas import Verdict

SAME_FACE_AS_ADMITTED = "same_face_as_admitted"
NEARER_TO_OTHER_CANDIDATE = "nearer_to_other_candidate"
AMBIGUOUS_SEARCH = "ambiguous_search"
TWIN = "twin"
TODAYS_ADMISSION = "todays_admission"
NOT_AS_ADMITTED = "not_as_admitted"
SAME_PHOTOGRAPH = "same_photograph"
FLAT_MOTION = "flat_motion"
ADMITTED_ELSEWHERE = "admitted_elsewhere"
SEAT_DIFFERS = "seat_differs"
SEAT_TAKEN = "seat_taken"

NEARER_BY = 0.1
"""Two photographs of one person differ by about this much in d: less than that tells nobody apart."""


@dataclass(frozen=True)
class Rival:
    """Another candidate of the exam whose face is near to the probe.

    Attributes:
        admitted: Whether this candidate has been let in already.
    """

    entry_id: UUID
    d: float
    admitted: bool


def same_face_d(calibration: Calibration, match_fmr: float, people: int) -> float:
    """The distance up to which two candidates of an exam are taken for one face.

    The probe is compared with everybody, so each comparison gets its part of the match rate; otherwise a
    large exam would refer somebody at every other check-in by chance alone.
    """
    return calibration.threshold(max(match_fmr / max(1, people), calibration.smallest_fmr))


def judge(
    decision: Outcome,
    d: float,
    rivals: Sequence[Rival],
    same_face: float,
    *,
    is_twin: bool = False,
    is_same_photograph: bool = False,
    is_flat: bool = False,
) -> tuple[Verdict, list[str]]:
    """A match admits, unless the face belongs to somebody else as well.

    Whose face it may be is said of every probe: who comes again under another name matches nobody's claim.

    Args:
        decision: On the claimed candidate.
        d: To the claimed candidate.
        rivals: Other candidates of the exam.
        same_face: As `same_face_d` gives it.
        is_twin: Whether the claimed candidate is known to look like somebody else. A machine cannot tell them
            apart, wherever the other one is.
        is_same_photograph: Whether the camera saw the photograph of the enrolment: a print or a screen, and
            not a person.
        is_flat: Whether what the camera saw moved as something flat, in an exam that refers that.

    Returns:
        Admitted or referred, and what speaks against the claim beside its distance.
    """
    reasons = []
    if any(rival.admitted and rival.d <= same_face for rival in rivals):
        reasons.append(SAME_FACE_AS_ADMITTED)
    if any(rival.d < d - NEARER_BY for rival in rivals):
        reasons.append(NEARER_TO_OTHER_CANDIDATE)
    if is_twin:
        reasons.append(TWIN)
    if is_same_photograph:
        reasons.append(SAME_PHOTOGRAPH)
    if is_flat:
        reasons.append(FLAT_MOTION)
    is_admitted = decision is Outcome.MATCH and not reasons
    return (Verdict.ADMITTED if is_admitted else Verdict.REFERRED), reasons
