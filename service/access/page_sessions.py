"""Signed-in pages: a cookie in place of the `Authorization` header, and a token against forged requests.

The cookie holds the key, the moment it ends and a signature made with the key's own secret. It is as
hard to forge as the key and ends at once when that is revoked, in every process; the server keeps nothing.
The browser hides it from scripts (HttpOnly) and from other sites (SameSite=Strict).
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import Literal, Self, get_args

from service.errors import Forbidden, Unauthenticated

Page = Literal["console", "kiosk"]
PAGES: tuple[Page, ...] = get_args(Page)
LIFETIME = timedelta(hours=12)
EXPIRES_DIGITS = 12
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
PAGE_HEADER = "X-Invigil-Page"
CSRF_HEADER = "X-CSRF-Token"


@dataclass(frozen=True)
class PageSession:
    """One page that somebody has signed in to.

    Attributes:
        key: The caller's key, `<prefix>.<secret>`.
        expires: Seconds since 1970 at which the cookie ends.
    """

    page: Page
    key: str
    expires: int

    @classmethod
    def open(cls, page: Page, key: str, now: float) -> Self:
        """A session that begins now."""
        return cls(page, key, int(now + LIFETIME.total_seconds()))

    @classmethod
    def read(cls, page: Page, cookie: str, now: float) -> Self:
        """The session of a cookie.

        Raises:
            Unauthenticated: If the cookie was not made by `cookie`, or has ended.
        """
        key, _, rest = cookie.partition("~")
        expires, _, signature = rest.partition("~")
        # Bounded before it is read: Python refuses to read a number of thousands of digits.
        if not (expires.isascii() and expires.isdecimal() and len(expires) <= EXPIRES_DIGITS):
            raise Unauthenticated
        session = cls(page, key, int(expires))
        signed = hmac.compare_digest(session._sign("session").encode(), signature.encode())
        if not signed or now >= session.expires:
            raise Unauthenticated
        return session

    @property
    def cookie(self) -> str:
        """What the browser keeps."""
        return f"{self.key}~{self.expires}~{self._sign('session')}"

    @property
    def csrf(self) -> str:
        """What the page sends with each request that changes something; another site cannot know it."""
        return self._sign("csrf")

    def _sign(self, purpose: str) -> str:
        secret = self.key.partition(".")[2].encode()
        return hmac.new(secret, f"{purpose}/{self.page}/{self.expires}".encode(), sha256).hexdigest()


def cookie_name(page: Page) -> str:
    """Each page has its own cookie: a kiosk in one tab does not end the console in the other."""
    return f"invigil_{page}"


def session_of(
    method: str, headers: Mapping[str, str], cookies: Mapping[str, str], now: float
) -> PageSession | None:
    """The page session a request was sent with, or None where it came without a cookie.

    A link or an event stream cannot name its page; it is taken to come from the console where both are open.

    Raises:
        Unauthenticated: If the cookie is forged or has ended.
        Forbidden: If the request changes something and does not carry the page's token.
    """
    named = headers.get(PAGE_HEADER)
    for page in PAGES:
        cookie = cookies.get(cookie_name(page))
        if cookie is None or named not in (None, page):
            continue
        session = PageSession.read(page, cookie, now)
        token = headers.get(CSRF_HEADER, "")
        if method not in SAFE_METHODS and not hmac.compare_digest(session.csrf.encode(), token.encode()):
            raise Forbidden(f"The header {CSRF_HEADER} does not carry the page's token.")
        return session
    return None
