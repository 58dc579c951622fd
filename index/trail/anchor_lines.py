"""What the lines of the audit chain's anchor say, and how the chain in the database compares with them."""

import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal
from uuid import UUID

from sqlalchemy.orm import Session

from index import audit
from index.canonical import canonical_json, digest_json
from index.consent.withdrawal import WITHDRAWN
from index.sealing.cipher import SealingKey
from index.tables import AuditEventRow

Kind = Literal[
    "head",
    "erased",
    "withdrawn",
    "removed",
    "revoked",
    "ended",
    "archived",
    "deleted",
    "purged",
    "refused",
    "reset",
    "held",
    "lifted",
    "restored",
]
Head = tuple[int, str]
"""Number and digest of an event."""

ERASED = "subject.erased"
TEMPLATE_REMOVED = "template.removed"
REVOKED = "key.revoked"
OPERATOR_ENDED = "operator.ended"
OPERATOR_RESET = "operator.reset"
OPERATOR_CHANGED = "operator.changed"
PASSWORD_CHANGED = "operator.password_changed"
EXAM_ARCHIVED = "exam.archived"
EXAM_DELETED = "exam.deleted"
EXAM_PURGED = "exam.purged"
PROPOSAL_REFUSED = "proposal.refused"
PORTRAIT_REMOVED = "portrait.removed"
HELD = "hold.put"
LIFTED = "hold.lifted"
NOTED: dict[str, Kind] = {
    ERASED: "erased",
    WITHDRAWN: "withdrawn",
    TEMPLATE_REMOVED: "removed",
    REVOKED: "revoked",
    OPERATOR_ENDED: "ended",
    OPERATOR_RESET: "reset",
    OPERATOR_CHANGED: "reset",
    PASSWORD_CHANGED: "reset",
    EXAM_ARCHIVED: "archived",
    EXAM_DELETED: "deleted",
    EXAM_PURGED: "purged",
    PROPOSAL_REFUSED: "refused",
    PORTRAIT_REMOVED: "refused",
    HELD: "held",
    LIFTED: "lifted",
}
ONCE: tuple[Kind, ...] = (
    "erased",
    "removed",
    "revoked",
    "ended",
    "archived",
    "deleted",
    "purged",
    "refused",
)
"""What happens to somebody or something once, and is undone by nothing."""
AGAIN: tuple[Kind, ...] = ("withdrawn", "reset", "held", "lifted")
"""What happens to somebody more than once: each is known by its event."""

_NAMED_BY = {
    REVOKED: "key_id",
    OPERATOR_ENDED: "operator_id",
    OPERATOR_RESET: "operator_id",
    OPERATOR_CHANGED: "operator_id",
    PASSWORD_CHANGED: "operator_id",
    EXAM_ARCHIVED: "exam_id",
    EXAM_DELETED: "exam_id",
    EXAM_PURGED: "exam_id",
    PROPOSAL_REFUSED: "proposal_id",
    PORTRAIT_REMOVED: "portrait_id",
}


@dataclass(frozen=True)
class AnchorLine:
    """One line.

    Attributes:
        kind: `head`: the newest event at that time. `erased`: an erasure. `withdrawn`: a withdrawal.
            `removed`: a removed template. `revoked`: a revoked key. `ended`: an operator who was ended.
            `archived`, `deleted`, `purged`: an exam. `refused`: a picture that somebody had sent,
            or a portrait that was removed. `reset`: an
            operator who signs in by another password since, or has another role. `held`, `lifted`: a hold.
            `restored`: an older database was restored on purpose, and this is the newest recorded event that
            it has; later events on earlier lines no longer exist.
        at: When it was written.
        seq: Number of the event; 0 before the first.
        digest: Digest of the event.
        subject_id: The subject who was erased or withdrew, or the template, key, operator, exam or proposal;
            of a hold the subject or the exam.
        key_id: The key of the MAC.
        mac: Hexadecimal, over this line and the digest of the line before.
    """

    kind: Kind
    at: str
    seq: int
    digest: str
    subject_id: str | None
    key_id: str
    mac: str = ""

    @property
    def head(self) -> Head:
        """The event."""
        return self.seq, self.digest

    @property
    def line_digest(self) -> str:
        """SHA-256 of the whole line; the next line's MAC covers it."""
        return digest_json(asdict(self))

    def mac_under(self, key: SealingKey, previous: str) -> str:
        """The MAC that this line must have."""
        content = canonical_json({**asdict(self), "mac": previous})
        return hmac.new(key.mac_key, content, hashlib.sha256).hexdigest()


