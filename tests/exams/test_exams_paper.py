"""A room sheet typed in afterwards: its own times, one admission, conflicts that are shown and not merged."""

import csv
import io
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fixtures_exams import ExamService, hours_from_now

from service.access.scopes import Scope


def at(minutes: float) -> str:
    """A moment on a full minute, so many minutes from now."""
    moment = datetime.now(UTC).replace(second=0, microsecond=0) + timedelta(minutes=minutes)
    return moment.isoformat()


def arrival(candidate: str, minutes: float = -30, **more: Any) -> dict[str, Any]:
    return {"candidate": candidate, "arrived_at": at(minutes), "document_type": "passport", **more}


def type_in(hall: ExamService, *lines: dict[str, Any], query: str = "", **options: Any) -> Any:
    answer = hall.call("POST", f"sessions/{{session}}/paper{query}", json={"lines": list(lines)}, **options)
    assert answer.status_code == 200, answer.text
    return answer.json()


def people(hall: ExamService) -> dict[str, Any]:
    items = hall.call("GET", "sessions/{session}/roster").json()["items"]
    return {one["external_id"]: one for one in items}


def checkins(hall: ExamService) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = hall.call("GET", "sessions/{session}/checkins").json()["items"]
    return items


@pytest.fixture
def hall(exam_service: ExamService) -> ExamService:
    """A room of four without templates."""
    rows = "external_id,display_name,seat\nA1,Ann Arbor,1\nB1,Bob Burns,2\nC1,Cy Cole,3\nD1,Di Dorn,4"
    assert exam_service.put_csv(rows, "?create_subjects=true").status_code == 200
    return exam_service


def test_who_came_and_left_by_the_sheet_is_in_every_list_with_the_papers_times(hall: ExamService) -> None:
    came, left = at(-40), at(-5)

    report = type_in(hall, arrival("A1", arrived_at=came, left_at=left, note="pen in the left hand"))

    assert (report["recorded"], report["lines"][0]["person"]["seat"]) == (1, "1")
    ann = people(hall)["A1"]
    assert (ann["status"], ann["source"], ann["presence"]) == ("identified_manually", "paper", "left")
    assert [datetime.fromisoformat(ann[name]) for name in ("status_at", "presence_at")] == [
        datetime.fromisoformat(moment) for moment in (came, left)
    ]
    rows = list(
        csv.DictReader(io.StringIO(hall.call("GET", "sessions/{session}/report.csv").text.lstrip("\ufeff")))
    )
    headline, *rows = rows
    assert headline["kind"] == "session"
    assert [(one["kind"], one["source"]) for one in rows] == [("attempt", "paper"), ("end", "paper")]
    assert [datetime.fromisoformat(one["time"]) for one in rows] == [
        datetime.fromisoformat(moment) for moment in (came, left)
    ]
    listed = csv.DictReader(
        io.StringIO(hall.call("GET", "sessions/{session}/attendance.csv").text.lstrip("\ufeff"))
    )
    assert {one["external_id"]: one["source"] for one in listed}["A1"] == "paper"
    evidence = hall.call("GET", "sessions/{session}/candidates/A1/evidence").json()
    assert evidence["intact"]
    assert {one["row"]["source"] for one in evidence["rows"]} == {"paper"}
    recorded = [one["details"] for one in evidence["events"] if one["action"] == "checkin.recorded"]
    assert [one["source"] for one in recorded] == ["paper"]


def test_breaks_of_the_sheet_are_movements_with_its_times_and_typed_again_nothing_more(
    hall: ExamService,
) -> None:
    breaks = [
        {"out_at": at(-35), "back_at": at(-30)},
        {"out_at": at(-20), "back_at": at(-12)},
    ]
    line = arrival("A1", -40, breaks=breaks, left_at=at(-5))

    first, again = type_in(hall, line), type_in(hall, line)

    assert (first["recorded"], again["unchanged"]) == (1, 1)
    moved = hall.call("GET", "sessions/{session}/movements").json()["items"]
    kinds = sorted((one["at"], one["kind"], one["source"]) for one in moved)
    assert [kind for _, kind, _ in kinds] == ["exit", "return", "exit", "return", "end"]
    assert {source for *_, source in kinds} == {"paper"}
    (ann,) = [one for one in people(hall).values() if one["presence"] == "left"]
    minutes = [
        datetime.fromisoformat(one["until"]) - datetime.fromisoformat(one["since"]) for one in ann["absences"]
    ]
    assert minutes == [timedelta(minutes=5), timedelta(minutes=8)]


@pytest.mark.parametrize(
    ("breaks", "code"),
    [
        ([(-30, -35)], "time_not_possible"),
        ([(-50, -35)], "time_not_possible"),
        ([(-30, None), (-20, -15)], "movement_impossible"),
        ([(-30, -20), (-25, -15)], "time_not_possible"),
    ],
)
def test_breaks_that_cannot_be_are_refused_and_nothing_of_the_line_is_recorded(
    hall: ExamService, breaks: list[tuple[float, float | None]], code: str
) -> None:
    said = [{"out_at": at(out), "back_at": None if back is None else at(back)} for out, back in breaks]

    report = type_in(hall, arrival("A1", -40, breaks=said))

    assert (report["lines"][0]["code"], checkins(hall)) == (code, [])


