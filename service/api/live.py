"""/v1/sessions/{session_id}/live: the board of a session, as server-sent events."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Request
from starlette.responses import Response, StreamingResponse

from service.access.callers import Caller
from service.access.scopes import Scope
from service.api.exams import Staff
from service.api.inputs import PartsHere
from service.exams.context import Desk
from service.exams.live.board import Viewer
from service.exams.live.feed import FeedEvent, closed_event, missed
from service.exams.sessions import find_session

router = APIRouter(prefix="/v1/sessions/{session_id}/live", tags=["check-in"])

HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}
"""A proxy that collects an answer before it passes it on would keep the board dark."""

RETRY_MS = 2_000
HEARTBEAT = ": heartbeat\n\nevent: heartbeat\ndata: {}\n\n"
"""The comment keeps proxies awake; the event tells a page, which sees no comment, that the line is alive."""

DIGEST_CHARACTERS = 12
"""Enough to tell one history's event from another's of the same number."""

LastEventId = Annotated[
    str | None, Header(alias="Last-Event-ID", max_length=40, description="goes on behind this message")
]


@router.get(
    "",
    response_class=StreamingResponse,
    responses={
        200: {
            "content": {"text/event-stream": {}},
            "description": "snapshot, then one message for each change",
        },
        204: {"description": "the session is closed and nothing was missed"},
    },
)
async def follow_session(
    request: Request, parts: PartsHere, caller: Staff, session_id: UUID, last_event_id: LastEventId = None
) -> Response:
    """The board, then `checkin`, `override`, `declined`, `standing`, `roster`, `session`, at last `closed`.

    `standing` is about a candidate who stands otherwise though nothing happened at the door: consent was
    withdrawn, a legal basis has ended, somebody was erased. `closed` comes when the window is over, or when
    the exam is archived or deleted.
    """
    number, _, digest = (last_event_id or "").partition("-")
    after_seq = int(number) if number.isdecimal() else None
    if await asyncio.to_thread(is_over, parts.desk, session_id, after_seq, digest):
        return Response(status_code=204)
    return StreamingResponse(
        stream(
            parts.live.follow(session_id, after_seq, digest, viewer_of(request, caller)),
            caller.may(Scope.SCORES_READ),
        ),
        media_type="text/event-stream",
        headers=HEADERS,
    )


def is_over(desk: Desk, session_id: UUID, after_seq: int | None, digest: str) -> bool:
    """Whether a viewer who comes back has seen everything there will ever be.

    Raises:
        SessionNotFound: If there is no such session.
    """
    find_session(desk, session_id)
    if after_seq is None or closed_event(desk, session_id) is None:
        return False
    return missed(desk, session_id, after_seq, digest) == []


def viewer_of(request: Request, caller: Caller) -> Viewer:
    """In whose name a request watches."""
    session = getattr(request.state, "page_session", None)
    return Viewer(caller.id, session.digest if session else None, caller.is_operator)


async def stream(events: AsyncIterator[FeedEvent | None], scores: bool) -> AsyncIterator[str]:
    """The messages in the form of the HTML standard, section 9.2."""
    yield f"retry: {RETRY_MS}\n\n"
    async for event in events:
        yield HEARTBEAT if event is None else message_of(event, scores)


def message_of(event: FeedEvent, scores: bool) -> str:
    """One message; its data is JSON and so holds no line break."""
    data = event.data if scores else event.plain
    return f"id: {event.seq}-{event.digest[:DIGEST_CHARACTERS]}\nevent: {event.kind}\ndata: {data}\n\n"
