"""How candidates and sessions stand, read from the evidence: nothing here is stored twice."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.orm import Session as OrmSession

from service.exams.documents import Candidate, Counts, Flags
from service.exams.tables import AdmissionRow, CheckinRow, OverrideRow, RosterEntryRow, SessionRow

EXPECTED = "expected"
MANUAL = "manual"


@dataclass(frozen=True)
class Standing:
    """Where a candidate stands. `attempts` counts photographs, not documents."""

    status: str = EXPECTED
    at: datetime | None = None
    checkin_id: UUID | None = None
    attempts: int = 0


NEVER_CAME = Standing()


def standings(
    session: OrmSession, session_id: UUID, only: Collection[UUID] | None = None
) -> dict[UUID, Standing]:
    """The standing of every candidate who was at the door, by roster entry.

    An admission counts while it stands. Without one, the newest word counts: an attempt's or an override's.
    """
    found: dict[UUID, Standing] = {}
    for entry_id, attempts in attempts_made(session, session_id, only):
        found[entry_id] = replace(NEVER_CAME, attempts=attempts)
    for entry_id, checkin_id, status, at in words(session, session_id, only):
        attempts = found.get(entry_id, NEVER_CAME).attempts
        found[entry_id] = Standing(status, at, checkin_id, attempts)
    return found


def words(
    session: OrmSession, session_id: UUID, only: Collection[UUID] | None
) -> Iterator[tuple[UUID, UUID, str, datetime]]:
    """What was said, oldest first, standing admissions last: entry, attempt, status, time."""
    mine = CheckinRow.session_id == session_id
    attempts = select(CheckinRow.entry_id, CheckinRow.id, CheckinRow.outcome, CheckinRow.created_at).where(
        mine, among(CheckinRow.entry_id, only)
    )
    overrides = (
        select(OverrideRow.entry_id, OverrideRow.checkin_id, OverrideRow.outcome, OverrideRow.created_at)
        .join(CheckinRow, CheckinRow.id == OverrideRow.checkin_id)
        .where(mine, among(OverrideRow.entry_id, only))
    )
    admissions = select(
        AdmissionRow.entry_id, AdmissionRow.checkin_id, AdmissionRow.outcome, AdmissionRow.at
    ).where(AdmissionRow.session_id == session_id, among(AdmissionRow.entry_id, only))
    said: list[Any] = [*session.execute(attempts), *session.execute(overrides)]
    yield from sorted(said, key=lambda word: word[3])
    yield from (tuple(one) for one in session.execute(admissions))  # type: ignore[misc]


def attempts_made(
    session: OrmSession, session_id: UUID, only: Collection[UUID] | None = None
) -> Iterator[tuple[UUID, int]]:
    """How many photographs were taken of each candidate."""
    query = (
        select(CheckinRow.entry_id, func.count())
        .where(
            CheckinRow.session_id == session_id, CheckinRow.mode != MANUAL, among(CheckinRow.entry_id, only)
        )
        .group_by(CheckinRow.entry_id)
    )
    yield from (tuple(one) for one in session.execute(query))  # type: ignore[misc]


def among(column: InstrumentedAttribute[Any], only: Collection[UUID] | None) -> ColumnElement[bool]:
    """Rows of some candidate, or of these."""
    return column.is_not(None) if only is None else column.in_(only)


def candidate_document(entry: RosterEntryRow, standing: Standing) -> Candidate:
    """A roster entry and how it stands."""
    return Candidate(
        entry_id=entry.id,
        external_id=entry.external_id,
        display_name=entry.display_name,
        seat=entry.seat,
        subject_id=entry.subject_id,
        flags=Flags(
            manual_identification=entry.manual_identification,
            twin=entry.twin,
            accommodation=entry.accommodation,
        ),
        status=standing.status,  # type: ignore[arg-type]
        status_at=standing.at,
        checkin_id=standing.checkin_id,
        attempts=standing.attempts,
    )


def candidates_page(
    session: OrmSession, session_id: UUID, limit: int | None = None, after: str = ""
) -> list[Candidate]:
    """Candidates in the order of their external ids, from the one behind `after`."""
    mine = (RosterEntryRow.session_id == session_id) & (RosterEntryRow.external_id > after)
    query = select(RosterEntryRow).where(mine).order_by(RosterEntryRow.external_id).limit(limit)
    entries = session.scalars(query).all()
    found = standings(session, session_id, [entry.id for entry in entries] if limit is not None else None)
    return [candidate_document(entry, found.get(entry.id, NEVER_CAME)) for entry in entries]


def candidates_of(session: OrmSession, session_id: UUID, entry_ids: Sequence[UUID]) -> dict[UUID, Candidate]:
    """Some candidates of a session, by roster entry."""
    entries = session.scalars(select(RosterEntryRow).where(RosterEntryRow.id.in_(entry_ids)))
    found = standings(session, session_id, entry_ids)
    return {entry.id: candidate_document(entry, found.get(entry.id, NEVER_CAME)) for entry in entries}


def counts_of(session: OrmSession, row: SessionRow) -> Counts:
    """How many stand where; of a purged session, the counts that were kept."""
    if row.tally is not None:
        return Counts(**row.tally)
    on_roster = select(func.count()).select_from(RosterEntryRow).where(RosterEntryRow.session_id == row.id)
    photographs = select(func.count()).select_from(CheckinRow)
    photographs = photographs.where(CheckinRow.session_id == row.id, CheckinRow.mode != MANUAL)
    overrides = select(func.count()).select_from(OverrideRow)
    overrides = overrides.join(CheckinRow, CheckinRow.id == OverrideRow.checkin_id)
    overrides = overrides.where(CheckinRow.session_id == row.id)
    candidates = session.scalar(on_roster) or 0
    by_status = Counter(standing.status for standing in standings(session, row.id).values())
    return Counts(
        candidates=candidates,
        expected=candidates - by_status.total(),
        admitted=by_status["admitted"],
        identified_manually=by_status["identified_manually"],
        referred=by_status["referred"],
        refused=by_status["refused"],
        attempts=session.scalar(photographs) or 0,
        overrides=session.scalar(overrides) or 0,
    )
