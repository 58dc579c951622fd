"""What became of a model's attempts, by week and kiosk: counts, never a person.

While the evidence is kept, the counts are taken from it; when it goes, they stay (`keep_use`), but for those
that are so few that they would tell of somebody.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

from pydantic import BaseModel, Field
from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session as OrmSession

from service.exams.context import name_in
from service.exams.reasons import PILOT_ADMITS
from service.exams.schemas import Verdict
from service.exams.states import LET_IN
from service.exams.tables import CheckinRow, ModelUseRow, OverrideRow

FEWEST_KEPT = 20
"""Counts of fewer attempts of one exam are not kept: whoever knows who sat it could tell one of them."""

Cell = tuple[str, date, str]
"""Model, Monday of the week, kiosk."""


def monday_of(day: date) -> date:
    """The Monday of a day's week."""
    return day - timedelta(days=day.weekday())


class UseCounts(BaseModel):
    """Attempts that were compared with the claimed candidate's template, and what became of them."""

    attempts: int = 0
    matches: int = 0
    referred: int = Field(default=0, description="by the machine, for any reason")
    overridden: int = Field(default=0, description="on which a person has decided")
    refused: int = Field(default=0, description="by a person")
    found_right: int = Field(
        default=0, description="no match, and a person let the candidate in: a false non-match"
    )
    matched_later: int = Field(
        default=0, description="no match, nobody decided, and the candidate's next attempts let them in"
    )
    found_wrong: int = Field(default=0, description="no match, and a person refused")
    false_matches: int = Field(default=0, description="a match, and a person refused")
    matches_checked: int = Field(default=0, description="a match on which a person has decided")

    def add(self, other: "UseCounts") -> None:
        """Add other counts to these."""
        for name in UseCounts.model_fields:
            setattr(self, name, getattr(self, name) + getattr(other, name))


@dataclass(frozen=True)
class Tried:
    """One attempt of a candidate, as far as it is counted."""

    id: UUID
    entry_id: UUID | None
    kind: str
    at: datetime
    model_id: str | None
    mode: str
    decision: str | None
    outcome: str
    reasons: list[str]
    kiosk: str | None
    actor: str
    operator: str | None

    @property
    def cell(self) -> Cell:
        """Where it is counted; attempts of a person who is signed in are at no kiosk."""
        place = self.kiosk or ("" if self.operator else name_in(self.actor))
        return self.model_id or "", monday_of(self.at.date()), place


def count_use(db: OrmSession, model_id: str, since: date) -> dict[Cell, UseCounts]:
    """A model's counts from a Monday on: of evidence, and of evidence that is gone."""
    start = datetime.combine(since, time(), UTC)
    # A document was shown without a model.
    mine = or_(CheckinRow.model_id == model_id, CheckinRow.model_id.is_(None))
    cells = count_rows(db, mine & (CheckinRow.created_at >= start))
    kept = select(ModelUseRow).where(ModelUseRow.model_id == model_id, ModelUseRow.week >= since)
    for row in db.scalars(kept):
        cells[(row.model_id, row.week, row.kiosk)].add(UseCounts.model_validate(row.counts))
    return cells


def keep_use(db: OrmSession, exam_id: UUID) -> None:
    """Write down the counts of an exam whose evidence goes; the caller removes it in the same transaction."""
    for (model_id, week, kiosk), counts in without_few(count_rows(db, CheckinRow.exam_id == exam_id)).items():
        row = db.get(ModelUseRow, (model_id, week, kiosk), with_for_update=True)
        if row is None:
            db.add(ModelUseRow(model_id=model_id, week=week, kiosk=kiosk, counts=counts.model_dump()))
        else:
            counts.add(UseCounts.model_validate(row.counts))
            row.counts = counts.model_dump()
    db.flush()


def without_few(cells: dict[Cell, UseCounts]) -> dict[Cell, UseCounts]:
    """The counts that may be kept: few of a kiosk go without its name, few of a week do not stay at all."""
    kept: dict[Cell, UseCounts] = defaultdict(UseCounts)
    for (model_id, week, kiosk), counts in cells.items():
        place = kiosk if counts.attempts >= FEWEST_KEPT else ""
        kept[(model_id, week, place)].add(counts)
    return {cell: counts for cell, counts in kept.items() if counts.attempts >= FEWEST_KEPT}


def count_rows(db: OrmSession, condition: ColumnElement[bool]) -> dict[Cell, UseCounts]:
    """The counts of the attempts in evidence for which a condition holds."""
    columns = (
        CheckinRow.id,
        CheckinRow.entry_id,
        CheckinRow.kind,
        CheckinRow.created_at.label("at"),
        CheckinRow.model_id,
        CheckinRow.mode,
        CheckinRow.decision,
        CheckinRow.outcome,
        CheckinRow.reasons,
        CheckinRow.kiosk,
        CheckinRow.actor,
        CheckinRow.operator,
    )
    tried = [Tried(**row._asdict()) for row in db.execute(select(*columns).where(condition))]
    settled = newest_overrides(db, condition)
    by_entry: dict[UUID | None, list[Tried]] = defaultdict(list)
    for one in tried:
        by_entry[one.entry_id].append(one)
    cells: dict[Cell, UseCounts] = defaultdict(UseCounts)
    for one in tried:
        if one.mode == "claimed" and one.decision is not None:
            cells[one.cell].add(counts_of_one(one, later_than(one, by_entry[one.entry_id]), settled))
    return cells


def newest_overrides(db: OrmSession, condition: ColumnElement[bool]) -> dict[UUID, str]:
    """The outcome that a person's newest decision gave each attempt on which there is one."""
    ids = select(CheckinRow.id).where(condition)
    newest = (
        select(OverrideRow.checkin_id, func.max(OverrideRow.number).label("number"))
        .where(OverrideRow.checkin_id.in_(ids))
        .group_by(OverrideRow.checkin_id)
        .subquery()
    )
    query = select(OverrideRow.checkin_id, OverrideRow.outcome).join(
        newest, (newest.c.checkin_id == OverrideRow.checkin_id) & (newest.c.number == OverrideRow.number)
    )
    return {row.checkin_id: row.outcome for row in db.execute(query)}


def later_than(one: Tried, others: Iterable[Tried]) -> list[Tried]:
    """The candidate's later attempts to do the same: to come in, or to come back."""
    return [other for other in others if other.kind == one.kind and other.at > one.at]


def counts_of_one(one: Tried, later: Sequence[Tried], settled: dict[UUID, str]) -> UseCounts:
    """One attempt as counts."""
    own = settled.get(one.id)
    counts = UseCounts(
        attempts=1,
        # In a pilot a person decides on everybody, whatever the machine would have done.
        referred=one.outcome == Verdict.REFERRED and PILOT_ADMITS not in one.reasons,
        overridden=own is not None,
        refused=own == Verdict.REFUSED,
    )
    if one.decision == "match":
        counts.matches, counts.matches_checked = 1, int(own is not None)
        counts.false_matches = int(own == Verdict.REFUSED)
        return counts
    said = what_a_person_said(later, settled) or own
    if said is None:
        counts.matched_later = int(
            any(other.decision == "match" and other.outcome in LET_IN for other in later)
        )
    elif said in LET_IN:
        counts.found_right = 1
    else:
        counts.found_wrong = 1
    return counts


def what_a_person_said(later: Sequence[Tried], settled: dict[UUID, str]) -> str | None:
    """What a person decided on the candidate later: at another attempt, or by a document."""
    said = [
        (other.at, settled.get(other.id, other.outcome))
        for other in later
        if other.id in settled or other.mode == "manual"
    ]
    return max(said)[1] if said else None
