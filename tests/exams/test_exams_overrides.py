"""What a person decides: overrides with a reason, identification by a document; nothing is taken back."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from fixtures_exams import ORIGIN, ExamDay, hours_from_now
from pydantic import ValidationError

from index.ids import uuid7
from service.exams.checkin.document import IdentificationTerms, identify
from service.exams.checkin.overrides import OverrideTerms, override
from service.exams.errors import (
    AlreadyCheckedIn,
    AlreadyDecided,
    CandidateNeeded,
    CandidateRefused,
    CheckinNotFound,
    ExamError,
    NotOnRoster,
    ReasonCodeUnknown,
    SessionClosed,
)
from service.exams.schemas import Checkin, Override
from service.exams.sessions import session_row
from service.exams.status import candidates_page, counts_of


@pytest.fixture
def hall(exam_day: ExamDay) -> ExamDay:
    """Two enrolled candidates, and one who has no template."""
    exam_day.enrol("c1", "1")
    exam_day.enrol("c2", "2")
    exam_day.enrol("new")
    exam_day.roster("c1,Ann,A", "c2,Ben,B", "new,Nell,N")
    return exam_day


def decide(
    hall: ExamDay, checkin_id: UUID, outcome: str, reason_code: str = "document_checked", **more: Any
) -> tuple[Override, Checkin]:
    terms = OverrideTerms.model_validate({"outcome": outcome, "reason_code": reason_code, **more})
    return override(hall.desk, checkin_id, terms, ORIGIN)


def shown(hall: ExamDay, external_id: str, document_type: str = "passport", **more: Any) -> Checkin:
    terms = IdentificationTerms.model_validate(
        {"candidate": external_id, "document_type": document_type, **more}
    )
    return identify(hall.desk, hall.session.id, terms, ORIGIN)


def status_of(hall: ExamDay, external_id: str) -> str:
    with hall.desk.database.read() as session:
        found = candidates_page(session, hall.session.id)
    return next(one.status for one in found if one.external_id == external_id)


def test_a_referred_candidate_is_let_in_by_a_person_and_the_attempt_stays_as_it_was(hall: ExamDay) -> None:
    referred = hall.arrive("c1", "1@60").checkin

    made, checkin = decide(hall, referred.id, "admitted", note="Beard.", operator="M. Reyes")

    assert (made.outcome, made.previous_outcome, made.reason_code) == (
        "admitted",
        "referred",
        "document_checked",
    )
    assert (made.note, made.operator, made.actor) == ("Beard.", "M. Reyes", "test")
    assert (checkin.outcome, checkin.effective_outcome) == ("referred", "admitted")
    assert status_of(hall, "c1") == "admitted"


def test_whoever_was_let_in_by_a_person_is_not_let_in_again(hall: ExamDay) -> None:
    decide(hall, hall.arrive("c1", "1@60").checkin.id, "admitted")

    with pytest.raises(AlreadyCheckedIn):
        hall.arrive("c1", "1")


def test_an_admission_is_corrected_by_a_new_row(hall: ExamDay) -> None:
    admitted = hall.arrive("c1", "1").checkin

    _, refused = decide(hall, admitted.id, "refused", "impersonation_suspected")
    _, again = decide(hall, admitted.id, "admitted", "document_checked")

    assert (refused.outcome, refused.effective_outcome) == ("admitted", "refused")
    assert [(one.previous_outcome, one.outcome) for one in again.overrides] == [
        ("admitted", "refused"),
        ("refused", "admitted"),
    ]
    assert status_of(hall, "c1") == "admitted"


def test_a_refusal_does_not_reverse_by_another_photograph(hall: ExamDay) -> None:
    decide(hall, hall.arrive("c1", "9").checkin.id, "refused", "impersonation_suspected")

    with pytest.raises(CandidateRefused):
        hall.arrive("c1", "1")
    assert status_of(hall, "c1") == "refused"


def test_a_refused_candidate_may_still_show_a_document(hall: ExamDay) -> None:
    decide(hall, hall.arrive("c1", "9").checkin.id, "refused", "wrong_candidate")

    shown(hall, "c1")

    assert status_of(hall, "c1") == "identified_manually"


@pytest.mark.parametrize("outcome", ["referred", "identified_manually", "expected", ""])
def test_no_override_leads_back_to_an_open_case(outcome: str) -> None:
    with pytest.raises(ValidationError):
        OverrideTerms.model_validate({"outcome": outcome, "reason_code": "document_checked"})


@pytest.mark.parametrize("reason", [{}, {"reason_code": ""}, {"reason_code": "  "}, {"reason_code": None}])
def test_an_override_without_a_reason_is_refused(reason: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        OverrideTerms.model_validate({"outcome": "admitted", **reason})


def test_a_reason_that_the_exam_does_not_list_is_refused_with_those_it_does(hall: ExamDay) -> None:
    with pytest.raises(ReasonCodeUnknown) as refused:
        decide(hall, hall.arrive("c1", "9").checkin.id, "admitted", "because")

    assert "document_checked" in refused.value.members["allowed"]


def test_the_same_outcome_again_is_refused(hall: ExamDay) -> None:
    admitted = hall.arrive("c1", "1").checkin

    with pytest.raises(AlreadyDecided):
        decide(hall, admitted.id, "admitted")


def test_an_older_attempt_cannot_let_somebody_in_twice_nor_put_them_out(hall: ExamDay) -> None:
    referred = hall.arrive("c1", "1@60").checkin
    hall.arrive("c1", "1")

    for outcome in ("admitted", "refused"):
        with pytest.raises(AlreadyCheckedIn):
            decide(hall, referred.id, outcome)


def test_an_attempt_that_names_nobody_needs_a_candidate_to_be_let_in(hall: ExamDay) -> None:
    unknown = hall.arrive(None, "9").checkin

    with pytest.raises(CandidateNeeded):
        decide(hall, unknown.id, "admitted")
    with pytest.raises(NotOnRoster):
        decide(hall, unknown.id, "admitted", candidate="nobody")
    decide(hall, unknown.id, "admitted", candidate="c2")

    assert status_of(hall, "c2") == "admitted"


def test_an_attempt_that_names_nobody_is_refused_without_a_candidate(hall: ExamDay) -> None:
    _, checkin = decide(hall, hall.arrive(None, "9").checkin.id, "refused", "impersonation_suspected")

    assert checkin.effective_outcome == "refused"


def test_whoever_was_let_in_through_an_attempt_that_names_nobody_is_put_out_by_its_correction(
    hall: ExamDay,
) -> None:
    unknown = hall.arrive(None, "9").checkin
    decide(hall, unknown.id, "admitted", candidate="c2")

    made, _ = decide(hall, unknown.id, "refused", "wrong_candidate")
    decide(hall, unknown.id, "admitted", candidate="c1")

    assert (status_of(hall, "c2"), status_of(hall, "c1")) == ("refused", "admitted")
    assert made.previous_outcome == "admitted"


def test_a_correction_puts_out_whoever_is_in_even_where_it_names_another(hall: ExamDay) -> None:
    unknown = hall.arrive(None, "9").checkin
    decide(hall, unknown.id, "admitted", candidate="c2")

    decide(hall, unknown.id, "refused", "wrong_candidate", candidate="c1")

    assert (status_of(hall, "c2"), status_of(hall, "c1")) == ("refused", "expected")


def test_an_unknown_attempt_is_named(hall: ExamDay) -> None:
    with pytest.raises(CheckinNotFound):
        decide(hall, uuid7(), "admitted")


def test_an_override_that_is_sent_again_is_recorded_once(hall: ExamDay) -> None:
    referred = hall.arrive("c1", "9").checkin
    override_id = uuid7()
    terms = OverrideTerms.model_validate({"outcome": "admitted", "reason_code": "document_checked"})

    first = override(hall.desk, referred.id, terms, ORIGIN, override_id)
    again = override(hall.desk, referred.id, terms, ORIGIN, override_id)

    assert again == first


def test_two_invigilators_in_the_same_moment_settle_a_case_once(hall: ExamDay) -> None:
    referred = hall.arrive("c1", "9").checkin

    def settle(_: int) -> str:
        try:
            decide(hall, referred.id, "admitted")
        except ExamError as refused:
            return refused.code
        return "settled"

    with ThreadPoolExecutor(4) as invigilators:
        found = sorted(invigilators.map(settle, range(4)))

    assert found == ["already_decided"] * 3 + ["settled"]


class TestADocument:
    def test_lets_in_with_the_same_standing_as_a_photograph(self, hall: ExamDay) -> None:
        checkin = shown(hall, "new", operator="M. Reyes", note="Name as on the list.")

        assert (checkin.outcome, checkin.mode, checkin.document_type) == (
            "identified_manually",
            "manual",
            "passport",
        )
        assert (checkin.decision, checkin.d, checkin.model_id, checkin.seat) == (None, None, None, "N")
        assert checkin.operator == "M. Reyes"
        assert status_of(hall, "new") == "identified_manually"

    def test_lets_nobody_in_twice(self, hall: ExamDay) -> None:
        shown(hall, "c1")

        with pytest.raises(AlreadyCheckedIn):
            shown(hall, "c1")
        with pytest.raises(AlreadyCheckedIn):
            hall.arrive("c1", "1")

    def test_is_no_attempt_with_a_photograph(self, hall: ExamDay) -> None:
        hall.arrive("c1", "1@60")
        shown(hall, "c1")

        with hall.desk.database.read() as session:
            counts = counts_of(session, session_row(session, hall.session.id))

        assert (counts.attempts, counts.identified_manually, counts.expected) == (1, 1, 2)

    def test_is_shown_by_somebody_on_the_roster_while_the_session_is_open(self, hall: ExamDay) -> None:
        from service.exams.sessions import change_session
        from service.exams.terms import SessionChanges

        with pytest.raises(NotOnRoster):
            shown(hall, "nobody")
        closing = SessionChanges(opens_at=hours_from_now(-2), closes_at=hours_from_now(-1))
        change_session(hall.desk, hall.session.id, closing, ORIGIN)
        with pytest.raises(SessionClosed):
            shown(hall, "c1")

    def test_of_another_kind_needs_a_note(self) -> None:
        with pytest.raises(ValidationError, match="note"):
            IdentificationTerms(candidate="c1", document_type="other")  # type: ignore[arg-type]

    def test_can_be_corrected_by_an_override(self, hall: ExamDay) -> None:
        made = shown(hall, "c1")

        _, checkin = decide(hall, made.id, "refused", "wrong_candidate")

        assert (checkin.outcome, checkin.effective_outcome) == ("identified_manually", "refused")
        assert status_of(hall, "c1") == "refused"

    def test_can_be_confirmed_by_an_override(self, hall: ExamDay) -> None:
        made = shown(hall, "c1")

        _, checkin = decide(hall, made.id, "admitted", "known_to_invigilator")

        assert (checkin.outcome, checkin.effective_outcome) == ("identified_manually", "admitted")
        assert status_of(hall, "c1") == "admitted"
