"""Signed-in pages: a cookie in place of the `Authorization` header, and a token against forged requests.

The cookie is a random id of 256 bits; the database holds its SHA-256, whose key it stands for, and when it
was made and last used. It ends with a sign-out, when it was idle for too long, after half a day, and with its
key or operator, in every process at once. The browser hides it from scripts (HttpOnly) and from other sites
(SameSite=Strict).
"""

import hashlib
import hmac
import os
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Literal, get_args
from urllib.parse import urlsplit
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import delete, select, update

from index.clock import BACK
from index.database.database import Database
from index.errors import DatabaseError
from index.tables import PageSessionRow, utc_now
from service.access.callers import Caller
from service.access.keys import DELIVERY
from service.access.operators import OperatorFacts, live_row
from service.errors import Forbidden, InsecureAddress, SignInRefused, Unauthenticated
from service.logs import log

Page = Literal["console", "kiosk"]
PAGES: tuple[Page, ...] = get_args(Page)
LIFETIME = timedelta(hours=12)
IDLE: dict[Page, timedelta] = {"console": timedelta(minutes=30), "kiosk": LIFETIME}
"""A kiosk may wait for its exam; it ends with its key, when the session closes."""
HANDED_OVER = "delivery"
"""The page of a kiosk's session whose tablet is another exam session's now: it delivers and opens nothing."""
FORMER = "invigil_former_kiosk"
"""The cookie of such a session; the browser sends it with the queue of its exam session alone."""
LONGEST_AS_KIOSK = LIFETIME + DELIVERY
"""For so long a kiosk's cookie is of any use: to the end to deliver alone."""
USE_INTERVAL = timedelta(minutes=1)
"""`last_used_at` is written at most this often; a write at each request would cost a disk flush."""
NONCE_BYTES = 12
SEAL_BYTES = 32
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
PAGE_HEADER = "X-Invigil-Page"
CSRF_HEADER = "X-CSRF-Token"


@dataclass(frozen=True)
class PageSession:
    """One page that somebody has signed in to.

    Attributes:
        token: What the browser keeps.
        key_id: Of the key it stands for.
        operator_id: Of the operator, where it is one's.
        seal: The key's own, so that answers are replayed to whoever signs in again; an operator's sign-in has
            one of its own.
    """

    page: Page
    token: str
    key_id: UUID | None
    operator_id: UUID | None
    seal: bytes

    @property
    def digest(self) -> str:
        """What the database knows it by."""
        return digest_of(self.token)

    @property
    def id(self) -> UUID:
        """Names the sign-in among others; it does not lead back to the cookie."""
        return UUID(self.digest[:32])

    @property
    def csrf(self) -> str:
        """What the page sends with each request that changes something; another site cannot know it."""
        return csrf_of(self.page, self.token)


class PageSessions:
    """Who is signed in."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._used: dict[str, datetime] = {}

    def open(self, page: Page, caller: Caller) -> PageSession:
        """A session of a key, which begins now.

        Raises:
            DatabaseError: If it cannot be written.
        """
        session = PageSession(page, secrets.token_urlsafe(32), caller.id, None, caller.seal)
        with self._database.write(ordered=False) as db:
            db.add(_new_row(session))
        return session

    def open_for(self, operator: OperatorFacts) -> PageSession:
        """A session of an operator, who has just shown who they are.

        Raises:
            SignInRefused: If the operator has been changed, reset or ended since.
            DatabaseError: If it cannot be written.
        """
        seal = secrets.token_bytes(SEAL_BYTES)
        session = PageSession("console", secrets.token_urlsafe(32), None, operator.id, seal)
        # In the line of writers, as every change of an operator is.
        with self._database.write() as db:
            if live_row(db, operator.id).version != operator.version:
                raise SignInRefused
            db.add(_new_row(session))
        return session

    def find(self, page: Page, token: str, *, delivers: bool = False) -> PageSession:
        """The session of a cookie. Whether its key or operator is still valid, `Keys` and `Operators` say.

        Args:
            page: Which page's.
            token: The cookie.
            delivers: Whether it is only to deliver what was taken before; a kiosk has longer for that.

        Raises:
            Unauthenticated: If there is none, or it has ended.
        """
        digest, now = digest_of(token), utc_now()
        with self._database.read() as db:
            row = db.get(PageSessionRow, digest)
        if row is None or row.page != page:
            raise Unauthenticated
        used = max(row.last_used_at, self._used.get(digest, row.last_used_at))
        # It is left to the purge, for a clock that leaps must not end it for good; nor may one that was ahead
        # have made it last longer.
        more = DELIVERY if delivers and page == "kiosk" else timedelta()
        if now >= row.created_at + LIFETIME + more or now >= used + IDLE[page] + more or used > now + BACK:
            raise Unauthenticated
        if now - used >= USE_INTERVAL:
            self._note_use(digest, now)
        return PageSession(page, token, row.api_key_id, row.operator_id, _unwrap(token, row.seal))

    def hand_over(self, token: str) -> None:
        """Let a kiosk's session do nothing any more but deliver what was taken before this moment."""
        digest, now = digest_of(token), utc_now()
        self._used.pop(digest, None)
        mine = (PageSessionRow.id_digest == digest) & (PageSessionRow.page == "kiosk")
        with self._database.write(ordered=False) as db:
            db.execute(update(PageSessionRow).where(mine).values(page=HANDED_OVER, last_used_at=now))

    def find_former(self, token: str) -> tuple[PageSession, datetime]:
        """A kiosk's session that was handed over, and when.

        Raises:
            Unauthenticated: If there is none, or it was longer ago than anything is delivered.
        """
        with self._database.read() as db:
            row = db.get(PageSessionRow, digest_of(token))
        if row is None or row.page != HANDED_OVER or utc_now() >= row.last_used_at + DELIVERY:
            raise Unauthenticated
        session = PageSession("kiosk", token, row.api_key_id, None, _unwrap(token, row.seal))
        return session, row.last_used_at

    def end(self, token: str) -> None:
        """Sign out: from now on the cookie opens nothing, in any process."""
        digest = digest_of(token)
        self._used.pop(digest, None)
        with self._database.write(ordered=False) as db:
            db.execute(delete(PageSessionRow).where(PageSessionRow.id_digest == digest))

    def alive(self, digests: Collection[str]) -> set[str]:
        """Which of these sessions nobody has ended."""
        query = select(PageSessionRow.id_digest).where(PageSessionRow.id_digest.in_(list(digests)))
        with self._database.read() as db:
            return set(db.scalars(query))

    def end_all(self) -> int:
        """Sign everybody out; returns how many there were."""
        self._used.clear()
        with self._database.write(ordered=False) as db:
            return len(db.scalars(delete(PageSessionRow).returning(PageSessionRow.id_digest)).all())

    def purge(self) -> int:
        """Forget those that have ended by age; returns how many."""
        now = utc_now()
        # A kiosk may still have to deliver what it took.
        is_console = (PageSessionRow.page == "console") & (PageSessionRow.created_at < now - LIFETIME)
        old = is_console | (PageSessionRow.created_at < now - LONGEST_AS_KIOSK)
        with self._database.write(ordered=False) as db:
            gone = db.scalars(delete(PageSessionRow).where(old).returning(PageSessionRow.id_digest)).all()
        for digest in gone:
            self._used.pop(digest, None)
        return len(gone)

    def _note_use(self, digest: str, now: datetime) -> None:
        self._used[digest] = now
        mine = PageSessionRow.id_digest == digest
        try:
            with self._database.write(ordered=False) as db:
                db.execute(update(PageSessionRow).where(mine).values(last_used_at=now))
        except DatabaseError as error:
            # This process remembers it; the session was valid.
            log.warning("page_use_not_noted", code=error.code)


