"""Request bodies: counted while they arrive, never read past their limit, never waited for without end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.errors import BodyTooLarge, InvalidRequest, UploadTooLarge, UploadTooSlow

DEFAULT_BODY_BYTES = 1024 * 1024


@dataclass
class Bound:
    """How many bytes this request may bring; a route that takes pictures raises it before it reads."""

    limit_bytes: int = DEFAULT_BODY_BYTES
    error: type[BodyTooLarge] = BodyTooLarge


class BoundedBodies:
    """Middleware that stops a body at its limit: by its declared length before reading, then by counting."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with a counting `receive`."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        bound = scope.setdefault("state", {})["bound"] = Bound()
        declared = declared_bytes(Headers(scope=scope))
        received = 0

        async def counted() -> Message:
            nonlocal received
            if declared > bound.limit_bytes:
                raise bound.error(bound.limit_bytes)
            message = await receive()
            received += len(message.get("body", b""))
            if received > bound.limit_bytes:
                raise bound.error(bound.limit_bytes)
            return message

        await self.app(scope, counted, send)


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
