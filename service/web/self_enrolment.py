"""The page behind an enrolment link: a person's own camera, or a file. It needs no key and shows no name.

The secret of the link stands behind `#` in the address, so no log has it; the page sends it in a header. This
is all that has to be reachable from outside: its scripts and styles are served below `/enrol/` too.
"""

import hashlib
from typing import Annotated

from fastapi import APIRouter, Header, Request
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, Response
from starlette.templating import Jinja2Templates

from service.api.inputs import PartsHere
from service.errors import InvalidRequest
from service.http.bodies import receiving
from service.http.uploads import read_form, receive_parts
from service.languages import ENGLISH, LANGUAGES, choose_language, describe_language, texts
from service.matching.self_enrolment import receive_picture
from service.settings import FORM_OVERHEAD_BYTES
from service.web import desk
from service.web.places import TEMPLATES

router = APIRouter(prefix="/enrol", include_in_schema=False)
templates = Jinja2Templates(TEMPLATES)

NO_STORE = {"Cache-Control": "no-store"}
SHOWN = ("enrol.", "guide.", "camera.", "problem.", "language.")
"""Which texts the page has; those of the console are nobody's business outside."""
Token = Annotated[str, Header(alias="X-Enrolment-Token", min_length=1, max_length=100)]


class LinkFacts(BaseModel):
    """What a link says of itself: nothing of its person."""

    pictures_left: int
    expires_at: str


@router.get("/", response_class=HTMLResponse)
def ask(request: Request) -> HTMLResponse:
    """The page; like every page it is not kept."""
    context = describe_language(choose_language(request)) | {"facts": {"page": "enrol"}}
    context["t"] = {name: text for name, text in context["t"].items() if name.startswith(SHOWN)}
    context["simulated_camera"] = getattr(request.app.state, "simulated_camera", None)
    return templates.TemplateResponse(request, "enrol.html", context, headers=desk.HEADERS)


@router.post("/look")
def look(parts: PartsHere, token: Token) -> Response:
    """Whether the link works, and how many pictures are left; that uses nothing up."""
    link = parts.enrolment_links.look(token)
    facts = LinkFacts(pictures_left=link.pictures_left, expires_at=link.expires_at.isoformat())
    return Response(facts.model_dump_json(), media_type="application/json", headers=NO_STORE)


@router.post("/picture", status_code=202)
async def send_picture(request: Request, parts: PartsHere, token: Token) -> Response:
    """Take a picture with the person's consent; the same answer whoever is enrolled.

    The link is looked at before the body is received: nobody without one costs more than that.
    """
    link = await run_in_threadpool(parts.enrolment_links.look, token)
    settings = parts.settings
    limit = settings.max_upload_bytes + FORM_OVERHEAD_BYTES
    async with (
        parts.pictures.share_of(link.id),
        receiving(request, limit, settings.upload_seconds),
    ):
        with parts.pictures.admit() as admission:
            content_type = request.headers.get("content-type", "")
            received = await receive_parts(request.stream(), content_type, admission.hold)
            form = read_form(received, ("image",), ("consent", "language"))
            received.clear()
            if form.fields.get("consent") != "yes":
                raise InvalidRequest("/body/consent", "missing", "Without consent no picture is looked at.")
            language = form.fields.get("language", ENGLISH)
            if language not in LANGUAGES:
                raise InvalidRequest("/body/language", "unknown", f"One of {', '.join(LANGUAGES)}.")
            given = {"text": consent_digest(language), "language": language}
            picture, request_id = form.images["image"], request.state.request_id
            await parts.pictures.run(receive_picture, parts, token, picture, given, request_id)
    return Response(status_code=202, headers=NO_STORE)


def consent_digest(language: str) -> str:
    """SHA-256 of the text that a person agrees to, in this language."""
    return hashlib.sha256(str(texts(language)["enrol.consent"]).encode()).hexdigest()
