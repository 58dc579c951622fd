"""How a document leaves: serialised once, kept for replay where the caller asked for it."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel
from starlette.responses import Response

from service.access.callers import Caller
from service.access.idempotency import Answer
from service.decisions.scores import body_for


def answer(
    document: BaseModel | None,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    *,
    reader: Caller | None = None,
    **kept: Any,
) -> Answer:
    """A document as bytes.

    Args:
        document: What is answered.
        status: Of the answer.
        headers: Of the answer.
        reader: Who gets it, where there are scores in it.
        kept: Goes to `Answer`.
    """
    if document is None:
        body = b""
    else:
        body = document.model_dump_json().encode() if reader is None else body_for(document, reader)
    return Answer(status, body, dict(headers or {}), **kept)


def shown_to(document: BaseModel, reader: Caller) -> Response:
    """A document with scores in it, as this reader may see it."""
    return respond(answer(document, reader=reader))


def respond(given: Answer) -> Response:
    """The HTTP response of an answer, first or replayed."""
    headers = dict(given.headers)
    if given.replayed:
        headers["idempotency-replayed"] = "true"
    media_type = "application/json" if given.body else None
    return Response(given.body, given.status, headers, media_type)


def media_type_of(picture: bytes) -> str:
    """Of a picture that we have kept: crops are PNG, all others JPEG."""
    return "image/png" if picture.startswith(b"\x89PNG") else "image/jpeg"
