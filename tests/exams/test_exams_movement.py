"""Movement: who goes out, comes back and leaves; the rules of a session; who is out and since when."""

import csv
import io
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from fixtures_exams import ORIGIN, ExamDay, ExamService, hours_from_now

from index.database.database import Database
from index.ids import uuid7
from service.exams.checkin.claim import Claim, ask_for_document, check_claim
from service.exams.checkin.document import DocumentType, IdentificationTerms, identify
from service.exams.checkin.moving import MovementTerms, UndoTerms, move, undo_movement, who_is_out
from service.exams.checkin.overrides import OverrideTerms, override
from service.exams.checkin.rules import Arrival
from service.exams.errors import (
    AttemptsExhausted,
    AttemptSuperseded,
    EntryOver,
    ExitNotAllowed,
    MovementImpossible,
    MovementSuperseded,
    NotCheckedIn,
    ReasonRequired,
    ReturnByDocument,
)
from service.exams.evidence.attendance import attendance_csv, room_of
from service.exams.evidence.csv_report import report_csv
from service.exams.evidence.export import export_evidence
from service.exams.evidence.verifying import verify_evidence
from service.exams.exams import change_exam
from service.exams.live.feed import closed_event, snapshot
from service.exams.live.waiting import waiting_list
from service.exams.roster.changing import CandidateChanges, change_candidate
from service.exams.schemas import Movement
from service.exams.sessions import change_session
from service.exams.status import candidates_page, counts_of
from service.exams.tables import SessionRow
from service.exams.terms import ExamChanges, SessionChanges


@pytest.fixture
def hall(exam_day: ExamDay) -> ExamDay:
    """A room with c1 and c2, who are enrolled, and c3, who is not; c1 and c2 are in by their faces."""
    exam_day.enrol("c1", "1")
    exam_day.enrol("c2", "2")
    exam_day.roster("c1,Ana,A1", "c2,Ben,A2", "c3,Cy,A3", create_subjects=True)
    exam_day.arrive("c1", "1")
    exam_day.arrive("c2", "2")
    return exam_day


def moves(hall: ExamDay, number: str, kind: str, *, by_person: bool = False, **terms: Any) -> Movement:
    made = MovementTerms.model_validate({"candidate": number, "kind": kind, **terms})
    return move(hall.desk, hall.session.id, made, ORIGIN, by_person=by_person)


def undo(hall: ExamDay, movement: Movement) -> Movement:
    return undo_movement(hall.desk, movement.id, UndoTerms(reason="wrong seat"), ORIGIN, uuid7())


def claim(hall: ExamDay, number: str) -> Claim:
    return check_claim(hall.desk, Arrival(hall.session.id, number, kind="return"), ORIGIN)


def presence(hall: ExamDay, number: str) -> str:
    with hall.desk.database.read() as db:
        return {one.external_id: one.presence for one in candidates_page(db, hall.session.id)}[number]


def out(hall: ExamDay) -> list[str]:
    return [one.external_id for one in who_is_out(hall.desk, hall.session.id)]


def reasons_on_board(hall: ExamDay) -> list[list[str]]:
    return [one.reasons for one in waiting_list(hall.desk, hall.session.id).items]


def admit_by_document(hall: ExamDay, number: str, **terms: Any) -> None:
    given = IdentificationTerms(candidate=number, document_type=DocumentType.PASSPORT, **terms)
    identify(hall.desk, hall.session.id, given, ORIGIN)


def decide(hall: ExamDay, checkin_id: Any, outcome: Any) -> None:
    reason = "known_to_invigilator" if outcome == "admitted" else "impersonation_suspected"
    override(hall.desk, checkin_id, OverrideTerms(outcome=outcome, reason_code=reason), ORIGIN)


def rule(hall: ExamDay, **rules: Any) -> None:
    change_session(hall.desk, hall.session.id, SessionChanges(**rules, reason="rules"), ORIGIN)


