"""Signing in through an OpenID Connect issuer: authorization code flow with PKCE, state and nonce.

What a login rests on between its two halves is a random token in a cookie of its own. State, nonce and code
verifier follow from it, and so does its age: nothing is stored, no key is needed, and any process ends what
another began. The cookie is `Lax`, for a strict one does not come back with the browser from the issuer.
"""

import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx2
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.httpx_client import OAuth2Client
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

from service.access.issuer_terms import Identity, IssuerTerms
from service.errors import IssuerAway, IssuerRefused, NoRole, QueueFull
from service.logs import log

T = TypeVar("T")

DISCOVERY = "/.well-known/openid-configuration"
SCOPE = "openid profile email"
LOGIN_SECONDS = 600
TIMEOUT_SECONDS = 5.0
KNOWN_SECONDS = 3600.0
LEEWAY_SECONDS = 60
AT_ONCE = 4
"""Logins that wait for the issuer in one process: a slow one must not take every thread."""
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Of signatures; none that rests on the client's secret, and not `none`."""


@dataclass(frozen=True)
class Login:
    """A login that has begun; `token` is in the browser's cookie."""

    token: str

    @classmethod
    def new(cls) -> "Login":
        """One that begins now."""
        return cls(f"{int(time.time())}.{secrets.token_urlsafe(32)}")

    @property
    def is_current(self) -> bool:
        """Whether it began not long ago."""
        began = self.token.partition(".")[0]
        if not (began.isascii() and began.isdecimal() and len(began) <= 12):
            return False
        return 0 <= time.time() - int(began) + LEEWAY_SECONDS <= LOGIN_SECONDS + LEEWAY_SECONDS

    @property
    def state(self) -> str:
        """What the issuer sends back with the browser."""
        return self._derived("state")

    @property
    def nonce(self) -> str:
        """What has to stand in the ID token."""
        return self._derived("nonce")

    @property
    def verifier(self) -> str:
        """What shows that who redeems the code has asked for it (PKCE, RFC 7636)."""
        return self._derived("verifier")

    def _derived(self, use: str) -> str:
        return hmac.new(self.token.encode(), f"invigil login {use}".encode(), hashlib.sha256).hexdigest()