def test_a_break_on_paper_follows_an_admission_that_was_recorded_live(hall: ExamService) -> None:
    body = {"candidate": "B1", "document_type": "passport"}
    assert hall.call("POST", "sessions/{session}/identifications", json=body).status_code == 201
    out = {"candidate": "B1", "breaks": [{"out_at": at(0)}]}

    report = type_in(hall, out)

    assert (report["recorded"], people(hall)["B1"]["presence"]) == (1, "out")


def test_a_sheet_that_is_typed_in_again_changes_nothing(hall: ExamService) -> None:
    line = arrival("A1", -40, left_at=at(-5))
    type_in(hall, line)

    report = type_in(hall, line)

    assert (report["recorded"], report["unchanged"], len(checkins(hall))) == (0, 1, 1)


def test_the_leaving_is_added_to_an_arrival_that_was_typed_in_or_recorded_live(hall: ExamService) -> None:
    body = {"candidate": "B1", "document_type": "passport"}
    assert hall.call("POST", "sessions/{session}/identifications", json=body).status_code == 201
    ann = arrival("A1", -40)
    type_in(hall, ann)

    report = type_in(hall, {**ann, "left_at": at(0)}, {"candidate": "B1", "left_at": at(0)})

    assert [one["result"] for one in report["lines"]] == ["recorded", "recorded"]
    found = people(hall)
    assert [(found[one]["presence"], found[one]["source"]) for one in ("A1", "B1")] == [
        ("left", "paper"),
        ("left", "live"),
    ]


def test_whoever_is_in_otherwise_is_a_conflict_that_is_shown_and_not_merged(hall: ExamService) -> None:
    body = {"candidate": "A1", "document_type": "passport"}
    live = hall.call("POST", "sessions/{session}/identifications", json=body).json()
    type_in(hall, arrival("B1", -40))

    report = type_in(hall, arrival("A1", -30, left_at=at(-1)), arrival("B1", -20))

    assert (report["conflict"], report["recorded"]) == (2, 0)
    by_ann, by_bob = report["lines"]
    assert (by_ann["code"], by_ann["existing"]["source"]) == ("paper_conflict", "live")
    assert by_ann["existing"]["checkin_id"] == live["checkin"]["id"]
    assert by_bob["existing"]["source"] == "paper"
    assert (len(checkins(hall)), people(hall)["A1"]["presence"]) == (2, "present")


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (lambda: arrival("Z9"), "not_on_roster"),
        (lambda: arrival("A1", -500), "time_not_possible"),
        (lambda: arrival("A1", 5), "time_not_possible"),
        (lambda: arrival("A1", -30, left_at=at(-31)), "time_not_possible"),
        (lambda: {"candidate": "A1", "left_at": at(-1)}, "not_checked_in"),
        (lambda: {"candidate": "A1", "arrived_at": at(-30)}, "paper_incomplete"),
        (lambda: {"candidate": "A1", "document_type": "passport", "left_at": at(-1)}, "paper_incomplete"),
        (lambda: arrival("A1", -30, document_type="other"), "paper_incomplete"),
    ],
)
def test_a_line_that_cannot_be_is_refused_and_stops_no_other(
    line: Callable[[], dict[str, Any]], code: str, hall: ExamService
) -> None:
    # The moment is named when the test runs: a long run comes here many minutes after it was read.
    report = type_in(hall, line(), arrival("B1"))

    assert [(one["result"], one["code"]) for one in report["lines"]] == [
        ("refused", code),
        ("recorded", None),
    ]
    assert [one["external_id"] for one in checkins(hall)] == ["B1"]


def test_a_candidate_whom_a_person_refused_or_who_is_in_another_room_is_a_conflict(
    hall: ExamService, astronaut_jpeg: bytes, stranger_jpeg: bytes
) -> None:
    hall.service.enrolled(astronaut_jpeg, "E1")
    window = hall.call("GET", "sessions/{session}").json()
    room = {"room": "Hall B", "opens_at": window["opens_at"], "closes_at": window["closes_at"]}
    other = hall.call("POST", "exams/{exam}/sessions", json=room).json()["id"]
    hall.put_csv("external_id\nA1\nE1", "?mode=merge")
    also = {"candidates": [{"external_id": "A1", "seat": "9"}]}
    assert hall.call("PUT", f"sessions/{other}/roster", json=also).status_code == 200
    body = {"candidate": "A1", "document_type": "passport"}
    assert hall.call("POST", f"sessions/{other}/identifications", json=body).status_code == 201
    attempt = hall.check_in(stranger_jpeg, candidate="E1").json()["checkin"]
    refusal = {"outcome": "refused", "reason_code": "impersonation_suspected"}
    assert hall.call("POST", f"checkins/{attempt['id']}/override", json=refusal).status_code == 201

    report = type_in(hall, arrival("A1"), arrival("E1"))

    assert [(one["result"], one["code"]) for one in report["lines"]] == [
        ("conflict", "already_checked_in"),
        ("conflict", "candidate_refused"),
    ]


