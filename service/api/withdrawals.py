"""/v1/subjects/{subject}/withdrawal: a person's consent ends, at once or by a link of their own."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from index.consent.withdrawal import issue_link
from service.access.callers import Caller
from service.access.idempotency import Answer
from service.access.scopes import Scope
from service.api.answers import answer
from service.api.inputs import OnceHere, PartsHere, SubjectHere, needs

router = APIRouter(prefix="/v1/subjects/{subject}", tags=["subjects"])


class WithdrawalReceiptDocument(BaseModel):
    """Proof of a withdrawal; it holds nothing of the person but the id."""

    subject_id: UUID
    withdrawn_at: datetime
    templates: int = Field(description="templates that were removed with it")
    crops: int = Field(description="kept crops that were removed with it")
    responses: int = Field(description="kept answers to earlier requests that were removed with it")
    audit_seq: int = Field(description="the event of the withdrawal in the audit chain")


class WithdrawalLinkDocument(BaseModel):
    """A link by which the person withdraws consent; it works once and cannot be shown again."""

    subject_id: UUID
    url: str
    expires_at: datetime


@router.post("/withdrawal", response_model=WithdrawalReceiptDocument)
def withdraw_consent(
    request: Request,
    parts: PartsHere,
    caller: Annotated[Caller, needs(Scope.ENROL)],
    subject: SubjectHere,
    once: OnceHere,
) -> Response:
    """End a subject's consent: templates, crops and kept answers are gone before this answers."""

    def work(_: UUID) -> Answer:
        found = parts.subjects.find(subject)
        receipt = parts.gallery.withdraw(found.id, actor=caller.actor, request_id=request.state.request_id)
        parts.note_anchor()
        document = WithdrawalReceiptDocument.model_validate(vars(receipt))
        return answer(document, subject_id=found.id)

    return once.run([], work)


@router.post("/withdrawal-link", status_code=201, response_model=WithdrawalLinkDocument)
def issue_withdrawal_link(
    request: Request,
    parts: PartsHere,
    caller: Annotated[Caller, needs(Scope.ENROL)],
    subject: SubjectHere,
    once: OnceHere,
) -> Response:
    """A link for the person alone: whoever has it can withdraw their consent, and nothing else."""

    def work(_: UUID) -> Answer:
        found = parts.subjects.find(subject)
        with parts.database.write() as db:
            link = issue_link(
                db,
                found.id,
                days=parts.settings.withdrawal_link_days,
                actor=caller.actor,
                request_id=request.state.request_id,
            )
        base = (parts.settings.public_url or str(request.base_url)).rstrip("/")
        url = f"{base}/withdraw/{link.token}"
        document = WithdrawalLinkDocument(subject_id=found.id, url=url, expires_at=link.expires_at)
        return answer(document, 201, subject_id=found.id)

    return once.run([], work)
