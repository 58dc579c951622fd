"""/v1/exams/{exam_id}/groups-report: an exam's transactions by groups that a file names and nobody keeps."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from service.access.callers import Caller
from service.access.scopes import Scope
from service.api.exams import origin_of
from service.api.inputs import PartsHere, needs
from service.api.roster import MAX_ROSTER_BYTES, WORKBOOK_TYPE, media_type_of
from service.errors import BodyTooLarge, WrongMediaType
from service.exams.evidence.groups import GroupsReport, read_groups, report_groups
from service.http.bodies import read_body

router = APIRouter(prefix="/v1/exams/{exam_id}", tags=["reports"])
Auditor = Annotated[Caller, needs(Scope.AUDIT_READ)]
REQUEST_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "text/csv": {
                "schema": {"type": "string", "description": "with the columns external_id and group"}
            },
            WORKBOOK_TYPE: {"schema": {"type": "string", "format": "binary"}},
        },
    }
}


@router.post("/groups-report", response_model=GroupsReport, openapi_extra=REQUEST_BODY)
async def report_by_group(request: Request, parts: PartsHere, caller: Auditor, exam_id: UUID) -> Response:
    """Attempts, seconds, failures to acquire, referrals and errors of each group, with intervals.

    The file is read in memory and kept nowhere; groups of fewer than 20 people who tried are left out.
    """
    if media_type_of(request) == "json":
        raise WrongMediaType("/header/content-type", "application/json", "text/csv or an Excel workbook")
    data = await read_body(request, MAX_ROSTER_BYTES, parts.settings.upload_seconds, BodyTooLarge)

    def work() -> GroupsReport:
        return report_groups(parts.database, exam_id, read_groups(data), origin_of(request, caller))

    report = await run_in_threadpool(work)
    return Response(
        report.model_dump_json(), media_type="application/json", headers={"cache-control": "no-store"}
    )
