"""A request that is sent twice is carried out once: claims, kept answers, replay.

The claim is committed before the work, with the id that the work will give to what it makes. When a process
dies in between, the repeated request does the work again under the same id: what was made already is found
instead of made twice.

Answers are sealed with a key that only the caller's secret yields: the database never holds a readable one,
for it may be a new API key or a decision about a person.
"""

import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import delete, update
from sqlalchemy.exc import IntegrityError

from index.clock import find_leap
from index.database.database import Database
from index.errors import SubjectNotFound
from index.ids import uuid7
from index.tables import IdempotencyRecordRow, SubjectRow, utc_now
from service.access.callers import Caller
from service.errors import IdempotencyConflict, IdempotencyPending
from service.logs import log

LEASE = timedelta(seconds=10)
"""How long a claim is believed to be worked on since its process last said so: short for a retry to wait."""
RENEWALS_IN_A_LEASE = 3
PATIENCE_SECONDS = 2.0
NONCE_BYTES = 12


@dataclass(frozen=True)
class Answer:
    """A response that can be kept and given again; at the erasure of its subject it goes too."""

    status: int
    body: bytes
    headers: Mapping[str, str]
    subject_id: UUID | None = None
    replayed: bool = False


@dataclass(frozen=True)
class Attempt:
    """One request under an Idempotency-Key.

    Attributes:
        route: The path as a template: a path itself may hold an external id.
        digest: Hex SHA-256 of everything that makes two requests the same.
    """

    caller: Caller
    key: str
    method: str
    route: str
    digest: str

    @property
    def identity(self) -> tuple[UUID, str]:
        """The primary key of its record."""
        return self.caller.replay_id, self.key


class Idempotency:
    """The requests of each caller, by the key they were sent with."""

    def __init__(self, database: Database, keep: timedelta) -> None:
        self._database = database
        self._keep = keep
        self._at_work: set[tuple[UUID, str]] = set()
        self._changing = threading.Lock()
        self._closed = threading.Event()
        self._renewer: threading.Thread | None = None

    def once(self, attempt: Attempt, work: Callable[[UUID], Answer]) -> Answer:
        """The first request's answer: worked out now under the id that `work` is given, or replayed.

        Raises:
            IdempotencyConflict: If the key came with another request before.
            IdempotencyPending: If the first request is still worked on after `PATIENCE_SECONDS`.
            SubjectNotFound: If the subject of the kept answer has been erased since.
        """
        claim = self._await_claim(attempt)
        if isinstance(claim, Answer):
            return claim
        answer = None
        with self._held(attempt):
            try:
                answer = work(claim)
            finally:
                if answer is None:
                    self._let_go(attempt)
            self._keep_answer(attempt, answer)
        return answer

    def close(self) -> None:
        """Renew nothing more."""
        self._closed.set()

    def purge(self) -> int:
        """Forget the answers that are older than they are kept; returns how many."""
        old = IdempotencyRecordRow.created_at < utc_now() - self._keep
        with self._database.write(ordered=False) as db:
            gone = db.scalars(delete(IdempotencyRecordRow).where(old).returning(IdempotencyRecordRow.key))
            return len(gone.all())

    def _await_claim(self, attempt: Attempt) -> UUID | Answer:
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                return self._claim(attempt)
            except (IdempotencyPending, IntegrityError):
                # On PostgreSQL two first requests may insert at once; the one that comes second looks again.
                if time.monotonic() > until:
                    raise
                time.sleep(0.02)

    def _claim(self, attempt: Attempt) -> UUID | Answer:
        now = utc_now()
        with self._database.write(ordered=False) as db:
            # Locked, or two requests could both take over a claim whose lease has ended.
            record = db.get(IdempotencyRecordRow, attempt.identity, with_for_update=True)
            if record is not None and record.created_at < now - self._keep and find_leap(db, now) is None:
                db.delete(record)
                db.flush()
                record = None
            if record is None:
                record = _record(attempt)
                db.add(record)
            elif (kept := _kept_answer(record, attempt, now)) is not None:
                return kept
            record.leased_until = now + LEASE
            return record.resource_id

    def _keep_answer(self, attempt: Attempt, answer: Answer) -> None:
        # In the line of writers, so that no erasure can come between the question and the answer below.
        with self._database.write() as db:
            record = db.get(IdempotencyRecordRow, attempt.identity)
            if record is None or record.state == "erased":
                return
            if answer.subject_id and db.get(SubjectRow, answer.subject_id) is None:
                # Erased while the answer was made: what speaks of a person goes with the person.
                record.state, record.subject_id = "erased", answer.subject_id
                return
            record.state = "done"
            record.status = answer.status
            record.headers = dict(answer.headers)
            record.body = _seal(attempt, answer.body)
            record.subject_id = answer.subject_id

    @contextmanager
    def _held(self, attempt: Attempt) -> Iterator[None]:
        """A claim lasts as long as its work: a promotion takes minutes."""
        with self._changing:
            self._at_work.add(attempt.identity)
            if self._renewer is None:
                self._renewer = threading.Thread(target=self._renew, name="idempotency", daemon=True)
                self._renewer.start()
        try:
            yield
        finally:
            with self._changing:
                self._at_work.discard(attempt.identity)

    def _renew(self) -> None:
        while not self._closed.wait(LEASE.total_seconds() / RENEWALS_IN_A_LEASE):
            with self._changing:
                at_work = list(self._at_work)
            for caller_id, key in at_work:
                mine = (IdempotencyRecordRow.caller_id == caller_id) & (IdempotencyRecordRow.key == key)
                claimed = mine & (IdempotencyRecordRow.state == "claimed")
                try:
                    with self._database.write(ordered=False) as db:
                        until = utc_now() + LEASE
                        db.execute(update(IdempotencyRecordRow).where(claimed).values(leased_until=until))
                except Exception as error:
                    # The next renewal may succeed; without any the claim can be taken over, as after a crash.
                    log.warning("claim_not_renewed", kind=type(error).__name__)

    def _let_go(self, attempt: Attempt) -> None:
        """End the lease of a claim whose work failed; it keeps its digest and its id."""
        caller_id, key = attempt.identity
        mine = (IdempotencyRecordRow.caller_id == caller_id) & (IdempotencyRecordRow.key == key)
        with self._database.write(ordered=False) as db:
            db.execute(update(IdempotencyRecordRow).where(mine).values(leased_until=utc_now()))


