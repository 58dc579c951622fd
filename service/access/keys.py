"""API keys: `<prefix>.<secret>`, stored as a hash, valid in a window, revocable.

A secret has 256 random bits, so nobody can guess one from its hash however fast the hash is: one SHA-256 is
right here and costs a request a microsecond. Argon2 protects what people choose themselves: passwords.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from index import audit
from index.clock import BACK
from index.database.database import Database
from index.errors import DatabaseError
from index.ids import uuid7
from index.tables import ApiKeyRow
from index.trail.anchor_lines import REVOKED
from service.access.callers import Caller
from service.access.rates import Rates
from service.access.scopes import KIOSK_SCOPES, Scope
from service.errors import InvalidRequest, KeyNotFound, Unauthenticated
from service.logs import log

# Built once: every request asks it, and building takes longer than the answer.
BY_PREFIX = select(ApiKeyRow).where(ApiKeyRow.prefix == bindparam("prefix"))
PREFIX = re.compile(r"inv[0-9a-f]{10}")
FIRST_KEY_LIFETIME = timedelta(hours=24)
DELIVERY = timedelta(hours=24)
"""For so long after its end a kiosk may deliver what it took before."""
USE_INTERVAL = timedelta(minutes=1)
"""`last_used_at` is written at most this often; a write at each request would cost a disk flush."""


@dataclass(frozen=True)
class KeyFacts:
    """What may be told about a key; never its secret."""

    id: UUID
    prefix: str
    name: str
    scopes: tuple[Scope, ...]
    session_id: UUID | None
    not_before: datetime | None
    expires_at: datetime | None
    created_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True)
class Deliverer:
    """Who delivers what was taken without network: a caller, or a kiosk whose key has ended since.

    Attributes:
        ended_at: When it did; None where it is valid.
        is_revoked: Whether somebody ended it, and not its session.
    """

    caller: Caller
    ended_at: datetime | None = None
    is_revoked: bool = False


class Keys:
    """The keys in the database."""

    def __init__(self, database: Database, rates: Rates | None = None) -> None:
        self._database = database
        self._rates = rates or Rates(per_minute=None)
        self._used: dict[UUID, datetime] = {}
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="keys")

    def create(
        self,
        name: str,
        scopes: Iterable[Scope],
        *,
        actor: str,
        key_id: UUID | None = None,
        session_id: UUID | None = None,
        not_before: datetime | None = None,
        expires_at: datetime | None = None,
        request_id: str | None = None,
    ) -> tuple[KeyFacts, str]:
        """A new key, and its text, which cannot be had again.

        Args:
            key_id: Given by a caller who may have to repeat the call: the same id makes one key. It then has
                a new text, for nobody was told the first one.
            session_id: Binds a kiosk's key to one exam session.

        Raises:
            InvalidRequest: If the scopes or the window make no sense.
        """
        granted = tuple(sorted(set(scopes)))
        check_grant(granted, session_id, not_before, expires_at)
        row, text = new_row(name, granted, key_id or uuid7())
        row.session_id, row.not_before, row.expires_at = session_id, not_before, expires_at
        with self._database.write() as db:
            return add_once(db, row, actor, request_id), text

    def create_first(self) -> str | None:
        """An admin key for a day where there has never been a key: its text, or None; of two processes one
        gets it. It stands in a terminal's history or in a container's log.
        """
        row, text = new_row("first admin", (Scope.ADMIN,), uuid7())
        # Of a clock that is ahead it holds no longer.
        row.not_before = row.created_at - BACK
        row.expires_at = row.created_at + FIRST_KEY_LIFETIME
        with self._database.write() as db:
            if db.scalar(select(ApiKeyRow.id).limit(1)) is not None:
                return None
            add_key(db, row, "invigil serve", None)
        return text

    def revoke(self, key_id: UUID, *, actor: str, request_id: str | None = None) -> KeyFacts:
        """End a key at once, in every process; a key that is revoked already stays as it is.

        Raises:
            KeyNotFound: If there is no such key.
        """
        with self._database.write() as db:
            row = db.get(ApiKeyRow, key_id)
            if row is None:
                raise KeyNotFound(key_id)
            if row.revoked_at is None:
                revoke_row(db, row, actor=actor, request_id=request_id)
            return facts_of(row)

    def revoke_returned(self, key_ids: Collection[UUID], *, actor: str) -> int:
        """Revoke again the keys that came back with an older database; returns how many.

        Raises:
            DatabaseError: If it could not be written.
        """
        with self._database.read() as db:
            back = [one for one in key_ids if is_back(db, one)]
        for key_id in back:
            self.revoke(key_id, actor=actor)
        return len(back)

    def page(self, limit: int, after: UUID | None = None) -> list[KeyFacts]:
        """Up to `limit` keys in the order they were made, after the one named."""
        query = select(ApiKeyRow).order_by(ApiKeyRow.id).limit(limit)
        if after is not None:
            query = query.where(ApiKeyRow.id > after)
        with self._database.read() as db:
            return [facts_of(row) for row in db.scalars(query)]

    def authenticate(self, text: str) -> Caller:
        """The caller whose key this is, if it is valid now.

        Raises:
            Unauthenticated: If it is unknown, revoked, expired or not valid yet.
            RateLimited: If it has sent too many requests.
        """
        return self._caller(self._known(text), datetime.now(UTC), seal_of(text.partition(".")[2]))

    def deliverer(self, text: str) -> Deliverer:
        """Who delivers with this key, which may be a kiosk's that has ended; raises as `authenticate`."""
        return self._deliverer(self._known(text), seal_of(text.partition(".")[2]))

    def signed_in_deliverer(self, key_id: UUID, seal: bytes) -> Deliverer:
        """As `deliverer`, of a page's session."""
        with self._database.read() as db:
            return self._deliverer(db.get(ApiKeyRow, key_id), seal)

    def session_of(self, key_id: UUID) -> UUID | None:
        """The exam session whose kiosk's key this is, valid or not; None where it is no kiosk's."""
        with self._database.read() as db:
            row = db.get(ApiKeyRow, key_id)
        return row.session_id if row else None

    def _known(self, text: str) -> ApiKeyRow:
        """The row of a key, valid or not; raises `Unauthenticated`."""
        prefix, _, secret = text.partition(".")
        if not PREFIX.fullmatch(prefix):
            raise Unauthenticated
        with self._database.read() as db:
            row = db.scalar(BY_PREFIX, {"prefix": prefix})
        # The hash is compared in constant time, and for an unknown prefix too.
        known = hmac.compare_digest(row.secret_hash if row else "", hash_of(secret))
        if row is None or not known:
            raise Unauthenticated
        return row

    def _deliverer(self, row: ApiKeyRow | None, seal: bytes) -> Deliverer:
        now = datetime.now(UTC)
        if row is None:
            raise Unauthenticated
        if is_valid(row, now):
            return Deliverer(self._caller(row, now, seal))
        ended_at = min((at for at in (row.expires_at, row.revoked_at) if at and at <= now), default=None)
        if row.session_id is None or ended_at is None or now >= ended_at + DELIVERY:
            raise Unauthenticated
        self._rates.take(row.id)
        caller = Caller(row.id, row.name, frozenset(Scope(one) for one in row.scopes), row.session_id, seal)
        return Deliverer(caller, ended_at, is_revoked=row.revoked_at == ended_at)

    def signed_in(self, key_id: UUID, seal: bytes) -> Caller:
        """The caller for whose key a page's session stands, if it is valid now.

        Raises:
            Unauthenticated: If it is revoked, expired or not valid yet.
            RateLimited: As `authenticate`.
        """
        now = datetime.now(UTC)
        with self._database.read() as db:
            row = db.get(ApiKeyRow, key_id)
            if row is None:
                raise Unauthenticated
            return self._caller(row, now, seal)

    def valid(self, key_ids: Collection[UUID]) -> set[UUID]:
        """Which of these keys are valid now."""
        now = datetime.now(UTC)
        with self._database.read() as db:
            rows = db.scalars(select(ApiKeyRow).where(ApiKeyRow.id.in_(list(key_ids))))
            return {row.id for row in rows if is_valid(row, now)}

    def _caller(self, row: ApiKeyRow, now: datetime, seal: bytes) -> Caller:
        if not is_valid(row, now):
            raise Unauthenticated
        self._rates.take(row.id)
        self._note_use(row, now)
        scopes = frozenset(Scope(scope) for scope in row.scopes)
        return Caller(row.id, row.name, scopes, row.session_id, seal)

    def close(self) -> None:
        """Write what is still to be written."""
        self._writer.shutdown(wait=True)

    def _note_use(self, row: ApiKeyRow, now: datetime) -> None:
        written = self._used.get(row.id) or row.last_used_at
        if written is None or now - written >= USE_INTERVAL:
            self._used[row.id] = now
            self._writer.submit(self._write_use, row.id, now)

    def _write_use(self, key_id: UUID, now: datetime) -> None:
        try:
            with self._database.write(ordered=False) as db:
                db.execute(update(ApiKeyRow).where(ApiKeyRow.id == key_id).values(last_used_at=now))
        except DatabaseError as error:
            # Worth a line but no request: the key was valid, and its use is noted again in a minute.
            log.warning("key_use_not_noted", key_id=str(key_id), code=error.code)


