"""An exam's report by group: joined with a file that nobody keeps, and silent about few people."""

import json
from uuid import uuid4

import pytest
from fixtures_exams import ORIGIN, ExamDay, ExamService
from scipy.stats import binom

from index import audit
from service.access.scopes import Scope
from service.exams.errors import GroupsUnreadable
from service.exams.evidence.groups import GroupsReport, divide, read_groups, report_groups
from service.exams.evidence.transactions import Transaction, seconds_of

ENOUGH = 20


@pytest.fixture
def hall(sqlite_exam_day: ExamDay) -> ExamDay:
    """Twenty people, of whom the machine refers five, and three others."""
    people = range(ENOUGH + 3)
    for number in people:
        sqlite_exam_day.enrol(f"c{number}", str(number))
    sqlite_exam_day.roster(*(f"c{number},Name {number},{number}" for number in people))
    for number in people:
        turned = "@60" if number < 5 else ""
        sqlite_exam_day.arrive(f"c{number}", f"{number}{turned}", since_claim_ms=1_000 * (number + 1))
    return sqlite_exam_day


def grouped(hall: ExamDay, *more: str) -> GroupsReport:
    lines = [f"C{number};glasses" for number in range(ENOUGH)]
    text = "\n".join(["external_id;group", *lines, *more])
    return report_groups(hall.desk.database, hall.exam.id, read_groups(text.encode()), ORIGIN)


def test_a_group_is_counted_by_candidates_and_few_people_are_left_out(hall: ExamDay) -> None:
    report = grouped(hall, "c20;veil", "c21;veil", "x9;veil", "c22;")

    (group,) = report.groups
    found = group.transactions
    assert (group.group, found.candidates, found.referred.count) == ("glasses", ENOUGH, 5)
    assert found.referred.interval == pytest.approx((0.1119, 0.4687), abs=1e-4)
    assert found.seconds is not None
    assert found.seconds.median == pytest.approx(10.5, abs=0.1)
    assert report.together == found
    assert (report.left_out, report.without_group, report.unknown) == (["veil"], 1, 1)


def tried(number: int, *, verified: bool) -> Transaction:
    return Transaction(
        external_id=f"c{number}",
        display_name=None,
        seat=None,
        entry_id=uuid4(),
        tries=1,
        not_acquired=0,
        verified=verified,
        status="admitted" if verified else "referred",
        seconds=None,
    )


def test_each_group_is_counted_by_itself_and_their_total_has_nobody_who_is_left_out() -> None:
    people = [tried(number, verified=number % 4 != 0) for number in range(2 * ENOUGH + 3)]
    groups = {f"c{number}": ("a", "b", "few")[number // ENOUGH] for number in range(len(people))}

    report = divide(people, groups, uuid4(), "Mathematics")

    counted = [(one.group, one.transactions.candidates) for one in report.groups]
    assert counted == [("a", ENOUGH), ("b", ENOUGH)]
    assert [one.transactions.referred.count for one in report.groups] == [5, 5]
    assert (report.together.candidates, report.left_out) == (2 * ENOUGH, ["few"])


def test_the_trail_knows_that_it_was_made_and_nothing_of_the_file(hall: ExamDay) -> None:
    grouped(hall, "c20;veil")

    with hall.desk.database.read() as db:
        (event,) = audit.list_events(db, limit=10, action="groups.reported")
    assert event.details == {"exam_id": str(hall.exam.id), "groups": 1, "left_out": 1}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("number,group\nc1,a", 1),
        ("", 1),
        ("external_id,group\nc1,a\nC1,b", 3),
        (f"external_id,group\nc1,{'a' * 65}", 2),
        ('external_id,group\nc1,"a', 2),
    ],
)
def test_a_file_that_says_nothing_clear_is_refused_by_its_line_and_not_repeated(text: str, line: int) -> None:
    with pytest.raises(GroupsUnreadable) as refused:
        read_groups(text.encode())

    assert refused.value.members.get("line") in (line, None)
    assert "c1" not in str(refused.value).casefold()


@pytest.mark.parametrize("n", [2, 20, 51, 300])
def test_the_middle_of_times_lies_between_its_ranks_in_95_of_100_cases(n: int) -> None:
    found = seconds_of([float(one) for one in range(1, n + 1)])

    assert found is not None
    low, high = found.interval
    # The true middle lies below a value with one half: between ranks low and high (Conover, 3.2).
    covered = binom.cdf(high - 1, n, 0.5) - binom.cdf(low - 1, n, 0.5)
    assert low <= found.median <= high
    assert covered >= (0.95 if n > 5 else 0.5)
    assert found.most == pytest.approx(0.95 * n, abs=1)


def test_it_takes_an_auditor_and_a_list(staffed_exam: ExamService) -> None:
    csv = {"content-type": "text/csv"}
    path, body = "exams/{exam}/groups-report", b"external_id,group\nA1,a\n"

    office = staffed_exam.service.key(Scope.EXAMS_WRITE, Scope.OVERRIDE)
    refused = staffed_exam.call("POST", path, key=office, content=body, headers=csv)
    auditor = staffed_exam.service.key(Scope.AUDIT_READ)
    made = staffed_exam.call("POST", path, key=auditor, content=body, headers=csv)
    as_json = staffed_exam.call("POST", path, key=auditor, json={"groups": []})
    garbled = staffed_exam.call("POST", path, key=auditor, content=b"\x00\x01", headers=csv)

    assert (refused.status_code, made.status_code, as_json.status_code) == (403, 200, 415)
    assert (garbled.status_code, garbled.json()["code"]) == (422, "groups_unreadable")
    assert made.headers["cache-control"] == "no-store"
    assert made.json()["left_out"] == ["a"]
    assert "A1" not in json.dumps(made.json())
