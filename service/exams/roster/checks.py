"""What a roster is checked against: itself, the one that is there, the subjects, the exam's other rooms."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session as OrmSession

from index.consent.legal_basis import find_ended
from index.database.batches import batches
from index.errors import ExternalIdAmbiguous
from index.external_ids import SKELETONS, build_forms
from index.subjects.subjects import choose_meant
from index.tables import SubjectRow, TemplateRow
from service.exams.roster.file import Row
from service.exams.roster.report import Findings, RosterReport
from service.exams.tables import CheckinRow, ExamRow, OverrideRow, RosterEntryRow, SessionRow
from service.sheets.spreadsheet import is_mangled

MOST_ZEROS = 8
"""As many leading zeros a number is looked for with; a spreadsheet takes all of them away."""

T = TypeVar("T")


class Entry(NamedTuple):
    """What an import has to know of a roster entry; whole entries would cost seconds for a large roster."""

    id: UUID
    subject_id: UUID | None
    external_id: str
    external_key: str
    display_name: str | None
    seat: str | None
    manual_identification: bool
    private_check: bool
    twin: bool
    accommodation: str | None


@dataclass(frozen=True)
class Known:
    """What was there before.

    Attributes:
        entries: The session's roster, by the key of the external id.
        surplus: Entries that nobody came for and whose id equals another's; of before ids were compared.
        subjects: By the key of their external id.
        ambiguous: Keys that several subjects have, and the ids of these; none is spelled as in the roster.
        at_the_door: Entries that evidence points to.
    """

    entries: dict[str, Entry]
    surplus: list[Entry]
    subjects: dict[str, UUID]
    ambiguous: dict[str, list[str]]
    at_the_door: frozenset[UUID]


def known_to(db: OrmSession, session_id: UUID, rows: Sequence[Row], *, merge: bool) -> Known:
    """What the database knows about the session's roster and about these candidates."""
    spellings = {row.key: row.external_id for row in rows}
    columns = [getattr(RosterEntryRow, name) for name in Entry._fields]
    found = db.execute(select(*columns).where(RosterEntryRow.session_id == session_id))
    at_the_door = came_to(db, session_id)

    def rank(entry: Entry) -> tuple[bool, bool]:
        """The last one stays: who was at the door where the others go, else who is spelled so."""
        came, is_spelled_so = entry.id in at_the_door, spellings.get(entry.external_key) == entry.external_id
        return (is_spelled_so, came) if merge else (came, is_spelled_so)

    entries: dict[str, Entry] = {}
    surplus = []
    for entry in sorted((Entry(*one) for one in found), key=rank):
        former = entries.get(entry.external_key)
        if former is not None and former.id not in at_the_door:
            surplus.append(former)
        entries[entry.external_key] = entry
    subjects, ambiguous = subjects_by_key(db, spellings)
    return Known(entries, surplus, subjects, ambiguous, at_the_door)


def subjects_by_key(
    db: OrmSession, spellings: dict[str, str]
) -> tuple[dict[str, UUID], dict[str, list[str]]]:
    """The subjects of these candidates, and of which candidates several subjects may be meant."""
    found: dict[str, list[tuple[UUID, str | None]]] = {}
    for batch in batches(spellings):
        query = select(SubjectRow.external_key, SubjectRow.id, SubjectRow.external_id)
        for key, subject_id, external_id in db.execute(query.where(SubjectRow.external_key.in_(batch))):
            found.setdefault(key or "", []).append((subject_id, external_id))
    subjects, ambiguous = {}, {}
    for key, people in found.items():
        try:
            meant = choose_meant(spellings[key], people)
        except ExternalIdAmbiguous:
            ambiguous[key] = sorted(external_id or "" for _, external_id in people)
            continue
        if meant is not None:
            subjects[key] = meant
    return subjects, ambiguous


def ambiguous_ids(wanted: dict[str, Row], known: Known) -> Findings:
    """Candidates of whom nobody can tell which of several subjects they are."""
    return Findings.of(
        {"row": wanted[key].row, "external_id": wanted[key].external_id, "other": ", ".join(others)}
        for key, others in known.ambiguous.items()
        if key in wanted
    )


def mangled_ids(db: OrmSession, wanted: dict[str, Row], new: Sequence[Row]) -> Findings:
    """Numbers that a spreadsheet has shortened, and new ones that somebody has with other leading zeros."""
    shortened = [row for row in wanted.values() if is_mangled(row.external_id)]
    found: list[dict[str, Any]] = [{"row": row.row, "external_id": row.external_id} for row in shortened]
    digits = {row.key: row for row in new if row.key.isdecimal()}
    of_zeros: dict[str, list[Row]] = {}
    for key, row in digits.items():
        bare = key.lstrip("0")
        for length in range(len(bare), len(bare) + MOST_ZEROS + 1):
            of_zeros.setdefault(bare.zfill(length), []).append(row)
    for batch in batches(of_zeros):
        query = select(SubjectRow.external_key, SubjectRow.external_id)
        for other_key, external_id in db.execute(query.where(SubjectRow.external_key.in_(batch))):
            found += [
                {"row": row.row, "external_id": row.external_id, "other": external_id}
                for row in of_zeros[other_key or ""]
            ]
    return Findings.of(sorted(found, key=lambda one: one["row"]))


