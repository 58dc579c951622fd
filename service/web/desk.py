"""The pages people work with: the kiosk at the door and the console, and signing in to them."""

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field, SecretStr
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.templating import Jinja2Templates

from service.access.callers import Caller
from service.access.keys import DELIVERY, PREFIX
from service.access.page_sessions import (
    LONGEST_AS_KIOSK,
    Page,
    PageSession,
    cookie_name,
    former_cookie_name,
    is_secure_address,
)
from service.access.passwords import LONGEST
from service.api.inputs import PartsHere, signed_in
from service.errors import InsecureAddress, InvalidRequest, Unauthenticated
from service.fields import PersonName
from service.http.tracing import address_of as address_in
from service.languages import choose_language, describe_language
from service.logs import log
from service.parts import Parts
from service.web.installing import VERSION_HEADER, version
from service.web.places import TEMPLATES

# Styles may be set on elements; scripts come from this host only, and no other site may frame the pages.
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data: blob:; "
    "style-src 'self' 'unsafe-inline'; object-src 'none'; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'self'",
    "Permissions-Policy": "camera=(self), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}

router = APIRouter(include_in_schema=False)
templates = Jinja2Templates(TEMPLATES)


class SignIn(BaseModel):
    """A key, or an operator's name and password, and the page it opens."""

    model_config = ConfigDict(extra="forbid")

    page: Literal["console", "kiosk"]
    key: Annotated[str, Field(min_length=1, max_length=300)] | None = None
    login: Annotated[str, Field(min_length=1, max_length=LONGEST)] | None = None
    password: Annotated[SecretStr, Field(min_length=1, max_length=LONGEST)] | None = None
    code: Annotated[str, Field(max_length=20)] | None = None


class Token(BaseModel):
    """What stands at the end of a link."""

    model_config = ConfigDict(extra="forbid")

    token: Annotated[str, Field(min_length=1, max_length=100)]


class Joining(Token):
    """The password that a link sets; the first administrator says by which name, too."""

    password: Annotated[SecretStr, Field(min_length=1, max_length=LONGEST)]
    name: PersonName | None = None
    login: PersonName | None = None


class SignOut(BaseModel):
    """The page that is left."""

    page: Literal["console", "kiosk"]


@router.get("/kiosk", response_class=HTMLResponse)
def kiosk(request: Request, parts: PartsHere) -> HTMLResponse:
    """The page at the door."""
    return page(request, parts, "kiosk")


@router.get("/console", response_class=HTMLResponse)
def console(request: Request, parts: PartsHere) -> HTMLResponse:
    """Exams, rosters, the live board, subjects."""
    return page(request, parts, "console")


@router.post("/login")
def login(request: Request, parts: PartsHere, wanted: SignIn) -> Response:
    """Trade a key or a password for the page's cookie; who was signed in with this browser no longer is."""
    require_secure(request)
    if wanted.key is not None:
        session, name = sign_in_by_key(parts, wanted.page, wanted.key, address_of(request))
    else:
        session, name = sign_in_by_password(parts, wanted, address_of(request))
    return entered(request, parts, session, name)


@router.post("/join/look")
def look_at_link(parts: PartsHere, wanted: Token) -> Response:
    """Whose link it is; that uses nothing up."""
    invitation = parts.invitations.find(wanted.token)
    operator = invitation.operator
    told = {"name": operator.name, "login": operator.login, "role": operator.role} if operator else {}
    return JSONResponse({"is_first": operator is None, **told}, headers={"Cache-Control": "no-store"})


@router.post("/join")
def join(request: Request, parts: PartsHere, wanted: Joining) -> Response:
    """Set the password by a link, and sign in."""
    require_secure(request)
    operator = parts.invitations.accept(
        wanted.token, wanted.password.get_secret_value(), name=wanted.name, login=wanted.login
    )
    session = parts.page_sessions.open_for(operator)
    log.info("joined", operator_id=str(operator.id), address=address_of(request))
    return entered(request, parts, session, operator.name)


def sign_in_by_key(parts: Parts, page: Page, key: str, address: str | None) -> tuple[PageSession, str]:
    """A page's session of a key, and the key's name.

    Raises:
        Unauthenticated: If it is not valid.
        InvalidRequest: If it opens another page.
    """
    prefix = key.partition(".")[0]
    try:
        caller = parts.keys.authenticate(key)
    except Unauthenticated:
        # Of a key that does not exist nobody's name is known; where it came from and how it began, is.
        known = prefix if PREFIX.fullmatch(prefix) else None
        log.warning("sign_in_refused", page=page, prefix=known, address=address)
        raise
    check_page(page, caller)
    log.info("signed_in", page=page, key_id=str(caller.id), address=address)
    return parts.page_sessions.open(page, caller), caller.name


def sign_in_by_password(parts: Parts, wanted: SignIn, address: str | None) -> tuple[PageSession, str]:
    """A console's session of an operator, and the operator's name.

    Raises:
        InvalidRequest: If something is missing, or it is for the kiosk.
        SignInRefused, CodeNeeded, SignInsExhausted: As `SigningIn.sign_in`.
    """
    if wanted.page != "console" or wanted.login is None or wanted.password is None:
        raise InvalidRequest("/body", "incomplete", "A key, or for the console a name and a password.")
    operator = parts.signing_in.sign_in(
        wanted.login, wanted.password.get_secret_value(), wanted.code, address
    )
    log.info("signed_in", page="console", operator_id=str(operator.id), address=address)
    return parts.page_sessions.open_for(operator), operator.name


