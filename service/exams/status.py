"""How candidates and sessions stand, read from the evidence: nothing here is stored twice."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Boolean,
    ColumnElement,
    CompoundSelect,
    Row,
    Uuid,
    bindparam,
    case,
    cast,
    func,
    literal,
    null,
    select,
    union_all,
)
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.orm import Session as OrmSession

from index.consent.legal_basis import find_ended
from index.twins import twins_of
from service.exams.movement.reading import read_whereabouts
from service.exams.schemas import Candidate, Counts, Flags
from service.exams.sessions import attempts_of
from service.exams.states import ABSENT, ENTRY, LET_IN, LIVE, PAPER, RETURN, Whereabouts
from service.exams.tables import AdmissionRow, CheckinRow, ExamRow, OverrideRow, RosterEntryRow, SessionRow

EXPECTED = "expected"
REFERRED = "referred"
MANUAL = "manual"


@dataclass(frozen=True)
class CandidateStatus:
    """Where a candidate stands. `attempts` counts the photographs that were compared.

    Neither a document nor a picture that could not be used gives a stranger another chance. `provisional`
    says of an attempt without network whether the kiosk let the candidate in.
    """

    status: str = EXPECTED
    at: datetime | None = None
    checkin_id: UUID | None = None
    attempts: int = 0
    provisional: bool | None = None

    @property
    def is_held(self) -> bool:
        """Whether somebody came while a kiosk was without network, and nothing has settled it."""
        return self.status == REFERRED and self.provisional is not None


NEVER_CAME = CandidateStatus()
FEW = 500
"""Beyond so many candidates, the movements of all are read rather than those of each one named."""


def read_statuses(
    db: OrmSession, session_id: UUID, only: Collection[UUID] | None = None
) -> dict[UUID, CandidateStatus]:
    """The status of every candidate who was at the door, by roster entry.

    An admission counts while it stands. Without one, the newest event counts: an attempt's or an override's.
    """
    found: dict[UUID, CandidateStatus] = {}
    for event in sorted(
        read_status_events(db, session_id, only), key=lambda event: (event.is_admission, event.at)
    ):
        attempts = found.get(event.entry_id, NEVER_CAME).attempts + event.photographs
        found[event.entry_id] = CandidateStatus(
            event.status, event.at, event.checkin_id, attempts, event.provisional
        )
    return found


def superseded_by(row: CheckinRow, last: OverrideRow | None, current: CandidateStatus) -> UUID | None:
    """The newer attempt that counts for the candidate instead; None where nothing was said since.

    Args:
        row: An attempt of the candidate's.
        last: Its newest override.
        current: The candidate's.
    """
    if current.checkin_id == row.id or current.at is None:
        return None
    said_at = last.created_at if last else row.created_at
    # An admission counts whatever was said when: a clock may have been wrong.
    counts = current.status in LET_IN or current.at >= said_at
    return current.checkin_id if counts else None


def newest_return(db: OrmSession, entry_ids: Collection[UUID]) -> dict[UUID, UUID]:
    """Each candidate's newest check-in of a return; who never came back is left out."""
    mine = CheckinRow.kind == RETURN, CheckinRow.entry_id.in_(entry_ids)
    query = select(CheckinRow.entry_id, CheckinRow.id).where(*mine).order_by(CheckinRow.attempt)
    return {entry_id: checkin_id for entry_id, checkin_id in db.execute(query) if entry_id is not None}


def read_status_events(db: OrmSession, session_id: UUID, only: Collection[UUID] | None) -> Sequence[Row[Any]]:
    """The attempts, overrides and counting admissions that decide a status, in one query."""
    named = {} if only is None else {"entry_ids": list(only)}
    return db.execute(status_events_query(only is None), {"session_id": session_id, **named}).all()


@cache
def status_events_query(of_all: bool) -> CompoundSelect[Any]:
    """Built once: that costs more than to carry it out, and it is asked three times at each check-in."""
    session_id = bindparam("session_id", type_=Uuid())
    mine = (CheckinRow.session_id == session_id) & (CheckinRow.kind == ENTRY)
    attempts = select(
        CheckinRow.entry_id,
        CheckinRow.id.label("checkin_id"),
        CheckinRow.outcome.label("status"),
        CheckinRow.created_at.label("at"),
        case((CheckinRow.decision.is_not(None), 1), else_=0).label("photographs"),
        literal(0).label("is_admission"),
        CheckinRow.provisional,
    ).where(mine, among(CheckinRow.entry_id, of_all))
    overrides = (
        select(
            OverrideRow.entry_id,
            OverrideRow.checkin_id,
            OverrideRow.outcome,
            OverrideRow.created_at,
            literal(0),
            literal(0),
            cast(null(), Boolean),
        )
        .join(CheckinRow, CheckinRow.id == OverrideRow.checkin_id)
        .where(mine, among(OverrideRow.entry_id, of_all))
    )
    admissions = select(
        AdmissionRow.entry_id,
        AdmissionRow.checkin_id,
        AdmissionRow.outcome,
        AdmissionRow.at,
        literal(0),
        literal(1),
        cast(null(), Boolean),
    ).where(AdmissionRow.session_id == session_id, among(AdmissionRow.entry_id, of_all))
    return union_all(attempts, overrides, admissions)


def among(column: InstrumentedAttribute[Any], of_all: bool) -> ColumnElement[bool]:
    """Rows of some candidate, or of those named at the call."""
    return column.is_not(None) if of_all else column.in_(bindparam("entry_ids", expanding=True))


