"""/v1/search: who is this?"""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import Response

from service.access.callers import Caller
from service.access.idempotency import Answer
from service.access.scopes import Scope
from service.api.answers import answer
from service.api.inputs import OnceHere, PartsHere, form_schema, needs, on_pictures
from service.decisions.decision import Outcome
from service.errors import InvalidRequest, SessionNotFound
from service.exams.checkin.comparison import session_people
from service.http.uploads import Form
from service.matching.comparisons import SearchResult, name_matches, search
from service.parts import Parts

router = APIRouter(prefix="/v1/search", tags=["decisions"])

DEFAULT_K = 5
MAX_K = 100
SESSION_PREFIX = "session:"

FIELDS = {
    "k": {"type": "integer", "minimum": 1, "maximum": MAX_K, "default": DEFAULT_K},
    "scope": {"type": "string", "default": "gallery", "description": "`gallery` or `session:{id}`"},
}


@router.post("", response_model=SearchResult, openapi_extra=form_schema(("image",), FIELDS))
async def search_gallery(
    request: Request, parts: PartsHere, caller: Annotated[Caller, needs(Scope.SEARCH)], once: OnceHere
) -> Response:
    """The subjects whose templates are near enough, nearest first; an empty list where nobody is."""

    def work(form: Form, _: UUID) -> Answer:
        within = read_scope(parts, form.fields.get("scope", "gallery"))
        k = read_k(form.fields.get("k", str(DEFAULT_K)))
        found = search(parts, form.images["image"], k, request.state.request_id, within)
        # Whoever is found and does not match was guessed at; when nobody is found, nobody was.
        near = {one.subject_id for one in found.matches if one.decision is not Outcome.MATCH}
        with parts.guesses.comparing(*near) as comparison:
            comparison.failed |= near
        if caller.may(Scope.SUBJECTS_READ):
            name_matches(parts, found)
        return answer(found, reader=caller)

    return await on_pictures(request, parts, once, ("image",), work, fields=("k", "scope"))


def read_k(text: str) -> int:
    """How many matches are wanted.

    Raises:
        InvalidRequest: If it is not a number from 1 to `MAX_K`.
    """
    if not (text.isascii() and text.isdecimal() and len(text) < 6 and 1 <= int(text) <= MAX_K):
        raise InvalidRequest("/body/k", "out_of_range", f"`k` is a number from 1 to {MAX_K}.")
    return int(text)


def read_scope(parts: Parts, text: str) -> set[UUID] | None:
    """Whom to search: None is the whole gallery, otherwise the roster of a session.

    Raises:
        InvalidRequest: If it is neither the gallery nor a session.
        SessionNotFound: If it names a session that does not exist.
    """
    if text == "gallery":
        return None
    if not text.startswith(SESSION_PREFIX):
        raise InvalidRequest("/body/scope", "unknown", "`scope` is `gallery` or `session:{id}`.")
    session_id = text.removeprefix(SESSION_PREFIX)
    try:
        return session_people(parts.database, UUID(session_id))
    except ValueError:
        raise SessionNotFound(session_id[:100]) from None
