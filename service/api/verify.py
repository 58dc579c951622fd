"""/v1/subjects/{subject}/verify: is this the subject?"""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import Response

from service.access.callers import Caller
from service.access.idempotency import Answer
from service.access.scopes import Scope
from service.api.answers import answer
from service.api.inputs import OnceHere, PartsHere, SubjectHere, form_schema, needs, on_pictures
from service.decisions.decision import Decision, Outcome
from service.http.uploads import Form
from service.matching.comparisons import verify

router = APIRouter(prefix="/v1/subjects/{subject}/verify", tags=["decisions"])


@router.post("", response_model=Decision, openapi_extra=form_schema(("image",)))
async def verify_subject(
    request: Request,
    parts: PartsHere,
    caller: Annotated[Caller, needs(Scope.VERIFY)],
    subject: SubjectHere,
    once: OnceHere,
) -> Response:
    """Compare one photograph with this subject's templates, and with nobody else's."""

    def work(form: Form, _: UUID) -> Answer:
        subject_id = parts.subjects.id_of(subject)
        with parts.guesses.comparing(subject_id) as comparison:
            decision = verify(parts, subject_id, form.images["image"], request.state.request_id)
            if decision.decision is not Outcome.MATCH:
                comparison.failed.add(subject_id)
        return answer(decision, reader=caller, subject_id=subject_id)

    return await on_pictures(request, parts, once, ("image",), work)
