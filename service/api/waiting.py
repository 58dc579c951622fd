"""/v1/sessions/{session_id}/waiting, and what a person does about a candidate there besides deciding."""

from typing import Annotated
from urllib.parse import unquote
from uuid import UUID

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from service.access.callers import Caller
from service.access.idempotency import Answer
from service.access.scopes import Scope
from service.api.answers import answer
from service.api.exams import Staff, origin_of
from service.api.inputs import OnceHere, PartsHere, needs
from service.exams.live.waiting import AttendedTerms, WaitingList, attend, waiting_list
from service.exams.roster.changing import CandidateChanges, change_candidate
from service.exams.schemas import Candidate

router = APIRouter(prefix="/v1/sessions/{session_id}", tags=["check-in"])
Invigilator = Annotated[Caller, needs(Scope.OVERRIDE)]
Anybody = Annotated[Caller, needs(Scope.OVERRIDE, Scope.EXAMS_WRITE)]


@router.get("/waiting", response_model=WaitingList)
def list_waiting(parts: PartsHere, caller: Staff, session_id: UUID) -> WaitingList:
    """All who need a person, oldest first, with the reasons."""
    return waiting_list(parts.desk, session_id)


@router.post("/waiting/attended", status_code=201, response_model=WaitingList)
def attend_to_waiting(
    request: Request,
    parts: PartsHere,
    caller: Invigilator,
    session_id: UUID,
    terms: AttendedTerms,
    once: OnceHere,
) -> Response:
    """Say that somebody who was turned away was seen to; answers with those who still wait."""

    def work(_: UUID) -> Answer:
        return answer(attend(parts.desk, session_id, terms, origin_of(request, caller)), 201)

    return once.run([terms.model_dump_json().encode()], work)


@router.patch("/candidates/{external_id}", response_model=Candidate)
def change_candidate_of_session(
    request: Request,
    parts: PartsHere,
    caller: Anybody,
    session_id: UUID,
    external_id: Annotated[str, Path(description="The candidate's external id, percent-encoded.")],
    changes: CandidateChanges,
) -> Candidate:
    """Move a candidate to another seat, mark a look-alike whom only a person admits, or allow attempts."""
    return change_candidate(parts.desk, session_id, unquote(external_id), changes, origin_of(request, caller))
