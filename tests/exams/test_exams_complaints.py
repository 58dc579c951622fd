"""Complaints about check-ins: a day by which they are answered, and evidence that stays until then."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from fixtures_exams import ORIGIN, ExamDay, ExamService, hours_from_now

from index import audit
from index.database.database import Database
from service.access.scopes import Scope
from service.exams.complaints import (
    ComplaintAnswer,
    NewComplaint,
    answer_complaint,
    list_complaints,
    month_after,
    take_complaint,
)
from service.exams.errors import CheckinNotFound, ComplaintAnswered, ComplaintNotFound, ExamOnHold
from service.exams.evidence.export import export_evidence
from service.exams.evidence.retention import purge_exam
from service.exams.holds import list_holds
from service.exams.tables import CheckinRow

WORDS = "I was sent away though it was me"


@pytest.fixture
def hall(exam_day: ExamDay) -> ExamDay:
    """A room with c1, who was referred."""
    exam_day.enrol("c1", "1")
    exam_day.roster("c1,Ana,A1")
    return exam_day


def referred(hall: ExamDay) -> UUID:
    return hall.arrive("c1", "1@60").checkin.id


def today() -> date:
    return datetime.now(UTC).date()


def test_a_month_is_the_same_day_of_the_next_one_or_its_last() -> None:
    assert month_after(date(2026, 11, 28)) == date(2026, 12, 28)
    assert month_after(date(2026, 12, 15)) == date(2027, 1, 15)
    assert month_after(date(2027, 1, 31)) == date(2027, 2, 28)


def test_open_complaints_are_listed_by_the_day_they_are_due_and_overdue_ones_say_so(hall: ExamDay) -> None:
    checkin = referred(hall)
    late, soon = today() - timedelta(days=40), today() - timedelta(days=3)

    take_complaint(hall.desk, checkin, NewComplaint(text=WORDS, received_on=soon), ORIGIN)
    take_complaint(hall.desk, checkin, NewComplaint(text=WORDS, received_on=late), ORIGIN)
    due = take_complaint(
        hall.desk, checkin, NewComplaint(text=WORDS, received_on=late, due_on=today()), ORIGIN
    )

    found = list_complaints(hall.desk)
    assert [one.due_on for one in found] == [month_after(late), today(), month_after(soon)]
    assert [one.is_overdue for one in found] == [True, False, False]
    assert due.external_id == "c1"
    assert list_complaints(hall.desk, only=[uuid4()]) == []
    assert list_complaints(hall.desk, checkin_id=checkin) == found
    assert list_complaints(hall.desk, checkin_id=uuid4()) == []


def test_evidence_stays_until_the_answer_and_goes_with_the_complaint_afterwards(
    database: Database, open_exam_day: Callable[..., ExamDay]
) -> None:
    times = {"starts_at": -999, "ends_at": -998, "opens_at": -999, "closes_at": -998}
    past = {name: hours_from_now(hours) for name, hours in times.items()}
    over = open_exam_day(database, **past, retention_days=0)
    complaint = take_complaint(over.desk, checkin_of_long_ago(over), NewComplaint(text=WORDS), ORIGIN)

    with pytest.raises(ExamOnHold):
        purge_exam(database, over.exam.id, ORIGIN)
    answer_complaint(over.desk, complaint.id, ComplaintAnswer(answer="You were right."), ORIGIN)
    holds = list_holds(database, 9)
    purged = purge_exam(database, over.exam.id, ORIGIN)

    assert holds == []
    assert (purged.purged, purged.checkins) == (True, 1)
    assert list_complaints(over.desk, answered=True) == []


def checkin_of_long_ago(day: ExamDay) -> UUID:
    """An attempt of an exam that is over."""
    with day.desk.database.write() as db:
        row = CheckinRow(
            exam_id=day.exam.id,
            session_id=day.session.id,
            mode="claimed",
            outcome="referred",
            reasons=[],
            conflicts=[],
            actor="test",
            created_at=hours_from_now(-999),
        )
        db.add(row)
        db.flush()
        return row.id


def test_a_candidates_own_file_has_the_complaints_and_their_answers(hall: ExamDay) -> None:
    complaint = take_complaint(hall.desk, referred(hall), NewComplaint(text=WORDS), ORIGIN)
    answer_complaint(hall.desk, complaint.id, ComplaintAnswer(answer="You were right."), ORIGIN)

    file = export_evidence(hall.desk, hall.session.id, "c1", ORIGIN)

    assert [(one.text, one.answer) for one in file.complaints] == [(WORDS, "You were right.")]
    assert file.intact


def test_a_complaint_is_answered_once_and_is_about_a_checkin_that_is_there(hall: ExamDay) -> None:
    complaint = take_complaint(hall.desk, referred(hall), NewComplaint(text=WORDS), ORIGIN)
    terms = ComplaintAnswer(answer="No.")
    answer_complaint(hall.desk, complaint.id, terms, ORIGIN)

    with pytest.raises(ComplaintAnswered):
        answer_complaint(hall.desk, complaint.id, terms, ORIGIN)
    with pytest.raises(ComplaintNotFound):
        answer_complaint(hall.desk, uuid4(), terms, ORIGIN)
    with pytest.raises(CheckinNotFound):
        take_complaint(hall.desk, uuid4(), NewComplaint(text=WORDS), ORIGIN)
    assert list_complaints(hall.desk) == []


def test_the_audit_trail_has_neither_the_complaint_nor_the_answer(hall: ExamDay) -> None:
    complaint = take_complaint(hall.desk, referred(hall), NewComplaint(text=WORDS), ORIGIN)
    answer_complaint(hall.desk, complaint.id, ComplaintAnswer(answer="It was somebody else"), ORIGIN)

    with hall.desk.database.read() as db:
        events = list(audit.list_events(db, limit=50))

    assert {"complaint.taken", "complaint.answered"} <= {one.action for one in events}
    written = " ".join(str(one.details) for one in events)
    assert WORDS not in written
    assert "somebody else" not in written


def test_over_http_a_complaint_of_tomorrow_is_refused_and_a_kiosk_takes_none(
    staffed_exam: ExamService, astronaut_jpeg: bytes
) -> None:
    checkin = staffed_exam.check_in(astronaut_jpeg, candidate="A1").json()["checkin"]["id"]
    path = f"checkins/{checkin}/complaints"
    tomorrow = (today() + timedelta(days=1)).isoformat()

    early = staffed_exam.call("POST", path, json={"text": WORDS, "received_on": tomorrow})
    kiosk = staffed_exam.call("POST", path, key=staffed_exam.kiosk_key(), json={"text": WORDS})
    reader = staffed_exam.service.key(Scope.AUDIT_READ)
    taken = staffed_exam.call("POST", path, json={"text": WORDS})
    listed = staffed_exam.call("GET", "complaints", key=reader)
    refused = staffed_exam.call(
        "POST", f"complaints/{taken.json()['id']}/answer", key=reader, json={"answer": "No."}
    )
    answered = staffed_exam.call("POST", f"complaints/{taken.json()['id']}/answer", json={"answer": "No."})

    assert (early.status_code, kiosk.status_code, refused.status_code) == (422, 403, 403)
    assert (taken.status_code, answered.status_code) == (201, 200)
    assert [one["id"] for one in listed.json()["items"]] == [taken.json()["id"]]
    assert staffed_exam.call("GET", "complaints").json()["items"] == []
