"""How a document leaves: serialised once, kept for replay where the caller asked for it."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel
from starlette.responses import Response

from service.access.idempotency import Answer

NO_STORE = {"cache-control": "no-store"}
"""On everything that tells of a face: neither browsers nor proxies may keep it."""


class Document(BaseModel):
    """Base of everything the API returns."""


def answer(
    document: BaseModel | None, status: int = 200, headers: Mapping[str, str] = NO_STORE, **kept: Any
) -> Answer:
    """A document as bytes; `kept` goes to `Answer`."""
    body = b"" if document is None else document.model_dump_json().encode()
    return Answer(status, body, dict(headers), **kept)


def respond(given: Answer) -> Response:
    """The HTTP response of an answer, first or replayed."""
    headers = dict(given.headers)
    if given.replayed:
        headers["idempotency-replayed"] = "true"
    media_type = "application/json" if given.body else None
    return Response(given.body, given.status, headers, media_type)
