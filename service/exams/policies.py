"""Which thresholds hold: at the rates of a session, of its exam or of the installation."""

from embedding.errors import FmrNotSupported
from service.decision import Policy
from service.exams.context import Desk
from service.exams.errors import ExamInvalid
from service.exams.guard import Rates
from service.exams.tables import ExamRow, SessionRow
from service.exams.terms import ExamTerms, SessionTerms
from service.models.loaded import LoadedModel


def policy_in_force(
    desk: Desk, row: SessionRow | SessionTerms, exam: ExamRow, model: LoadedModel | None = None
) -> Policy:
    """The thresholds in force: at the session's own rates, the exam's or the installation's.

    The session may be older than the model: where its calibration cannot support a rate, the smallest that it
    supports is used, and every decision shows it.

    Args:
        desk: With the models.
        row: The session.
        exam: Its exam.
        model: Whose thresholds are asked for; by default the one in use.
    """
    match, refer = rates_of(row, exam)
    policy = desk.policy
    return (model or desk.serving.active).supported_policy(
        policy.match_fmr if match is None else match, policy.refer_fmr if refer is None else refer
    )


def policy_among(policy: Policy, people: int) -> Policy:
    """The policy for a search among so many people.

    Whoever is compared with n people has n chances to be taken for one of them, so each comparison gets the
    n-th part of the rate (Bonferroni). Where the calibration cannot support so small a rate, its smallest is
    used, and the decision shows it.
    """
    calibration, share = policy.calibration, max(1, people)
    match_fmr = max(policy.match_fmr / share, calibration.smallest_fmr)
    return Policy.of(calibration, match_fmr, max(policy.refer_fmr / share, match_fmr))


def rates_of(row: SessionRow | SessionTerms, exam: ExamRow) -> tuple[float | None, float | None]:
    """The false match rates that the session, or else its exam, sets; None means the installation's."""
    match = exam.match_fmr if row.match_fmr is None else row.match_fmr
    return match, exam.refer_fmr if row.refer_fmr is None else row.refer_fmr


def rates_in_force(desk: Desk, row: SessionRow | SessionTerms, exam: ExamRow) -> Rates:
    """The false match rates that a session asks for: its own, its exam's or the installation's."""
    match, refer = rates_of(row, exam)
    return (
        desk.policy.match_fmr if match is None else match,
        desk.policy.refer_fmr if refer is None else refer,
    )


def exam_rates(desk: Desk, terms: ExamRow | ExamTerms) -> Rates:
    """The false match rates that an exam asks for: its own or the installation's."""
    return (
        desk.policy.match_fmr if terms.match_fmr is None else terms.match_fmr,
        desk.policy.refer_fmr if terms.refer_fmr is None else terms.refer_fmr,
    )


def require_rates(desk: Desk, match_fmr: float | None, refer_fmr: float | None) -> None:
    """Refuse rates that cannot be set; None means the installation's.

    Raises:
        ExamInvalid: If the rates are in the wrong order, or the calibration cannot support one.
    """
    match = desk.policy.match_fmr if match_fmr is None else match_fmr
    refer = desk.policy.refer_fmr if refer_fmr is None else refer_fmr
    if match > refer:
        raise ExamInvalid("match_fmr", f"{match:g} must not exceed the refer_fmr of {refer:g}")
    try:
        Policy.of(desk.policy.calibration, match, refer)
    except FmrNotSupported as error:
        raise ExamInvalid("match_fmr" if match < error.smallest else "refer_fmr", str(error)) from error
