"""/v1/sessions/{session_id}/queue: what a kiosk holds in case its network fails, and what it then takes."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field, StringConstraints, TypeAdapter, ValidationError
from starlette.responses import Response

from service.access.callers import Caller
from service.access.idempotency import Answer
from service.access.keys import Deliverer
from service.access.scopes import Scope
from service.api.answers import answer
from service.api.exams import origin_of
from service.api.inputs import OnceHere, PartsHere, delivers, form_schema, invalid_body, needs, on_pictures
from service.errors import Forbidden, InvalidRequest
from service.exams.offline.delivering import deliver
from service.exams.offline.pack import Pack, build_pack
from service.exams.schemas import Verdict
from service.http.uploads import Form

router = APIRouter(prefix="/v1", tags=["check-in"])
Door = Annotated[Caller, needs(Scope.CHECKIN)]
DeliversHere = Annotated[Deliverer, delivers()]

FIELDS: dict[str, Any] = {
    "item": {
        "type": "string",
        "pattern": "^[0-9a-f]{32}$",
        "description": "the item's own id, by chance; the same item makes one attempt",
    }
}
ITEM: TypeAdapter[str] = TypeAdapter(Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")])


class DeliveredItem(BaseModel):
    """An item of a queue that is recorded."""

    item: str
    checkin_id: UUID
    outcome: Verdict
    taken_at: datetime | None = Field(
        description="null where it had come in time, and only its answer was lost"
    )
    time_estimated: bool


@router.get("/sessions/{session_id}/queue/pack", response_model=Pack)
def show_pack(parts: PartsHere, caller: Door, session_id: UUID) -> Response:
    """For a kiosk: numbers, names and seats of its session, and the key that seals what it takes."""
    caller.require_session(session_id)
    if caller.session_id is None:
        raise Forbidden("Only a kiosk holds what it needs without network.")
    return Response(
        build_pack(parts.desk, session_id).model_dump_json(),
        headers={"cache-control": "no-store"},
        media_type="application/json",
    )


@router.post(
    "/sessions/{session_id}/queue",
    status_code=201,
    response_model=DeliveredItem,
    openapi_extra=form_schema(("sealed",), FIELDS, ("item",)),
)
async def deliver_item(
    request: Request, parts: PartsHere, by: DeliversHere, session_id: UUID, once: OnceHere
) -> Response:
    """Deliver one attempt that was taken without network, sealed as `docs/exams.md` says, in the order taken.

    A kiosk may do that for 24 hours after its end, with what it took before. Whatever opens is recorded.
    """
    by.caller.require_session(session_id)

    def work(form: Form, _: UUID) -> Answer:
        item = item_of(form)
        done = deliver(parts.desk, session_id, item, form.images["sealed"], by, origin_of(request, by.caller))
        parts.metrics.decided("checkin", "queued")
        return answer(DeliveredItem.model_validate(asdict(done)), 201)

    return await on_pictures(request, parts, once, ("sealed",), work, tuple(FIELDS))


def item_of(form: Form) -> str:
    """The item's id.

    Raises:
        InvalidRequest: If it is missing.
        RequestValidationError: If it is none.
    """
    if "item" not in form.fields:
        raise InvalidRequest("/body/item", "missing", "The `item` part is missing.")
    try:
        return ITEM.validate_python(form.fields["item"])
    except ValidationError as error:
        raise invalid_body(error, "item") from error