def parse_line(text: str) -> AnchorLine:
    """A line of the file, whoever has written it.

    Raises:
        ValueError, TypeError, RecursionError: If it is none.
    """
    if not text.isascii():
        raise ValueError("not ASCII")
    line = AnchorLine(**json.loads(text))
    if line.subject_id is not None:
        UUID(line.subject_id)
    texts = (line.kind, line.at, line.digest, line.key_id, line.mac)
    if type(line.seq) is not int or not all(isinstance(one, str) and one.isascii() for one in texts):
        raise TypeError("a value of another type")
    return line


def find_expected_heads(lines: Sequence[AnchorLine]) -> list[Head]:
    """The events that the chain must still contain."""
    heads: list[Head] = []
    for line in lines:
        if line.kind == "restored":
            heads = [head for head in heads if head[0] <= line.seq]
        heads.append(line.head)
    return [head for head in dict.fromkeys(heads) if head[0]]


def find_ids(lines: Sequence[AnchorLine], kind: Kind) -> set[UUID]:
    """Everybody and everything of one kind on record, even if the database of that time no longer exists."""
    return {UUID(line.subject_id) for line in lines if line.kind == kind and line.subject_id}


def has_news(db: Session, after_seq: int) -> bool:
    """Whether something that must not be undone happened after an event."""
    return next(audit.list_events_after(db, after_seq, action=NOTED), None) is not None


def find_ended(event: AuditEventRow) -> list[UUID | None]:
    """The ids of what an event has ended: a subject, templates, a key, an operator, an exam or a proposal."""
    if event.action == TEMPLATE_REMOVED:
        # Another model's templates of the same picture went with it, and have ids of their own.
        return [UUID(one) for one in (event.details["template_id"], *event.details.get("others", ()))]
    if event.action == OPERATOR_CHANGED and event.details.get("before") == event.details.get("after"):
        return []  # Another name alone.
    if event.action in (HELD, LIFTED) and event.subject_id is None:
        return [UUID(event.details["exam_id"])]
    if event.action in _NAMED_BY:
        return [UUID(event.details[_NAMED_BY[event.action]])]
    return [event.subject_id]


def find_seen(lines: Sequence[AnchorLine], kind: Kind) -> list[audit.EventSeen]:
    """Every event of one kind on record, of what may happen to somebody more than once."""
    return [
        audit.EventSeen(line.seq, line.digest, UUID(line.subject_id))
        for line in lines
        if line.kind == kind and line.subject_id
    ]


def find_common_head(db: Session, lines: Sequence[AnchorLine]) -> Head:
    """The newest event of these lines that is in the chain."""
    for line in reversed(lines):
        if audit.find_digest(db, line.seq) == line.digest:
            return line.head
    return 0, audit.FIRST_DIGEST


def find_lost(db: Session, lines: Sequence[AnchorLine]) -> list[Head]:
    """The expected events that are not in the chain, in the order of the lines."""
    heads = find_expected_heads(lines)
    digests = audit.find_digests(db, [seq for seq, _ in heads])
    return [head for head in heads if digests.get(head[0]) != head[1]]


def find_fork(db: Session, lines: Sequence[AnchorLine]) -> Head:
    """The newest event of these lines before the first one that is not in the chain."""
    heads = sorted(find_expected_heads(lines))
    first_lost = min((seq for seq, _ in find_lost(db, lines)), default=None)
    known = [head for head in heads if first_lost is None or head[0] < first_lost]
    return max(known, default=(0, audit.FIRST_DIGEST))
