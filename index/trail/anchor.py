"""The audit chain's anchor outside the database: an append-only file of heads, and of what must not be
undone: erasures, withdrawals, removed templates, revoked keys, ended operators and other passwords of theirs,
exams that were archived, deleted or purged, refused pictures.

A chain alone cannot show that its end was cut off, or that all of it was rewritten. Each line of this file
holds the number and digest of an event, and an HMAC (RFC 2104) over itself and the previous line, under a key
that is not in the database. What must not be undone names whom or what it was about, so that restoring an
older database does it again.
"""

import fcntl
import hmac
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import IO
from uuid import UUID

from sqlalchemy.orm import Session

from index import audit
from index.errors import AnchorInvalid
from index.sealing.cipher import TemplateCipher
from index.tables import utc_now
from index.trail.anchor_lines import (
    AGAIN,
    NOTED,
    ONCE,
    AnchorLine,
    Head,
    Kind,
    find_common_head,
    find_ended,
    find_fork,
    parse_line,
)


class AnchorFile:
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
            for event in audit.list_events_after(db, known[0], action=NOTED):
                kind, head = NOTED[event.action], (event.seq, event.digest)
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
            gone = {(line.kind, line.subject_id) for line in lines if line.kind in ONCE}
            known = {line.head for line in lines if line.kind in AGAIN}
            for line in other:
                is_new = line.kind in ONCE and (line.kind, line.subject_id) not in gone
                is_new = is_new or (line.kind in AGAIN and line.head not in known)
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
