"""Claims: whether a photograph is to be taken is told before any is."""

from collections.abc import Callable

import pytest
from fixtures_exams import ORIGIN, ExamDay, hours_from_now

from index import audit
from index.database.database import Database
from service.exams.checkin.claim import Claim, ask_for_document, check_claim
from service.exams.checkin.rules import Arrival
from service.exams.errors import (
    AlreadyCheckedIn,
    AttemptsExhausted,
    ManualIdentificationAgreed,
    NothingToCompare,
    NotOnRoster,
    SessionClosed,
)
from service.exams.live.waiting import waiting_list


@pytest.fixture
def hall(exam_day: ExamDay) -> ExamDay:
    """A room with c1, who is enrolled, and c2, who is not."""
    exam_day.enrol("c1", "1")
    exam_day.roster("c1,Ana,A1", "c2,Ben,A2", header="external_id,display_name,seat", create_subjects=True)
    return exam_day


def claim(hall: ExamDay, external_id: str) -> Claim:
    return check_claim(hall.desk, Arrival(hall.session.id, external_id, kiosk="door 1"), ORIGIN)


def declined(hall: ExamDay) -> list[str]:
    with hall.desk.database.read() as db:
        return [event.details["code"] for event in audit.list_events(db, limit=9, action="checkin.declined")]


def test_a_candidate_who_may_be_looked_at_is_told_by_name_and_seat(hall: ExamDay) -> None:
    hall.arrive("c1", "1@60")

    assert claim(hall, "C1") == Claim("c1", "Ana", "A1", made=1, allowed=3)
    assert declined(hall) == []


def test_who_agreed_to_show_a_document_is_sent_to_a_person_and_waits_on_the_board(hall: ExamDay) -> None:
    hall.roster("c1,yes", header="external_id,manual_identification", mode="merge")

    with pytest.raises(ManualIdentificationAgreed):
        claim(hall, "c1")

    assert declined(hall) == ["manual_identification_agreed"]
    assert hall.embedder.looked_at == []


def test_who_has_no_template_is_sent_to_a_person(hall: ExamDay) -> None:
    with pytest.raises(NothingToCompare):
        claim(hall, "c2")

    assert declined(hall) == ["no_template"]


def test_a_number_that_is_not_on_the_roster_is_refused(hall: ExamDay) -> None:
    with pytest.raises(NotOnRoster):
        claim(hall, "c9")


def test_who_is_in_already_is_told_so(hall: ExamDay) -> None:
    hall.arrive("c1", "1")

    with pytest.raises(AlreadyCheckedIn):
        claim(hall, "c1")


def test_whose_attempts_are_used_up_is_sent_to_a_person(hall: ExamDay) -> None:
    for _ in range(3):
        hall.arrive("c1", "7")

    with pytest.raises(AttemptsExhausted):
        claim(hall, "c1")


def test_before_the_doors_open_nobody_is_looked_at(
    database: Database, open_exam_day: Callable[..., ExamDay]
) -> None:
    hall = open_exam_day(database)
    later = hall.another_session(opens_at=hours_from_now(1), closes_at=hours_from_now(2))

    with pytest.raises(SessionClosed):
        check_claim(hall.desk, Arrival(later.id, "c1"), ORIGIN)


def test_whoever_is_expected_in_another_room_is_told_which(hall: ExamDay) -> None:
    other = hall.another_session(room="Hall B")
    hall.roster_of(other.id, "c9", header="external_id", create_subjects=True)

    with pytest.raises(NotOnRoster) as refused:
        claim(hall, "C9")

    assert refused.value.members == {"room": "Hall B"}


def test_a_room_whose_exam_is_over_is_not_named(hall: ExamDay) -> None:
    other = hall.another_session(room="Hall B", opens_at=hours_from_now(-9), closes_at=hours_from_now(-8))
    hall.roster_of(other.id, "c9", header="external_id", create_subjects=True)

    with pytest.raises(NotOnRoster) as refused:
        claim(hall, "c9")

    assert refused.value.members == {"room": None}


@pytest.mark.parametrize("number", ["c1", "c9", None])
def test_whoever_wants_to_show_a_document_waits_for_a_person(hall: ExamDay, number: str | None) -> None:
    ask_for_document(hall.desk, Arrival(hall.session.id, number, kiosk="door 1"), ORIGIN)

    (waiting,) = waiting_list(hall.desk, hall.session.id).items
    assert waiting.reasons == ["document_wanted"]
    assert (waiting.candidate.external_id if waiting.candidate else None) == (
        number if number == "c1" else None
    )
    assert hall.embedder.looked_at == []


def test_who_is_in_already_needs_no_document(hall: ExamDay) -> None:
    hall.arrive("c1", "1")

    with pytest.raises(AlreadyCheckedIn):
        ask_for_document(hall.desk, Arrival(hall.session.id, "c1"), ORIGIN)
