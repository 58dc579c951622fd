"""Who of a session needs a person now, and why: read from the evidence and from the audit chain.

A referral waits until somebody decides on it. Who was turned away without an attempt waits until something is
recorded of them, or until somebody says that they were seen to.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field
from sqlalchemy import func, select
from sqlalchemy.orm import Session as OrmSession

from index.audit import Origin
from index.tables import AuditEventRow
from service.exams.audit import ATTENDED, CHECKIN_DECLINED, note
from service.exams.context import Desk, name_in
from service.exams.errors import DecisionNeeded, NotWaiting
from service.exams.movement.reading import read_whereabouts
from service.exams.reasons import reasons_of
from service.exams.schemas import Candidate, Verdict
from service.exams.sessions import session_row
from service.exams.states import ABSENT, LET_IN, REPEAT, RETURN, Whereabouts
from service.exams.status import NEVER_CAME, CandidateStatus, candidates_of, read_statuses
from service.exams.tables import CheckinRow, OverrideRow, SessionRow
from service.exams.terms import Terms

SETTLED_BY_ITSELF = frozenset(
    {
        "already_checked_in",
        "session_closed",
        "exam_archived",
        "rate_limited",
        "exit_not_allowed",
        "movement_impossible",
    }
)
"""Refusals that no person can do anything about, or need to."""


class Waiting(BaseModel):
    """Somebody who needs a person."""

    id: str = Field(description="stays the same for as long as this need does")
    kind: Literal["referred", "declined"] = Field(
        description="`referred`: an attempt to decide on; `declined`: turned away without one"
    )
    since: datetime = Field(description="since when; whoever tries again keeps the place in the queue")
    reasons: list[str] = Field(description="codes, newest first; never empty")
    candidate: Candidate | None = Field(description="null where nobody on the roster is known to be meant")
    checkin_id: UUID | None
    kiosk: str | None = Field(description="where: the kiosk's own name, or its key's")
    session_id: UUID
    room: str
    held: bool = Field(
        default=False,
        description="came while the kiosk had no network, and did not match: these are first",
    )
    provisional: bool = Field(default=False, description="whether the kiosk let them in")


class WaitingList(BaseModel):
    """All who need a person, who is held first, then oldest first."""

    items: list[Waiting]


class AttendedTerms(Terms):
    """Who was seen to."""

    id: str = Field(min_length=1, max_length=64, description="of somebody on the waiting list")


def waiting_of(db: OrmSession, session: SessionRow) -> list[Waiting]:
    """All of a session who need a person: first who is held, for they may be inside; then oldest first."""
    referrals, attended = open_referrals(db, session), attended_until(db, session)
    referrals = [one for one in referrals if str(one[-1].id) not in attended]
    declined = open_declines(db, session, attended)
    named = {one[-1].entry_id for one in referrals} | {one[-1].details.get("entry_id") for one in declined}
    ids = [UUID(str(one)) for one in named if one]
    candidates = candidates_of(db, session.id, ids)
    found: dict[Any, Waiting] = {}
    for attempts in referrals:
        found[attempts[-1].entry_id or attempts[-1].id] = referral(session, attempts, candidates)
    for events in declined:
        merge_decline(found, session, events, candidates)
    return sorted(found.values(), key=lambda one: (not one.held, one.since, one.id))


def referral(
    session: SessionRow, attempts: Sequence[CheckinRow], candidates: dict[UUID, Candidate]
) -> Waiting:
    """An open case with all attempts that led to it."""
    newest = attempts[-1]
    return Waiting(
        id=str(newest.id),
        kind="referred",
        since=min(one.taken_at or one.created_at for one in attempts),
        reasons=reasons_of(newest) or [str(Verdict.REFERRED)],
        candidate=candidates.get(newest.entry_id) if newest.entry_id else None,
        checkin_id=newest.id,
        kiosk=newest.kiosk or name_in(newest.actor),
        session_id=session.id,
        room=session.room,
        held=any(one.provisional is not None for one in attempts),
        provisional=any(one.provisional for one in attempts),
    )


def merge_decline(
    found: dict[Any, Waiting],
    session: SessionRow,
    events: Sequence[AuditEventRow],
    candidates: dict[UUID, Candidate],
) -> None:
    """Add whoever was turned away; a candidate who has an open case already waits once, with both reasons."""
    newest = events[-1]
    entry_id = UUID(newest.details["entry_id"]) if newest.details.get("entry_id") else None
    codes = list(dict.fromkeys(event.details["code"] for event in reversed(events)))
    known = found.get(entry_id)
    if known is not None:
        known.since = min(known.since, events[0].at)
        known.reasons = [*codes, *known.reasons]
        return
    found[entry_id or newest.seq] = Waiting(
        id=f"declined-{newest.seq}",
        kind="declined",
        since=events[0].at,
        reasons=codes,
        candidate=candidates.get(entry_id) if entry_id else None,
        checkin_id=None,
        kiosk=newest.details.get("kiosk") or name_in(newest.actor),
        session_id=session.id,
        room=session.room,
    )


def open_referrals(db: OrmSession, session: SessionRow) -> list[list[CheckinRow]]:
    """The referred attempts that nobody has settled: each candidate's together, and each nobody's alone."""
    decided = select(OverrideRow.id).where(OverrideRow.checkin_id == CheckinRow.id).exists()
    query = select(CheckinRow).where(
        CheckinRow.session_id == session.id, CheckinRow.outcome == str(Verdict.REFERRED), ~decided
    )
    rows = db.scalars(query.order_by(CheckinRow.created_at, CheckinRow.id)).all()
    current = read_statuses(db, session.id, [row.entry_id for row in rows if row.entry_id])
    where = read_whereabouts(db, session.id, [row.entry_id for row in rows if row.entry_id])
    last = last_decisions(db, [row.entry_id for row in rows if row.entry_id])
    together: dict[UUID, list[CheckinRow]] = defaultdict(list)
    for row in rows:
        if row.entry_id is None:
            together[row.id].append(row)
        elif is_open(row, current.get(row.entry_id, NEVER_CAME), where.get(row.entry_id, ABSENT)) and (
            row.created_at > last.get(row.entry_id, session.created_at)
        ):
            together[row.entry_id].append(row)
    return list(together.values())


def is_open(row: CheckinRow, current: CandidateStatus, where: Whereabouts) -> bool:
    """Whether a referred attempt still waits: of somebody who comes in, or who is out and comes back.

    Who is in, or was refused, and came again to a kiosk without network, waits in any case.
    """
    if row.kind == REPEAT:
        return True
    if row.kind == RETURN:
        return where.presence == "out" and where.at is not None and row.created_at >= where.at
    return current.status == Verdict.REFERRED


def last_decisions(db: OrmSession, entry_ids: Sequence[UUID]) -> dict[UUID, datetime]:
    """When somebody last decided on each of these candidates."""
    query = select(OverrideRow.entry_id, func.max(OverrideRow.created_at))
    query = query.where(OverrideRow.entry_id.in_(entry_ids)).group_by(OverrideRow.entry_id)
    return {entry_id: at for entry_id, at in db.execute(query) if entry_id is not None}


def open_declines(db: OrmSession, session: SessionRow, attended: dict[str, int]) -> list[list[AuditEventRow]]:
    """Who was turned away and has not been helped: each candidate's events together; else each kiosk's."""
    together: dict[str, list[AuditEventRow]] = defaultdict(list)
    for event in chain_events(db, session, CHECKIN_DECLINED):
        if event.details.get("code") not in SETTLED_BY_ITSELF:
            together[place_of(event)].append(event)
    entry_ids = [UUID(place) for place, events in together.items() if events[0].details.get("entry_id")]
    current = read_statuses(db, session.id, entry_ids)
    where = read_whereabouts(db, session.id, entry_ids)
    still = []
    for place, events in together.items():
        is_candidate = bool(events[0].details.get("entry_id"))
        status = current.get(UUID(place)) if is_candidate else None
        settled_at = status.at if status else None
        if status is not None and status.status in LET_IN:
            out = where.get(UUID(place), ABSENT)
            if out.presence != "out":
                continue
            settled_at = out.at
        later = [
            event
            for event in events
            if event.seq > attended.get(place, 0) and (settled_at is None or event.at > settled_at)
        ]
        still += [later] if later else []
    return still


def place_of(event: AuditEventRow) -> str:
    """Whose event it is: the candidate's, or else the kiosk's."""
    entry_id: str | None = event.details.get("entry_id")
    return entry_id or f"at {event.details.get('kiosk') or event.actor}"


def attended_until(db: OrmSession, session: SessionRow) -> dict[str, int]:
    """Up to which event whoever was turned away was seen to; and the attempts of nobody that were."""
    return {
        event.details["place"]: event.details["until_seq"] for event in chain_events(db, session, ATTENDED)
    }


def chain_events(db: OrmSession, session: SessionRow, action: str) -> Iterable[AuditEventRow]:
    """The chain's events of one action in a session, oldest first."""
    query = select(AuditEventRow).where(
        AuditEventRow.action == action,
        # The index knows the action; years of other sessions are left out by their time.
        AuditEventRow.at >= min(session.opens_at, session.created_at),
        AuditEventRow.details["session_id"].as_string() == str(session.id),
    )
    return db.scalars(query.order_by(AuditEventRow.seq)).all()


