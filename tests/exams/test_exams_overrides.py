"""What a person decides: overrides with a reason, identification by a document; nothing is taken back."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from fixtures_exams import ORIGIN, ExamDay, hours_from_now
from pydantic import ValidationError
from sqlalchemy import event

from index.ids import uuid7
from service.exams.checkin import rules
from service.exams.checkin.document import IdentificationTerms, identify
from service.exams.checkin.overrides import OverrideTerms, override
from service.exams.checkin.photograph import find_checkin
from service.exams.errors import (
    AlreadyCheckedIn,
    AlreadyDecided,
    AttemptSuperseded,
    CandidateNeeded,
    CandidateRefused,
    CheckinNotFound,
    DecidedMeanwhile,
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
    with hall.desk.database.read() as db:
        found = candidates_page(db, hall.session.id)
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


class TestASupersededAttempt:
    def test_is_no_open_case_and_names_the_one_that_counts(self, hall: ExamDay) -> None:
        older = hall.arrive("c1", "1@60").checkin
        newer = hall.arrive("c1", "1@62").checkin

        for outcome in ("admitted", "refused"):
            with pytest.raises(AttemptSuperseded) as refused:
                decide(hall, older.id, outcome)
            assert refused.value.members["checkin_id"] == str(newer.id)
        assert find_checkin(hall.desk, older.id).superseded_by == newer.id
        assert find_checkin(hall.desk, newer.id).superseded_by is None
        assert decide(hall, newer.id, "admitted")[1].superseded_by is None

    def test_does_not_bring_back_whoever_was_refused_since(self, hall: ExamDay) -> None:
        older = hall.arrive("c1", "1@60").checkin
        newer = hall.arrive("c1", "9").checkin
        decide(hall, newer.id, "refused", "impersonation_suspected")

        with pytest.raises(AttemptSuperseded):
            decide(hall, older.id, "admitted")
        assert status_of(hall, "c1") == "refused"

    def test_may_be_superseded_by_one_that_named_nobody(self, hall: ExamDay) -> None:
        claimed = hall.arrive("c1", "1@60").checkin
        unknown = hall.arrive(None, "9").checkin
        decide(hall, unknown.id, "admitted", candidate="c1")
        decide(hall, unknown.id, "refused", "wrong_candidate")

        with pytest.raises(AttemptSuperseded) as refused:
            decide(hall, claimed.id, "admitted")
        assert refused.value.members["checkin_id"] == str(unknown.id)

    def test_may_be_superseded_by_a_document(self, hall: ExamDay) -> None:
        older = hall.arrive("c1", "1@60").checkin
        made = shown(hall, "c1")
        decide(hall, made.id, "refused", "wrong_candidate")

        with pytest.raises(AttemptSuperseded) as refused:
            decide(hall, older.id, "admitted")
        assert refused.value.members["checkin_id"] == str(made.id)

    def test_leaves_the_newer_one_to_be_corrected(self, hall: ExamDay) -> None:
        older = hall.arrive("c1", "1@60").checkin
        newer = hall.arrive("c1", "1").checkin
        decide(hall, newer.id, "refused", "impersonation_suspected")

        decide(hall, newer.id, "admitted")

        assert find_checkin(hall.desk, older.id).superseded_by == newer.id
        assert status_of(hall, "c1") == "admitted"


class TestTwoOperators:
    def test_who_decides_on_what_has_been_decided_since_is_told(self, hall: ExamDay) -> None:
        referred = hall.arrive("c1", "9").checkin
        decide(hall, referred.id, "refused", "impersonation_suspected", operator="M. Reyes", seen_overrides=0)

        with pytest.raises(DecidedMeanwhile) as refused:
            decide(hall, referred.id, "admitted", seen_overrides=0)

        assert refused.value.members["outcome"] == "refused"
        assert refused.value.members["operator"] == "M. Reyes"
        assert status_of(hall, "c1") == "refused"
        decide(hall, referred.id, "admitted", seen_overrides=1)

    def test_who_decide_in_the_same_moment_do_not_overrule_each_other(self, hall: ExamDay) -> None:
        referred = hall.arrive("c1", "9").checkin

        found = once_both_have_looked(
            hall,
            lambda: code_of(lambda: decide(hall, referred.id, "admitted")),
            lambda: code_of(lambda: decide(hall, referred.id, "refused")),
        )

        assert sorted(found) == ["decided_meanwhile", "settled"]

    def test_one_of_whom_refuses_while_the_other_looks_at_a_document_do_not_overrule_each_other(
        self, hall: ExamDay
    ) -> None:
        referred = hall.arrive("c1", "9").checkin

        found = once_both_have_looked(
            hall,
            lambda: code_of(lambda: decide(hall, referred.id, "refused")),
            lambda: code_of(lambda: shown(hall, "c1")),
        )

        assert found in (["settled", "decided_meanwhile"], ["already_checked_in", "settled"])


def code_of(decision: Callable[[], object]) -> str:
    """What became of a decision."""
    try:
        decision()
    except ExamError as refused:
        return refused.code
    return "settled"


def once_both_have_looked(hall: ExamDay, *decisions: Callable[[], str]) -> list[str]:
    """Let nobody write before everybody has read what there is."""
    looked = threading.Semaphore(0)

    def look(_: object, __: object, statement: str, *rest: object) -> None:
        if statement.startswith("SELECT checkin_override"):
            looked.release()

    event.listen(hall.desk.database.engine, "after_cursor_execute", look)
    try:
        with ThreadPoolExecutor(len(decisions)) as operators:
            with hall.desk.database.write():
                waiting = [operators.submit(decision) for decision in decisions]
                assert all(looked.acquire(timeout=30) for _ in decisions)
            return [one.result() for one in waiting]
    finally:
        event.remove(hall.desk.database.engine, "after_cursor_execute", look)


def test_an_admission_stands_though_a_wrong_clock_has_dated_an_older_attempt_later(
    hall: ExamDay, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as ahead:
        ahead.setattr(rules, "utc_now", lambda: datetime.now(UTC) + timedelta(minutes=30))
        referred = hall.arrive("c1", "9").checkin

    made = shown(hall, "c1")

    assert referred.created_at > made.created_at
    assert status_of(hall, "c1") == "identified_manually"
    assert find_checkin(hall.desk, referred.id).superseded_by == made.id
    with pytest.raises(AlreadyCheckedIn):
        decide(hall, referred.id, "refused")


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

        with hall.desk.database.read() as db:
            counts = counts_of(db, session_row(db, hall.session.id))

        assert (counts.attempts, counts.identified_manually, counts.expected) == (1, 1, 2)

    def test_is_shown_by_somebody_on_the_roster_while_the_session_is_open(self, hall: ExamDay) -> None:
        from service.exams.sessions import change_session
        from service.exams.terms import SessionChanges

        with pytest.raises(NotOnRoster):
            shown(hall, "nobody")
        closing = SessionChanges(opens_at=hours_from_now(-2), closes_at=hours_from_now(-1), reason="the test")
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
