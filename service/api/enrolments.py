"""/v1/enrolments: many photos, each of somebody who is named by an external id."""

from pathlib import Path
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from service.access.callers import Caller
from service.access.idempotency import Answer
from service.access.scopes import Scope
from service.api.answers import answer
from service.api.inputs import OnceHere, PartsHere, form_schema, needs, on_pictures
from service.api.templates import Force, NearSubject, Reason, forced_reason, warning_of
from service.errors import InvalidRequest, SourceInvalid
from service.http.bodies import read_body
from service.http.uploads import Form
from service.matching.bulk_enrolment import Fate
from service.matching.photo_enrolment import PhotoFate, enrol_photo, rehearse_photo
from service.matching.photo_lists import ListRow, rows_of_list

router = APIRouter(prefix="/v1/enrolments", tags=["enrolments"])

LIST_BYTES = 8 * 1024 * 1024
MAX_ROWS = 50_000
MAX_TEXT = 255
TEXT = {"type": "string", "maxLength": MAX_TEXT}
FIELDS = {
    "external_id": {**TEXT, "description": "whom the photo shows; whoever is not known is added"},
    "display_name": {**TEXT, "description": "for somebody who has no name yet"},
}
PHOTO = form_schema(("image",), FIELDS, ("external_id",))
COLUMNS_OF_LIST = {"type": "string", "description": "with the columns external_id, display_name and path"}
SHEET = {"requestBody": {"required": True, "content": {"text/csv": {"schema": COLUMNS_OF_LIST}}}}


class PhotoEnrolment(BaseModel):
    """What became of one photo; one that is refused is a problem, whose `code` says why."""

    fate: Fate = Field(description="`known`: this photo of this person is enrolled already")
    subject_id: UUID | None = Field(description="null in a dry run, where the person is not known")
    template_id: UUID | None
    warnings: list[str | NearSubject]


class PhotoListRow(BaseModel):
    """One line of a list of photos."""

    line: int
    external_id: str
    display_name: str | None
    path: str = Field(description="of the photo, seen from the list")


class PhotoList(BaseModel):
    """A list of photos, as it was read."""

    items: list[PhotoListRow]
    next_cursor: None = None


@router.post("", response_model=PhotoEnrolment, openapi_extra=PHOTO)
async def enrol_photo_of(
    request: Request,
    parts: PartsHere,
    caller: Annotated[Caller, needs(Scope.ENROL)],
    once: OnceHere,
    dry_run: Annotated[bool, Query(description="say what it would come to; nothing is changed")] = False,
    force: Force = False,
    reason: Reason = None,
) -> Response:
    """Enrol one photo of somebody who is named by an external id, and is added where nobody has it.

    A dry run compares with who is enrolled, and not with other photos of the same list.
    """
    forced = forced_reason(force, reason)

    def work(form: Form, template_id: UUID) -> Answer:
        external_id = form.fields.get("external_id", "")
        if not external_id:
            raise InvalidRequest(
                "/body/external_id", "missing", "A photo needs the external id of its person."
            )
        picture = form.images["image"]
        if dry_run:
            found = rehearse_photo(parts, external_id, picture)
        else:
            found = enrol_photo(
                parts,
                external_id,
                form.fields.get("display_name") or None,
                picture,
                actor=caller.actor,
                template_id=template_id,
                force_reason=forced,
                request_id=request.state.request_id,
            )
        return answer(told(found, caller), subject_id=found.subject_id)

    return await on_pictures(request, parts, once, ("image",), work, fields=tuple(FIELDS))


@router.post("/list", response_model=PhotoList, openapi_extra=SHEET)
async def read_photo_list(
    request: Request, parts: PartsHere, caller: Annotated[Caller, needs(Scope.ENROL)]
) -> PhotoList:
    """Read a list of photos in CSV, as the command line does; nothing is stored."""
    data = await read_body(request, LIST_BYTES, parts.settings.upload_seconds)
    found: list[ListRow] = []
    try:
        for row in rows_of_list(data, Path("list")):
            if len(found) == MAX_ROWS:
                raise InvalidRequest("/body", "too_many_rows", f"A list has at most {MAX_ROWS:,} rows.")
            found.append(row)
    except SourceInvalid as error:
        place = "" if error.line is None else f"line {error.line}: "
        raise InvalidRequest("/body", "list_unreadable", f"{place}{error.reason}.") from error
    return PhotoList(items=[PhotoListRow.model_validate(vars(row)) for row in found])


def told(found: PhotoFate, caller: Caller) -> PhotoEnrolment:
    """What became of a photo, as this caller may know it."""
    return PhotoEnrolment(
        fate=found.fate,
        subject_id=found.subject_id,
        template_id=found.template_id,
        warnings=[warning_of(one, caller) for one in found.warnings],
    )
