"""/v1/sessions/{session_id}/movements: who goes out, comes back and leaves; /v1/movements/{id}/undo."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from service.access.callers import Caller
from service.access.idempotency import Answer
from service.access.scopes import Scope
from service.api.answers import answer
from service.api.cursors import page_of, read_id
from service.api.exams import Staff, origin_of
from service.api.inputs import Cursor, Limit, OnceHere, PartsHere, needs
from service.exams.checkin.moving import (
    MovementTerms,
    UndoTerms,
    move,
    movements_page,
    undo_movement,
    who_is_out,
)
from service.exams.schemas import Candidate, Movement
from service.exams.states import Move

router = APIRouter(prefix="/v1", tags=["movement"])
Doorkeeper = Annotated[Caller, needs(Scope.CHECKIN, Scope.OVERRIDE)]
Invigilator = Annotated[Caller, needs(Scope.OVERRIDE)]


class MovementList(BaseModel):
    """One page of movements, newest first, and who is out now."""

    items: list[Movement]
    next_cursor: str | None
    out: list[Candidate] = Field(description="who has gone out and is not back, longest first")


@router.post("/sessions/{session_id}/movements", status_code=201, response_model=Movement)
def record_movement(
    request: Request,
    parts: PartsHere,
    caller: Doorkeeper,
    session_id: UUID,
    terms: MovementTerms,
    once: OnceHere,
) -> Response:
    """Somebody goes out or leaves, or comes back by a document; a return by photograph is a check-in.

    A kiosk keeps to the session's rules. Who holds `override` may record with a reason what happened against
    them, and identifies whoever comes back by a document.
    """
    caller.require_session(session_id)
    if terms.kind is Move.RETURN:
        caller.require([Scope.OVERRIDE])

    def work(movement_id: UUID) -> Answer:
        by_person = caller.may(Scope.OVERRIDE)
        made = move(
            parts.desk, session_id, terms, origin_of(request, caller), movement_id, by_person=by_person
        )
        return answer(made, 201)

    return once.run([terms.model_dump_json().encode()], work)


@router.get("/sessions/{session_id}/movements", response_model=MovementList)
def list_movements(
    parts: PartsHere,
    caller: Staff,
    session_id: UUID,
    external_id: Annotated[str | None, Query(max_length=255)] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> MovementList:
    """The movements of a session or of one candidate, and who is out now."""
    found = movements_page(parts.desk, session_id, limit + 1, read_id(cursor), external_id)
    items, following = page_of(found, limit, lambda movement: movement.id)
    return MovementList(items=items, next_cursor=following, out=who_is_out(parts.desk, session_id))


@router.post("/movements/{movement_id}/undo", status_code=201, response_model=Movement)
def undo(
    request: Request,
    parts: PartsHere,
    caller: Invigilator,
    movement_id: UUID,
    terms: UndoTerms,
    once: OnceHere,
) -> Response:
    """Take a candidate's newest movement back: it never happened. The row stays, and so does this one."""

    def work(undo_id: UUID) -> Answer:
        made = undo_movement(parts.desk, movement_id, terms, origin_of(request, caller), undo_id)
        return answer(made, 201)

    return once.run([terms.model_dump_json().encode()], work)
