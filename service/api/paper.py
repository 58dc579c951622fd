"""/v1/sessions/{session_id}/paper: what was written on a room sheet, typed in afterwards."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import Field, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from service.access.callers import Caller
from service.access.idempotency import Answer
from service.access.scopes import Scope
from service.api.answers import answer
from service.api.exams import DryRun, Staff, origin_of
from service.api.inputs import OnceHere, PartsHere, invalid_body, needs
from service.api.reports import CSV_ANSWER, DELIMITERS, Separated, Separator, Zone, csv_file, file_name
from service.api.roster import MAX_ROSTER_BYTES, WORKBOOK_TYPE, inline_schema, media_type_of
from service.errors import BodyTooLarge
from service.exams.evidence.attendance import room_of
from service.exams.paper.file import COLUMNS, read_sheet, sheet_to_fill
from service.exams.paper.typing_in import MOST_LINES, PaperLine, PaperReport, type_in
from service.exams.sessions import find_session
from service.exams.terms import Terms
from service.http.bodies import read_body

router = APIRouter(prefix="/v1/sessions/{session_id}", tags=["paper"])
Invigilator = Annotated[Caller, needs(Scope.OVERRIDE)]


class PaperTerms(Terms):
    """The lines of a room sheet."""

    lines: list[PaperLine] = Field(min_length=1, max_length=MOST_LINES)


REQUEST_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": inline_schema(PaperTerms)},
            "text/csv": {
                "schema": {
                    "type": "string",
                    "description": f"as `paper.csv` gives it, filled in: {', '.join(COLUMNS)}; times like"
                    " 09:15 are of the session's day in `zone`, and empty lines are left out",
                }
            },
            WORKBOOK_TYPE: {"schema": {"type": "string", "format": "binary"}},
        },
    }
}


@router.post("/paper", response_model=PaperReport, openapi_extra=REQUEST_BODY)
async def type_in_paper(
    request: Request,
    parts: PartsHere,
    caller: Invigilator,
    session_id: UUID,
    once: OnceHere,
    zone: Zone,
    dry_run: DryRun = False,
) -> Response:
    """Record who came and left by a room sheet, with the paper's times and `source = paper`.

    Each line by itself: what is wrong with one stops no other, and a line that was typed in before changes
    nothing. Who is in already, otherwise than paper says, is a `conflict`, and nothing is merged.
    """
    kind = media_type_of(request)
    data = await read_body(request, MAX_ROSTER_BYTES, parts.settings.upload_seconds, BodyTooLarge)

    def work(_: UUID) -> Answer:
        lines = lines_of(data) if kind == "json" else read_sheet(parts.desk, session_id, data, zone)
        return answer(type_in(parts.desk, session_id, lines, origin_of(request, caller), dry_run=dry_run))

    return await run_in_threadpool(once.run, [kind.encode(), data], work)


@router.get(
    "/paper.csv",
    response_class=Response,
    responses={200: {"content": CSV_ANSWER, "description": "One line for each candidate, by seat."}},
)
def download_paper(
    parts: PartsHere, caller: Staff, session_id: UUID, zone: Zone, separator: Separated = Separator.COMMA
) -> Response:
    """The room as a table to type a room sheet into, and to send back filled in."""
    session = find_session(parts.desk, session_id)
    (room,) = room_of(parts.desk, session_id)
    return csv_file(sheet_to_fill(room, DELIMITERS[separator]), file_name(session, zone, "paper.csv"))


def lines_of(data: bytes) -> list[PaperLine]:
    """Lines as JSON.

    Raises:
        RequestValidationError: If they are none.
    """
    try:
        return PaperTerms.model_validate_json(data).lines
    except ValidationError as error:
        raise invalid_body(error) from error
