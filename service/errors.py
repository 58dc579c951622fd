"""What the service itself refuses; faces and the gallery have their own trees.

    ServiceError
    ├── StartRefused                                   the service cannot start as it is configured
    ├── BackupRefused                                  a backup that cannot be made, or not be put back
    ├── SourceInvalid                                  a folder or list of photos that cannot be read as one
    ├── RequestRefused
    │   ├── InvalidRequest        validation_failed    a part, a field or a parameter is wrong
    │   ├── WrongMediaType        unsupported_media    not the media type this route takes
    │   ├── BodyTooLarge          body_too_large       more bytes than a request of this kind may have
    │   ├── UploadTooSlow         upload_timeout       the body did not arrive in time
    │   ├── Unauthenticated       unauthenticated      no key, or a key that is not valid now
    │   ├── Forbidden             forbidden            the key lacks the scope
    │   ├── InsecureAddress       insecure_address     nobody signs in over plain HTTP and a network
    │   ├── KeyNotFound           key_not_found
    │   ├── TargetRefused         target_refused       INVIGIL_WEBHOOK_TARGETS does not list it
    │   ├── OperatorNotFound      operator_not_found
    │   ├── OperatorEnded         operator_ended       who has been ended does not come back
    │   ├── LoginExists           login_exists         somebody else signs in by this name
    │   ├── LastAdministrator     last_administrator   nobody could make another one
    │   ├── NotAnOperator         not_an_operator      a key has no password and no second factor
    │   ├── InvitationInvalid     invitation_invalid   a link that was used, has ended or never was
    │   ├── SignInRefused         sign_in_refused      a wrong name, password or code: which, is not told
    │   ├── CodeNeeded            code_needed          the password is right, a one-time code is wanted
    │   ├── IssuerRefused         issuer_refused       the OpenID Connect issuer lets nobody in so
    │   ├── NoRole                no_role              it does, but gives the person no role here
    │   ├── SessionNotFound       session_not_found
    │   ├── IdempotencyConflict   idempotency_conflict the key was used for another request
    │   ├── IdempotencyPending    idempotency_pending  the first request is still being worked on
    │   └── RateLimited           rate_limited         the key has sent too many requests
    │       ├── GuessesExhausted  rate_limited         a subject did not match too often in an hour
    │       └── SignInsExhausted  sign_ins_exhausted   too many wrong passwords
    └── Unavailable
        ├── IssuerAway            issuer_away          the OpenID Connect issuer does not answer as it should
        ├── QueueFull             queue_full           as many pictures wait as may
        └── NotReady              not_ready            a part is not up yet, or being shut down

`code` is stable; HTTP statuses are in `service/problems.py`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar
from uuid import UUID


class ServiceError(Exception):
    """Base of everything this package raises on purpose."""

    code: ClassVar[str] = "internal"


class StartRefused(ServiceError):
    """The service cannot start; the message is one line for the operator."""


class BackupRefused(ServiceError):
    """A backup cannot be made there, or is not one that can be put back here; one line for the operator."""


class SourceInvalid(ServiceError):
    """A folder or list of photos that cannot be read as one; `line` counts from 1."""

    code = "source_invalid"

    def __init__(self, path: Path, reason: str, line: int | None = None) -> None:
        place = str(path) if line is None else f"{path}, line {line}"
        super().__init__(f"{place}: {reason}.")
        self.path = path
        self.reason = reason
        self.line = line


class RequestRefused(ServiceError):
    """The request cannot be served as it is."""


class InvalidRequest(RequestRefused):
    """One part, field or parameter is wrong; `pointer` says which (RFC 6901, from the request)."""

    code = "validation_failed"

    def __init__(self, pointer: str, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.pointer = pointer
        self.reason = reason


class WrongMediaType(RequestRefused):
    """The body's or a part's media type is not one this route takes."""

    code = "unsupported_media"

    def __init__(self, pointer: str, actual: str, expected: str) -> None:
        super().__init__(f"The media type is {actual or 'missing'}; {expected} is needed.")
        self.pointer = pointer


class BodyTooLarge(RequestRefused):
    """More bytes than the limit; `code` tells a picture from other content."""

    code = "body_too_large"

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(f"The request's body is larger than {limit_bytes:,} bytes.")
        self.limit_bytes = limit_bytes


class UploadTooLarge(BodyTooLarge):
    """A multipart body so large that its picture exceeds the limit."""

    code = "image_too_large"


class UploadTooSlow(RequestRefused):
    """The body did not arrive in time."""

    code = "upload_timeout"

    def __init__(self, seconds: float) -> None:
        super().__init__(f"The request's body did not arrive within {seconds:g} seconds.")


class Unauthenticated(RequestRefused):
    """No key, or one that is unknown, revoked, expired or not valid yet. Which of these is not told."""

    code = "unauthenticated"

    def __init__(self) -> None:
        super().__init__("A valid API key is needed: Authorization: Bearer <prefix>.<secret>")


class Forbidden(RequestRefused):
    """The key is valid but may not do this."""

    code = "forbidden"

    def __init__(self, detail: str, missing: tuple[str, ...] = ()) -> None:
        super().__init__(detail)
        self.missing = missing


class InsecureAddress(RequestRefused):
    """A page over plain HTTP and a network: key and cookie would travel in clear."""

    code = "insecure_address"

    def __init__(self) -> None:
        super().__init__(
            "Nobody can sign in here: over plain http the key would travel in clear; use https, or localhost "
            "on the machine itself."
        )


class KeyNotFound(RequestRefused):
    """There is no such API key."""

    code = "key_not_found"

    def __init__(self, key_id: UUID) -> None:
        super().__init__(f"There is no API key {key_id}.")


class TargetRefused(RequestRefused):
    """A webhook's host may not be called."""

    code = "target_refused"

    def __init__(self, host: str) -> None:
        super().__init__(f"INVIGIL_WEBHOOK_TARGETS does not allow {host!r}, or not so.")


