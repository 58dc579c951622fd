"""Signing in through an OpenID Connect issuer: there, and back again."""

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.templating import Jinja2Templates

from service.access.issuer import LOGIN_SECONDS, Issuer, Login
from service.access.page_sessions import cookie_name
from service.api.inputs import PartsHere
from service.errors import IssuerRefused, RequestRefused, Unavailable
from service.languages import choose_language, describe_language
from service.logs import log
from service.parts import Parts
from service.problems import status_of
from service.web import desk
from service.web.places import TEMPLATES

BEGIN, BACK = "/login/issuer", "/login/issuer/back"

router = APIRouter(include_in_schema=False)
templates = Jinja2Templates(TEMPLATES)


@router.get(BEGIN)
def begin(request: Request, parts: PartsHere) -> Response:
    """Send the browser to the issuer, with a cookie by which it is known when it comes back."""
    is_secure = desk.require_secure(request)
    try:
        login, url = issuer_of(parts).begin(address_back(request))
    except (RequestRefused, Unavailable) as error:
        return failed(request, error)
    answer = RedirectResponse(url, status_code=303, headers={"Cache-Control": "no-store"})
    answer.set_cookie(
        cookie_of_login(is_secure=is_secure),
        login.token,
        max_age=LOGIN_SECONDS,
        httponly=True,
        samesite="lax",
        secure=is_secure,
    )
    return answer


@router.get(BACK, response_class=HTMLResponse)
def come_back(request: Request, parts: PartsHere) -> Response:
    """Sign in whom the issuer has sent back.

    The answer is a page that leads on, and no redirect: a browser that comes from another site would not send
    the strict cookie with it.
    """
    is_secure = desk.require_secure(request)
    cookie = cookie_of_login(is_secure=is_secure)
    try:
        token = request.cookies.get(cookie, "")
        identity = issuer_of(parts).end(Login(token), request.query_params, address_back(request))
        operator = parts.signing_in.sign_in_by_issuer(identity)
        session = parts.page_sessions.open_for(operator)
    except (RequestRefused, Unavailable) as error:
        return failed(request, error)
    log.info("signed_in", page="console", operator_id=str(operator.id), address=desk.address_of(request))
    name = cookie_name("console", is_secure=is_secure)
    if before := request.cookies.get(name):
        parts.page_sessions.end(before)
    answer = page(request, 200, problem=None)
    answer.set_cookie(name, session.token, httponly=True, samesite="strict", secure=is_secure)
    # A code works once at the issuer, and what brought it works once here.
    answer.delete_cookie(cookie, httponly=True, samesite="lax", secure=is_secure)
    return answer


def failed(request: Request, error: RequestRefused | Unavailable) -> Response:
    """A page that says so, and leads back to the sign-in."""
    reason = error.reason if isinstance(error, IssuerRefused) else type(error).__name__
    log.warning("issuer_sign_in_failed", reason=reason, address=desk.address_of(request))
    answer = page(request, status_of(error), problem=str(error))
    cookie = cookie_of_login(is_secure=request.url.scheme == "https")
    answer.delete_cookie(cookie, httponly=True, samesite="lax", secure=request.url.scheme == "https")
    return answer


def page(request: Request, status: int, *, problem: str | None) -> HTMLResponse:
    """What the browser sees when it comes back."""
    context = describe_language(choose_language(request)) | {"problem": problem}
    return templates.TemplateResponse(
        request, "issuer.html", context, status_code=status, headers=desk.HEADERS
    )


def issuer_of(parts: Parts) -> Issuer:
    """The issuer of the settings.

    Raises:
        IssuerRefused: If there is none.
    """
    if parts.issuer is None:
        raise IssuerRefused("there is no issuer in the settings")
    return parts.issuer


def address_back(request: Request) -> str:
    """Where the issuer sends the browser: it has to know this very address."""
    return str(request.base_url).rstrip("/") + BACK


def cookie_of_login(*, is_secure: bool) -> str:
    """A cookie of its own: it is sent when the browser comes from the issuer, and that of a page is not."""
    return "__Host-invigil_login" if is_secure else "invigil_login"