def _record(attempt: Attempt) -> IdempotencyRecordRow:
    return IdempotencyRecordRow(
        caller_id=attempt.caller.replay_id,
        key=attempt.key,
        method=attempt.method,
        path=attempt.route,
        body_digest=attempt.digest,
        resource_id=uuid7(),
        created_at=utc_now(),
        state="claimed",
    )


def _kept_answer(record: IdempotencyRecordRow, attempt: Attempt, now: datetime) -> Answer | None:
    """What an earlier request left: its answer, or None where the work may be taken over."""
    if record.body_digest != attempt.digest:
        raise IdempotencyConflict
    if record.state == "erased":
        raise SubjectNotFound(record.subject_id or record.resource_id)
    if record.state == "done" and record.body is not None:
        body = _unseal(attempt, record.body)
        return Answer(record.status or 200, body, record.headers or {}, record.subject_id, replayed=True)
    if record.leased_until > now:
        raise IdempotencyPending
    return None


def _seal(attempt: Attempt, body: bytes) -> bytes:
    nonce = os.urandom(NONCE_BYTES)
    return nonce + AESGCM(attempt.caller.seal).encrypt(nonce, body, attempt.key.encode())


def _unseal(attempt: Attempt, sealed: bytes) -> bytes:
    nonce, rest = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
    return AESGCM(attempt.caller.seal).decrypt(nonce, rest, attempt.key.encode())


def digest_of(contents: Iterable[bytes]) -> str:
    """Hex SHA-256 over several byte strings, each with its length, so that no two lists collide."""
    total = hashlib.sha256()
    for content in contents:
        total.update(len(content).to_bytes(8, "big"))
        total.update(content)
    return total.hexdigest()
