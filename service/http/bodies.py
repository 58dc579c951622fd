"""Request bodies: counted while they arrive, never read past their limit, never waited for without end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.errors import BodyTooLarge, InvalidRequest, UploadTooLarge, UploadTooSlow

DEFAULT_BODY_BYTES = 1024 * 1024
GRACE_SECONDS = 3.0
SLOWEST_BYTES_PER_SECOND = 8_000
"""After the grace: a photograph of 240 kB takes all of the usual 30 seconds at this rate."""
READ_OFF_SECONDS = 5.0
MOST_READ_OFF_BYTES = 64 * 1024 * 1024
HTTP_TOO_LARGE = 413


@dataclass
class Bound:
    """How many bytes this request may bring; a route that takes pictures raises it before it reads."""

    limit_bytes: int = DEFAULT_BODY_BYTES
    error: type[BodyTooLarge] = BodyTooLarge


@dataclass
class Arrival:
    """How a body arrives."""

    started: float
    received: int = 0
    is_complete: bool = False

    def deadline(self, seconds: float) -> float:
        """When the next part must have come: in time for all of it, and at the slowest rate served."""
        at_rate = self.started + GRACE_SECONDS + self.received / SLOWEST_BYTES_PER_SECOND
        return min(self.started + seconds, at_rate)

    async def next(self, receive: Receive) -> Message:
        """The next message of the server."""
        message = await receive()
        self.received += len(message.get("body", b""))
        self.is_complete = not message.get("more_body", False)
        return message


class BoundedBodies:
    """Middleware that stops a body at its limit: by its declared length before reading, then by counting.

    Args:
        app: What is protected.
        seconds: In which a body must arrive; one that trickles ends before.
    """

    def __init__(self, app: ASGIApp, seconds: float) -> None:
        self.app = app
        self.seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with a counting `receive`."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        bound = scope.setdefault("state", {})["bound"] = Bound()
        headers = Headers(scope=scope)
        declared = declared_bytes(headers)
        arrival = Arrival(asyncio.get_running_loop().time())

        async def counted() -> Message:
            if declared > bound.limit_bytes:
                raise bound.error(bound.limit_bytes)
            if arrival.is_complete:
                # What comes now is that the client has gone, whenever that may be.
                return await receive()
            try:
                async with asyncio.timeout_at(arrival.deadline(self.seconds)):
                    message = await arrival.next(receive)
            except TimeoutError as late:
                raise UploadTooSlow(self.seconds) from late
            if arrival.received > bound.limit_bytes:
                raise bound.error(bound.limit_bytes)
            return message

        async def answered(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == HTTP_TOO_LARGE:
                await read_off(headers, arrival, receive)
            await send(message)

        await self.app(scope, counted, answered)


async def read_off(headers: Headers, arrival: Arrival, receive: Receive) -> None:
    """Read what is left of a body and keep none of it.

    Many clients send all of it before they look for an answer; if the connection is closed before, they see
    that it is broken, and never the answer that says why. Who asks first whether to send it does look.
    """
    if headers.get("expect", "").lower() == "100-continue" and not arrival.received:
        return
    until = arrival.received + MOST_READ_OFF_BYTES
    with suppress(TimeoutError):
        async with asyncio.timeout(READ_OFF_SECONDS):
            while not arrival.is_complete and arrival.received < until:
                await arrival.next(receive)


def declared_bytes(headers: Headers) -> int:
    """The Content-Length, or 0 where it is missing or not a number (then only counting tells)."""
    declared = headers.get("content-length", "")
    return int(declared) if declared.isdecimal() and declared.isascii() else 0


async def read_body(
    request: Request, limit_bytes: int, seconds: float, error: type[BodyTooLarge] = UploadTooLarge
) -> bytes:
    """The whole body of a request that brings a large document.

    Raises:
        BodyTooLarge: As `error` says, if it has more than `limit_bytes`.
        UploadTooSlow: If it has not arrived after `seconds`.
    """
    async with receiving(request, limit_bytes, seconds, error):
        return await request.body()


@asynccontextmanager
async def receiving(
    request: Request, limit_bytes: int, seconds: float, error: type[BodyTooLarge] = UploadTooLarge
) -> AsyncIterator[None]:
    """Bounds the size and the time of a body that is read inside; raises as `read_body`."""
    request.state.bound.limit_bytes = limit_bytes
    request.state.bound.error = error
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as late:
        raise UploadTooSlow(seconds) from late
    except ClientDisconnect as gone:
        raise InvalidRequest(
            "/body", "disconnected", "The client went away before the body was read."
        ) from gone
