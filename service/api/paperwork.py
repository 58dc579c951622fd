"""/v1/exams/{id}/paperwork: the papers that go with an exam, as Markdown to fill in."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from service.api.exams import Staff
from service.api.inputs import PartsHere
from service.api.reports import download
from service.exams.paperwork.documents import Paper, write_paper
from service.exams.paperwork.facts import collect_facts
from service.languages import choose_language
from service.paperwork import installed_of

router = APIRouter(prefix="/v1/exams", tags=["reports"])
Language = Annotated[
    str | None,
    Query(pattern="^[a-z]{2}$", description="of the notice; by default as the request prefers"),
]


@router.get(
    "/{exam_id}/paperwork/{paper}",
    response_class=Response,
    responses={
        200: {"content": {"text/markdown": {"schema": {"type": "string"}}}, "description": "A draft."}
    },
)
def write_exam_paper(
    request: Request, parts: PartsHere, caller: Staff, exam_id: UUID, paper: Paper, language: Language = None
) -> Response:
    """A draft from the exam's settings and the model's figures; what they do not say is a blank to fill in.

    The notice is written in the language that is asked for, the others in English.
    """
    facts = collect_facts(parts.desk, exam_id, installed_of(parts.settings, has_key=parts.cipher is not None))
    text = write_paper(facts, paper, language or choose_language(request))
    return Response(text, media_type="text/markdown", headers=download(f"{facts.exam.name} {paper}.md"))