def check_grant(
    scopes: tuple[Scope, ...], session_id: UUID | None, start: datetime | None, end: datetime | None
) -> None:
    """Refuse keys that could do nothing, or too much.

    Raises:
        InvalidRequest: Naming the field.
    """
    if not scopes:
        raise InvalidRequest("/body/scopes", "empty", "A key needs at least one scope.")
    if session_id is not None and not KIOSK_SCOPES.issuperset(scopes):
        raise InvalidRequest("/body/scopes", "too_wide", "A key bound to a session holds only `checkin`.")
    if start is not None and end is not None and end <= start:
        raise InvalidRequest("/body/expires_at", "empty_window", "The key would expire before it is valid.")


def new_row(name: str, scopes: tuple[Scope, ...], key_id: UUID) -> tuple[ApiKeyRow, str]:
    """A key's row without limits of time or session, and the key's text."""
    prefix, secret = "inv" + secrets.token_hex(5), secrets.token_urlsafe(32)
    row = ApiKeyRow(
        id=key_id,
        prefix=prefix,
        secret_hash=hash_of(secret),
        name=name,
        scopes=[str(scope) for scope in scopes],
        created_at=datetime.now(UTC),
    )
    return row, f"{prefix}.{secret}"


def add_key(db: Session, row: ApiKeyRow, actor: str, request_id: str | None) -> None:
    """Write a key with its audit event."""
    db.add(row)
    details = {"key_id": str(row.id), "name": row.name, "scopes": row.scopes}
    audit.record(db, action="key.created", actor=actor, request_id=request_id, details=details)


