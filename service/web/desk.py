"""The pages people work with: the kiosk at the door and the console, and signing in to them."""

import json
from functools import cache
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.templating import Jinja2Templates

from service.access.callers import Caller
from service.access.keys import PREFIX
from service.access.page_sessions import Page, cookie_name, is_secure_address
from service.api.inputs import PartsHere
from service.errors import InsecureAddress, InvalidRequest, Unauthenticated
from service.logs import log
from service.parts import Parts
from service.web.places import STRINGS, TEMPLATES

LANGUAGE = "en"
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
    """A key, and the page it opens."""

    key: Annotated[str, Field(min_length=1, max_length=300)]
    page: Literal["console", "kiosk"]


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
    """Trade a key for the page's cookie; whoever was signed in before with this browser no longer is."""
    is_secure = is_secure_address(request.url.scheme, request.headers.get("host", ""))
    prefix = wanted.key.partition(".")[0]
    peer = request.client.host if request.client else None
    try:
        caller = parts.keys.authenticate(wanted.key)
    except Unauthenticated:
        # Of a key that does not exist nobody's name is known; where it came from and how it began, is.
        known = prefix if PREFIX.fullmatch(prefix) else None
        log.warning("sign_in_refused", page=wanted.page, prefix=known, address=peer)
        raise
    check_page(wanted.page, caller)
    session = parts.page_sessions.open(wanted.page, caller)
    log.info("signed_in", page=wanted.page, key_id=str(caller.key_id), address=peer)
    name = cookie_name(wanted.page, is_secure=is_secure)
    if before := request.cookies.get(name):
        parts.page_sessions.end(before)
    answer = JSONResponse({"name": caller.name}, headers={"Cache-Control": "no-store"})
    # Without an end of its own: the browser forgets it when it is closed, and the server before that.
    answer.set_cookie(name, session.token, httponly=True, samesite="strict", secure=is_secure)
    return answer


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
    context: dict[str, Any] = {"language": LANGUAGE, "t": texts(LANGUAGE), "facts": {"page": name}}
    try:
        is_secure = is_secure_address(request.url.scheme, request.headers.get("host", ""))
    except InsecureAddress as refused:
        context["reason"] = str(refused)
        return templates.TemplateResponse(request, "insecure.html", context, status_code=403, headers=HEADERS)
    context["facts"] = facts(request, parts, name, is_secure=is_secure)
    # Set by `invigil demo` alone: a script that stands in for the camera.
    context["simulated_camera"] = getattr(request.app.state, "simulated_camera", None)
    return templates.TemplateResponse(request, f"{name}.html", context, headers=HEADERS)


def facts(request: Request, parts: Parts, name: Page, *, is_secure: bool) -> dict[str, Any]:
    """What the page's scripts need to know about who is signed in."""
    token = request.cookies.get(cookie_name(name, is_secure=is_secure))
    if token is None:
        return {"page": name}
    try:
        session = parts.page_sessions.find(name, token)
        caller = parts.keys.signed_in(session.key_id, session.seal)
    except Unauthenticated:
        return {"page": name}
    return {
        "page": name,
        "csrf": session.csrf,
        "key_name": caller.name,
        "scopes": sorted(caller.scopes),
        "session_id": str(caller.session_id) if caller.session_id else None,
    }


@cache
def texts(language: str) -> dict[str, str]:
    """Every text of the pages in one language; a translation is one more file."""
    found: dict[str, str] = json.loads((STRINGS / f"{language}.json").read_text(encoding="utf-8"))
    return found
