"""/v1/sessions/{session_id}/roster: who is expected, and how each stands."""

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.concurrency import run_in_threadpool

from service.access.scopes import Scope
from service.api.cursors import page_of, read_cursor
from service.api.exams import DryRun, Staff, Writer, origin_of
from service.api.inputs import Cursor, Limit, PartsHere
from service.errors import BodyTooLarge, WrongMediaType
from service.exams.roster.file import RosterDocument, Row, rows_of_csv, rows_of_document
from service.exams.roster.importing import Mode, import_roster
from service.exams.roster.report import RosterReport
from service.exams.schemas import Candidate
from service.exams.sessions import session_row
from service.exams.status import candidates_page
from service.http.bodies import read_body

router = APIRouter(prefix="/v1/sessions/{session_id}/roster", tags=["sessions"])

MAX_ROSTER_BYTES = 32 * 1024 * 1024
COLUMNS = "external_id, display_name, seat, manual_identification, twin, accommodation, exam, room"


def inline_schema(model: type[BaseModel]) -> dict[str, Any]:
    """A model's schema without references: those of a schema inside a document would lead out of it."""
    schema = model.model_json_schema(ref_template="{model}")
    definitions = schema.pop("$defs", {})

    def put_in(part: Any) -> Any:
        if isinstance(part, dict):
            return (
                put_in(definitions[part["$ref"]])
                if "$ref" in part
                else {k: put_in(v) for k, v in part.items()}
            )
        return [put_in(one) for one in part] if isinstance(part, list) else part

    inlined: dict[str, Any] = put_in(schema)
    return inlined


REQUEST_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "text/csv": {
                "schema": {
                    "type": "string",
                    "description": "RFC 4180 in UTF-8, in UTF-16 with a byte order mark, or in Windows-1252 "
                    f"behind a line `sep=;`; `,`, `;` or tab; columns in any order: {COLUMNS}.",
                }
            },
            "application/json": {"schema": inline_schema(RosterDocument)},
        },
    }
}


class CandidateList(BaseModel):
    """One page of candidates in the order of their external ids."""

    items: list[Candidate]
    next_cursor: str | None


Modes = Annotated[Mode, Query(description="`replace` removes whom the file does not name; `merge` does not")]
Create = Annotated[
    bool, Query(description="make a subject, without a template, of every unknown external id")
]
AllowEmpty = Annotated[bool, Query(description="let a file that names nobody empty the roster")]


@router.put("", response_model=RosterReport, openapi_extra=REQUEST_BODY)
async def put_roster(
    request: Request,
    parts: PartsHere,
    caller: Writer,
    session_id: UUID,
    dry_run: DryRun = False,
    mode: Modes = "replace",
    create_subjects: Create = False,
    allow_empty: AllowEmpty = False,
) -> RosterReport:
    """Import a roster, all of it or nothing, and report what changed and what is wrong.

    To make subjects of unknown ids takes the scope `enrol` as well.
    """
    if create_subjects:
        caller.require([Scope.ENROL])
    kind = media_type_of(request)
    data = await read_body(request, MAX_ROSTER_BYTES, parts.settings.upload_seconds, BodyTooLarge)

    def work() -> RosterReport:
        rows = rows_of_csv(data) if kind == "csv" else rows_of_json(data)
        origin = origin_of(request, caller)
        options: dict[str, Any] = {"dry_run": dry_run, "mode": mode, "create_subjects": create_subjects}
        options["allow_empty"] = allow_empty
        return import_roster(parts.desk, session_id, rows, origin, **options)

    return await run_in_threadpool(work)


@router.get("", response_model=CandidateList)
def show_roster(
    parts: PartsHere, caller: Staff, session_id: UUID, limit: Limit = 50, cursor: Cursor = None
) -> CandidateList:
    """The candidates with their flags and how each stands."""
    after = read_cursor(cursor) if cursor else ""
    with parts.database.read() as db:
        session_row(db, session_id)
        found = candidates_page(db, session_id, limit + 1, after)
    items, following = page_of(found, limit, lambda candidate: candidate.external_id)
    return CandidateList(items=items, next_cursor=following)


def media_type_of(request: Request) -> Literal["csv", "json"]:
    """Which of the two forms a roster comes in.

    Raises:
        WrongMediaType: If it is neither.
    """
    declared = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if declared in ("text/csv", "application/csv", "application/vnd.ms-excel"):
        return "csv"
    if declared == "application/json":
        return "json"
    raise WrongMediaType("/header/content-type", declared, "text/csv or application/json")


def rows_of_json(data: bytes) -> list[Row]:
    """The candidates of a JSON roster.

    Raises:
        RequestValidationError: If it is not one.
        RosterUnreadable: If a field cannot be used.
    """
    try:
        return rows_of_document(RosterDocument.model_validate_json(data))
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
        raise RequestValidationError([{**one, "loc": ("body", *one["loc"])} for one in found]) from error