def test_who_goes_out_is_out_until_the_same_face_comes_back(hall: ExamDay) -> None:
    before = claim(hall, "c1").presence
    moves(hall, "c1", "exit")
    while_out = (presence(hall, "c1"), out(hall), claim(hall, "c1").presence)

    checkin = hall.arrive("c1", "1@30", kind="return").checkin

    assert (before, while_out) == ("present", ("out", ["c1"], "out"))
    assert (checkin.kind, checkin.outcome, checkin.seat, checkin.reasons) == ("return", "admitted", "A1", [])
    assert (presence(hall, "c1"), out(hall)) == ("present", [])
    (candidate,) = [one for one in board(hall) if one.external_id == "c1"]
    assert candidate.status == "admitted"
    assert candidate.attempts == 1
    assert [one.until for one in candidate.absences] == [candidate.presence_at]


def board(hall: ExamDay) -> list[Any]:
    with hall.desk.database.read() as db:
        return candidates_page(db, hall.session.id)


def test_a_return_by_somebody_else_is_referred_and_a_case_and_the_candidate_stays_out(hall: ExamDay) -> None:
    moves(hall, "c1", "exit")

    checkin = hall.arrive("c1", "7", kind="return").checkin

    assert checkin.outcome == "referred"
    assert presence(hall, "c1") == "out"
    assert reasons_on_board(hall) == [["above_refer"]]
    decide(hall, checkin.id, "refused")
    assert reasons_on_board(hall) == []
    assert presence(hall, "c1") == "out"
    assert hall.arrive("c1", "1", kind="return").checkin.outcome == "admitted"


def test_a_return_with_the_face_of_somebody_who_is_in_names_both(hall: ExamDay) -> None:
    moves(hall, "c1", "exit")

    checkin = hall.arrive("c1", "2", kind="return").checkin

    assert "same_face_as_admitted" in checkin.reasons
    assert [one.external_id for one in checkin.conflicts] == ["c2"]


def test_a_person_who_knows_the_candidate_lets_back_in_and_can_take_that_back(hall: ExamDay) -> None:
    moves(hall, "c1", "exit")
    checkin = hall.arrive("c1", "1@60", kind="return").checkin

    decide(hall, checkin.id, "admitted")
    came_back = presence(hall, "c1")
    decide(hall, checkin.id, "refused")

    assert (checkin.outcome, came_back, presence(hall, "c1")) == ("referred", "present", "out")


def test_an_older_return_is_not_decided_on_and_one_of_somebody_who_is_in_neither(hall: ExamDay) -> None:
    moves(hall, "c1", "exit")
    first = hall.arrive("c1", "7", kind="return").checkin
    second = hall.arrive("c1", "8", kind="return").checkin

    with pytest.raises(AttemptSuperseded):
        decide(hall, first.id, "admitted")
    moves(hall, "c1", "return", by_person=True, document_type="passport")
    with pytest.raises(AttemptSuperseded):
        decide(hall, second.id, "admitted")

    assert reasons_on_board(hall) == []


def test_each_time_out_has_its_own_attempts_and_those_of_the_entry_do_not_count(hall: ExamDay) -> None:
    moves(hall, "c1", "exit")
    for _ in range(3):
        hall.arrive("c1", "7", kind="return")
    with pytest.raises(AttemptsExhausted):
        hall.arrive("c1", "1", kind="return")

    moves(hall, "c1", "return", by_person=True, document_type="passport")
    moves(hall, "c1", "exit")

    assert hall.arrive("c1", "1", kind="return").attempts_made == 1


def test_who_came_in_by_document_returns_by_document_and_waits_for_a_person(hall: ExamDay) -> None:
    admit_by_document(hall, "c3")
    moves(hall, "c3", "exit")

    with pytest.raises(ReturnByDocument):
        claim(hall, "c3")
    looked_at = len(hall.embedder.looked_at)
    with pytest.raises(ReturnByDocument):
        hall.arrive("c3", "3", kind="return")

    assert len(hall.embedder.looked_at) == looked_at
    assert reasons_on_board(hall) == [["return_by_document"]]
    moves(hall, "c3", "return", by_person=True, document_type="passport")
    assert (presence(hall, "c3"), reasons_on_board(hall)) == ("present", [])


def test_who_is_out_may_ask_for_a_document_instead(hall: ExamDay) -> None:
    moves(hall, "c1", "exit")

    ask_for_document(hall.desk, Arrival(hall.session.id, "c1"), ORIGIN)

    assert reasons_on_board(hall) == [["document_wanted"]]