def confusable_ids(db: OrmSession, new: Sequence[Row]) -> Findings:
    """Ids that no subject has yet and that look like a subject's, or like one further up in the roster."""
    forms = [build_forms(row.external_id) for row in new]
    first: dict[str, tuple[str, int | None]] = {}
    for name in SKELETONS:
        column = getattr(SubjectRow, name)
        for batch in batches([one[name] for one in forms]):
            taken = select(column, SubjectRow.external_id).where(column.in_(batch))
            first |= {f"{name} {look}": (external_id, None) for look, external_id in db.execute(taken)}
    found = []
    for row, one in zip(new, forms, strict=True):
        looks = [f"{name} {one[name]}" for name in SKELETONS]
        other = next((first[look] for look in looks if look in first), None)
        if other is not None:
            found.append(
                {"row": row.row, "external_id": row.external_id, "other": other[0], "first_row": other[1]}
            )
        for look in looks:
            first.setdefault(look, (row.external_id, row.row))
    return Findings.of(found)


def came_to(db: OrmSession, session_id: UUID) -> frozenset[UUID]:
    """The entries that evidence points to: an attempt's own, or the one that a person named for it."""
    mine = CheckinRow.session_id == session_id
    own = select(CheckinRow.entry_id).where(mine)
    named = select(OverrideRow.entry_id).join(CheckinRow, CheckinRow.id == OverrideRow.checkin_id).where(mine)
    return frozenset(entry_id for entry_id in db.scalars(own.union(named)) if entry_id)


def check_rows(
    rows: Sequence[Row], session: SessionRow, exam: ExamRow, known: Known, *, merge: bool
) -> tuple[dict[str, Row], RosterReport]:
    """The candidates by the key of their external id, and a report of what the rows contradict."""
    wanted: dict[str, Row] = {}
    conflicting = []
    for row in rows:
        first = wanted.setdefault(row.key, row)
        # Another spelling of the id is the same candidate, and it is worth a look where it came from.
        if first is not row and replace(row, row=first.row) != first:
            conflicting.append({"row": row.row, "first_row": first.row, "external_id": row.external_id})
    report = RosterReport(dry_run=False, applied=False, rows=len(rows), candidates=len(wanted))
    report.repeated_rows = len(rows) - len(wanted) - len(conflicting)
    report.conflicting_rows = Findings.of(conflicting)
    report.duplicate_seats = Findings.of(duplicate_seats(wanted, known, merge=merge))
    report.other_exam = Findings.of(from_elsewhere(rows, session, exam))
    return wanted, report


def duplicate_seats(wanted: dict[str, Row], known: Known, *, merge: bool) -> Iterator[dict[str, Any]]:
    """Two candidates on one seat, in the file or, when merging, between the file and the roster."""
    taken: dict[str, Row] = {}
    if merge:
        stay = (entry for entry in known.entries.values() if entry.external_key not in wanted and entry.seat)
        taken = {entry.seat or "": Row(0, entry.external_id) for entry in stay}
    for row in wanted.values():
        first = taken.setdefault(row.seat, row) if row.seat else row
        if first is not row:
            yield {
                "row": row.row,
                "first_row": first.row or None,
                "external_id": row.external_id,
                "seat": row.seat,
                "other": first.external_id,
            }


def from_elsewhere(rows: Sequence[Row], session: SessionRow, exam: ExamRow) -> Iterator[dict[str, Any]]:
    """Rows whose `exam` or `room` column names another one: somebody has picked the wrong file."""
    exams = {str(exam.id), exam.name, exam.reference}
    for row in rows:
        if row.exam is not None and row.exam not in exams:
            yield {"row": row.row, "external_id": row.external_id, "other": row.exam}
        elif row.room is not None and row.room != session.room:
            yield {"row": row.row, "external_id": row.external_id, "other": row.room}


def without_template(
    db: OrmSession, model_ids: Sequence[str], wanted: dict[str, Row], known: Known
) -> Findings:
    """Candidates who cannot be verified yet. They never stop an import: there is time to enrol them."""
    subject_ids = [known.subjects[key] for key in wanted if key in known.subjects]
    enrolled: set[UUID] = set()
    for batch in batches(subject_ids):
        mine = TemplateRow.subject_id.in_(batch) & TemplateRow.model_id.in_(model_ids)
        enrolled.update(db.scalars(select(TemplateRow.subject_id).where(mine).distinct()))
        enrolled -= find_ended(db, batch)
    return Findings.of(
        {"row": row.row, "external_id": row.external_id, "display_name": row.display_name}
        for key, row in wanted.items()
        if not (row.manual_identification or row.private_check) and known.subjects.get(key) not in enrolled
    )


def overlapping(db: OrmSession, row: SessionRow, wanted: dict[str, Row]) -> Findings:
    """Candidates who are expected in another room of the exam at the same time."""
    elsewhere = (
        select(RosterEntryRow.external_key, SessionRow.room)
        .join(SessionRow, SessionRow.id == RosterEntryRow.session_id)
        .where(SessionRow.exam_id == row.exam_id, SessionRow.id != row.id)
        .where(SessionRow.opens_at < row.closes_at, SessionRow.closes_at > row.opens_at)
        .order_by(RosterEntryRow.external_id)
    )
    return Findings.of(
        {"row": wanted[key].row, "external_id": wanted[key].external_id, "other": room}
        for key, room in db.execute(elsewhere)
        if key in wanted
    )
