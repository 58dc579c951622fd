"""How a document leaves: serialised once, kept for replay where the caller asked for it."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel
from starlette.responses import Response

from service.access.idempotency import Answer


def answer(
    document: BaseModel | None, status: int = 200, headers: Mapping[str, str] | None = None, **kept: Any
) -> Answer:
    """A document as bytes; `kept` goes to `Answer`."""
    body = b"" if document is None else document.model_dump_json().encode()
    return Answer(status, body, dict(headers or {}), **kept)


def respond(given: Answer) -> Response:
    """The HTTP response of an answer, first or replayed."""
    headers = dict(given.headers)
    if given.replayed:
        headers["idempotency-replayed"] = "true"
    media_type = "application/json" if given.body else None
    return Response(given.body, given.status, headers, media_type)
