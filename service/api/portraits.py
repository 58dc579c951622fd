"""/v1/subjects/{subject}/portrait: a picture of a person that the office keeps."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.responses import Response

from index.subjects.portraits import Portrait
from service.access.callers import Caller
from service.access.idempotency import Answer
from service.access.scopes import Scope
from service.api.answers import answer
from service.api.inputs import OnceHere, PartsHere, SubjectHere, form_schema, needs, on_pictures
from service.http.uploads import Form
from service.matching.self_enrolment import keep_portrait

router = APIRouter(prefix="/v1/subjects/{subject}/portrait", tags=["subjects"])
Enroller = Annotated[Caller, needs(Scope.ENROL)]


class PortraitDocument(BaseModel):
    """A portrait without its picture."""

    id: UUID
    subject_id: UUID
    created_at: datetime

    @classmethod
    def of(cls, portrait: Portrait) -> "PortraitDocument":
        """A portrait as it is shown."""
        return cls.model_validate(vars(portrait))


@router.put("", response_model=PortraitDocument, openapi_extra=form_schema(("image",)))
async def put_portrait(
    request: Request, parts: PartsHere, caller: Enroller, subject: SubjectHere, once: OnceHere
) -> Response:
    """Keep a portrait, in place of a former one: one face. It is sealed, and is not a template.

    It is shown beside a picture that the person sends, and in a case where no crop is kept. A direct link
    enrols at once what matches it.
    """

    def work(form: Form, portrait_id: UUID) -> Answer:
        made = keep_portrait(
            parts,
            parts.subjects.id_of(subject),
            form.images["image"],
            actor=caller.actor,
            portrait_id=portrait_id,
            request_id=request.state.request_id,
        )
        parts.note_anchor()
        return answer(PortraitDocument.of(made), subject_id=made.subject_id)

    return await on_pictures(request, parts, once, ("image",), work)


@router.get(
    "",
    response_class=Response,
    responses={200: {"content": {"image/jpeg": {}}, "description": "The portrait."}},
)
def show_portrait(request: Request, parts: PartsHere, caller: Enroller, subject: SubjectHere) -> Response:
    """The portrait; that somebody has looked goes into the audit trail."""
    picture = parts.portraits.open(
        parts.subjects.id_of(subject), actor=caller.actor, request_id=request.state.request_id
    )
    return Response(picture, media_type="image/jpeg", headers={"cache-control": "no-store"})


@router.delete("", status_code=204)
def remove_portrait(request: Request, parts: PartsHere, caller: Enroller, subject: SubjectHere) -> Response:
    """Remove the portrait; direct links then bring proposals."""
    parts.portraits.remove(
        parts.subjects.id_of(subject), actor=caller.actor, request_id=request.state.request_id
    )
    parts.note_anchor()
    return Response(status_code=204)
