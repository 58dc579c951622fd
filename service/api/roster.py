"""/v1/sessions/{session_id}/roster: who is expected, and how each stands."""

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ValidationError
from starlette.concurrency import run_in_threadpool

from service.access.scopes import Scope
from service.api.cursors import page_of, read_cursor
from service.api.exams import DryRun, Staff, Writer, origin_of
from service.api.inputs import Cursor, Limit, PartsHere, invalid_body
from service.errors import BodyTooLarge, WrongMediaType
from service.exams.roster.file import Reading, RosterDocument, read_document, read_list
from service.exams.roster.importing import Mode, import_roster
from service.exams.roster.layouts import MAX_NAME_CHARACTERS, find_layout, kept_layouts
from service.exams.roster.report import RosterReport
from service.exams.roster.today import LetInToday, read_let_in_today
from service.exams.schemas import Candidate
from service.exams.sessions import session_row
from service.exams.status import candidates_page
from service.http.bodies import read_body
from service.parts import Parts

router = APIRouter(prefix="/v1/sessions/{session_id}/roster", tags=["sessions"])

MAX_ROSTER_BYTES = 32 * 1024 * 1024
WORKBOOK_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
COLUMNS = (
    "external_id, display_name, seat, manual_identification, private_check, twin, accommodation, exam, room"
)


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
                    f"behind a line `sep=;`; `,`, `;` or tab; columns in any order: {COLUMNS}. "
                    "Lists with other headings are read by a list layout.",
                }
            },
            WORKBOOK_TYPE: {
                "schema": {
                    "type": "string",
                    "format": "binary",
                    "description": "an Excel workbook; its first sheet that is not empty",
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
ByLayout = Annotated[
    str | None,
    Query(
        max_length=MAX_NAME_CHARACTERS,
        description="the list layout that the list is read by; without it, the columns' own names, else the"
        " kept layout that fits",
    ),
]
ExpectRemoved = Annotated[
    int | None,
    Query(
        ge=0,
        description="how many candidates the dry run said would go: with another number by now nobody does"
        " (`roster_changed`)",
    ),
]


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
    layout: ByLayout = None,
    expect_removed: ExpectRemoved = None,
) -> RosterReport:
    """Import a roster, all of it or nothing, and report what changed and what is wrong.

    To make subjects of unknown ids takes the scope `enrol` as well.
    """
    if create_subjects:
        caller.require([Scope.ENROL])
    kind = media_type_of(request)
    data = await read_body(request, MAX_ROSTER_BYTES, parts.settings.upload_seconds, BodyTooLarge)

    def work() -> RosterReport:
        reading = read_document_of(data) if kind == "json" else read_list_of(parts, data, layout)
        origin = origin_of(request, caller)
        options: dict[str, Any] = {"dry_run": dry_run, "mode": mode, "create_subjects": create_subjects}
        options |= {"allow_empty": allow_empty, "expect_removed": expect_removed, "reading": reading}
        return import_roster(parts.desk, session_id, reading.rows, origin, **options)

    return await run_in_threadpool(work)


class LetInTodayList(BaseModel):
    """Candidates who were let in to another exam within the last 24 hours."""

    items: list[LetInToday]


@router.get("/let-in-today", response_model=LetInTodayList)
def list_let_in_today(
    parts: PartsHere,
    caller: Staff,
    session_id: UUID,
    external_id: Annotated[str | None, Query(max_length=255, description="this candidate alone")] = None,
) -> LetInTodayList:
    """Who was let in to another exam today, where and when; to an operator of some exams, theirs alone."""
    found = read_let_in_today(parts.desk, session_id, external_id, caller.exam_ids)
    return LetInTodayList(items=found)


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


def media_type_of(request: Request) -> Literal["list", "json"]:
    """Which of the two forms a roster comes in; a list says by its first bytes what it is.

    Raises:
        WrongMediaType: If it is neither.
    """
    declared = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if declared in ("text/csv", "application/csv", "application/vnd.ms-excel", WORKBOOK_TYPE):
        return "list"
    if declared == "application/json":
        return "json"
    raise WrongMediaType("/header/content-type", declared, "text/csv, an Excel workbook or application/json")


def read_list_of(parts: Parts, data: bytes, layout: str | None) -> Reading:
    """A roster in a list.

    Raises:
        ListLayoutNotFound: If no such layout is kept.
        RosterUnreadable: As `read_list`.
    """
    if layout is not None:
        return read_list(data, chosen=find_layout(parts.database, layout))
    return read_list(data, kept_layouts(parts.database))


def read_document_of(data: bytes) -> Reading:
    """A JSON roster.

    Raises:
        RequestValidationError: If it is not one.
    """
    try:
        return read_document(RosterDocument.model_validate_json(data))
    except ValidationError as error:
        raise invalid_body(error) from error
