"""Who is told apart by a person becomes an example for the next training."""

from uuid import UUID

from fixtures_exams import ORIGIN, ExamDay

from index.ids import uuid7
from service.exams.checkin.overrides import OverrideTerms, override
from service.exams.evidence.confusions import confused_subjects


def decide(day: ExamDay, checkin_id: UUID, outcome: str, reason: str) -> None:
    terms = OverrideTerms.model_validate({"outcome": outcome, "reason_code": reason})
    override(day.desk, checkin_id, terms, ORIGIN, uuid7())


def twins(day: ExamDay) -> list[str]:
    """Two candidates with almost one face, of whom the second is referred; returns their subjects."""
    first, second = day.enrol("c1", "1"), day.enrol("c4", "1@5")
    day.roster("c1,Ann,A", "c4,Dan,D")
    return sorted([str(first), str(second)])


def test_a_referred_candidate_whom_a_person_admits_is_told_apart(exam_day: ExamDay) -> None:
    pair = twins(exam_day)
    exam_day.arrive("c1", "1")
    referred = exam_day.arrive("c4", "1@5").checkin
    assert confused_subjects(exam_day.desk.database) == []

    decide(exam_day, referred.id, "admitted", "document_checked")

    assert confused_subjects(exam_day.desk.database) == [[*pair, "override"]]


def test_whoever_is_refused_after_a_referral_tells_nothing(exam_day: ExamDay) -> None:
    twins(exam_day)
    exam_day.arrive("c1", "1")
    referred = exam_day.arrive("c4", "1@5").checkin

    decide(exam_day, referred.id, "refused", "wrong_candidate")

    assert confused_subjects(exam_day.desk.database) == []


def test_whoever_was_admitted_wrongly_is_a_false_accept(exam_day: ExamDay) -> None:
    pair = twins(exam_day)
    admitted = exam_day.arrive("c1", "1").checkin
    assert admitted.outcome == "admitted"

    decide(exam_day, admitted.id, "refused", "wrong_candidate")

    assert confused_subjects(exam_day.desk.database) == [[*pair, "false_accept"]]


def test_an_impersonator_whom_a_person_refuses_is_told_apart_from_the_claimed_candidate(
    exam_day: ExamDay,
) -> None:
    first, second = exam_day.enrol("c1", "1"), exam_day.enrol("c2", "2")
    exam_day.roster("c1,Ann,A", "c2,Ben,B")
    exam_day.arrive("c1", "1")
    referred = exam_day.arrive("c2", "1@10").checkin

    decide(exam_day, referred.id, "refused", "impersonation_suspected")

    assert confused_subjects(exam_day.desk.database) == [
        [*sorted([str(first), str(second)]), "impersonation"]
    ]
