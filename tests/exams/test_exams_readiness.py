"""Readiness of a whole exam: grades of look-alikes, the age of photographs, a line for each candidate."""

import csv
import io

import pytest
from fixtures_exams import ExamDay, ExamService

from service.exams.roster.readiness import exam_readiness, readiness


@pytest.fixture
def hall(sqlite_exam_day: ExamDay) -> ExamDay:
    """Person 1 is enrolled as c1."""
    sqlite_exam_day.enrol("c1", "1")
    return sqlite_exam_day


def test_look_alikes_are_graded_by_what_the_door_would_do(hall: ExamDay) -> None:
    hall.enrol("near", "1@20")
    hall.enrol("far", "1+9@60")
    hall.roster("c1,", "near,", "far,", header="external_id,twin")

    found = readiness(hall.desk, hall.session.id)

    graded = {(one.a.external_id, one.b.external_id): (one.grade, one.d) for one in found.look_alikes}
    assert graded["c1", "near"][0] == "match"
    assert all((grade == "match") == (d <= found.threshold.match) for grade, d in graded.values())
    assert "refer" in {grade for grade, _ in graded.values()}


def test_who_looks_like_somebody_in_another_room_is_found_in_the_readiness_of_the_exam(hall: ExamDay) -> None:
    hall.enrol("near", "1@20")
    hall.roster("c1,,")
    other = hall.another_session(room="Hall B")
    hall.roster_of(other.id, "near,,", "nobody,,", create_subjects=True)

    whole = exam_readiness(hall.desk, hall.exam.id)

    assert readiness(hall.desk, hall.session.id).look_alikes == []
    assert [{one.a.external_id, one.b.external_id} for one in whole.look_alikes] == [{"c1", "near"}]
    assert (whole.candidates, whole.ready) == (3, 2)
    assert [(one.room, one.ready) for one in whole.sessions] == [("Hall B", 1), ("R1", 1)]


def test_readiness_is_a_list_with_a_line_for_each_candidate(staffed_exam: ExamService) -> None:
    answer = staffed_exam.call("GET", "exams/{exam}/readiness.csv?separator=semicolon")
    one_room = staffed_exam.call("GET", "sessions/{session}/readiness.csv?separator=semicolon")
    ages = staffed_exam.call("GET", "sessions/{session}/readiness").json()["photographs"]

    lines = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig")), delimiter=";"))
    assert [(one["external_id"], one["ready"], one["reason"]) for one in lines] == [
        ("A1", "yes", ""),
        ("B1", "yes", ""),
        ("C1", "no", "no_template"),
    ]
    assert [bool(one["photograph_enrolled_on"]) for one in lines] == [True, True, False]
    assert one_room.content == answer.content
    assert [one["external_id"] for one in ages] == ["A1", "B1"]
