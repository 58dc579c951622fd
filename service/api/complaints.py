"""/v1/complaints: complaints about check-ins, each with the day by which it is answered."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel
from starlette.responses import Response

from service.access.callers import Caller
from service.access.idempotency import Answer
from service.access.scopes import Scope
from service.api.answers import answer
from service.api.exams import Staff, Writer, origin_of
from service.api.inputs import OnceHere, PartsHere, needs
from service.exams import complaints
from service.exams.complaints import Complaint, ComplaintAnswer, NewComplaint

router = APIRouter(prefix="/v1", tags=["complaints"])
Taker = Annotated[Caller, needs(Scope.EXAMS_WRITE, Scope.OVERRIDE)]


class ComplaintList(BaseModel):
    """Complaints, the first due first."""

    items: list[Complaint]


@router.post("/checkins/{checkin_id}/complaints", status_code=201, response_model=Complaint)
def take_complaint(
    request: Request, parts: PartsHere, caller: Taker, checkin_id: UUID, new: NewComplaint, once: OnceHere
) -> Response:
    """Record a complaint about a check-in; its exam's evidence is on hold until it is answered."""

    def work(complaint_id: UUID) -> Answer:
        made = complaints.take_complaint(
            parts.desk, checkin_id, new, origin_of(request, caller), complaint_id
        )
        return answer(made, 201)

    return once.run([new.model_dump_json().encode()], work)


@router.get("/complaints", response_model=ComplaintList)
def list_complaints(
    parts: PartsHere,
    caller: Staff,
    answered: Annotated[bool, Query(description="those with an answer instead of the open ones")] = False,
    checkin_id: Annotated[UUID | None, Query(description="about this check-in alone")] = None,
) -> ComplaintList:
    """The open complaints, the first due first; to an operator who is held to some exams, theirs."""
    found = complaints.list_complaints(
        parts.desk, answered=answered, checkin_id=checkin_id, only=caller.exam_ids
    )
    return ComplaintList(items=found)


@router.post("/complaints/{complaint_id}/answer", response_model=Complaint)
def answer_complaint(
    request: Request,
    parts: PartsHere,
    caller: Writer,
    complaint_id: UUID,
    terms: ComplaintAnswer,
    once: OnceHere,
) -> Response:
    """Record the answer; the complaint's hold is lifted."""

    def work(_: UUID) -> Answer:
        return answer(
            complaints.answer_complaint(parts.desk, complaint_id, terms, origin_of(request, caller))
        )

    return once.run([terms.model_dump_json().encode()], work)
