"""/v1/waiting: who needs a person in any open session, and how each of them stands."""

import asyncio
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request
from starlette.responses import Response, StreamingResponse

from service.access.scopes import Scope
from service.api.exams import Staff
from service.api.inputs import PartsHere
from service.api.live import HEADERS, stream, viewer_of
from service.exams.live.rooms import Area, Rooms, open_rooms, rooms_in

router = APIRouter(prefix="/v1/waiting", tags=["check-in"])
OfExam = Annotated[UUID | None, Query(description="in the rooms of this exam alone")]


@router.get("", response_model=Rooms)
def list_rooms(parts: PartsHere, caller: Staff, exam_id: OfExam = None) -> Rooms:
    """All who need a person in any session that is open now, oldest first, and how these sessions stand."""
    return rooms_in(parts.desk, Area(exam_id, caller.exam_ids))


@router.get(
    "/live",
    response_class=StreamingResponse,
    responses={
        200: {"content": {"text/event-stream": {}}, "description": "rooms, then a message for each change"}
    },
)
async def follow_rooms(request: Request, parts: PartsHere, caller: Staff, exam_id: OfExam = None) -> Response:
    """All rooms at once: `rooms`, then the messages of each session's board, with its `session_id`.

    `rooms` comes again when a session opens or closes, and whenever a connection begins.
    """
    area = Area(exam_id, caller.exam_ids)
    await asyncio.to_thread(open_rooms, parts.desk, area)
    return StreamingResponse(
        stream(parts.live.follow_rooms(area, viewer_of(request, caller)), caller.may(Scope.SCORES_READ)),
        media_type="text/event-stream",
        headers=HEADERS,
    )
