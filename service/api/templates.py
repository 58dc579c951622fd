"""/v1/subjects/{subject}/templates: enrolment, and what is enrolled."""

import time
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from embedding.quality import LIMITS, Purpose
from index.gallery.enrolment import EnrolledTemplate, EnrolmentWarning
from index.gallery.poor import find_poor_reasons
from index.subjects.subjects import ExternalId
from service.access.callers import Caller
from service.access.idempotency import Answer
from service.access.scopes import Scope
from service.api.answers import answer
from service.api.inputs import OnceHere, PartsHere, SubjectHere, form_schema, needs, on_pictures
from service.decisions.decision import Quality, StageTimes
from service.errors import InvalidRequest
from service.exams.checkin.uses import Uses, uses_of
from service.http.uploads import Form
from service.matching.enrolling import count_refusal, enrol_embedding
from service.parts import Parts

router = APIRouter(prefix="/v1/subjects/{subject}/templates", tags=["templates"])


class TemplateFacts(BaseModel):
    """What may be told about a template; never its vector."""

    id: UUID
    subject_id: UUID
    model_id: str
    created_at: datetime


class StoredTemplate(TemplateFacts):
    """A template in a list: what was measured in its picture, and what it has been used for."""

    measures: dict[str, Any]
    limits: dict[str, float] = Field(description="what a picture is held against at enrolment today")
    poor: list[str] = Field(description="why its picture would not be enrolled today")
    is_current: bool = Field(description="of the model in use; one of a former model waits for a new picture")
    checkins: int = Field(description="attempts at the door that were decided by it, as far as they are kept")
    last_checkin_at: datetime | None


class NearSubject(BaseModel):
    """Another subject who would match the new template, or who is enrolled by the same photograph."""

    code: Literal["near_other_subject", "same_photograph"]
    subject_id: UUID
    external_id: str | None


class Enrolment(BaseModel):
    """A new template, the quality of its picture, and what the operator should know.

    `duplicate_not_refused` and `disagreement_not_refused` were forced; `near_other_subject` is not so near as
    a duplicate, but a photograph of one may match the other. `same_photograph` names whoever is enrolled by
    this very photograph, as far as crops are kept.
    """

    template: TemplateFacts
    quality: Quality
    warnings: list[str | NearSubject] = Field(description="a code, or with it the subject whom it concerns")
    timings_ms: StageTimes
    request_id: str


class TemplateList(BaseModel):
    """Every template of one subject; there are never so many that they need pages."""

    items: list[StoredTemplate]
    next_cursor: None = None


Force = Annotated[
    bool,
    Query(
        description="enrol although another subject has this face (twins), "
        "or the subject's other templates another one"
    ),
]
Reason = Annotated[str | None, Query(min_length=3, max_length=500, description="why; needed with `force`")]


@router.post("", status_code=201, response_model=Enrolment, openapi_extra=form_schema(("image",)))
async def enrol_template(
    request: Request,
    parts: PartsHere,
    caller: Annotated[Caller, needs(Scope.ENROL)],
    subject: SubjectHere,
    once: OnceHere,
    force: Force = False,
    reason: Reason = None,
) -> Response:
    """Enrol one photograph of a subject: one face, good enough, and not already somebody else's."""
    forced = forced_reason(force, reason)

    def work(form: Form, template_id: UUID) -> Answer:
        return enrol(
            parts, caller, subject, form.images["image"], template_id, forced, request.state.request_id
        )

    return await on_pictures(request, parts, once, ("image",), work)


@router.get("", response_model=TemplateList)
def list_templates(
    parts: PartsHere, caller: Annotated[Caller, needs(Scope.SUBJECTS_READ)], subject: SubjectHere
) -> TemplateList:
    """The subject's templates, without their vectors."""
    subject_id = parts.subjects.id_of(subject)
    uses = uses_of(parts.database, subject_id)
    items = [
        stored(one, parts.model.id, uses.get(one.id, Uses()))
        for one in parts.gallery.templates_of(subject_id)
    ]
    return TemplateList(items=items)


@router.delete("/{template_id}", status_code=204)
def remove_template(
    request: Request,
    parts: PartsHere,
    caller: Annotated[Caller, needs(Scope.ENROL)],
    subject: SubjectHere,
    template_id: UUID,
) -> Response:
    """Remove a template; before the answer it is gone, and is never found again."""
    found = parts.subjects.find(subject)
    parts.gallery.remove(found.id, template_id, actor=caller.actor, request_id=request.state.request_id)
    parts.note_anchor()
    return Response(status_code=204)


def enrol(
    parts: Parts,
    caller: Caller,
    subject: UUID | ExternalId,
    picture: bytes,
    template_id: UUID,
    force_reason: str | None,
    request_id: str,
) -> Answer:
    """Picture → template → gallery, under the id that the caller's Idempotency-Key stands for."""
    found = parts.subjects.find(subject)
    parts.gallery.require_basis(found.id)
    embedding = parts.embedder.embed(picture, Purpose.ENROL)
    started = time.perf_counter()
    with count_refusal(parts, found.id, force_reason):
        template = enrol_embedding(
            parts,
            found.id,
            embedding,
            actor=caller.actor,
            template_id=template_id,
            force_reason=force_reason,
            request_id=request_id,
        )
    search_ms = (time.perf_counter() - started) * 1000
    parts.metrics.timed(embedding.timings)
    document = Enrolment(
        template=TemplateFacts.model_validate(template, from_attributes=True),
        quality=Quality.of(embedding.quality),
        warnings=[warning_of(one, caller) for one in template.warnings],
        timings_ms=StageTimes.of(embedding.timings, search_ms),
        request_id=request_id,
    )
    return answer(document, 201, subject_id=found.id)


def forced_reason(force: bool, reason: str | None) -> str | None:
    """Why something is enrolled all the same; None where it is not.

    Raises:
        InvalidRequest: If it is forced without a reason.
    """
    if force and reason is None:
        raise InvalidRequest(
            "/query/reason", "missing", "`force` needs a reason; it goes into the audit trail."
        )
    return reason if force else None


def warning_of(warning: EnrolmentWarning, caller: Caller) -> str | NearSubject:
    """A warning as it is answered; it names somebody else to those who may read subjects."""
    if warning.subject_id is None or not caller.may(Scope.SUBJECTS_READ):
        return warning.code
    return NearSubject.model_validate(warning, from_attributes=True)


def stored(template: EnrolledTemplate, model_id: str, uses: Uses) -> StoredTemplate:
    """A template as it is listed."""
    return StoredTemplate(
        id=template.id,
        subject_id=template.subject_id,
        model_id=template.model_id,
        created_at=template.created_at,
        measures=template.quality,
        limits=asdict(LIMITS[Purpose.ENROL]),
        poor=list(find_poor_reasons(template.quality)),
        is_current=template.model_id == model_id,
        checkins=uses.count,
        last_checkin_at=uses.last_at,
    )
