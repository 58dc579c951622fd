"""The pages people work with: the kiosk at the door and the console, and signing in to them."""

import json
import time
from functools import cache
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.templating import Jinja2Templates

from service.access.callers import Caller
from service.access.page_sessions import LIFETIME, Page, PageSession, cookie_name, session_of
from service.api.inputs import PartsHere
from service.errors import InvalidRequest, Unauthenticated
from service.parts import Parts
from service.web.places import STRINGS, TEMPLATES

LANGUAGE = "en"
# Styles may be set on elements; scripts come from this host only, and no other site may frame the pages.
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data: blob:; "
    "style-src 'self' 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
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
    """Trade a key for the page's cookie."""
    caller = parts.keys.authenticate(wanted.key)
    check_page(wanted.page, caller)
    session = PageSession.open(wanted.page, wanted.key, time.time())
    answer = JSONResponse({"name": caller.name}, headers={"Cache-Control": "no-store"})
    answer.set_cookie(
        cookie_name(wanted.page),
        session.cookie,
        max_age=int(LIFETIME.total_seconds()),
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return answer


@router.post("/logout", status_code=204)
def logout(wanted: SignOut) -> Response:
    """Forget the page's cookie."""
    answer = Response(status_code=204)
    answer.delete_cookie(cookie_name(wanted.page), httponly=True, samesite="strict")
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
    context = {"language": LANGUAGE, "t": texts(LANGUAGE), "facts": facts(request, parts, name)}
    return templates.TemplateResponse(request, f"{name}.html", context, headers=HEADERS)


def facts(request: Request, parts: Parts, name: Page) -> dict[str, Any]:
    """What the page's scripts need to know about who is signed in."""
    try:
        session = session_of("GET", {"X-Invigil-Page": name}, request.cookies, time.time())
        caller = parts.keys.authenticate(session.key) if session else None
    except Unauthenticated:
        session = caller = None
    if session is None or caller is None:
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