def test_after_the_last_entry_an_arrival_takes_a_remark(start_exam: Callable[..., ExamService]) -> None:
    hall = start_exam(session={"last_entry_minutes": 15})
    assert hall.put_csv("external_id,seat\nA1,1\nB1,2", "?create_subjects=true").status_code == 200

    report = type_in(hall, arrival("A1", -40), arrival("B1", -40, note="the tram stood still"))

    assert [(one["result"], one["code"]) for one in report["lines"]] == [
        ("refused", "reason_required"),
        ("recorded", None),
    ]


def test_a_dry_run_says_what_would_become_of_each_line_and_records_nothing(hall: ExamService) -> None:
    lines = (arrival("A1", -40, left_at=at(-5)), arrival("A1"), arrival("Z9"))

    report = type_in(hall, *lines, query="?dry_run=true")

    assert report["dry_run"]
    assert [(one["result"], one["code"]) for one in report["lines"]] == [
        ("recorded", None),
        ("refused", "paper_repeated"),
        ("refused", "not_on_roster"),
    ]
    assert checkins(hall) == []


def test_the_whole_room_is_taken_as_a_table_that_was_filled_in(
    start_exam: Callable[..., ExamService],
) -> None:
    # Over midnight of the zone, whatever the time is now.
    hall = start_exam(session={"opens_at": hours_from_now(-20).isoformat()})
    hall.put_csv("external_id,display_name,seat\n0042,Ann,2\nB1,Bob,1\nC1,Cy,10", "?create_subjects=true")
    empty = hall.call("GET", "sessions/{session}/paper.csv?separator=semicolon&zone=Asia/Kathmandu").text
    table = list(csv.DictReader(io.StringIO(empty.lstrip("\ufeff")), delimiter=";"))
    assert [one["external_id"] for one in table] == ["B1", "0042", "C1"]
    came = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(hours=2)
    clock = (came + timedelta(hours=5, minutes=45)).strftime("%H:%M")
    table[0] |= {"arrived": clock, "document": "Reisepass"}
    table[1] |= {"arrived": clock, "document": "student card", "remark": "came by bicycle"}
    table[2] |= {"arrived": "noon"}
    filled = io.StringIO()
    writer = csv.DictWriter(filled, table[0].keys(), delimiter=";")
    writer.writeheader()
    writer.writerows(table)

    answer = hall.call(
        "POST",
        "sessions/{session}/paper?zone=Asia/Kathmandu",
        content=filled.getvalue().encode(),
        headers={"content-type": "text/csv"},
    )

    assert [(one["result"], one["code"]) for one in answer.json()["lines"]] == [
        ("recorded", None),
        ("recorded", None),
        ("refused", "paper_unreadable"),
    ]
    found = people(hall)
    assert {datetime.fromisoformat(found[one]["status_at"]) for one in ("B1", "0042")} == {came}


def test_two_who_type_in_the_same_sheet_at_once_record_everybody_once(hall: ExamService) -> None:
    lines = [arrival(who, -40, left_at=at(-5)) for who in ("A1", "B1", "C1", "D1")]
    threads = [threading.Thread(target=type_in, args=(hall, *order)) for order in (lines, lines[::-1])]

    for one in threads:
        one.start()
    for one in threads:
        one.join()

    assert sorted(one["external_id"] for one in checkins(hall)) == ["A1", "B1", "C1", "D1"]
    moved = hall.call("GET", "sessions/{session}/movements").json()["items"]
    assert sorted(one["external_id"] for one in moved) == ["A1", "B1", "C1", "D1"]


def test_a_sheet_is_typed_in_after_the_session_has_closed_and_not_before_it_opens(hall: ExamService) -> None:
    came = arrival("A1", -40)
    early = {"opens_at": hours_from_now(1).isoformat(), "closes_at": hours_from_now(2).isoformat()}
    over = {"opens_at": hours_from_now(-2).isoformat(), "closes_at": hours_from_now(-0.2).isoformat()}

    statuses = []
    for window in (early, over):
        changed = hall.call("PATCH", "sessions/{session}", json={**window, "reason": "typed the wrong day"})
        assert changed.status_code == 200, changed.text
        answer = hall.call("POST", "sessions/{session}/paper", json={"lines": [came]})
        statuses.append((answer.status_code, answer.json().get("code") or answer.json()["recorded"]))

    assert statuses == [(409, "session_closed"), (200, 1)]


def test_a_kiosk_types_nothing_in(hall: ExamService) -> None:
    keys = (hall.kiosk_key(), hall.service.key(Scope.EXAMS_WRITE), hall.service.key(Scope.OVERRIDE))

    statuses = [
        hall.call("POST", "sessions/{session}/paper", json={"lines": [arrival("A1")]}, key=key).status_code
        for key in keys
    ]

    assert statuses == [403, 403, 200]