def add_once(db: Session, row: ApiKeyRow, actor: str, request_id: str | None) -> KeyFacts:
    """Write a key; one that is there under the same id is given the new text."""
    made = db.get(ApiKeyRow, row.id)
    if made is None:
        add_key(db, row, actor, request_id)
        made = row
    made.prefix, made.secret_hash = row.prefix, row.secret_hash
    return facts_of(made)


def is_valid(row: ApiKeyRow, now: datetime) -> bool:
    """Whether a key is neither revoked nor outside its window."""
    begun = row.not_before is None or row.not_before <= now
    return row.revoked_at is None and begun and (row.expires_at is None or now < row.expires_at)


def revoke_row(db: Session, row: ApiKeyRow, *, actor: str, request_id: str | None) -> None:
    """End a key, with its audit event."""
    row.revoked_at = datetime.now(UTC)
    details = {"key_id": str(row.id), "name": row.name}
    audit.record(db, action=REVOKED, actor=actor, request_id=request_id, details=details)


def is_back(db: Session, key_id: UUID) -> bool:
    """Whether a key is there that nobody has revoked."""
    row = db.get(ApiKeyRow, key_id)
    return row is not None and row.revoked_at is None


def hash_of(secret: str) -> str:
    """What is stored of a secret."""
    return hashlib.sha256(b"invigil key\0" + secret.encode()).hexdigest()


def seal_of(secret: str) -> bytes:
    """The key that seals this caller's kept answers; it cannot be had from `hash_of`."""
    return hashlib.sha256(b"invigil seal\0" + secret.encode()).digest()


def facts_of(row: ApiKeyRow) -> KeyFacts:
    """A row without its hash."""
    return KeyFacts(
        id=row.id,
        prefix=row.prefix,
        name=row.name,
        scopes=tuple(Scope(scope) for scope in row.scopes),
        session_id=row.session_id,
        not_before=row.not_before,
        expires_at=row.expires_at,
        created_at=row.created_at,
        last_used_at=row.last_used_at,
        revoked_at=row.revoked_at,
    )
