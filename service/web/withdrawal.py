"""The page behind a withdrawal link. It needs no key and no script, and shows nobody's name.

Only the button does anything: mail programs open links by themselves, to look at them.
"""

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse
from starlette.templating import Jinja2Templates

from index.consent.withdrawal import find_subject_of_link
from index.errors import LinkInvalid
from service.api.inputs import PartsHere
from service.languages import choose_language, describe_language
from service.web import desk
from service.web.places import TEMPLATES

router = APIRouter(include_in_schema=False)
templates = Jinja2Templates(TEMPLATES)


@router.get("/withdraw/{token}", response_class=HTMLResponse)
def ask(request: Request, parts: PartsHere, token: str) -> HTMLResponse:
    """What a withdrawal means, and the button."""
    try:
        with parts.database.read() as db:
            find_subject_of_link(db, token)
    except LinkInvalid:
        return show(request, 410, state="invalid")
    return show(request, 200, state="asked")


@router.post("/withdraw/{token}", response_class=HTMLResponse)
def withdraw(request: Request, parts: PartsHere, token: str) -> HTMLResponse:
    """Withdraw, and show the receipt: what it names is gone by then."""
    try:
        receipt = parts.gallery.withdraw_by_link(token, request_id=request.state.request_id)
    except LinkInvalid:
        return show(request, 410, state="invalid")
    parts.note_anchor()
    return show(request, 200, state="done", receipt=receipt)


def show(request: Request, status: int, **context: Any) -> HTMLResponse:
    """The page; like every page it is not kept."""
    context |= describe_language(choose_language(request))
    return templates.TemplateResponse(
        request, "withdraw.html", context, status_code=status, headers=desk.HEADERS
    )
