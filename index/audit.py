"""The audit chain: who did what, in an order that nobody can change unnoticed.

Each event holds the SHA-256 of its content and of the previous digest (a hash chain; Haber and Stornetta
1991). An event never holds a picture, a vector or a name: it outlives the subject, whose erasure leaves the
chain intact.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from index.canonical import digest_json
from index.tables import AuditEventRow, utc_now

Fault = Literal["changed", "missing", "reordered", "cut off"]

FIRST_DIGEST = "0" * 64
ADDRESS: ContextVar[str | None] = ContextVar("address", default=None)
"""Where the request came from that is being served; whoever serves it sets it."""
_BLOCK_ROWS = 1000
_LAST = select(AuditEventRow.seq, AuditEventRow.digest).order_by(AuditEventRow.seq.desc()).limit(1)


@dataclass(frozen=True)
class ChainReport:
    """The result of checking the chain.

    Attributes:
        events: How many events are valid, counted from the first.
        head: The digest of the last valid event. Kept elsewhere, it shows later whether the end was cut off.
        first_bad_seq: The event at which the chain breaks; None if it is intact.
        reason: Why it breaks there.
    """

    events: int
    head: str
    first_bad_seq: int | None = None
    reason: Fault | None = None

    @property
    def is_whole(self) -> bool:
        """Whether every event is there, unchanged and in its place."""
        return self.reason is None


@dataclass(frozen=True)
class Origin:
    """Who asks, and with which request.

    Attributes:
        operator: The name of the person who is signed in; a key may name one for each decision.
    """

    actor: str
    request_id: str | None = None
    is_admin: bool = False
    operator: str | None = None


def record(
    db: Session,
    *,
    action: str,
    actor: str,
    subject_id: UUID | None = None,
    request_id: str | None = None,
    details: Mapping[str, Any] | None = None,
) -> AuditEventRow:
    """Add an event in the caller's transaction, so that a rollback also removes the event.

    Args:
        db: An ordered transaction of `Database.write`; two unordered writers could both extend the same
            event.
        action: What was done, `noun.verb` in the past: `template.enrolled`.
        actor: The key or operator by id and name.
        subject_id: The subject concerned.
        request_id: Id of the request.
        details: JSON values without names or biometric data.

    Raises:
        ValueError: If the details hold values that JSON cannot represent (NaN, infinity).
    """
    last = db.execute(_LAST).first()
    event = AuditEventRow(
        seq=last.seq + 1 if last else 1,
        at=utc_now(),
        action=action,
        actor=actor,
        subject_id=subject_id,
        request_id=request_id,
        address=ADDRESS.get(),
        # Stored as it will be read, so that a tuple or an enum has the same digest now and later.
        details=json.loads(json.dumps(dict(details or {}), allow_nan=False)),
        previous_digest=last.digest if last else FIRST_DIGEST,
    )
    event.digest = digest_of(event)
    db.add(event)
    db.flush()
    return event


def digest_of(event: AuditEventRow) -> str:
    """SHA-256 of the event in canonical JSON, with the time in UTC microseconds."""
    content = {
        "seq": event.seq,
        "at": event.at.isoformat(timespec="microseconds"),
        "action": event.action,
        "actor": event.actor,
        "subject_id": str(event.subject_id) if event.subject_id else None,
        "request_id": event.request_id,
        "details": event.details,
        "previous_digest": event.previous_digest,
    }
    if event.address is not None:
        # Events of before addresses were noted digest as they did then.
        content["address"] = event.address
    return digest_json(content)


def list_events(
    db: Session,
    *,
    limit: int,
    after_seq: int = 0,
    subject_id: UUID | None = None,
    action: str | Collection[str] | None = None,
    actor: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    before_seq: int | None = None,
    newest_first: bool = False,
) -> list[AuditEventRow]:
    """Events in order, or the newest first.

    Args:
        db: For reading.
        limit: At most so many.
        after_seq: Only later ones.
        subject_id: Only about this subject.
        action: Only of this action, or of any of several.
        actor: Only of actors with this in their name or id, capital letters or small.
        since: Only from this moment on.
        until: Only before this moment.
        before_seq: Only earlier ones.
        newest_first: In the opposite order.
    """
    number = AuditEventRow.seq
    query = select(AuditEventRow).where(number > after_seq).limit(limit)
    query = query.order_by(number.desc() if newest_first else number)
    if before_seq is not None:
        query = query.where(number < before_seq)
    if since is not None:
        query = query.where(AuditEventRow.at >= since)
    if until is not None:
        query = query.where(AuditEventRow.at < until)
    if actor is not None:
        query = query.where(AuditEventRow.actor.icontains(actor, autoescape=True))
    if subject_id is not None:
        query = query.where(AuditEventRow.subject_id == subject_id)
    if action is not None:
        actions = [action] if isinstance(action, str) else action
        query = query.where(AuditEventRow.action.in_(actions))
    return list(db.scalars(query))


def find_newest_head(db: Session) -> tuple[int, str]:
    """Number and digest of the newest event; 0 before the first."""
    last = db.execute(_LAST).first()
    return (last.seq, last.digest) if last else (0, FIRST_DIGEST)


@dataclass(frozen=True)
class EventSeen:
    """An event about a subject, an operator or an exam, in the chain of this history or another."""

    seq: int
    digest: str
    subject_id: UUID


def find_lost_events(db: Session, seen: Iterable[EventSeen], *, action: str) -> list[EventSeen]:
    """Those events of other histories that the chain lacks, and that no event of this action repeats.

    An event that repeats another has its digest as `again` among its details.
    """
    events = list(seen)
    digests = find_digests(db, [one.seq for one in events])
    lost = [one for one in events if digests.get(one.seq) != one.digest]
    if not lost:
        return []
    repeated = {event.details.get("again") for event in list_events_after(db, 0, action=action)}
    return [one for one in lost if one.digest not in repeated]


def find_digest(db: Session, seq: int) -> str | None:
    """The digest of an event; None if there is no event with this number."""
    if seq == 0:
        return FIRST_DIGEST
    return db.scalar(select(AuditEventRow.digest).where(AuditEventRow.seq == seq))


def find_digests(db: Session, seqs: Collection[int]) -> dict[int, str]:
    """The digests of many events, by number; those that are not there are left out."""
    wanted, found = sorted(seqs), dict[int, str]()
    for start in range(0, len(wanted), _BLOCK_ROWS):
        block = AuditEventRow.seq.in_(wanted[start : start + _BLOCK_ROWS])
        rows = db.execute(select(AuditEventRow.seq, AuditEventRow.digest).where(block))
        found |= {row.seq: row.digest for row in rows}
    return found


def list_events_after(
    db: Session, seq: int, *, action: str | Collection[str], subject_id: UUID | None = None
) -> Iterator[AuditEventRow]:
    """Every event of one action, or of any of several, after this one, in order."""
    while block := list_events(db, limit=_BLOCK_ROWS, after_seq=seq, action=action, subject_id=subject_id):
        yield from block
        seq = block[-1].seq


def verify_chain(
    db: Session,
    *,
    expected_head: tuple[int, str] | None = None,
    expected_heads: Collection[tuple[int, str]] = (),
) -> ChainReport:
    """Check the whole chain and report the first event that was changed.

    Args:
        db: For reading.
        expected_head: Number and digest of an event recorded earlier. A chain alone cannot show that its
            newest events were cut off, or that all of it was rewritten; such a record can.
        expected_heads: More such records.
    """
    expected: dict[int, set[str]] = {}
    for seq, digest in [*expected_heads, *([expected_head] if expected_head else [])]:
        expected.setdefault(seq, set()).add(digest)
    count, head = 0, FIRST_DIGEST
    while block := list_events(db, limit=_BLOCK_ROWS, after_seq=count):
        for event in block:
            if fault := _find_fault(event, count + 1, head):
                return ChainReport(count, head, *fault)
            if expected.pop(event.seq, {event.digest}) != {event.digest}:
                return ChainReport(count, head, event.seq, "changed")
            count, head = event.seq, event.digest
        db.expunge_all()
    if any(seq > count for seq in expected):
        return ChainReport(count, head, count + 1, "cut off")
    return ChainReport(count, head)


def _find_fault(event: AuditEventRow, seq: int, previous: str) -> tuple[int, Fault] | None:
    """Where and how the chain is broken between the last valid event and this one, if it is."""
    if event.seq != seq:
        return seq, "missing"
    is_itself = event.digest == digest_of(event)
    if event.previous_digest == previous:
        return None if is_itself else (seq, "changed")
    # An event that is valid itself but follows another digest shows that the previous one was rewritten.
    return (seq - 1, "changed") if is_itself and seq > 1 else (seq, "reordered")
