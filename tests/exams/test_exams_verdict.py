"""What a check-in comes to, rule by rule."""

from math import nextafter

import pytest
from fixtures_exams import CALIBRATION
from hypothesis import given
from hypothesis import strategies as st

from index.ids import uuid7
from service.decisions.decision import Outcome, Policy, decide
from service.exams.checkin.verdict import Rival, judge, same_face_d
from service.exams.policies import policy_among
from service.exams.schemas import Verdict

SAME_FACE = 0.4


def rival(d: float, *, admitted: bool) -> Rival:
    return Rival(uuid7(), d, admitted)


@pytest.mark.parametrize("decision", [Outcome.REFER, Outcome.NO_MATCH])
def test_what_is_no_match_goes_to_a_person(decision: Outcome) -> None:
    assert judge(decision, 1.0, [], SAME_FACE) == (Verdict.REFERRED, [])


@pytest.mark.parametrize("decision", [Outcome.REFER, Outcome.NO_MATCH])
def test_whose_face_it_is_is_said_of_a_claim_that_does_not_match(decision: Outcome) -> None:
    verdict, reasons = judge(decision, 1.0, [rival(0.1, admitted=True)], SAME_FACE)

    assert (verdict, reasons) == (Verdict.REFERRED, ["same_face_as_admitted", "nearer_to_other_candidate"])


def test_both_thresholds_belong_to_the_better_decision() -> None:
    policy = Policy.of(CALIBRATION, 1e-4, 1e-3)

    at_both = [decide(policy.match, policy), decide(policy.refer, policy)]
    beyond = [decide(nextafter(limit, 4.0), policy) for limit in (policy.match, policy.refer)]

    assert at_both == [Outcome.MATCH, Outcome.REFER]
    assert beyond == [Outcome.REFER, Outcome.NO_MATCH]


def test_a_match_admits() -> None:
    assert judge(Outcome.MATCH, 0.3, [], SAME_FACE) == (Verdict.ADMITTED, [])


def test_a_face_that_has_been_let_in_as_somebody_else_goes_to_a_person() -> None:
    verdict, reasons = judge(Outcome.MATCH, 0.3, [rival(0.39, admitted=True)], SAME_FACE)

    assert (verdict, reasons) == (Verdict.REFERRED, ["same_face_as_admitted"])


def test_a_look_alike_who_is_not_in_yet_stands_in_nobodys_way() -> None:
    assert judge(Outcome.MATCH, 0.3, [rival(0.35, admitted=False)], SAME_FACE) == (Verdict.ADMITTED, [])


def test_an_admitted_look_alike_beyond_the_limit_for_one_face_stands_in_nobodys_way() -> None:
    assert judge(Outcome.MATCH, 0.3, [rival(0.5, admitted=True)], SAME_FACE) == (Verdict.ADMITTED, [])


def test_a_face_that_is_clearly_nearer_to_another_candidate_goes_to_a_person() -> None:
    verdict, reasons = judge(Outcome.MATCH, 0.7, [rival(0.5, admitted=False)], SAME_FACE)

    assert (verdict, reasons) == (Verdict.REFERRED, ["nearer_to_other_candidate"])


def test_a_difference_as_between_two_photographs_tells_nobody_apart() -> None:
    assert judge(Outcome.MATCH, 0.55, [rival(0.5, admitted=False)], SAME_FACE) == (Verdict.ADMITTED, [])


@given(st.integers(1, 100_000), st.integers(1, 100_000))
def test_the_more_people_the_nearer_a_face_must_be(a: int, b: int) -> None:
    few, many = sorted((a, b))
    policy = Policy.of(CALIBRATION, 1e-4, 1e-3)

    assert same_face_d(CALIBRATION, 1e-4, many) <= same_face_d(CALIBRATION, 1e-4, few) <= policy.match
    assert policy_among(policy, many).match <= policy_among(policy, few).match <= policy.match
    assert policy_among(policy, many).match <= policy_among(policy, many).refer


def test_a_search_among_ten_has_a_tenth_of_the_rate() -> None:
    policy = policy_among(Policy.of(CALIBRATION, 1e-4, 1e-3), 10)

    assert (policy.match_fmr, policy.refer_fmr) == pytest.approx((1e-5, 1e-4))
    assert (policy.match, policy.refer) == pytest.approx((0.4, 0.8))
