"""The kiosk's side of a pairing: a code to show, and the page's cookie once somebody has confirmed it."""

from typing import Annotated
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, Response

from service.access.page_sessions import cookie_name
from service.api.inputs import PartsHere
from service.cards.qr_codes import draw_qr_code
from service.errors import Unauthenticated
from service.exams.kiosks import ask_to_be_paired, collect, session_of_kiosk
from service.web.desk import address_of, entered, require_secure

router = APIRouter(include_in_schema=False)
LONGEST_AGENT = 200


class Collecting(BaseModel):
    """What a tablet was told when it asked."""

    model_config = ConfigDict(extra="forbid")

    id: UUID
    secret: Annotated[str, Field(min_length=1, max_length=100)]


@router.post("/pair")
def ask(request: Request, parts: PartsHere) -> Response:
    """A code for this tablet, as letters and as a QR code that opens the console where it is confirmed."""
    require_secure(request)
    agent = request.headers.get("user-agent", "")[:LONGEST_AGENT] or None
    new = ask_to_be_paired(parts.database, address_of(request), agent)
    address = f"{str(request.base_url).rstrip('/')}/console#/pair/{quote(new.code)}"
    told = {
        "id": str(new.id),
        "code": new.code,
        "secret": new.secret,
        "expires_at": new.expires_at.isoformat(),
        "qr": draw_qr_code(address),
    }
    return JSONResponse(told, headers={"Cache-Control": "no-store"})


@router.post("/pair/collect")
def collect_cookie(request: Request, parts: PartsHere, wanted: Collecting) -> Response:
    """The kiosk's cookie, once the code is confirmed; until then 202."""
    require_secure(request)
    text = collect(parts.database, wanted.id, wanted.secret, request.state.request_id)
    if text is None:
        return JSONResponse({}, 202, headers={"Cache-Control": "no-store"})
    caller = parts.keys.authenticate(text)
    return entered(request, parts, parts.page_sessions.open("kiosk", caller), caller.name)


@router.get("/kiosk/session")
def show_session(request: Request, parts: PartsHere) -> Response:
    """Where a kiosk stood whose key is no longer valid: whoever comes late reads that, and no form."""
    token = request.cookies.get(cookie_name("kiosk", is_secure=require_secure(request)))
    page = parts.page_sessions.find("kiosk", token) if token else None
    session = session_of_kiosk(parts.desk, page.key_id) if page and page.key_id else None
    if session is None:
        raise Unauthenticated
    told = session.model_dump(mode="json", include={"exam_name", "room", "closes_at", "state"})
    return JSONResponse(told, headers={"Cache-Control": "no-store"})
