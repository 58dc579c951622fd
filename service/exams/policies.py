"""Which thresholds hold: at the rates of a session, of its exam or of the installation."""

from embedding.errors import FmrNotSupported
from service.decisions.decision import Policy
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
    return (model or desk.serving.active).supported_policy(*rates_in_force(desk, row, exam))


def policy_among(policy: Policy, people: int) -> Policy:
    """The policy for a search among so many people.

    Whoever is compared with n people has n chances to be taken for one of them, so each comparison gets the
    n-th part of the rate (Bonferroni). Where the calibration cannot support so small a rate, its smallest is
    used, and the decision shows it.
    """
    calibration, share = policy.calibration, max(1, people)
    match_fmr = max(policy.match_fmr / share, calibration.smallest_fmr)
    return Policy.of(calibration, match_fmr, max(policy.refer_fmr / share, match_fmr))


def rates_in_force(desk: Desk, row: SessionRow | SessionTerms, exam: ExamRow) -> Rates:
    """The false match rates that a session asks for: its own, its exam's or the installation's."""
    return own_rates(row, exam_rates(desk, exam))


def exam_rates(desk: Desk, terms: ExamRow | ExamTerms) -> Rates:
    """The false match rates that an exam asks for: its own or the installation's."""
    return own_rates(terms, (desk.policy.match_fmr, desk.policy.refer_fmr))


def own_rates(terms: ExamRow | ExamTerms | SessionRow | SessionTerms, otherwise: Rates) -> Rates:
    """The rates that are set, and the others where none is."""
    match, refer = otherwise
    return (
        match if terms.match_fmr is None else terms.match_fmr,
        refer if terms.refer_fmr is None else terms.refer_fmr,
    )


def require_rates(desk: Desk, rates: Rates) -> None:
    """Refuse rates that cannot be set.

    Raises:
        ExamInvalid: If the rates are in the wrong order, or the calibration cannot support one.
    """
    match, refer = rates
    if match > refer:
        raise ExamInvalid("match_fmr", f"{match:g} must not exceed the refer_fmr of {refer:g}")
    try:
        Policy.of(desk.policy.calibration, match, refer)
    except FmrNotSupported as error:
        raise ExamInvalid("match_fmr" if match < error.smallest else "refer_fmr", str(error)) from error
