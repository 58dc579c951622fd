"""/v1/compare: do two pictures show the same person?"""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import Response

from service.access.callers import Caller
from service.access.idempotency import Answer
from service.access.scopes import Scope
from service.api.answers import answer
from service.api.inputs import OnceHere, PartsHere, form_schema, needs, on_pictures
from service.decisions.decision import Decision
from service.http.uploads import Form
from service.matching.comparisons import compare

router = APIRouter(prefix="/v1/compare", tags=["decisions"])


@router.post("", response_model=Decision, openapi_extra=form_schema(("image_a", "image_b")))
async def compare_pictures(
    request: Request, parts: PartsHere, caller: Annotated[Caller, needs(Scope.VERIFY)], once: OnceHere
) -> Response:
    """Compare two photographs; nothing of them is stored. `probe_quality` is that of `image_b`."""

    def work(form: Form, _: UUID) -> Answer:
        a, b = form.images["image_a"], form.images["image_b"]
        return answer(compare(parts, a, b, request.state.request_id))

    return await on_pictures(request, parts, once, ("image_a", "image_b"), work)
