"""What the exam domain works with, and in whose name."""

from dataclasses import dataclass
from datetime import timedelta

from embedding.errors import FmrNotSupported
from index.consent.legal_basis import WARNED_BEFORE
from index.database.database import Database
from index.gallery.gallery import Gallery
from index.sealing.cipher import TemplateCipher
from service.decision import Policy
from service.exams.errors import ExamInvalid
from service.models.loaded import Serving


@dataclass(frozen=True)
class Desk:
    """The parts that check-ins need.

    Attributes:
        serving: The models to decide with.
        cipher: Encrypts kept pictures; without it none is kept.
        warned_before: How long before its end a legal basis is shown as expiring.
    """

    database: Database
    serving: Serving
    cipher: TemplateCipher | None
    warned_before: timedelta = WARNED_BEFORE

    @property
    def gallery(self) -> Gallery:
        """Of the model in use."""
        return self.serving.active.gallery

    @property
    def policy(self) -> Policy:
        """The installation's rates, for exams that set none of their own."""
        return self.serving.active.policy


@dataclass(frozen=True)
class Origin:
    """Who asks, and with which request."""

    actor: str
    request_id: str | None = None
    is_admin: bool = False


def policy_at(desk: Desk, match_fmr: float | None, refer_fmr: float | None) -> Policy:
    """The thresholds at these rates; None means the installation's.

    Raises:
        ExamInvalid: If the rates are in the wrong order, or the calibration cannot support one.
    """
    match = desk.policy.match_fmr if match_fmr is None else match_fmr
    refer = desk.policy.refer_fmr if refer_fmr is None else refer_fmr
    if match > refer:
        raise ExamInvalid("match_fmr", f"{match:g} must not exceed the refer_fmr of {refer:g}")
    try:
        return Policy.of(desk.policy.calibration, match, refer)
    except FmrNotSupported as error:
        raise ExamInvalid("match_fmr" if match < error.smallest else "refer_fmr", str(error)) from error


def policy_among(policy: Policy, people: int) -> Policy:
    """The policy for a search among so many people.

    Whoever is compared with n people has n chances to be taken for one of them, so each comparison gets the
    n-th part of the rate (Bonferroni). Where the calibration cannot support so small a rate, its smallest is
    used, and the decision shows it.
    """
    calibration, share = policy.calibration, max(1, people)
    match_fmr = max(policy.match_fmr / share, calibration.smallest_fmr)
    return Policy.of(calibration, match_fmr, max(policy.refer_fmr / share, match_fmr))
