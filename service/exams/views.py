"""Rows of evidence as documents: attempts with their overrides and the people they name, and movements."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session as OrmSession

from index.crops import find_with_crop
from index.subjects.portraits import find_with_portrait
from index.tables import utc_now
from service.decisions.decision import CalibrationFacts, FalseMatchRates, Quality, Thresholds
from service.exams.errors import CheckinNotFound
from service.exams.holds import held_checkins
from service.exams.reasons import PILOT, reasons_of
from service.exams.schemas import Checkin, Conflict, Movement, Override, Verdict
from service.exams.states import REPEAT, RETURN
from service.exams.status import NEVER_CAME, newest_return, read_statuses, superseded_by
from service.exams.tables import (
    CheckinRow,
    MovementRow,
    OverrideRow,
    RosterEntryRow,
    SessionRow,
    ThumbnailRow,
)


def checkin_row(db: OrmSession, checkin_id: UUID) -> CheckinRow:
    """The attempt's row.

    Raises:
        CheckinNotFound: If there is none.
    """
    row = db.get(CheckinRow, checkin_id)
    if row is None:
        raise CheckinNotFound(checkin_id)
    return row


def overrides_of(db: OrmSession, checkin_ids: Iterable[UUID]) -> dict[UUID, list[OverrideRow]]:
    """The overrides of each attempt, oldest first."""
    found: dict[UUID, list[OverrideRow]] = defaultdict(list)
    query = (
        select(OverrideRow).where(OverrideRow.checkin_id.in_(list(checkin_ids))).order_by(OverrideRow.number)
    )
    for row in db.scalars(query):
        found[row.checkin_id].append(row)
    return found


def checkin_documents(db: OrmSession, rows: Sequence[CheckinRow]) -> list[Checkin]:
    """The attempts with everything that is known about them, in a few queries however many they are."""
    ids = [row.id for row in rows]
    overrides = overrides_of(db, ids)
    is_shown = (ThumbnailRow.expires_at > utc_now()) | ThumbnailRow.checkin_id.in_(held_checkins())
    kept = select(ThumbnailRow.checkin_id).where(ThumbnailRow.checkin_id.in_(ids), is_shown)
    pictured = set(db.scalars(kept))
    people = {row.subject_id for row in rows if row.subject_id}
    enrolled = find_with_crop(db, people) | find_with_portrait(db, people)
    named = {UUID(one["entry_id"]) for row in rows for one in row.conflicts}
    named |= {row.entry_id for row in rows if row.entry_id}
    entries = entries_of(db, named)
    sessions = {UUID(one["session_id"]) for row in rows for one in row.conflicts}
    named_rooms = select(SessionRow.id, SessionRow.room).where(SessionRow.id.in_(sessions))
    rooms = {one.id: one.room for one in db.execute(named_rooms)} if sessions else {}
    newer = newer_attempts(db, rows, overrides)
    return [
        checkin_document(
            row,
            overrides.get(row.id, []),
            entries,
            rooms,
            superseded_by=newer.get(row.id),
            pictured=row.id in pictured,
            enrolled=row.subject_id in enrolled,
        )
        for row in rows
    ]


def newer_attempts(
    db: OrmSession, rows: Sequence[CheckinRow], overrides: dict[UUID, list[OverrideRow]]
) -> dict[UUID, UUID]:
    """The attempts that count instead of superseded ones."""
    last = {row.id: overrides[row.id][-1] if overrides.get(row.id) else None for row in rows}
    about = {row.id: row.entry_id or getattr(last[row.id], "entry_id", None) for row in rows}
    by_session: dict[UUID, set[UUID]] = defaultdict(set)
    for row in rows:
        if (entry_id := about[row.id]) is not None:
            by_session[row.session_id].add(entry_id)
    found = {
        entry_id: current
        for session_id, entry_ids in by_session.items()
        for entry_id, current in read_statuses(db, session_id, entry_ids).items()
    }
    returns = {row.entry_id for row in rows if row.kind == RETURN and row.entry_id}
    came_back = newest_return(db, returns) if returns else {}
    newer = {
        row.id: came_back.get(row.entry_id or row.id)
        if row.kind == RETURN
        else superseded_by(row, last[row.id], found.get(about[row.id] or row.id, NEVER_CAME))
        for row in rows
        # Of somebody whose case was settled: it is a case of its own.
        if row.kind != REPEAT
    }
    return {checkin_id: other for checkin_id, other in newer.items() if other not in (None, checkin_id)}


def checkin_document(
    row: CheckinRow,
    overrides: Sequence[OverrideRow],
    entries: dict[UUID, RosterEntryRow],
    rooms: dict[UUID, str],
    *,
    superseded_by: UUID | None,
    pictured: bool,
    enrolled: bool,
) -> Checkin:
    """One attempt; the people it names are read from the roster, the evidence holds no names."""
    entry = entries.get(row.entry_id) if row.entry_id else None
    outcome = Verdict(overrides[-1].outcome if overrides else row.outcome)
    is_referred = outcome is Verdict.REFERRED
    why = reasons_of(row) if row.outcome == Verdict.REFERRED else []
    return Checkin(
        **{name: getattr(row, name) for name in PLAIN},
        display_name=entry.display_name if entry else None,
        effective_outcome=outcome,
        superseded_by=superseded_by,
        why=why,
        motion=None if why == [PILOT] else row.motion,  # type: ignore[arg-type]
        conflicts=[conflict_document(one, entries, rooms) for one in row.conflicts],
        threshold=thresholds_of(row),
        fmr=rates_of(row),
        probe_quality=Quality(**row.probe_quality) if row.probe_quality else None,
        calibration=CalibrationFacts(**row.calibration) if row.calibration else None,
        clock_skew_s=skew_of(row),
        held=row.provisional is not None and is_referred and superseded_by is None,
        has_thumbnail=pictured,
        has_enrolment_picture=enrolled,
        overrides=[override_document(one) for one in overrides],
    )


PLAIN = (
    "id",
    "exam_id",
    "session_id",
    "entry_id",
    "subject_id",
    "external_id",
    "seat",
    "kind",
    "mode",
    "attempt",
    "outcome",
    "decision",
    "reasons",
    "d",
    "template_id",
    "model_id",
    "timings_ms",
    "document_type",
    "note",
    "actor",
    "operator",
    "kiosk",
    "client_time",
    "contact_at",
    "since_contact_ms",
    "since_claim_ms",
    "taken_at",
    "time_estimated",
    "source",
    "provisional",
    "created_at",
    "request_id",
)


def skew_of(row: CheckinRow) -> float | None:
    """How far the client's clock was ahead of the server's when the picture was taken, in seconds."""
    taken_at = row.taken_at or row.created_at
    return (row.client_time - taken_at).total_seconds() if row.client_time else None


def thresholds_of(row: CheckinRow) -> Thresholds | None:
    """The two distances in force at the attempt."""
    if row.match_d is None or row.refer_d is None:
        return None
    return Thresholds(match=row.match_d, refer=row.refer_d)


def rates_of(row: CheckinRow) -> FalseMatchRates | None:
    """The two rates in force at the attempt, and the rate at its distance."""
    if row.match_fmr is None or row.refer_fmr is None:
        return None
    return FalseMatchRates(match=row.match_fmr, refer=row.refer_fmr, at_d=row.fmr_at_d)


def conflict_document(
    conflict: dict[str, Any], entries: dict[UUID, RosterEntryRow], rooms: dict[UUID, str]
) -> Conflict:
    """Another candidate with the same face, or the same one elsewhere."""
    entry = entries.get(UUID(conflict["entry_id"]))
    return Conflict(
        external_id=entry.external_id if entry else conflict["external_id"],
        display_name=entry.display_name if entry else None,
        seat=entry.seat if entry else None,
        session_id=conflict["session_id"],
        room=rooms.get(UUID(conflict["session_id"])),
        d=conflict["d"],
        checked_in_at=conflict["checked_in_at"],
    )


def override_document(row: OverrideRow) -> Override:
    """An override as it is shown."""
    return Override(
        id=row.id,
        checkin_id=row.checkin_id,
        outcome=Verdict(row.outcome),
        previous_outcome=Verdict(row.previous_outcome),
        reason_code=row.reason_code,
        note=row.note,
        actor=row.actor,
        operator=row.operator,
        created_at=row.created_at,
    )


def movement_documents(db: OrmSession, rows: Sequence[MovementRow]) -> list[Movement]:
    """Movements as they are shown."""
    named = entries_of(db, {row.entry_id for row in rows})
    undone = set(
        db.scalars(select(MovementRow.undoes).where(MovementRow.undoes.in_([row.id for row in rows])))
    )
    return [movement_document(row, named[row.entry_id], undone=row.id in undone) for row in rows]


def movement_document(row: MovementRow, entry: RosterEntryRow, *, undone: bool) -> Movement:
    """A movement as it is shown."""
    return Movement(
        id=row.id,
        session_id=row.session_id,
        kind=row.kind,  # type: ignore[arg-type]
        external_id=entry.external_id,
        display_name=entry.display_name,
        seat=entry.seat,
        at=row.taken_at or row.created_at,
        source=row.source,  # type: ignore[arg-type]
        recorded_at=row.created_at,
        checkin_id=row.checkin_id,
        undoes=row.undoes,
        undone=undone,
        reason=row.reason,
        actor=row.actor,
        operator=row.operator,
        kiosk=row.kiosk,
        client_time=row.client_time,
    )


def entries_of(db: OrmSession, ids: Collection[UUID]) -> dict[UUID, RosterEntryRow]:
    """Roster entries by their ids."""
    return {one.id: one for one in db.scalars(select(RosterEntryRow).where(RosterEntryRow.id.in_(ids)))}
