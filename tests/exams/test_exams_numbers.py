"""What a card says, and whose number it is."""

from dataclasses import replace

import pytest
from fixtures_exams import ORIGIN, ExamDay

from service.cards.number_rule import NumberRule, has_check_digit
from service.exams.checkin.claim import ask_for_document, check_claim
from service.exams.checkin.numbers import cards_of, set_cards
from service.exams.checkin.rules import Arrival
from service.exams.errors import CardTaken, NothingToCompare, NotOnRoster, NumberInvalid
from service.exams.live.waiting import waiting_list


@pytest.fixture
def hall(exam_day: ExamDay) -> ExamDay:
    """A room with c1, who is enrolled."""
    exam_day.enrol("c1", "1")
    exam_day.roster("c1,Ana,A1", create_subjects=True)
    return exam_day


def claimed(hall: ExamDay, text: str, rule: NumberRule | None = None) -> str:
    desk = replace(hall.desk, numbers=rule) if rule else hall.desk
    return check_claim(desk, Arrival(hall.session.id, text), ORIGIN).external_id


@pytest.mark.parametrize(
    ("rule", "text", "number"),
    [
        (NumberRule(prefix="LIB-"), "lib-1234", "1234"),
        (NumberRule(prefix="LIB-"), "1234", None),
        (NumberRule(length=4), "1234", "1234"),
        (NumberRule(length=4), "12345", None),
        (NumberRule(prefix="X"), "X", None),
        (NumberRule(check_digit="luhn"), "79927398713", "79927398713"),
        (NumberRule(check_digit="luhn"), "79927398714", None),
        (NumberRule(check_digit="luhn"), "A9927398713", None),
        (NumberRule(check_digit="mod11"), "080442957X", "080442957X"),
        (NumberRule(check_digit="mod11"), "0306406152", "0306406152"),
        (NumberRule(check_digit="mod11"), "0306406153", None),
    ],
)
def test_a_card_spells_a_number_by_the_sites_rule(rule: NumberRule, text: str, number: str | None) -> None:
    assert rule.read(text) == number


@pytest.mark.parametrize("kind", ["luhn", "mod11"])
def test_a_digit_that_was_misread_is_noticed(kind: str) -> None:
    right = "79927398713" if kind == "luhn" else "0306406152"
    changed = [
        right[:at] + digit + right[at + 1 :]
        for at in range(len(right))
        for digit in "0123456789"
        if digit != right[at]
    ]

    assert not [text for text in changed if has_check_digit(text, kind)]  # type: ignore[arg-type]


def test_a_claim_is_understood_as_the_card_spells_it(hall: ExamDay) -> None:
    assert claimed(hall, "LIB-c1", NumberRule(prefix="LIB-")) == "c1"
    assert claimed(hall, "c1", NumberRule(prefix="LIB-")) == "c1"


def test_what_no_candidate_can_have_is_said_and_calls_nobody(hall: ExamDay) -> None:
    rule = NumberRule(length=2)

    with pytest.raises(NumberInvalid):
        claimed(hall, "http://example.org/", rule)
    with pytest.raises(NotOnRoster):
        claimed(hall, "c9", rule)

    assert [one.reasons for one in waiting_list(hall.desk, hall.session.id).items] == [["not_on_roster"]]


def test_who_is_turned_away_by_a_card_waits_by_name(exam_day: ExamDay) -> None:
    exam_day.roster("c2,Ben,A2", create_subjects=True)

    with pytest.raises(NothingToCompare):
        claimed(exam_day, "LIB-c2", NumberRule(prefix="LIB-"))

    (waiting,) = waiting_list(exam_day.desk, exam_day.session.id).items
    assert waiting.candidate is not None
    assert (waiting.candidate.external_id, waiting.reasons) == ("c2", ["no_template"])


def test_any_of_somebodys_cards_claims_for_them(hall: ExamDay) -> None:
    set_cards(hall.desk.database, hall.subjects["c1"], ["04A2 24B1", "L-77"], ORIGIN)

    assert [claimed(hall, text) for text in ("04a2 24b1", "L-77", "c1")] == ["c1", "c1", "c1"]
    assert cards_of(hall.desk.database, hall.subjects["c1"]) == ["04A2 24B1", "L-77"]


def test_a_lost_card_claims_for_nobody(hall: ExamDay) -> None:
    set_cards(hall.desk.database, hall.subjects["c1"], ["L-77"], ORIGIN)
    set_cards(hall.desk.database, hall.subjects["c1"], ["L-78"], ORIGIN)

    assert claimed(hall, "L-78") == "c1"
    with pytest.raises(NotOnRoster):
        claimed(hall, "L-77")


@pytest.mark.parametrize("number", ["L-77", "l-77", "c1"])
def test_one_number_is_one_persons(hall: ExamDay, number: str) -> None:
    other = hall.enrol("c2", "2")
    set_cards(hall.desk.database, hall.subjects["c1"], ["L-77"], ORIGIN)

    with pytest.raises(CardTaken):
        set_cards(hall.desk.database, other, [number], ORIGIN)


def test_who_wants_a_document_waits_whatever_the_reader_gave(hall: ExamDay) -> None:
    ask_for_document(
        replace(hall.desk, numbers=NumberRule(length=2)), Arrival(hall.session.id, "garbage"), ORIGIN
    )

    (waiting,) = waiting_list(hall.desk, hall.session.id).items
    assert (waiting.candidate, waiting.reasons) == (None, ["document_wanted"])


def test_a_photograph_that_comes_with_a_cards_text_is_of_the_number_on_the_card(exam_day: ExamDay) -> None:
    exam_day.enrol("00123", "1")
    exam_day.roster("00123,Ana,A1")
    exam_day.desk = replace(exam_day.desk, numbers=NumberRule(prefix="UNI-"))

    checkin = exam_day.arrive("UNI-00123", "1").checkin

    assert (checkin.outcome, checkin.external_id) == ("admitted", "00123")
    with pytest.raises(NotOnRoster):
        exam_day.arrive("00123-UNI", "1")
