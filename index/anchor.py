"""The audit chain's anchor outside the database: an append-only file of heads, and of what must not be
undone: erasures, withdrawals, removed templates, revoked keys and ended operators.

A chain alone cannot show that its end was cut off, or that all of it was rewritten. Each line of this file
holds the number and digest of an event, and an HMAC (RFC 2104) over itself and the previous line, under a key
that is not in the database. What must not be undone names whom or what it was about, so that restoring an
older database does it again.
"""

import fcntl
import hashlib
import hmac
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Literal
from uuid import UUID

from sqlalchemy.orm import Session

from index import audit
from index.canonical import canonical_json, digest_json
from index.consent.withdrawal import WITHDRAWN, WithdrawalSeen
from index.errors import AnchorInvalid
from index.sealing.cipher import SealingKey, TemplateCipher
from index.tables import AuditEventRow, utc_now

Kind = Literal["head", "erased", "withdrawn", "removed", "revoked", "ended", "restored"]
Head = tuple[int, str]
"""Number and digest of an event."""

ERASED = "subject.erased"
TEMPLATE_REMOVED = "template.removed"
REVOKED = "key.revoked"
OPERATOR_ENDED = "operator.ended"
_NOTED: dict[str, Kind] = {
    ERASED: "erased",
    WITHDRAWN: "withdrawn",
    TEMPLATE_REMOVED: "removed",
    REVOKED: "revoked",
    OPERATOR_ENDED: "ended",
}
_ONCE: tuple[Kind, ...] = ("erased", "removed", "revoked", "ended")
"""What happens to somebody once, and is undone by nothing."""
_BLOCK_EVENTS = 1000