def test_nobody_moves_who_is_not_in_or_twice_and_nobody_comes_back_who_has_left(hall: ExamDay) -> None:
    with pytest.raises(NotCheckedIn):
        moves(hall, "c3", "exit")
    moves(hall, "c1", "exit")
    with pytest.raises(MovementImpossible):
        moves(hall, "c1", "exit")
    moves(hall, "c1", "end")
    with pytest.raises(MovementImpossible):
        hall.arrive("c1", "1", kind="return")
    with pytest.raises(MovementImpossible):
        hall.arrive("c2", "2", kind="return")

    assert (presence(hall, "c1"), presence(hall, "c2")) == ("left", "present")
    with hall.desk.database.read() as db:
        counts = counts_of(db, db.get_one(SessionRow, hall.session.id))
    assert (counts.out, counts.left, counts.admitted) == (0, 1, 2)


def test_the_newest_movement_is_taken_back_once_and_then_the_one_before(hall: ExamDay) -> None:
    went = moves(hall, "c1", "exit")
    left = moves(hall, "c1", "end")

    with pytest.raises(MovementSuperseded):
        undo(hall, went)
    undo(hall, left)
    assert presence(hall, "c1") == "out"
    with pytest.raises(MovementSuperseded):
        undo(hall, left)
    undo(hall, went)

    assert presence(hall, "c1") == "present"


def test_an_admission_that_is_given_again_begins_without_the_former_movements(hall: ExamDay) -> None:
    checkin_id = hall.arrive("c1", "1", checkin_id=first_checkin(hall, "c1")).checkin.id
    moves(hall, "c1", "exit")

    decide(hall, checkin_id, "refused")
    gone = presence(hall, "c1")
    decide(hall, checkin_id, "admitted")

    assert (gone, presence(hall, "c1")) == ("absent", "present")


def first_checkin(hall: ExamDay, number: str) -> Any:
    return next(one.checkin_id for one in board(hall) if one.external_id == number)


def test_in_the_first_and_last_minutes_a_kiosk_lets_nobody_out_and_a_person_does_with_a_reason(
    hall: ExamDay,
) -> None:
    rule(hall, no_exit_first_minutes=90)

    with pytest.raises(ExitNotAllowed):
        moves(hall, "c1", "exit")
    with pytest.raises(ReasonRequired):
        moves(hall, "c1", "exit", by_person=True)
    assert claim(hall, "c1").stays_until is not None
    went = moves(hall, "c1", "exit", by_person=True, reason="was sick")

    assert went.reason == "was sick"
    rule(hall, no_exit_first_minutes=0, no_exit_last_minutes=150)
    with pytest.raises(ExitNotAllowed):
        moves(hall, "c2", "end")


def test_the_last_minutes_of_a_candidate_with_extra_time_are_later(hall: ExamDay) -> None:
    rule(hall, no_exit_last_minutes=150)
    changes = CandidateChanges(extra_minutes=60, reason="dyslexia")
    change_candidate(hall.desk, hall.session.id, "c1", changes, ORIGIN)

    moves(hall, "c1", "exit")

    assert presence(hall, "c1") == "out"


def test_after_the_last_entry_only_a_person_lets_in_and_only_with_a_reason(hall: ExamDay) -> None:
    hall.enrol("c4", "4")
    hall.roster("c4,Di,A4", mode="merge")
    rule(hall, last_entry_minutes=30)

    with pytest.raises(EntryOver):
        hall.arrive("c4", "4")
    assert reasons_on_board(hall) == [["entry_over"]]
    with pytest.raises(EntryOver):
        admit_by_document(hall, "c4")
    admit_by_document(hall, "c4", late_reason="the train stood still")

    assert presence(hall, "c4") == "present"
    rule(hall, late_entry="never")
    with pytest.raises(EntryOver):
        admit_by_document(hall, "c3", late_reason="the train stood still")


def test_nobody_comes_in_once_somebody_has_left_for_good_unless_that_is_taken_back(hall: ExamDay) -> None:
    rule(hall, no_entry_after_exit=True)
    moves(hall, "c1", "exit")
    admit_by_document(hall, "c3")
    hall.enrol("c4", "4")
    hall.roster("c4,Di,A4", mode="merge")

    left = moves(hall, "c2", "end")
    with pytest.raises(EntryOver):
        hall.arrive("c4", "4")
    assert hall.arrive("c1", "1", kind="return").checkin.outcome == "admitted"
    undo(hall, left)

    assert hall.arrive("c4", "4").checkin.outcome == "admitted"