class Issuer:
    """One issuer; thread-safe."""

    def __init__(self, terms: IssuerTerms) -> None:
        self.terms = terms
        self._places = threading.BoundedSemaphore(AT_ONCE)
        self._known: dict[str, tuple[float, Any]] = {}

    @property
    def label(self) -> str:
        """How the button names it."""
        return urlsplit(self.terms.issuer).hostname or self.terms.issuer

    def begin(self, redirect_uri: str) -> tuple[Login, str]:
        """A login, and where the browser goes with it.

        Raises:
            IssuerAway: If the issuer does not answer, or is not who it should be.
            QueueFull: If too many wait for it.
        """
        login = Login.new()
        endpoint = self._metadata()["authorization_endpoint"]
        with self._client(redirect_uri) as client:
            url, _ = client.create_authorization_url(
                endpoint, state=login.state, nonce=login.nonce, code_verifier=login.verifier
            )
        return login, str(url)

    def end(self, login: Login, answer: Mapping[str, str], redirect_uri: str) -> Identity:
        """Who has come back from the issuer.

        Args:
            login: Of the browser's cookie.
            answer: The parameters that the browser brings.
            redirect_uri: As at the beginning.

        Raises:
            IssuerRefused: If the answer is of no login of this browser, too old, used already, of another
                issuer, or says that the person was not let in.
            NoRole: If the issuer gives the person no role here.
            IssuerAway, QueueFull: As `begin`.
        """
        if not login.is_current or not hmac.compare_digest(login.state, answer.get("state", "")):
            raise IssuerRefused("the login was begun elsewhere, or too long ago")
        if answer.get("iss", self.terms.issuer) != self.terms.issuer:
            raise IssuerRefused("the answer is another issuer's (RFC 9207)")
        if not answer.get("code"):
            raise IssuerRefused("the issuer gave no code")
        metadata = self._metadata()
        tokens = self._asked(lambda: self._redeem(metadata, login, answer["code"], redirect_uri))
        return self._identity(self._claims(metadata, tokens, login))

    def _redeem(
        self, metadata: Mapping[str, Any], login: Login, code: str, redirect_uri: str
    ) -> Mapping[str, Any]:
        with self._client(redirect_uri, metadata) as client:
            tokens: Mapping[str, Any] = client.fetch_token(
                metadata["token_endpoint"], code=code, code_verifier=login.verifier
            )
        return tokens

    def _claims(
        self, metadata: Mapping[str, Any], tokens: Mapping[str, Any], login: Login
    ) -> Mapping[str, Any]:
        """The claims of the ID token, once its signature, issuer, audience, time and nonce are right."""
        text = tokens.get("id_token")
        if not isinstance(text, str):
            raise IssuerRefused("the issuer gave no ID token")
        try:
            decoded = self._decode(metadata, text)
            claims = CodeIDToken(
                decoded.claims,
                decoded.header,
                {"iss": {"essential": True, "value": self.terms.issuer}, "aud": {"essential": True}},
                {
                    "nonce": login.nonce,
                    "client_id": self.terms.client_id,
                    "access_token": tokens.get("access_token"),
                },
            )
            claims.validate(leeway=LEEWAY_SECONDS)
        except (JoseError, AuthlibBaseError, ValueError, TypeError) as error:
            raise IssuerRefused(f"the ID token does not hold: {type(error).__name__}") from error
        if self.terms.client_id not in as_list(claims.get("aud")):
            raise IssuerRefused("the ID token is for another client")
        return dict(claims)

    def _decode(self, metadata: Mapping[str, Any], text: str) -> jwt.Token:
        offered = metadata.get("id_token_signing_alg_values_supported") or ALGORITHMS
        registry = JWSRegistry(
            algorithms=[one for one in offered if one in ALGORITHMS], strict_check_header=False
        )
        uri = metadata["jwks_uri"]
        try:
            return jwt.decode(text, KeySet.import_key_set(self._document(uri)), registry=registry)
        except (JoseError, ValueError):
            # The issuer may have a new key since.
            self._known.pop(uri, None)
            return jwt.decode(text, KeySet.import_key_set(self._document(uri)), registry=registry)

    def _identity(self, claims: Mapping[str, Any]) -> Identity:
        given = as_list(claim_at(claims, self.terms.role_claim))
        role = next((role for value, role in self.terms.roles.items() if value in given), None)
        if role is None:
            raise NoRole
        subject = str(claims["sub"])
        login = next(
            (str(claims[one]) for one in ("preferred_username", "email") if claims.get(one)), subject
        )
        return Identity(self.terms.issuer, subject, login, str(claims.get("name") or login), role)

    def _metadata(self) -> Mapping[str, Any]:
        """What the issuer says of itself; it has to be the one of the settings."""
        found: Mapping[str, Any] = self._document(self.terms.issuer.rstrip("/") + DISCOVERY)
        if not isinstance(found, dict) or found.get("issuer") != self.terms.issuer:
            raise IssuerAway(self.label, "it calls itself otherwise than INVIGIL_OIDC_ISSUER")
        needed = ("authorization_endpoint", "token_endpoint", "jwks_uri")
        if not all(isinstance(found.get(one), str) for one in needed):
            raise IssuerAway(self.label, "its configuration lacks an endpoint")
        return found

    def _document(self, url: str) -> Any:
        """A JSON document of the issuer, kept for an hour."""
        at, found = self._known.get(url, (0.0, None))
        if found is not None and time.monotonic() - at < KNOWN_SECONDS:
            return found
        found = self._asked(lambda: fetch_json(url))
        self._known[url] = (time.monotonic(), found)
        return found

    def _asked(self, ask: Callable[[], T]) -> T:
        if not self._places.acquire(blocking=False):
            raise QueueFull(AT_ONCE)
        try:
            return ask()
        except AuthlibBaseError as error:
            raise IssuerRefused(f"the issuer said {error.error}") from error
        except (httpx2.HTTPError, httpx2.InvalidURL, ValueError) as error:
            log.warning("issuer_away", issuer=self.label, kind=type(error).__name__)
            raise IssuerAway(self.label, type(error).__name__) from error
        finally:
            self._places.release()

    def _client(self, redirect_uri: str, metadata: Mapping[str, Any] | None = None) -> OAuth2Client:
        offered = (metadata or {}).get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        secret = self.terms.client_secret
        method = "client_secret_basic" if "client_secret_basic" in offered else "client_secret_post"
        return OAuth2Client(
            client_id=self.terms.client_id,
            client_secret=secret,
            token_endpoint_auth_method=method if secret else "none",
            scope=SCOPE,
            redirect_uri=redirect_uri,
            code_challenge_method="S256",
            timeout=TIMEOUT_SECONDS,
        )


def fetch_json(url: str) -> Any:
    """A JSON document; a redirect is not followed.

    Raises:
        httpx2.HTTPError, ValueError: If there is none.
    """
    with httpx2.Client(timeout=TIMEOUT_SECONDS) as client:
        answer = client.get(url)
        answer.raise_for_status()
        return answer.json()


def claim_at(claims: Mapping[str, Any], path: str) -> Any:
    """A claim by its name, or by a path into objects where no claim has the whole name."""
    if path in claims:
        return claims[path]
    found: Any = claims
    for step in path.split("."):
        found = found.get(step) if isinstance(found, dict) else None
    return found


def as_list(value: Any) -> list[Any]:
    """One value or several."""
    return value if isinstance(value, list) else [value]
