"""What routes take from a request: the parts, the caller, a subject, a form, an idempotency key."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from types import MappingProxyType
from typing import Annotated, Any, Literal, TypeVar, cast
from urllib.parse import unquote
from uuid import UUID

from fastapi import Depends, Header, Path, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.params import Depends as Dependency
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import ValidationError
from starlette.responses import Response

from embedding.motion import FRAME_LIMITS
from index.errors import SubjectNotFound
from index.ids import uuid7
from index.subjects.subjects import ExternalId
from service.access.callers import Caller
from service.access.idempotency import Answer, Attempt, digest_of
from service.access.keys import Deliverer
from service.access.page_sessions import PageSession, cookie_of, former_cookie_of
from service.access.scopes import Scope
from service.api.answers import respond
from service.api.own_exams import require_exam
from service.errors import Unauthenticated
from service.fields import Moment
from service.http.bodies import receiving
from service.http.parameters import refuse_unknown
from service.http.uploads import Form, read_form, receive_parts
from service.parts import Parts
from service.settings import FORM_OVERHEAD_BYTES

T = TypeVar("T")

EXTERNAL_PREFIX = "ext:"

bearer = HTTPBearer(
    auto_error=False,
    scheme_name="ApiKey",
    description="`<prefix>.<secret>`, as it was shown when it was made.",
)


# FastAPI hands a dependency that is a plain function to a thread. Those that only look something up are
# coroutines: they are done before a thread would have woken.


async def parts_of(request: Request) -> Parts:
    """The application's parts, with the models of this moment: whoever asks in a request gets the same."""
    return cast(Parts, request.app.state.parts).now()


PartsHere = Annotated[Parts, Depends(parts_of)]


def needs(*scopes: Scope) -> Dependency:
    """A dependency that gives the caller, who must hold one of the scopes; none means any valid caller.

    An operator who is held to some exams is let in only where the path leads to one of them.
    """

    def caller(
        request: Request,
        parts: PartsHere,
        credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
    ) -> Caller:
        found = caller_of(request, parts, credentials)
        note_caller(request, parts, found, scopes)
        return found

    # For the OpenAPI document.
    caller.scopes = tuple(map(str, scopes))  # type: ignore[attr-defined]
    return cast(Dependency, Depends(caller))


def note_caller(request: Request, parts: Parts, found: Caller, scopes: tuple[Scope, ...]) -> None:
    """Keep who sent a request, and refuse who may not; raises as `Caller.require`."""
    request.state.caller = found
    request.state.operator_id = str(found.id) if found.is_operator else None
    request.state.key_id = None if found.is_operator else str(found.id)
    if scopes:
        found.require(scopes)
    require_exam(request, parts, found)
    refuse_unknown(request)


def caller_of(request: Request, parts: Parts, credentials: HTTPAuthorizationCredentials | None) -> Caller:
    """Who sent a request: by the key in its header, or by the cookie of a page.

    Raises:
        Unauthenticated: If it came with neither, or with one that is not valid now.
        Forbidden: If a page's request lacks the page's token.
    """
    if credentials is not None:
        return parts.keys.authenticate(credentials.credentials)
    is_secure = request.url.scheme == "https"
    sent = cookie_of(request.method, request.headers, request.cookies, is_secure=is_secure)
    if sent is None:
        raise Unauthenticated
    session = parts.page_sessions.find(*sent)
    request.state.page_session = session
    return signed_in(parts, session)


def delivers() -> Dependency:
    """A dependency that gives who delivers a queue: a caller with `checkin`, or a kiosk that has ended."""

    def deliverer(
        request: Request,
        parts: PartsHere,
        credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
    ) -> Deliverer:
        found = deliverer_of(request, parts, credentials)
        note_caller(request, parts, found.caller, (Scope.CHECKIN,))
        return found

    # For the OpenAPI document.
    deliverer.scopes = (str(Scope.CHECKIN),)  # type: ignore[attr-defined]
    return cast(Dependency, Depends(deliverer))


def deliverer_of(
    request: Request, parts: Parts, credentials: HTTPAuthorizationCredentials | None
) -> Deliverer:
    """Who delivers; raises as `caller_of`."""
    if credentials is not None:
        return parts.keys.deliverer(credentials.credentials)
    is_secure = request.url.scheme == "https"
    former = former_cookie_of(request.headers, request.cookies, is_secure=is_secure)
    if former is not None:
        return former_kiosk(parts, former)
    sent = cookie_of(request.method, request.headers, request.cookies, is_secure=is_secure)
    if sent is None:
        raise Unauthenticated
    session = parts.page_sessions.find(*sent, delivers=True)
    request.state.page_session = session
    if session.key_id is None:
        return Deliverer(signed_in(parts, session))
    return parts.keys.signed_in_deliverer(session.key_id, session.seal)


def former_kiosk(parts: Parts, token: str) -> Deliverer:
    """A kiosk whose tablet is another session's now: what it took before that; raises as `caller_of`."""
    session, at = parts.page_sessions.find_former(token)
    if session.key_id is None:
        raise Unauthenticated
    found = parts.keys.signed_in_deliverer(session.key_id, session.seal)
    return replace(found, ended_at=min(found.ended_at or at, at))


