"""Who needs a person is on one list with the reason, oldest first, until somebody has helped."""

import pytest
from fixtures_exams import ORIGIN, ExamDay
from pydantic import ValidationError

from embedding.errors import FaceNotFound
from service.exams.checkin.document import IdentificationTerms, identify
from service.exams.checkin.overrides import OverrideTerms, override
from service.exams.errors import (
    AlreadyCheckedIn,
    CheckinRefused,
    DecisionNeeded,
    ManualIdentificationAgreed,
    NothingToCompare,
    NotOnRoster,
    NotWaiting,
    ReasonRequired,
    SeatTaken,
)
from service.exams.live.waiting import AttendedTerms, Waiting, attend, waiting_list
from service.exams.roster.changing import CandidateChanges, change_candidate
from service.exams.schemas import Candidate

HEADER = "external_id,display_name,seat,manual_identification,twin"


@pytest.fixture
def hall(exam_day: ExamDay) -> ExamDay:
    """Ann and Ben enrolled, Dot by document, Nell without a template, Tom a twin."""
    for number, name in enumerate(("ann", "ben", "dot", "tom"), 1):
        exam_day.enrol(name, str(number))
    exam_day.enrol("nell")
    exam_day.roster(
        "ann,Ann,A1,,", "ben,Ben,A2,,", "dot,Dot,A3,yes,", "nell,Nell,A4,,", "tom,Tom,A5,,yes", header=HEADER
    )
    return exam_day


def waiting(hall: ExamDay) -> list[Waiting]:
    return waiting_list(hall.desk, hall.session.id).items


def reasons(hall: ExamDay) -> list[tuple[str | None, list[str]]]:
    return [(one.candidate.external_id if one.candidate else None, one.reasons) for one in waiting(hall)]


def turn_away(
    hall: ExamDay, name: str | None, picture: str, kind: type[CheckinRefused], kiosk: str | None = None
) -> None:
    with pytest.raises(kind):
        hall.arrive(name, picture, kiosk=kiosk)


def change(hall: ExamDay, name: str, **changes: object) -> Candidate:
    terms = CandidateChanges.model_validate(changes)
    return change_candidate(hall.desk, hall.session.id, name, terms, ORIGIN)


def test_everybody_who_needs_a_person_waits_with_the_reason_oldest_first(hall: ExamDay) -> None:
    hall.arrive("ben", "9")
    turn_away(hall, "dot", "3", ManualIdentificationAgreed)
    turn_away(hall, "nell", "8", NothingToCompare)
    hall.arrive("tom", "4")
    hall.arrive(None, "7")
    with pytest.raises(FaceNotFound):
        hall.arrive("ann", "nobody")
    turn_away(hall, "who", "6", NotOnRoster, kiosk="door 2")

    assert reasons(hall) == [
        ("ben", ["above_refer"]),
        ("dot", ["manual_identification_agreed"]),
        ("nell", ["no_template"]),
        ("tom", ["twin"]),
        (None, ["no_candidate_found"]),
        ("ann", ["face_not_found"]),
        (None, ["not_on_roster"]),
    ]
    assert waiting(hall)[-1].kiosk == "door 2"


def test_whoever_tries_again_waits_once_and_keeps_the_place_in_the_queue(hall: ExamDay) -> None:
    hall.arrive("ben", "2+9@60")
    turn_away(hall, "dot", "3", ManualIdentificationAgreed)
    hall.arrive("ben", "9")

    assert reasons(hall) == [("ben", ["above_refer"]), ("dot", ["manual_identification_agreed"])]


def test_whoever_was_helped_waits_no_longer(hall: ExamDay) -> None:
    referred = hall.arrive("ben", "9").checkin
    with pytest.raises(FaceNotFound):
        hall.arrive("ann", "nobody")
    turn_away(hall, "dot", "3", ManualIdentificationAgreed)

    hall.arrive("ann", "1")
    refusal = OverrideTerms.model_validate({"outcome": "refused", "reason_code": "impersonation_suspected"})
    override(hall.desk, referred.id, refusal, ORIGIN)
    document = IdentificationTerms.model_validate({"candidate": "dot", "document_type": "passport"})
    identify(hall.desk, hall.session.id, document, ORIGIN)
    turn_away(hall, "ann", "1", AlreadyCheckedIn)

    assert waiting(hall) == []


def test_somebody_who_is_on_no_list_is_seen_to_once(hall: ExamDay) -> None:
    turn_away(hall, "who", "6", NotOnRoster, kiosk="door 2")
    (one,) = waiting(hall)
    terms = AttendedTerms(id=one.id)

    rest = attend(hall.desk, hall.session.id, terms, ORIGIN)

    assert (rest.items, waiting(hall)) == ([], [])
    with pytest.raises(NotWaiting):
        attend(hall.desk, hall.session.id, terms, ORIGIN)
    turn_away(hall, "who", "6", NotOnRoster, kiosk="door 2")
    assert len(waiting(hall)) == 1


def test_an_open_attempt_of_a_candidate_takes_a_decision(hall: ExamDay) -> None:
    hall.arrive("ben", "9")
    (one,) = waiting(hall)

    with pytest.raises(DecisionNeeded):
        attend(hall.desk, hall.session.id, AttendedTerms(id=one.id), ORIGIN)

    assert len(waiting(hall)) == 1


def test_a_candidate_is_moved_to_a_free_seat_even_after_having_been_let_in(hall: ExamDay) -> None:
    hall.arrive("ann", "1")

    moved = change(hall, "ann", seat="B9")

    assert (moved.seat, moved.status) == ("B9", "admitted")
    assert hall.arrive("ben", "2").checkin.seat == "A2"
    with pytest.raises(SeatTaken):
        change(hall, "ben", seat="B9")
    assert change(hall, "ben", seat="A1").seat == "A1"


def test_a_candidate_who_is_marked_as_a_twin_is_let_in_by_a_person_alone(hall: ExamDay) -> None:
    with pytest.raises(ReasonRequired):
        change(hall, "ann", twin=True)

    change(hall, "ann", twin=True, reason="the sister sits in Hall B")

    attempt = hall.arrive("ann", "1").checkin
    assert (attempt.outcome, attempt.reasons) == ("referred", ["twin"])
    assert change(hall, "ann").flags.twin


def test_a_change_of_an_unknown_field_is_refused() -> None:
    with pytest.raises(ValidationError):
        CandidateChanges.model_validate({"display_name": "Somebody else"})