def waiting_list(desk: Desk, session_id: UUID) -> WaitingList:
    """All of a session who need a person.

    Raises:
        SessionNotFound: If there is no such session.
    """
    with desk.database.read() as db:
        return WaitingList(items=waiting_of(db, session_row(db, session_id)))


def attend(desk: Desk, session_id: UUID, terms: AttendedTerms, origin: Origin) -> WaitingList:
    """Take somebody off the list who was seen to and whom no decision concerns; that is recorded.

    Raises:
        SessionNotFound: If there is no such session.
        NotWaiting: If nobody waits under this id, or somebody else was quicker.
        DecisionNeeded: If a candidate's attempt is open: that takes a decision.
    """
    with desk.database.write() as db:
        session = session_row(db, session_id)
        items = waiting_of(db, session)
        one = next((found for found in items if found.id == terms.id), None)
        if one is None:
            raise NotWaiting(terms.id)
        if one.kind == "referred" and one.candidate is not None:
            raise DecisionNeeded
        place, until = place_and_seq(db, one)
        note(
            db,
            ATTENDED,
            origin,
            exam_id=session.exam_id,
            session_id=session.id,
            place=place,
            until_seq=until,
            entry_id=one.candidate.entry_id if one.candidate else None,
        )
        return WaitingList(items=[found for found in items if found is not one])


def place_and_seq(db: OrmSession, one: Waiting) -> tuple[str, int]:
    """What a need is known by in the chain."""
    if one.checkin_id is not None:
        return str(one.checkin_id), 0
    seq = int(one.id.removeprefix("declined-"))
    event = db.get_one(AuditEventRow, seq)
    return place_of(event), seq
