"""What happens in a session, as it happens: the audit chain read as a feed.

The chain's numbers follow the order of commits, so "everything behind number n" is exact, in every process
and after any interruption. Events are built here; `board.py` shares them among viewers.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, Self
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy import func, select
from sqlalchemy.orm import Session as OrmSession

from index import audit
from index.tables import AuditEventRow, utc_now
from service.decisions.scores import without_scores
from service.errors import SessionNotFound
from service.exams.audit import (
    ATTENDED,
    CANDIDATE_CHANGED,
    CHECKIN_DECLINED,
    CHECKIN_RECORDED,
    EXAM_CHANGED,
    MOVEMENT_RECORDED,
    OVERRIDE_RECORDED,
    ROSTER_IMPORTED,
    SESSION_CHANGED,
)
from service.exams.checkin.moving import out_of
from service.exams.context import Desk
from service.exams.exams import exam_row
from service.exams.live.marks import Marks, may_have_moved, read_again
from service.exams.live.waiting import Waiting, waiting_of
from service.exams.schemas import Candidate, Checkin, Counts, Override, Person, Session
from service.exams.sessions import ended_at, session_document, session_row
from service.exams.status import candidates_of, candidates_page, counts_of
from service.exams.tables import CheckinRow, SessionRow
from service.exams.views import checkin_documents

KINDS = {
    CHECKIN_RECORDED: "checkin",
    CHECKIN_DECLINED: "declined",
    OVERRIDE_RECORDED: "override",
    MOVEMENT_RECORDED: "movement",
    ROSTER_IMPORTED: "roster",
    SESSION_CHANGED: "session",
    ATTENDED: "attended",
    CANDIDATE_CHANGED: "candidate",
    EXAM_CHANGED: "session",
}
STANDING = "standing"
"""A message about a candidate who stands otherwise, though nothing happened at the door."""
MOST_REPLAYED = 500
"""Whoever missed more is better served with the whole board."""


@dataclass(frozen=True)
class FeedEvent:
    """One message, serialised once for all viewers; `seq` and `digest` are where to go on from.

    Attributes:
        data: For those who may see scores.
        plain: For the others.
    """

    seq: int
    kind: str
    data: str
    plain: str
    digest: str

    @classmethod
    def of(cls, seq: int, kind: str, document: BaseModel, digest: str) -> Self:
        """A message with a document."""
        return cls(seq, kind, document.model_dump_json(), without_scores(document), digest)


class Snapshot(BaseModel):
    """The whole board."""

    session: Session
    counts: Counts
    candidates: list[Candidate]
    waiting: list[Waiting]


class Change(BaseModel):
    """What one event changed, and all who wait after it. What does not apply is null."""

    at: str
    session_id: UUID
    counts: Counts
    waiting: list[Waiting]
    candidate: Candidate | None = None
    checkin: Checkin | None = None
    override: Override | None = None
    code: str | None = None
    kiosk: str | None = None
    movement: str | None = None
    session: Session | None = None


class Link(NamedTuple):
    """One event of the audit chain; its digest tells it from that of another history."""

    seq: int
    digest: str


class Look(NamedTuple):
    """What one look at the chain found.

    Attributes:
        read: The newest event that was read.
        events: The messages of each session.
        marks: How the candidates of each session stand.
        has_gone_back: Whether what was told never happened, because the database went back in time: then
            every viewer has to begin anew.
    """

    read: Link
    events: dict[UUID, list[FeedEvent]]
    marks: dict[UUID, Marks]
    has_gone_back: bool = False


def newest_seq(db: OrmSession) -> int:
    """The number of the chain's newest event; 0 for an empty chain."""
    return db.scalar(select(func.max(AuditEventRow.seq))) or 0


def newest_link(db: OrmSession) -> Link:
    """The chain's newest event."""
    return link_at(db, newest_seq(db))


def link_at(db: OrmSession, seq: int) -> Link:
    """The event of this number; without a digest where there is none."""
    return Link(seq, db.scalar(select(AuditEventRow.digest).where(AuditEventRow.seq == seq)) or "")