class OperatorNotFound(RequestRefused):
    """There is no such operator."""

    code = "operator_not_found"

    def __init__(self, operator_id: UUID) -> None:
        super().__init__(f"There is no operator {operator_id}.")


class OperatorEnded(RequestRefused):
    """The operator has been ended, which is for good: a person who comes back is invited anew."""

    code = "operator_ended"

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} has been ended; invite the person anew.")


class LoginExists(RequestRefused):
    """Another operator signs in by this name."""

    code = "login_exists"

    def __init__(self, login: str) -> None:
        super().__init__(f"There is an operator {login} already.")


class LastAdministrator(RequestRefused):
    """Without this one nobody could invite anybody."""

    code = "last_administrator"

    def __init__(self) -> None:
        super().__init__("This is the last administrator who can sign in: make another one first.")


class NotAnOperator(RequestRefused):
    """A key asked for what only a person has."""

    code = "not_an_operator"

    def __init__(self) -> None:
        super().__init__("This is for operators who are signed in; a key has no account.")


class InvitationInvalid(RequestRefused):
    """The link of an invitation or a reset was used, has ended, or never was."""

    code = "invitation_invalid"

    def __init__(self) -> None:
        super().__init__("The link was used already, has ended, or never was: ask for another one.")


class SignInRefused(RequestRefused):
    """Nobody signs in so; whether the name, the password or the code is wrong is not told."""

    code = "sign_in_refused"

    def __init__(self) -> None:
        super().__init__("The name, the password or the code is wrong.")


class CodeNeeded(RequestRefused):
    """The password is right, and the operator has a second factor."""

    code = "code_needed"

    def __init__(self) -> None:
        super().__init__("A one-time code is needed as well.")


class IssuerRefused(RequestRefused):
    """What came back from the OpenID Connect issuer lets nobody in; why is for the log."""

    code = "issuer_refused"

    def __init__(self, reason: str) -> None:
        super().__init__("The sign-in did not succeed, or is too old: begin again.")
        self.reason = reason


class NoRole(RequestRefused):
    """The issuer knows the person, but none of the person's roles means something here."""

    code = "no_role"

    def __init__(self) -> None:
        super().__init__("You are known, but have no role here: ask your administrator.")


class SessionNotFound(RequestRefused):
    """There is no such exam session."""

    code = "session_not_found"

    def __init__(self, session_id: UUID | str) -> None:
        super().__init__(f"There is no session {session_id}.")


class IdempotencyConflict(RequestRefused):
    """The same Idempotency-Key came with another request."""

    code = "idempotency_conflict"

    def __init__(self) -> None:
        super().__init__("This Idempotency-Key was used before with another request.")


class IdempotencyPending(RequestRefused):
    """The first request with this Idempotency-Key has not been answered yet."""

    code = "idempotency_pending"
    retry_after_seconds = 1

    def __init__(self) -> None:
        super().__init__("The first request with this Idempotency-Key is still being worked on.")


class RateLimited(RequestRefused):
    """The key has sent as many requests as it may for now."""

    code = "rate_limited"

    def __init__(self, per_minute: int, retry_after_seconds: int) -> None:
        super().__init__(f"A key may send {per_minute} requests a minute.")
        self.retry_after_seconds = retry_after_seconds


class GuessesExhausted(RateLimited):
    """A subject was compared without a match as often as is allowed in an hour, by whatever keys."""

    def __init__(self, per_hour: int, retry_after_seconds: int) -> None:
        RequestRefused.__init__(
            self, f"The subject was compared without a match {per_hour} times in an hour; try again later."
        )
        self.retry_after_seconds = retry_after_seconds


class SignInsExhausted(RateLimited):
    """Too many wrong passwords for this name, or from this address."""

    code = "sign_ins_exhausted"

    def __init__(self, retry_after_seconds: int) -> None:
        RequestRefused.__init__(self, "There were too many wrong passwords; try again later.")
        self.retry_after_seconds = retry_after_seconds


class Unavailable(ServiceError):
    """Not now; the same request may succeed later."""

    code = "not_ready"
    retry_after_seconds = 1


class IssuerAway(Unavailable):
    """The OpenID Connect issuer does not answer, or not as it should."""

    code = "issuer_away"

    def __init__(self, issuer: str, reason: str) -> None:
        super().__init__(f"{issuer} cannot sign anybody in now ({reason}).")


class QueueFull(Unavailable):
    """As many pictures or passwords wait as may; waiting longer would help nobody."""

    code = "queue_full"

    def __init__(self, waiting: int) -> None:
        super().__init__(f"{waiting} are waiting already.")


class NotReady(Unavailable):
    """A part is not up; `parts` names each with its state."""

    code = "not_ready"

    def __init__(self, parts: Mapping[str, str]) -> None:
        down = ", ".join(name for name, state in parts.items() if state != "up")
        super().__init__(f"Not up: {down}.")
        self.parts = dict(parts)