def test_times_outside_are_in_report_list_and_evidence_and_the_chain_knows_each_movement(
    hall: ExamDay,
) -> None:
    moves(hall, "c1", "exit", kiosk="hall 1")
    hall.arrive("c1", "1", kind="return")
    moves(hall, "c1", "exit")

    text = "".join(report_csv(hall.desk, hall.session.id, scores=True)).lstrip("\ufeff")
    report = list(csv.DictReader(io.StringIO(text)))
    attendance = attendance_csv(room_of(hall.desk, hall.session.id), ZoneInfo("UTC"), ",").splitlines()
    evidence = export_evidence(hall.desk, hall.session.id, "c1", ORIGIN)

    kinds = [one["kind"] for one in report]
    assert kinds[:3] == ["session", "transaction", "transaction"]
    assert kinds[3:] == ["attempt", "attempt", "return attempt", "exit", "return", "exit"]
    assert report[7]["absent_seconds"] not in ("", "0")
    assert attendance[1].count("–") == 2
    assert [one.kind for one in evidence.movements] == ["exit", "return", "exit"]
    assert evidence.intact
    assert verify_evidence(hall.desk.database) == []


def test_who_never_came_back_is_told_when_the_session_closes(hall: ExamDay) -> None:
    moves(hall, "c2", "exit")
    hall.arrive("c2", "7", kind="return")

    rule(hall, closes_at=hours_from_now(0.001))
    with hall.desk.database.write() as db:
        db.get_one(SessionRow, hall.session.id).closes_at = hours_from_now(-0.001)
    closed = closed_event(hall.desk, hall.session.id)

    assert closed is not None
    assert '"external_id":"c2"' in closed.data
    assert '"presence":"out"' in snapshot(hall.desk, hall.session.id).data
    moves(hall, "c2", "end", by_person=True)
    assert presence(hall, "c2") == "left"


def test_where_faces_are_off_people_go_out_and_come_back_by_document(hall: ExamDay) -> None:
    change_exam(hall.desk, hall.exam.id, ExamChanges(faces="off"), ORIGIN)
    moves(hall, "c1", "exit")

    with pytest.raises(ReturnByDocument):
        claim(hall, "c1")
    moves(hall, "c1", "return", by_person=True, document_type="student_card")

    assert presence(hall, "c1") == "present"


def test_evidence_of_before_returns_is_still_as_it_was_digested(
    database: Database, open_exam_day: Callable[..., ExamDay]
) -> None:
    day = open_exam_day(database)
    day.enrol("c1", "1")
    day.roster("c1,Ana,A1")
    day.arrive("c1", "1")

    (row,) = export_evidence(day.desk, day.session.id, "c1", ORIGIN).rows

    assert "kind" not in row.row


def test_over_http_a_kiosk_records_exits_and_a_person_the_rest(exam_service: ExamService) -> None:
    exam_service.put_csv("external_id,display_name,seat\nm1,Mo,B1\n", "?create_subjects=true")
    kiosk = exam_service.kiosk_key()
    path, person = "sessions/{session}/movements", {"candidate": "m1", "document_type": "passport"}
    exam_service.call("POST", "sessions/{session}/identifications", json=person)

    went = exam_service.call("POST", path, json={"candidate": "m1", "kind": "exit"}, key=kiosk)
    refused = exam_service.call("POST", path, json={**person, "kind": "return"}, key=kiosk)
    claimed = exam_service.call(
        "POST", "sessions/{session}/claims", json={"candidate": "m1", "kind": "return"}, key=kiosk
    )
    listed = exam_service.call("GET", path).json()
    undone = exam_service.call("POST", f"movements/{went.json()['id']}/undo", json={"reason": "not them"})

    assert (went.status_code, refused.status_code, undone.status_code) == (201, 403, 201)
    assert (claimed.status_code, claimed.json()["code"]) == (409, "return_by_document")
    assert [one["external_id"] for one in listed["out"]] == ["m1"]
    assert exam_service.call("GET", path).json()["out"] == []