def look(desk: Desk, read: Link, watched: Mapping[UUID, Marks | None]) -> Look:
    """What has happened behind an event in any of the watched sessions, and which of them are over.

    Args:
        desk: With the database.
        read: The newest event that was read.
        watched: How the candidates of each session stood; None where nobody has looked yet.
    """
    # Before the news: what was committed until a session was found closed is still told before its end.
    last = {session_id: last_event(desk, session_id) for session_id in watched}
    with desk.database.read() as db:
        newest = newest_link(db)
        if link_at(db, read.seq) != read:
            return Look(newest, {}, {}, has_gone_back=True)
        exams = exams_of(db, watched)
        rows = rows_behind(db, read.seq, MOST_REPLAYED)
        behind = Link(rows[-1].seq, rows[-1].digest) if rows else read
        events, marks = dict[UUID, list[FeedEvent]](), dict[UUID, Marks]()
        for session_id, exam_id in exams.items():
            mine = [row for row in rows if is_of(row, session_id, exam_id)]
            events[session_id] = build(desk, db, session_id, mine)
            before = watched[session_id]
            if before is not None:
                now = marks[session_id] = read_again(db, session_id, before, newest.seq)
                events[session_id] += standing_events(db, session_id, before.changed(now), behind)
        for session_id, closed in last.items():
            events.setdefault(session_id, []).extend([closed] if closed else [])
        return Look(behind, events, marks)


def exams_of(db: OrmSession, session_ids: Collection[UUID]) -> dict[UUID, UUID]:
    """The exam of each of the sessions that are there."""
    query = select(SessionRow.id, SessionRow.exam_id).where(SessionRow.id.in_(session_ids))
    return {one.id: one.exam_id for one in db.execute(query)}


def is_of(row: AuditEventRow, session_id: UUID, exam_id: UUID) -> bool:
    """Whether an event is of a session, or of its whole exam."""
    one = row.details.get("session_id")
    return row.details.get("exam_id") == str(exam_id) if one is None else UUID(one) == session_id


def standing_events(
    db: OrmSession, session_id: UUID, entry_ids: Collection[UUID], at: Link
) -> Iterator[FeedEvent]:
    """A message for each candidate who stands otherwise; of very many, that the roster is another one."""
    if not entry_ids:
        return
    row, now = session_row(db, session_id), utc_now().isoformat()
    counts, waiting = counts_of(db, row), waiting_of(db, row)
    if len(entry_ids) > MOST_REPLAYED:
        yield FeedEvent.of(
            at.seq, "roster", Change(at=now, session_id=session_id, counts=counts, waiting=waiting), at.digest
        )
        return
    for candidate in candidates_of(db, session_id, list(entry_ids)).values():
        change = Change(at=now, session_id=session_id, counts=counts, waiting=waiting, candidate=candidate)
        yield FeedEvent.of(at.seq, STANDING, change, at.digest)


def snapshot(desk: Desk, session_id: UUID) -> FeedEvent:
    """The board as it is; events behind its number may be in it already, and change nothing if applied again.

    Raises:
        SessionNotFound: If there is no such session.
    """
    with desk.database.read() as db:
        seq, digest = newest_link(db)
        row = session_row(db, session_id)
        board = Snapshot(
            session=session_document(desk, db, row, exam_row(db, row.exam_id)),
            counts=counts_of(db, row),
            candidates=candidates_page(db, session_id),
            waiting=waiting_of(db, row),
        )
    return FeedEvent.of(seq, "snapshot", board, digest)


def closed_event(desk: Desk, session_id: UUID) -> FeedEvent | None:
    """The last message of a session, once it is over.

    Raises:
        SessionNotFound: If there is no such session.
    """
    with desk.database.read() as db:
        row = session_row(db, session_id)
        ended = ended_at(row, exam_row(db, row.exam_id), utc_now())
        return closed_message(db, ended, out_of(db, session_id)) if ended else None