@dataclass(frozen=True)
class AnchorLine:
    """One line.

    Attributes:
        kind: `head`: the newest event at that time. `erased`: an erasure. `withdrawn`: a withdrawal.
            `removed`: a removed template. `revoked`: a revoked key. `ended`: an operator who was ended.
            `restored`: an older database was restored on purpose, and this is the newest recorded event that
            it has; later events on earlier lines no longer exist.
        at: When it was written.
        seq: Number of the event; 0 before the first.
        digest: Digest of the event.
        subject_id: The subject who was erased or withdrew, or the template, key or operator that was ended.
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


class Anchor:
    """The anchor file of one data folder; several processes may use it at once."""

    def __init__(self, path: Path, cipher: TemplateCipher) -> None:
        self.path = path
        self.cipher = cipher

    def lines(self) -> list[AnchorLine]:
        """Every line, oldest first; empty if there is no file.

        Raises:
            AnchorInvalid: If a line was changed, removed or inserted, or its key is unknown.
        """
        try:
            text = self.path.read_text(encoding="ascii", errors="surrogateescape")
        except FileNotFoundError:
            return []
        return self._verify_lines(text)

    def note(self, db: Session) -> Head | None:
        """Append what must not be undone since the last line, and the newest event, if it is new.

        Under another key than the last line's it is appended again: the former key may be dropped.

        Args:
            db: For reading.

        Returns:
            The event that was appended; None if nothing is new.

        Raises:
            AnchorInvalid: As `lines`; nothing is written in that case.
            OSError: If the file cannot be written.
        """
        with self._lock() as file:
            lines = self._verify_lines(_read_whole_lines(file))
            newest = audit.find_newest_head(db)
            if newest == (lines[-1].head if lines else (0, audit.FIRST_DIGEST)) and self._is_newest_key(
                lines
            ):
                return None
            known = find_common_head(db, lines)
            for event in audit.list_events_after(db, known[0], action=_NOTED):
                kind, head = _NOTED[event.action], (event.seq, event.digest)
                for ended in find_ended(event):
                    lines.append(self._append(file, lines, kind, head, ended))
            if not lines or lines[-1].head != newest or not self._is_newest_key(lines):
                self._append(file, lines, "head", newest)
            _flush(file)
            return newest

    def _is_newest_key(self, lines: Sequence[AnchorLine]) -> bool:
        """Whether the last line, if there is one, is authenticated with the key that new ones are."""
        return not lines or lines[-1].key_id == self.cipher.key.id

    def note_restored(self, db: Session) -> None:
        """Record that an older database was restored on purpose, and its newest event.

        Raises:
            AnchorInvalid, OSError: As `note`.
        """
        with self._lock() as file:
            lines = self._verify_lines(_read_whole_lines(file))
            lines.append(self._append(file, lines, "restored", find_fork(db, lines)))
            self._append(file, lines, "head", audit.find_newest_head(db))
            _flush(file)

    def take_over(self, other: Sequence[AnchorLine]) -> None:
        """Adopt another machine's anchor: all lines if this one is empty, else what must not be undone.

        Raises:
            AnchorInvalid, OSError: As `note`.
        """
        with self._lock() as file:
            lines = self._verify_lines(_read_whole_lines(file))
            gone = {(line.kind, line.subject_id) for line in lines if line.kind in _ONCE}
            withdrawn = {line.head for line in lines if line.kind == "withdrawn"}
            for line in other:
                is_new = line.kind in _ONCE and (line.kind, line.subject_id) not in gone
                is_new = is_new or (line.kind == "withdrawn" and line.head not in withdrawn)
                if not lines or is_new:
                    subject_id = UUID(line.subject_id) if line.subject_id else None
                    lines.append(self._append(file, lines, line.kind, line.head, subject_id))
            _flush(file)

    def _append(
        self,
        file: IO[str],
        lines: Sequence[AnchorLine],
        kind: Kind,
        head: Head,
        subject_id: UUID | None = None,
    ) -> AnchorLine:
        key = self.cipher.key
        draft = AnchorLine(
            kind, utc_now().isoformat(), *head, str(subject_id) if subject_id else None, key.id
        )
        mac = draft.mac_under(key, lines[-1].line_digest if lines else "")
        line = AnchorLine(**{**asdict(draft), "mac": mac})
        file.write(json.dumps(asdict(line)) + "\n")
        return line

    def _verify_lines(self, text: str) -> list[AnchorLine]:
        """The complete lines of a text, without one that a crash has cut off.

        A line under a key that has since been dropped is covered by the next line under a known key.
        """
        lines: list[AnchorLine] = []
        vouched = 0
        for number, one in enumerate(text.split("\n")[:-1], 1):
            try:
                line = parse_line(one)
            except (ValueError, TypeError, RecursionError) as error:
                raise AnchorInvalid(self.path, number, "it is no line of an anchor") from error
            key = self.cipher.find_key(line.key_id)
            if key is not None:
                previous = lines[-1].line_digest if lines else ""
                if not hmac.compare_digest(line.mac, line.mac_under(key, previous)):
                    raise AnchorInvalid(self.path, number, "it, or the one before it, was changed or removed")
                vouched = number
            lines.append(line)
        if vouched < len(lines):
            raise AnchorInvalid(self.path, len(lines), f"its key {lines[-1].key_id} is not set")
        return lines

    @contextmanager
    def _lock(self) -> Iterator[IO[str]]:
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(self.path, os.O_CREAT | os.O_RDWR | os.O_APPEND, 0o600)
        # What is not ASCII is no line of ours: it must be found so, and not make the reading fail.
        with os.fdopen(descriptor, "r+", encoding="ascii", errors="surrogateescape") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield file


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


def find_erased_subjects(lines: Sequence[AnchorLine]) -> set[UUID]:
    """Everybody who was ever erased, even if the database of that time no longer exists."""
    return _find_ids(lines, "erased")


def find_removed_templates(lines: Sequence[AnchorLine]) -> set[UUID]:
    """Every removed template on record."""
    return _find_ids(lines, "removed")


def find_revoked_keys(lines: Sequence[AnchorLine]) -> set[UUID]:
    """Every revoked key on record."""
    return _find_ids(lines, "revoked")


def find_ended_operators(lines: Sequence[AnchorLine]) -> set[UUID]:
    """Every operator on record who was ended."""
    return _find_ids(lines, "ended")


def _find_ids(lines: Sequence[AnchorLine], kind: Kind) -> set[UUID]:
    return {UUID(line.subject_id) for line in lines if line.kind == kind and line.subject_id}


def has_news(db: Session, after_seq: int) -> bool:
    """Whether something that must not be undone happened after an event."""
    return next(audit.list_events_after(db, after_seq, action=_NOTED), None) is not None


def find_ended(event: AuditEventRow) -> list[UUID | None]:
    """The ids of what an event has ended: a subject, templates, a key or an operator."""
    if event.action == TEMPLATE_REMOVED:
        # Another model's templates of the same picture went with it, and have ids of their own.
        return [UUID(one) for one in (event.details["template_id"], *event.details.get("others", ()))]
    if event.action == REVOKED:
        return [UUID(event.details["key_id"])]
    if event.action == OPERATOR_ENDED:
        return [UUID(event.details["operator_id"])]
    return [event.subject_id]


def find_withdrawals(lines: Sequence[AnchorLine]) -> list[WithdrawalSeen]:
    """Every withdrawal on record."""
    return [
        WithdrawalSeen(line.seq, line.digest, UUID(line.subject_id))
        for line in lines
        if line.kind == "withdrawn" and line.subject_id
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


def _read_whole_lines(file: IO[str]) -> str:
    """The file's text; truncates an incomplete last line that a crash has left."""
    file.seek(0)
    text = file.read()
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        file.truncate(len(whole))
    file.seek(0, os.SEEK_END)
    return whole


def _flush(file: IO[str]) -> None:
    file.flush()
    os.fsync(file.fileno())
