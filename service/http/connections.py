"""Connections that are let go when what they promise does not come; each holds a descriptor."""

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS = 10.0
"""For the head of a request: from the connection, or from its first byte where there was a request before."""
REST_SECONDS = 60.0
"""For what is left of a body after the answer; it is dropped, and the connection may be used again."""


class PromptProtocol(H11Protocol):
    """HTTP/1.1 as uvicorn speaks it, with an end to waiting.

    Bodies that are read have their own bounds (`bodies.py`), and idle connections uvicorn's keep-alive; that
    is put off by each byte, and does not run before the first request.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._wait: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first request, which may not be there yet."""
        super().connection_made(transport)
        self._wait = self.loop.call_later(HEAD_SECONDS, self._let_go)

    def data_received(self, data: bytes) -> None:
        """As uvicorn; what came may be all that was waited for, or the beginning of more."""
        super().data_received(data)
        self._follow()

    def on_response_complete(self) -> None:
        """As uvicorn; the client may still be sending."""
        super().on_response_complete()
        self._follow()

    def connection_lost(self, exc: Exception | None) -> None:
        """As uvicorn."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _follow(self) -> None:
        """Start to wait, go on or stop, by what the connection is in the middle of."""
        seconds = self._waits_for()
        if seconds is None:
            self._stop_waiting()
        elif self._wait is None:
            self._wait = self.loop.call_later(seconds, self._let_go)

    def _waits_for(self) -> float | None:
        """How long the present wait may take; None where nothing is waited for here."""
        if self.transport.is_closing():
            return None
        if self.conn.their_state is h11.IDLE and self.conn.trailing_data[0]:
            return HEAD_SECONDS
        has_answered = self.conn.our_state is h11.DONE
        return REST_SECONDS if has_answered and self.conn.their_state is h11.SEND_BODY else None

    def _stop_waiting(self) -> None:
        if self._wait is not None:
            self._wait.cancel()
            self._wait = None

    def _let_go(self) -> None:
        self._wait = None
        self.transport.close()