def last_event(desk: Desk, session_id: UUID) -> FeedEvent | None:
    """As `closed_event`; a session that is there no more is over."""
    try:
        return closed_event(desk, session_id)
    except SessionNotFound:
        with desk.database.read() as db:
            return closed_message(db, utc_now())


class Closed(BaseModel):
    """That a session is over, and who went out and never came back."""

    closed_at: datetime
    not_returned: list[Person]


def closed_message(db: OrmSession, ended: datetime, out: Sequence[Person] = ()) -> FeedEvent:
    """The message that a session is over."""
    seq, digest = newest_link(db)
    people = [Person.model_validate(one, from_attributes=True) for one in out]
    data = Closed(closed_at=ended, not_returned=people).model_dump_json()
    return FeedEvent(seq, "closed", data, data, digest)


def missed(desk: Desk, session_id: UUID, after_seq: int, digest: str = "") -> list[FeedEvent] | None:
    """What happened in a session behind an event; None when the whole board says it better.

    That is so when it is too much, when the event is not ours, and when somebody may stand otherwise by now.
    """
    with desk.database.read() as db:
        since = db.get(AuditEventRow, after_seq) if 0 < after_seq <= newest_seq(db) else None
        if since is None or not since.digest.startswith(digest):
            return None
        row = session_row(db, session_id)
        is_over = ended_at(row, exam_row(db, row.exam_id), utc_now()) is not None
        if not is_over and may_have_moved(db, session_id, since):
            return None
        rows = rows_behind(db, after_seq, MOST_REPLAYED + 1)
        if len(rows) > MOST_REPLAYED:
            return None
        return build(desk, db, session_id, [one for one in rows if is_of(one, session_id, row.exam_id)])


def rows_behind(db: OrmSession, after_seq: int, limit: int) -> Sequence[AuditEventRow]:
    """The chain's events that a board shows, oldest first."""
    return audit.list_events(db, limit=limit, after_seq=after_seq, action=KINDS)


def build(desk: Desk, db: OrmSession, session_id: UUID, rows: Sequence[AuditEventRow]) -> list[FeedEvent]:
    """The messages of one session: what they have in common is read once, however many they are."""
    if not rows:
        return []
    row = session_row(db, session_id)
    counts, waiting = counts_of(db, row), waiting_of(db, row)
    candidates = candidates_of(db, session_id, ids_in(rows, "entry_id"))
    checkin_ids = ids_in(rows, "checkin_id")
    found = db.scalars(select(CheckinRow).where(CheckinRow.id.in_(checkin_ids))).all()
    checkins = {one.id: one for one in checkin_documents(db, found)}
    document = session_document(desk, db, row, exam_row(db, row.exam_id))
    messages = []
    for event in rows:
        change = Change(
            at=event.at.isoformat(),
            session_id=session_id,
            counts=counts,
            waiting=waiting,
            candidate=named(event, "entry_id", candidates.get),
            checkin=named(event, "checkin_id", checkins.get),
            code=event.details.get("code"),
            kiosk=event.details.get("kiosk"),
            movement=event.details.get("movement"),
        )
        change.override = override_in(event, change.checkin)
        if KINDS[event.action] == "session":
            change.session = document
        messages.append(FeedEvent.of(event.seq, KINDS[event.action], change, event.digest))
    return messages


def ids_in(rows: Sequence[AuditEventRow], name: str) -> list[UUID]:
    """The ids that the events hold under a name, each once."""
    return list({UUID(row.details[name]) for row in rows if row.details.get(name)})


def named(event: AuditEventRow, name: str, find: Callable[[UUID], Any]) -> Any:
    """What an event's id stands for, if it has one and the row is still there."""
    text = event.details.get(name)
    return find(UUID(text)) if text else None


def override_in(event: AuditEventRow, checkin: Checkin | None) -> Override | None:
    """The override that an event is about."""
    overrides = checkin.overrides if checkin else []
    return next((one for one in overrides if str(one.id) == event.details.get("override_id")), None)
