"""/v1/exams: exams, and the purge of what they leave."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel
from starlette.responses import Response

from index.audit import Origin
from service.access.callers import Caller
from service.access.idempotency import Answer
from service.access.scopes import Scope
from service.api.answers import answer
from service.api.cursors import page_of, read_id
from service.api.inputs import Cursor, Limit, OnceHere, PartsHere, needs
from service.exams import exams
from service.exams.archive import remove_exam
from service.exams.evidence.retention import Purge, purge_exam
from service.exams.schemas import Exam, ExamDefaults
from service.exams.terms import ExamChanges, ExamTerms
from service.fields import Moment

router = APIRouter(prefix="/v1/exams", tags=["exams"])
Writer = Annotated[Caller, needs(Scope.EXAMS_WRITE)]
Staff = Annotated[Caller, needs(Scope.EXAMS_WRITE, Scope.OVERRIDE, Scope.AUDIT_READ)]
Archived = Annotated[bool, Query(description="those in the archive instead of the others")]
EndsAfter = Annotated[Moment | None, Query(description="those that end at this moment or later")]
StartsBefore = Annotated[Moment | None, Query(description="those that start before this moment")]
Why = Annotated[str | None, Query(min_length=3, max_length=500, description="why; goes into the audit trail")]
DryRun = Annotated[bool, Query(description="only say what would happen")]


class ExamList(BaseModel):
    """One page of exams, newest first."""

    items: list[Exam]
    next_cursor: str | None


def origin_of(request: Request, caller: Caller) -> Origin:
    """In whose name, and with which request, something is done."""
    return Origin(caller.actor, request.state.request_id, caller.may(Scope.ADMIN), caller.operator)


@router.post("", status_code=201, response_model=Exam)
def create_exam(
    request: Request, parts: PartsHere, caller: Writer, terms: ExamTerms, once: OnceHere
) -> Response:
    """Make an exam: its rules hold for all its sessions."""

    def work(exam_id: UUID) -> Answer:
        return answer(exams.create_exam(parts.desk, terms, origin_of(request, caller), exam_id), 201)

    return once.run([terms.model_dump_json().encode()], work)


@router.get("", response_model=ExamList)
def list_exams(
    parts: PartsHere,
    caller: Staff,
    limit: Limit = 50,
    cursor: Cursor = None,
    archived: Archived = False,
    since: EndsAfter = None,
    until: StartsBefore = None,
) -> ExamList:
    """The exams, newest first; to an operator who is held to some, these."""
    within = (since, until)
    only = caller.exam_ids
    found = exams.exams_page(
        parts.desk, limit + 1, read_id(cursor), archived=archived, only=only, within=within
    )
    items, following = page_of(found, limit, lambda exam: exam.id)
    return ExamList(items=items, next_cursor=following)


@router.get("/defaults", response_model=ExamDefaults)
def show_exam_defaults(parts: PartsHere, caller: Writer) -> ExamDefaults:
    """What holds for an exam that sets nothing itself, the server's rates among it."""
    return exams.exam_defaults(parts.desk)


@router.get("/{exam_id}", response_model=Exam)
def show_exam(parts: PartsHere, caller: Staff, exam_id: UUID) -> Exam:
    """One exam with the rates in force."""
    return exams.find_exam(parts.desk, exam_id)


@router.patch("/{exam_id}", response_model=Exam)
def change_exam(
    request: Request, parts: PartsHere, caller: Writer, exam_id: UUID, changes: ExamChanges
) -> Exam:
    """Change an exam's rules; what was decided under the former ones stays as it is."""
    return exams.change_exam(parts.desk, exam_id, changes, origin_of(request, caller))


@router.delete(
    "/{exam_id}",
    response_model=Exam,
    responses={204: {"description": "It had no attempt and is deleted."}},
)
def delete_exam(
    request: Request, parts: PartsHere, caller: Writer, exam_id: UUID, reason: Why = None
) -> Exam | Response:
    """Archive an exam that has an attempt: it stays readable and takes no change. Another one is deleted.

    While one of its sessions is open it takes an administrator and a reason.
    """
    archived = remove_exam(parts.desk, exam_id, origin_of(request, caller), reason)
    parts.note_anchor()
    return archived or Response(status_code=204)


@router.post("/{exam_id}/purge", response_model=Purge)
def purge(
    request: Request,
    parts: PartsHere,
    caller: Annotated[Caller, needs(Scope.ADMIN)],
    exam_id: UUID,
    once: OnceHere,
    dry_run: DryRun = False,
) -> Response:
    """Remove an exam's rosters, attempts, overrides and pictures once their retention is over."""

    def work(_: UUID) -> Answer:
        return answer(purge_exam(parts.database, exam_id, origin_of(request, caller), dry_run=dry_run))

    return once.run([], work)
