"""How requests travel: one for programs that wait, one for those that do other things meanwhile."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

import httpx2
from pydantic import BaseModel
from tenacity import AsyncRetrying, Retrying

from invigil_client.calls import Call, parameters
from invigil_client.errors import error_of
from invigil_client.retries import retry_options

M = TypeVar("M", bound=BaseModel)
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

TIMEOUT_SECONDS = 60.0
TRIES = 5
LAST_EVENT = "closed"


class Page(Protocol[T_co]):
    """One page of a list."""

    @property
    def items(self) -> Sequence[T_co]:
        """What is on it."""

    @property
    def next_cursor(self) -> str | None:
        """Where the next page begins; None behind the last."""


class Transport:
    """Sends requests and waits for their answers; may be used by several threads at once."""

    def __init__(
        self, address: str, key: str, *, tries: int = TRIES, timeout_seconds: float = TIMEOUT_SECONDS
    ) -> None:
        """Open a client; nothing is sent yet.

        Args:
            address: Of the service: `https://invigil.example.edu`.
            key: An API key, as `invigil keys create` prints it.
            tries: How often a request is sent at most while the service cannot serve it.
            timeout_seconds: How long one answer may take.
        """
        self._tries = tries
        self._http = httpx2.Client(
            base_url=address, headers={"Authorization": f"Bearer {key}"}, timeout=timeout_seconds
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()

    def _send(self, call: Call) -> httpx2.Response:
        request = call.request()

        def send() -> httpx2.Response:
            answer = self._http.request(**request)
            if answer.is_error:
                raise error_of(answer)
            return answer

        return Retrying(**retry_options(self._tries))(send)

    def _send_for(self, call: Call, answer: type[M]) -> M:
        return answer.model_validate_json(self._send(call).content)

    def _send_for_any(self, call: Call, answer: type[M]) -> M | None:
        content = self._send(call).content
        return answer.model_validate_json(content) if content else None

    def _items(self, page: Callable[[str | None], Page[T]]) -> Iterator[T]:
        cursor = None
        while True:
            one = page(cursor)
            yield from one.items
            if (cursor := one.next_cursor) is None:
                return

    def _follow(
        self, path: str, last_event_id: str | None, query: Mapping[str, Any] | None = None
    ) -> Iterator[httpx2.ServerSentEvent]:
        seconds = 0.0
        while True:
            time.sleep(seconds)
            headers = {"Last-Event-ID": last_event_id} if last_event_id else {}
            params = parameters(query or {})
            try:
                with self._http.sse(path, headers=headers, params=params, timeout=None) as events:
                    if events.response.is_error:
                        events.response.read()
                        raise error_of(events.response)
                    if events.response.status_code == 204:
                        return
                    for event in events:
                        last_event_id = event.id or last_event_id
                        if event.data:
                            yield event
                        if event.event == LAST_EVENT:
                            return
            except httpx2.TransportError:
                # The stream is cut from time to time; it goes on behind the last message.
                pass
            seconds = 1.0


class AsyncTransport:
    """Sends requests while the program does other things; of one event loop."""

    def __init__(
        self, address: str, key: str, *, tries: int = TRIES, timeout_seconds: float = TIMEOUT_SECONDS
    ) -> None:
        """Open a client; as `Transport`."""
        self._tries = tries
        self._http = httpx2.AsyncClient(
            base_url=address, headers={"Authorization": f"Bearer {key}"}, timeout=timeout_seconds
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Give the connections back."""
        await self._http.aclose()

    async def _send(self, call: Call) -> httpx2.Response:
        request = call.request()

        async def send() -> httpx2.Response:
            answer = await self._http.request(**request)
            if answer.is_error:
                raise error_of(answer)
            return answer

        return await AsyncRetrying(**retry_options(self._tries))(send)

    async def _send_for(self, call: Call, answer: type[M]) -> M:
        return answer.model_validate_json((await self._send(call)).content)

    async def _send_for_any(self, call: Call, answer: type[M]) -> M | None:
        content = (await self._send(call)).content
        return answer.model_validate_json(content) if content else None

    async def _items(self, page: Callable[[str | None], Awaitable[Page[T]]]) -> AsyncIterator[T]:
        cursor = None
        while True:
            one = await page(cursor)
            for item in one.items:
                yield item
            if (cursor := one.next_cursor) is None:
                return

    async def _follow(
        self, path: str, last_event_id: str | None, query: Mapping[str, Any] | None = None
    ) -> AsyncIterator[httpx2.ServerSentEvent]:
        seconds = 0.0
        while True:
            await asyncio.sleep(seconds)
            headers = {"Last-Event-ID": last_event_id} if last_event_id else {}
            params = parameters(query or {})
            try:
                async with self._http.sse(path, headers=headers, params=params, timeout=None) as events:
                    if events.response.is_error:
                        await events.response.aread()
                        raise error_of(events.response)
                    if events.response.status_code == 204:
                        return
                    async for event in events:
                        last_event_id = event.id or last_event_id
                        if event.data:
                            yield event
                        if event.event == LAST_EVENT:
                            return
            except httpx2.TransportError:
                # The stream is cut from time to time; it goes on behind the last message.
                pass
            seconds = 1.0