def signed_in(parts: Parts, session: PageSession) -> Caller:
    """The caller for whom a page's session stands.

    Raises:
        Unauthenticated: If its key or operator is not valid now.
    """
    if session.operator_id is not None:
        return parts.operators.signed_in(session.operator_id, session.seal, session.id)
    if session.key_id is None:
        raise Unauthenticated
    return parts.keys.signed_in(session.key_id, session.seal)


async def subject_reference(
    subject: Annotated[str, Path(description="The subject's id, or `ext:` and its external id.")],
) -> UUID | ExternalId:
    """A subject as it is named in a path.

    Raises:
        SubjectNotFound: If the text can name nobody.
    """
    text = unquote(subject)
    if text.startswith(EXTERNAL_PREFIX):
        return ExternalId(text.removeprefix(EXTERNAL_PREFIX))
    try:
        return UUID(text)
    except ValueError:
        raise SubjectNotFound(text[:100]) from None


SubjectHere = Annotated[UUID | ExternalId, Depends(subject_reference)]
Limit = Annotated[int, Query(ge=1, le=200, description="At most this many items.")]
Order = Annotated[Literal["asc", "desc"], Query(description="`desc`: the newest first")]
Since = Annotated[Moment | None, Query(description="from this moment on (RFC 3339)")]
Until = Annotated[Moment | None, Query(description="before this moment (RFC 3339)")]
Cursor = Annotated[str | None, Query(max_length=8000, description="`next_cursor` of the page before.")]
KeyHeader = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        description="The same key brings the same answer; the work is done once.",
    ),
]


class Once:
    """Does the work of a POST once for each Idempotency-Key, or simply does it where there is none."""

    def __init__(self, request: Request, parts: Parts, key: str | None) -> None:
        self._request = request
        self._parts = parts
        self._key = key

    def run(self, contents: Iterable[bytes], work: Callable[[UUID], Answer]) -> Response:
        """The answer of `work`, which is given the id of what it makes.

        Args:
            contents: What was sent, in a form in which equal requests are equal: a form's parts and not
                its bytes, since every attempt has another boundary.
        """
        if self._key is None:
            return respond(work(uuid7()))
        request = self._request
        where = (request.method.encode(), request.scope["path"].encode(), request.scope["query_string"])
        attempt = Attempt(
            caller=request.state.caller,
            key=self._key,
            method=request.method,
            route=request.scope["route"].path,
            digest=digest_of((*where, *contents)),
        )
        return respond(self._parts.idempotency.once(attempt, work))


async def once_of(request: Request, parts: PartsHere, key: KeyHeader = None) -> Once:
    """What a POST is done through."""
    return Once(request, parts, key)


OnceHere = Annotated[Once, Depends(once_of)]


def invalid_body(error: ValidationError, *where: str) -> RequestValidationError:
    """The refusal of a body that a route has read by itself, as of one that FastAPI reads.

    Args:
        error: What is wrong.
        where: Which part of the body was read; all of it by default.
    """
    found = error.errors(include_url=False, include_input=False, include_context=False)
    return RequestValidationError([{**one, "loc": ("body", *where, *one["loc"])} for one in found])


async def on_pictures(
    request: Request,
    parts: Parts,
    once: Once,
    names: tuple[str, ...],
    work: Callable[[Form, UUID], Answer],
    fields: tuple[str, ...] = (),
    several: Mapping[str, int] = MappingProxyType({}),
) -> Response:
    """Read a form with these pictures and fields, and do the work on it in the pool for pictures.

    The place is taken before the body is read: what cannot be worked on is not received either.
    """
    settings = parts.settings
    frames = sum(several.values()) * FRAME_LIMITS.max_bytes
    limit = len(names) * settings.max_upload_bytes + frames + FORM_OVERHEAD_BYTES
    with ExitStack() as places:
        async with (
            parts.pictures.share_of(request.state.caller.id),
            receiving(request, limit, settings.upload_seconds),
        ):
            admission = places.enter_context(parts.pictures.admit())
            content_type = request.headers.get("content-type", "")
            received = await receive_parts(request.stream(), content_type, admission.hold)
        form = read_form(received, names, fields, several)
        received.clear()
        return await parts.pictures.run(once.run, form.contents(), lambda new_id: work(form, new_id))


async def in_picture_pool(request: Request, parts: Parts, work: Callable[[], T]) -> T:
    """Do work on pictures that are kept, with the same places and workers as on those that are sent.

    Raises:
        QueueFull: If there is no place for it.
    """
    async with parts.pictures.share_of(request.state.caller.id):
        with parts.pictures.admit():
            return await parts.pictures.run(work)


def form_schema(
    images: tuple[str, ...],
    fields: dict[str, Any] | None = None,
    needed: tuple[str, ...] = (),
    several: Mapping[str, int] = MappingProxyType({}),
) -> dict[str, Any]:
    """The OpenAPI request body of such a form."""
    # `format: binary` is what makes Swagger UI and client generators offer a file.
    picture = {
        "type": "string",
        "format": "binary",
        "description": "a photograph: JPEG, PNG, WebP, BMP or HEIC",
    }
    schema = {
        "type": "object",
        "required": [*images, *needed],
        "properties": {
            **dict.fromkeys(images, picture),
            **(fields or {}),
            **{name: {"type": "array", "items": picture, "maxItems": most} for name, most in several.items()},
        },
        "additionalProperties": False,
    }
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}
