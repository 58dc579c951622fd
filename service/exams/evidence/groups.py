"""A report by group (ISO/IEC 19795-10): whether people of some groups wait longer or are referred more often.

Who is in which group comes in a file, is joined with the transactions at that moment and stored nowhere,
neither in the audit trail. Numbers of few people would tell of somebody: such groups are named and left out.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from uuid import UUID

from pydantic import BaseModel, Field
from sqlalchemy import select

from index.audit import Origin
from index.database.database import Database
from index.external_ids import build_external_key
from service.exams.audit import GROUPS_REPORTED, note
from service.exams.errors import GroupsUnreadable
from service.exams.evidence.transactions import (
    Transaction,
    TransactionSummary,
    read_transactions,
    summarize,
)
from service.exams.exams import exam_row
from service.exams.tables import SessionRow
from service.sheets.records import open_sheet
from service.sheets.spreadsheet import NotAList

FEWEST_PEOPLE = 20
MOST_LINES = 100_000
MOST_GROUPS = 50
LONGEST_NAME = 64
NUMBER, GROUP = "external_id", "group"


class GroupNumbers(BaseModel):
    """One group's transactions."""

    group: str
    transactions: TransactionSummary


class GroupsReport(BaseModel):
    """An exam's transactions by group; no answer names a person."""

    exam_id: UUID
    exam_name: str
    fewest_people: int = FEWEST_PEOPLE
    groups: list[GroupNumbers] = Field(description="those of enough people, by name")
    together: TransactionSummary = Field(description="everybody of these groups")
    left_out: list[str] = Field(description="groups of which fewer people tried: nothing is said of them")
    without_group: int = Field(description="candidates who tried and are in no group of the file")
    unknown: int = Field(description="numbers of the file that nobody has who tried")


def read_groups(data: bytes) -> dict[str, str]:
    """The group of each number, by what numbers are compared by.

    Args:
        data: CSV or an Excel workbook with the columns `external_id` and `group`.

    Raises:
        GroupsUnreadable: If it is none, or says two things of one number.
    """
    try:
        records = open_sheet(data).records
        heading = [name.strip().casefold() for name in next(records, (1, []))[1]]
        if not {NUMBER, GROUP} <= set(heading):
            raise GroupsUnreadable(f"the first line has to name the columns {NUMBER} and {GROUP}", 1)
        number_at, group_at = heading.index(NUMBER), heading.index(GROUP)
        found: dict[str, str] = {}
        for line, record in records:
            cells = [*record, *[""] * (len(heading) - len(record))]
            add_line(found, cells[number_at].strip().removeprefix("'"), cells[group_at].strip(), line)
    except NotAList as error:
        raise GroupsUnreadable(str(error)) from error
    if len(set(found.values())) > MOST_GROUPS:
        raise GroupsUnreadable(f"there are more than {MOST_GROUPS} groups")
    return found


def add_line(found: dict[str, str], number: str, group: str, line: int) -> None:
    """Take up one line; one without a number or a group says nothing."""
    if not number or not group:
        return
    if len(group) > LONGEST_NAME:
        raise GroupsUnreadable(f"a group's name has at most {LONGEST_NAME} characters", line)
    if found.setdefault(build_external_key(number), group) != group:
        raise GroupsUnreadable("the number is in two groups", line)
    if len(found) > MOST_LINES:
        raise GroupsUnreadable(f"there are more than {MOST_LINES:,} numbers", line)


def report_groups(
    database: Database, exam_id: UUID, groups: Mapping[str, str], origin: Origin
) -> GroupsReport:
    """The exam's transactions by these groups. The trail has that it was made, and none of its content.

    Raises:
        ExamNotFound: If there is no such exam.
    """
    with database.read() as db:
        exam = exam_row(db, exam_id)
        sessions = db.scalars(select(SessionRow.id).where(SessionRow.exam_id == exam_id)).all()
        found = read_transactions(db, sessions)
        report = divide(found, groups, exam_id, exam.name)
    with database.write() as db:
        said, left_out = len(report.groups), len(report.left_out)
        note(db, GROUPS_REPORTED, origin, exam_id=exam_id, groups=said, left_out=left_out)
    return report


def divide(
    transactions: Sequence[Transaction], groups: Mapping[str, str], exam_id: UUID, name: str
) -> GroupsReport:
    """The transactions by the groups of their candidates."""
    of_group: dict[str | None, list[Transaction]] = defaultdict(list)
    tried = set()
    for one in transactions:
        key = build_external_key(one.external_id)
        tried.add(key)
        of_group[groups.get(key)].append(one)
    shown = {
        group: of_group[group]
        for group in sorted(set(groups.values()))
        if len(of_group[group]) >= FEWEST_PEOPLE
    }
    return GroupsReport(
        exam_id=exam_id,
        exam_name=name,
        groups=[GroupNumbers(group=group, transactions=summarize(some)) for group, some in shown.items()],
        together=summarize([one for some in shown.values() for one in some]),
        left_out=sorted(set(groups.values()) - shown.keys()),
        without_group=len(of_group[None]),
        unknown=len(groups.keys() - tried),
    )