def entered(request: Request, parts: Parts, session: PageSession, name: str) -> Response:
    """The answer to a sign-in, with the cookie; the session that the browser had ends, or delivers alone."""
    is_secure = require_secure(request)
    cookie = cookie_name(session.page, is_secure=is_secure)
    answer = JSONResponse({"name": name}, headers={"Cache-Control": "no-store"})
    if before := request.cookies.get(cookie):
        let_go(parts, before, session, answer, is_secure=is_secure)
    # The console's has no end of its own: it goes when the browser is closed.
    # A kiosk may have to deliver what it took after a power cut.
    max_age = int(LONGEST_AS_KIOSK.total_seconds()) if session.page == "kiosk" else None
    answer.set_cookie(
        cookie, session.token, max_age=max_age, httponly=True, samesite="strict", secure=is_secure
    )
    return answer


def let_go(parts: Parts, before: str, session: PageSession, answer: Response, *, is_secure: bool) -> None:
    """End the session that the browser had; a kiosk of another exam session may still deliver."""
    former = session_left(parts, before, session)
    if former is None:
        parts.page_sessions.end(before)
        return
    parts.page_sessions.hand_over(before)
    answer.set_cookie(
        former_cookie_name(is_secure=is_secure),
        before,
        path=f"/v1/sessions/{former}/queue",
        max_age=int(DELIVERY.total_seconds()),
        httponly=True,
        samesite="strict",
        secure=is_secure,
    )


def session_left(parts: Parts, before: str, after: PageSession) -> UUID | None:
    """Which exam session a kiosk leaves; None where it stays there, or may deliver nothing any more."""
    if after.page != "kiosk" or after.key_id is None:
        return None
    try:
        page = parts.page_sessions.find("kiosk", before, delivers=True)
    except Unauthenticated:
        return None
    former = parts.keys.session_of(page.key_id) if page.key_id else None
    return None if former == parts.keys.session_of(after.key_id) else former


def address_of(request: Request) -> str | None:
    """Where the request came from: behind trusted proxies, what they say."""
    return address_in(request.scope)


def require_secure(request: Request) -> bool:
    """Whether cookies travel over TLS; raises as `is_secure_address`."""
    return is_secure_address(request.url.scheme, request.headers.get("host", ""))


@router.post("/logout", status_code=204)
def logout(request: Request, parts: PartsHere, wanted: SignOut) -> Response:
    """End the session of the page's cookie, and let the browser forget it."""
    is_secure = request.url.scheme == "https"
    name = cookie_name(wanted.page, is_secure=is_secure)
    if token := request.cookies.get(name):
        parts.page_sessions.end(token)
    answer = Response(status_code=204)
    answer.delete_cookie(name, httponly=True, samesite="strict", secure=is_secure)
    return answer


def check_page(page: Page, caller: Caller) -> None:
    """A kiosk opens with a kiosk's key and the console with another.

    Raises:
        InvalidRequest: Saying which kind of key is needed.
    """
    if page == "kiosk" and caller.session_id is None:
        raise InvalidRequest(
            "/body/key", "not_a_kiosk_key", "A kiosk opens with the kiosk key of one session."
        )
    if page == "console" and caller.session_id is not None:
        raise InvalidRequest(
            "/body/key", "kiosk_key", "This is a kiosk's key: it opens /kiosk and nothing else."
        )


def page(request: Request, parts: Parts, name: Page) -> HTMLResponse:
    """A page, signed in where its cookie is good; else it asks for a key by itself."""
    context: dict[str, Any] = describe_language(choose_language(request)) | {"facts": {"page": name}}
    try:
        is_secure = is_secure_address(request.url.scheme, request.headers.get("host", ""))
    except InsecureAddress as refused:
        context["reason"] = str(refused)
        return templates.TemplateResponse(request, "insecure.html", context, status_code=403, headers=HEADERS)
    context["facts"] = facts(request, parts, name, is_secure=is_secure)
    # Set by `invigil demo` alone: a script that stands in for the camera.
    context["simulated_camera"] = getattr(request.app.state, "simulated_camera", None)
    headers = {**HEADERS, VERSION_HEADER: version()} if name == "kiosk" else HEADERS
    return templates.TemplateResponse(request, f"{name}.html", context, headers=headers)


def facts(request: Request, parts: Parts, name: Page, *, is_secure: bool) -> dict[str, Any]:
    """What the page's scripts need to know about who is signed in."""
    token = request.cookies.get(cookie_name(name, is_secure=is_secure))
    nobody = {"page": name, "issuer": parts.issuer.label if parts.issuer else None}
    if token is None:
        return nobody
    try:
        session = parts.page_sessions.find(name, token)
        caller = signed_in(parts, session)
    except Unauthenticated:
        return nobody
    return {
        "page": name,
        "csrf": session.csrf,
        "name": caller.name,
        "is_operator": caller.is_operator,
        "scopes": sorted(caller.scopes),
        "session_id": str(caller.session_id) if caller.session_id else None,
    }