def twin_entries(db: OrmSession, entries: Sequence[RosterEntryRow]) -> set[UUID]:
    """Those who look like somebody else: marked on the roster, or enrolled in spite of the other's face."""
    twins = twins_of(db, [entry.subject_id for entry in entries if entry.subject_id])
    return {entry.id for entry in entries if entry.twin or entry.subject_id in twins}


def candidate_documents(
    db: OrmSession, entries: Sequence[RosterEntryRow], found: dict[UUID, CandidateStatus]
) -> list[Candidate]:
    """Roster entries and how they stand."""
    twins = twin_entries(db, entries)
    typed = typed_in(db, [found[entry.id].checkin_id for entry in entries if entry.id in found])
    ended = find_ended(db, {entry.subject_id for entry in entries if entry.subject_id})
    sessions = {one: db.get_one(SessionRow, one) for one in {entry.session_id for entry in entries}}
    where = read_places(db, entries)
    exams = {one.id: db.get_one(ExamRow, one.exam_id) for one in sessions.values()}
    return [
        candidate_document(
            entry,
            found.get(entry.id, NEVER_CAME),
            is_twin=entry.id in twins,
            by_document=entry.manual_identification or entry.subject_id in ended,
            allowed=attempts_of(sessions[entry.session_id], exams[entry.session_id], entry),
            where=where.get(entry.id, ABSENT),
            from_paper=found.get(entry.id, NEVER_CAME).checkin_id in typed,
        )
        for entry in entries
    ]


def typed_in(db: OrmSession, checkin_ids: Collection[UUID | None]) -> set[UUID | None]:
    """Those of the attempts that were typed in from a room sheet."""
    wanted = [one for one in checkin_ids if one is not None]
    if not wanted:
        return set()
    query = select(CheckinRow.id).where(CheckinRow.id.in_(wanted), CheckinRow.source == PAPER)
    return set(db.scalars(query))


def read_places(db: OrmSession, entries: Sequence[RosterEntryRow]) -> dict[UUID, Whereabouts]:
    """Where these candidates are, by roster entry."""
    ids = [entry.id for entry in entries]
    return {
        entry_id: where
        for session_id in {entry.session_id for entry in entries}
        for entry_id, where in read_whereabouts(db, session_id, ids if len(ids) < FEW else None).items()
    }


def candidate_document(
    entry: RosterEntryRow,
    current: CandidateStatus,
    *,
    is_twin: bool,
    by_document: bool,
    allowed: int,
    where: Whereabouts,
    from_paper: bool,
) -> Candidate:
    """A roster entry and how it stands."""
    return Candidate(
        entry_id=entry.id,
        external_id=entry.external_id,
        display_name=entry.display_name,
        seat=entry.seat,
        subject_id=entry.subject_id,
        flags=Flags(
            manual_identification=by_document,
            private_check=entry.private_check,
            twin=is_twin,
            accommodation=entry.accommodation,
        ),
        status=current.status,  # type: ignore[arg-type]
        status_at=current.at,
        checkin_id=current.checkin_id,
        attempts=current.attempts,
        attempts_allowed=allowed,
        presence=where.presence,
        presence_at=where.at,
        absences=where.absences,
        extra_minutes=entry.extra_minutes,
        source=None if current.checkin_id is None else PAPER if from_paper else LIVE,
        held=current.is_held,
        provisional=current.is_held and bool(current.provisional),
    )


def candidates_page(
    db: OrmSession, session_id: UUID, limit: int | None = None, after: str = ""
) -> list[Candidate]:
    """Candidates in the order of their external ids, from the one behind `after`."""
    mine = (RosterEntryRow.session_id == session_id) & (RosterEntryRow.external_id > after)
    query = select(RosterEntryRow).where(mine).order_by(RosterEntryRow.external_id).limit(limit)
    entries = db.scalars(query).all()
    found = read_statuses(db, session_id, [entry.id for entry in entries] if limit is not None else None)
    return candidate_documents(db, entries, found)


def candidates_of(db: OrmSession, session_id: UUID, entry_ids: Sequence[UUID]) -> dict[UUID, Candidate]:
    """Some candidates of a session, by roster entry."""
    entries = db.scalars(select(RosterEntryRow).where(RosterEntryRow.id.in_(entry_ids))).all()
    found = read_statuses(db, session_id, entry_ids)
    return {one.entry_id: one for one in candidate_documents(db, entries, found)}


def counts_of(db: OrmSession, row: SessionRow) -> Counts:
    """How many stand where; of a purged session, the counts that were kept."""
    if row.tally is not None:
        return Counts(**row.tally)
    on_roster = select(func.count()).select_from(RosterEntryRow).where(RosterEntryRow.session_id == row.id)
    photographs = select(func.count()).select_from(CheckinRow)
    photographs = photographs.where(CheckinRow.session_id == row.id, CheckinRow.mode != MANUAL)
    overrides = select(func.count()).select_from(OverrideRow)
    overrides = overrides.join(CheckinRow, CheckinRow.id == OverrideRow.checkin_id)
    overrides = overrides.where(CheckinRow.session_id == row.id)
    candidates = db.scalar(on_roster) or 0
    statuses = read_statuses(db, row.id)
    by_status = Counter(current.status for current in statuses.values())
    presences = Counter(one.presence for one in read_whereabouts(db, row.id).values())
    return Counts(
        candidates=candidates,
        expected=candidates - by_status.total(),
        admitted=by_status["admitted"],
        identified_manually=by_status["identified_manually"],
        referred=by_status[REFERRED],
        held=sum(current.is_held for current in statuses.values()),
        refused=by_status["refused"],
        attempts=db.scalar(photographs) or 0,
        overrides=db.scalar(overrides) or 0,
        out=presences["out"],
        left=presences["left"],
    )
