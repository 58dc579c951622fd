"""/v1/sessions/{session_id}/report.csv, and one candidate's evidence as a file."""

from typing import Annotated
from urllib.parse import unquote
from uuid import UUID

from fastapi import APIRouter, Path, Request
from starlette.responses import Response, StreamingResponse

from service.access.callers import Caller
from service.access.scopes import Scope
from service.api.exams import Staff, origin_of
from service.api.inputs import PartsHere, needs
from service.exams.evidence.csv_report import report_csv
from service.exams.evidence.export import Evidence, export_evidence
from service.scores import body_for

router = APIRouter(prefix="/v1/sessions/{session_id}", tags=["reports"])


@router.get(
    "/report.csv",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/csv": {}}, "description": "One line for each attempt and override."}},
)
def download_report(parts: PartsHere, caller: Staff, session_id: UUID) -> StreamingResponse:
    """Every attempt with its decision, every override; no cell is taken for a formula."""
    headers = download(f"session-{session_id}.csv")
    lines = report_csv(parts.desk, session_id, scores=caller.may(Scope.SCORES_READ))
    return StreamingResponse(lines, media_type="text/csv", headers=headers)


@router.get("/candidates/{external_id}/evidence", response_model=Evidence)
def download_evidence(
    request: Request,
    parts: PartsHere,
    caller: Annotated[Caller, needs(Scope.AUDIT_READ)],
    session_id: UUID,
    external_id: Annotated[str, Path(description="The candidate's external id, percent-encoded.")],
) -> Response:
    """All that is known about one candidate of a session, with the digests that prove it, as one file."""
    found = export_evidence(parts.desk, session_id, unquote(external_id), origin_of(request, caller))
    headers = download(f"evidence-{found.candidate.entry_id}.json")
    return Response(body_for(found, caller), media_type="application/json", headers=headers)


def download(name: str) -> dict[str, str]:
    """The headers of a file to keep; caches must not."""
    return {"content-disposition": f'attachment; filename="{name}"', "cache-control": "no-store"}
