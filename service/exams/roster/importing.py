"""Importing a roster: first a plan against what is there, then all of it in one transaction, or nothing."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, cast
from uuid import UUID

from sqlalchemy import Table, bindparam, delete, insert, update
from sqlalchemy.orm import Session as OrmSession

from index.audit import Origin
from index.canonical import digest_json
from index.database.batches import batches
from index.external_ids import build_forms
from index.ids import uuid7
from index.tables import SubjectRow, utc_now
from service.exams.audit import ROSTER_IMPORTED, note
from service.exams.context import Desk
from service.exams.errors import ExamPurged, RosterChanged, RosterRefused
from service.exams.exams import live_exam_row
from service.exams.roster.checks import (
    Entry,
    Known,
    ambiguous_ids,
    check_rows,
    confusable_ids,
    known_to,
    mangled_ids,
    overlapping,
    without_template,
)
from service.exams.roster.file import Reading, Row
from service.exams.roster.report import Findings, ListRead, RosterReport
from service.exams.sessions import session_row
from service.exams.tables import ExamRow, RosterEntryRow, SessionRow

Mode = Literal["replace", "merge"]
# The tables themselves: through the classes, a large roster would take three times as long.
ENTRIES = cast(Table, RosterEntryRow.__table__)
SUBJECTS = cast(Table, SubjectRow.__table__)

MARKS = ("display_name", "seat", "manual_identification", "private_check", "twin", "accommodation")
KEPT = ("external_id", *MARKS)
OF_FILE = frozenset({"line", "stated"})


@dataclass
class Plan:
    """What an import will write."""

    report: RosterReport
    known: Known
    added: list[Row] = field(default_factory=list)
    changed: list[tuple[Entry, Row]] = field(default_factory=list)
    removed: list[Entry] = field(default_factory=list)
    new_subjects: list[Row] = field(default_factory=list)


def import_roster(
    desk: Desk,
    session_id: UUID,
    rows: Sequence[Row],
    origin: Origin,
    *,
    dry_run: bool = False,
    mode: Mode = "replace",
    create_subjects: bool = False,
    allow_empty: bool = False,
    expect_removed: int | None = None,
    reading: Reading | None = None,
) -> RosterReport:
    """Make the rows the session's roster, or only report what that would do.

    Args:
        desk: The parts.
        session_id: Whose roster it is.
        rows: As read from the file.
        origin: Who imports.
        dry_run: Write nothing.
        mode: `replace` removes candidates whom the file does not name; `merge` leaves them.
        create_subjects: Make a subject, without a template, of every unknown external id.
        allow_empty: Let a file that names nobody empty the roster.
        expect_removed: How many candidates the dry run said would go; with another number nobody does.
        reading: How the rows were read. With a cell that cannot be read nothing is imported, and the rest is
            looked at all the same.

    Raises:
        SessionNotFound: If there is no such session.
        RosterUnreadable: If a cell cannot be read; with the report of the others.
        RosterChanged: If another number of candidates would go than was expected.
        ExamPurged, ExamArchived: If the exam's rows have gone, or it may not change any more.
        RosterRefused: If findings stop the import, and it is no dry run. Nothing was written.
    """
    reading = reading or Reading()
    refusal = reading.refusal
    transaction = desk.database.read() if dry_run or refusal else desk.database.write()
    with transaction as db:
        row = session_row(db, session_id)
        exam = live_exam_row(db, row.exam_id)
        if exam.purged_at is not None:
            raise ExamPurged(exam.purged_at)
        plan = plan_import(desk, db, row, exam, rows, mode, create_subjects, reading)
        if not allow_empty and not rows and not reading.total:
            refuse_emptying(plan)
        plan.report.dry_run = dry_run
        if refusal is not None:
            raise refusal.beside(plan.report)
        if dry_run:
            return plan.report
        if plan.report.problems:
            raise RosterRefused(plan.report.problems, plan.report)
        if expect_removed not in (None, plan.report.removed):
            raise RosterChanged(plan.report.removed, expect_removed or 0)
        apply(db, row, plan)
        plan.report.applied = True
        note_import(db, row, rows, plan, origin)
        return plan.report


def plan_import(
    desk: Desk,
    db: OrmSession,
    row: SessionRow,
    exam: ExamRow,
    rows: Sequence[Row],
    mode: Mode,
    create_subjects: bool,
    reading: Reading,
) -> Plan:
    """Compare the rows with the roster and the subjects that are there."""
    known = known_to(db, row.id, rows, merge=mode == "merge")
    rows = [completed(one, known.entries.get(one.key)) for one in rows]
    wanted, report = check_rows(rows, row, exam, known, merge=mode == "merge")
    plan = Plan(report, known)
    plan.new_subjects = [
        one for key, one in wanted.items() if key not in known.subjects and key not in known.ambiguous
    ]
    report.ambiguous = ambiguous_ids(wanted, known)
    report.mangled = mangled_ids(db, wanted, plan.new_subjects)
    compare(plan, wanted)
    # Of a candidate whose number cannot be read nobody knows that they are missing.
    if mode == "replace" and not reading.unread_ids:
        leaving(plan, wanted.keys() | reading.unread_keys)
    if create_subjects:
        report.created_subjects = len(plan.new_subjects)
        report.confusable = confusable_ids(db, plan.new_subjects)
    else:
        report.unknown = Findings.of(
            {"row": one.row, "external_id": one.external_id} for one in plan.new_subjects
        )
    report.without_template = without_template(db, desk.serving.ids, wanted, known)
    report.in_other_sessions = overlapping(db, row, wanted)
    kinds = (
        report.unknown,
        report.ambiguous,
        report.confusable,
        report.mangled,
        report.conflicting_rows,
        report.duplicate_seats,
        report.other_exam,
        report.has_checkins,
    )
    report.problems = sum(kind.total for kind in kinds)
    number_lines(report, rows)
    report.read_as = facts_of(reading)
    return plan


def facts_of(reading: Reading) -> ListRead | None:
    """How a list was read; None of a roster in JSON."""
    heading = reading.heading
    if heading is None:
        return None
    layout = heading.layout.name if heading.layout else None
    return ListRead(
        sheet=reading.sheet, heading_line=heading.line, headings=list(heading.shown), layout=layout
    )


def refuse_emptying(plan: Plan) -> None:
    """Make a problem of everybody who would go."""
    plan.report.emptied = Findings.of(map(named, plan.removed))
    plan.report.problems += plan.report.emptied.total


def number_lines(report: RosterReport, rows: Sequence[Row]) -> None:
    """Say of each finding in which line of the file it is."""
    lines = {row.row: row.line for row in rows if row.line}
    for name in type(report).model_fields:
        found = getattr(report, name)
        for one in found.items if isinstance(found, Findings) else ():
            one.line, one.first_line = lines.get(one.row or 0), lines.get(one.first_row or 0)


def compare(plan: Plan, wanted: dict[str, Row]) -> None:
    """Part the wanted candidates into added, changed and unchanged."""
    for key, row in wanted.items():
        entry = plan.known.entries.get(key)
        if entry is None:
            plan.added.append(row)
        elif differs(entry, row, plan.known):
            plan.changed.append((entry, row))
    report = plan.report
    report.candidates = len(wanted)
    report.added, report.changed = len(plan.added), len(plan.changed)
    report.unchanged = len(wanted) - report.added - report.changed


def completed(row: Row, entry: Entry | None) -> Row:
    """The row, with what its list has no column for as it is on the roster."""
    if entry is None or row.stated.issuperset(MARKS):
        return row
    return replace(row, **{name: getattr(entry, name) for name in MARKS if name not in row.stated})


def differs(entry: Entry, row: Row, known: Known) -> bool:
    """Whether the row says something else than the entry, or the entry has lost its subject."""
    relinked = entry.subject_id != known.subjects.get(row.key)
    return relinked or any(getattr(entry, name) != getattr(row, name) for name in KEPT)


def leaving(plan: Plan, wanted: Collection[str]) -> None:
    """Whom the file does not name; whoever was at the door must stay, the evidence points to them."""
    absent = [entry for key, entry in plan.known.entries.items() if key not in wanted] + plan.known.surplus
    plan.removed = absent
    plan.report.removed = len(absent)
    plan.report.removing = Findings.of(map(named, sorted(absent, key=lambda one: one.external_id)))
    plan.report.has_checkins = Findings.of(
        named(entry) for entry in absent if entry.id in plan.known.at_the_door
    )


def named(entry: Entry) -> dict[str, Any]:
    """A candidate who is on the roster, as a finding."""
    return {"external_id": entry.external_id, "display_name": entry.display_name, "seat": entry.seat}


def apply(db: OrmSession, row: SessionRow, plan: Plan) -> None:
    """Write the plan."""
    subjects = plan.known.subjects | insert_subjects(db, plan.new_subjects)
    for batch in batches([entry.id for entry in plan.removed]):
        db.execute(delete(ENTRIES).where(ENTRIES.c.id.in_(batch)))
    # Seats are unique: all that change are emptied first, or two candidates could never change places.
    for batch in batches([entry.id for entry, _ in plan.changed]):
        db.execute(update(ENTRIES).where(ENTRIES.c.id.in_(batch)).values(seat=None))
    if plan.changed:
        values = [{"entry_id": entry.id, **entry_values(one, subjects)} for entry, one in plan.changed]
        db.execute(update(ENTRIES).where(ENTRIES.c.id == bindparam("entry_id")), values)
    if plan.added:
        new = {"session_id": row.id, "created_at": utc_now()}
        values = [{"id": uuid7(), **new, **entry_values(one, subjects)} for one in plan.added]
        db.execute(insert(ENTRIES), values)


def entry_values(row: Row, subjects: dict[str, UUID]) -> dict[str, Any]:
    """A row as columns of a roster entry."""
    values: dict[str, Any] = {name: getattr(row, name) for name in KEPT}
    return values | {"external_key": row.key, "subject_id": subjects[row.key]}


def insert_subjects(db: OrmSession, rows: Sequence[Row]) -> dict[str, UUID]:
    """Make subjects without templates, for candidates nobody has enrolled yet."""
    now = utc_now()
    ids = {row.key: uuid7() for row in rows}
    values = [
        {
            "id": ids[row.key],
            "external_id": row.external_id,
            **build_forms(row.external_id),
            "display_name": row.display_name,
            "created_at": now,
            "changed_at": now,
        }
        for row in rows
    ]
    if values:
        db.execute(insert(SUBJECTS), values)
    return ids


def note_import(db: OrmSession, row: SessionRow, rows: Sequence[Row], plan: Plan, origin: Origin) -> None:
    """Say in the audit chain what was imported: its digest and its counts, no candidate."""
    fields = [{name: value for name, value in vars(one).items() if name not in OF_FILE} for one in rows]
    report = plan.report
    note(
        db,
        ROSTER_IMPORTED,
        origin,
        exam_id=row.exam_id,
        session_id=row.id,
        roster=digest_json(fields),
        candidates=report.candidates,
        added=report.added,
        changed=report.changed,
        removed=report.removed,
        created_subjects=report.created_subjects,
    )
