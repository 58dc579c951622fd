"""/v1/scan: the code on a card before a kiosk's camera, where the browser itself reads none."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.responses import Response

from service.access.callers import Caller
from service.access.idempotency import Answer
from service.access.scopes import Scope
from service.api.answers import answer
from service.api.inputs import Once, OnceHere, PartsHere, form_schema, needs, on_pictures
from service.cards.scanning import read_codes
from service.http.uploads import Form

router = APIRouter(prefix="/v1/scan", tags=["check-in"])


class CodeDocument(BaseModel):
    """One code; `format` is spelled as in the browsers' Barcode Detection API."""

    format: str
    text: str


class Scanned(BaseModel):
    """The codes that were read; none is an answer, too."""

    codes: list[CodeDocument]


@router.post("", response_model=Scanned, openapi_extra=form_schema(("image",)))
async def scan(
    request: Request, parts: PartsHere, caller: Annotated[Caller, needs(Scope.CHECKIN)], once: OnceHere
) -> Response:
    """Read the codes in a grey picture of at most 480 × 240 pixels.

    Nothing of it is kept: with an Idempotency-Key too it is read anew.
    """

    def work(form: Form, _: UUID) -> Answer:
        codes = read_codes(form.images["image"])
        return answer(Scanned(codes=[CodeDocument(format=one.format, text=one.text) for one in codes]))

    return await on_pictures(request, parts, Once(request, parts, None), ("image",), work)