def cookie_name(page: Page, *, is_secure: bool) -> str:
    """Each page has its own cookie: a kiosk in one tab does not end the console in the other.

    Browsers take one that begins with `__Host-` over TLS alone, from this very host, for all of it.
    """
    return f"__Host-invigil_{page}" if is_secure else f"invigil_{page}"


def former_cookie_name(*, is_secure: bool) -> str:
    """As `cookie_name`, of a kiosk that was handed over: it is not for all of the host."""
    return f"__Secure-{FORMER}" if is_secure else FORMER


def former_cookie_of(
    headers: Mapping[str, str], cookies: Mapping[str, str], *, is_secure: bool
) -> str | None:
    """The cookie of a kiosk that was handed over, where the request carries that page's token."""
    token = cookies.get(former_cookie_name(is_secure=is_secure))
    if token is None or not carries_token(headers, "kiosk", token):
        return None
    return token


def carries_token(headers: Mapping[str, str], page: Page, token: str) -> bool:
    """Whether a request carries the token of this page's cookie."""
    given = headers.get(CSRF_HEADER, "")
    return hmac.compare_digest(csrf_of(page, token).encode(), given.encode())


def is_secure_address(scheme: str, host: str) -> bool:
    """Whether cookies of this address travel over TLS.

    Raises:
        InsecureAddress: If they would travel in clear, and over a network.
    """
    if scheme == "https":
        return True
    if not is_this_machine(host):
        raise InsecureAddress
    return False


def is_this_machine(host: str) -> bool:
    """Whether a Host header, as the browser sends it, names the machine that the browser runs on."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def cookie_of(
    method: str, headers: Mapping[str, str], cookies: Mapping[str, str], *, is_secure: bool
) -> tuple[Page, str] | None:
    """The page that a request was sent from, with its cookie; None where it came without one.

    A link or an event stream cannot name its page; it is taken to come from the console where both are open.

    Raises:
        Forbidden: If the request changes something and does not carry the page's token.
    """
    named = headers.get(PAGE_HEADER)
    for page in PAGES:
        token = cookies.get(cookie_name(page, is_secure=is_secure))
        if token is None or named not in (None, page):
            continue
        if method not in SAFE_METHODS and not carries_token(headers, page, token):
            raise Forbidden(f"The header {CSRF_HEADER} does not carry the page's token.")
        return page, token
    return None


def digest_of(token: str) -> str:
    """What is stored of a cookie."""
    return hashlib.sha256(b"invigil page\0" + token.encode()).hexdigest()


def csrf_of(page: Page, token: str) -> str:
    """The token of a page's requests; it does not lead back to the cookie."""
    return hmac.new(token.encode(), f"csrf/{page}".encode(), hashlib.sha256).hexdigest()


def _new_row(session: PageSession) -> PageSessionRow:
    now = utc_now()
    return PageSessionRow(
        id_digest=session.digest,
        page=session.page,
        api_key_id=session.key_id,
        operator_id=session.operator_id,
        seal=_wrap(session.token, session.seal),
        created_at=now,
        last_used_at=now,
    )


def _wrapping_key(token: str) -> bytes:
    return hashlib.sha256(b"invigil page seal\0" + token.encode()).digest()


def _wrap(token: str, seal: bytes) -> bytes:
    nonce = os.urandom(NONCE_BYTES)
    return nonce + AESGCM(_wrapping_key(token)).encrypt(nonce, seal, None)


def _unwrap(token: str, wrapped: bytes) -> bytes:
    return AESGCM(_wrapping_key(token)).decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], None)
