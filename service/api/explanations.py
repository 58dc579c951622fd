"""/v1/checkins/{checkin_id}/explanation: which places of the two kept pictures made them near or far."""

from typing import Annotated, Literal
from uuid import UUID

import numpy as np
from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from embedding.explaining import Map, draw_maps
from embedding.image import encode_png
from service.access.callers import Caller
from service.access.scopes import Scope
from service.api.answers import shown_to
from service.api.exams import origin_of
from service.api.inputs import PartsHere, in_picture_pool, needs
from service.decisions.scores import SCORE, Scored
from service.exams.checkin.explanation import ExplainedCase, explain_checkin

router = APIRouter(prefix="/v1/checkins/{checkin_id}", tags=["check-in"])
Viewer = Annotated[Caller, needs(Scope.OVERRIDE, Scope.AUDIT_READ)]

Corner = tuple[float, float]
WHOLE: list[Corner] = [(0, 0), (1, 0), (1, 1), (0, 1)]


class ExplainedFace(BaseModel):
    """One face's map."""

    cells: list[list[float]] = Field(
        description="7 rows of 7 cells from the top left; above 0 what made the two near, below 0 far"
    )
    corners: list[Corner] = Field(
        description="where the cells' top left, top right, bottom right and bottom left lie in the kept"
        " picture, as parts of its width and height; they may lie beyond its edge"
    )


class CaseExplanation(Scored):
    """The maps of both kept pictures of an attempt, by occlusion."""

    checkin_id: UUID
    template_id: UUID | None = Field(
        description="of the enrolled crop: the compared one where its crop is kept, or another"
    )
    model_id: str
    method: Literal["occlusion"] = "occlusion"
    unit: Literal["d", "largest"] = Field(
        description="`d`: cells are what d gains where they are covered; without `scores:read` `largest`:"
        " parts of the largest of both faces"
    )
    d: float = Field(
        ge=0, le=4, description="of the kept pictures; the decision saw a larger one", json_schema_extra=SCORE
    )
    probe: ExplainedFace
    enrolment: ExplainedFace


@router.get("/explanation", response_model=CaseExplanation)
async def explain_checkin_pictures(
    request: Request, parts: PartsHere, caller: Viewer, checkin_id: UUID
) -> Response:
    """Which places of both faces made them near or far; that the pictures were looked at is recorded.

    Each of 49 cells of each face is covered in turn, and compared. It takes a worker for pictures.
    """
    origin = origin_of(request, caller)
    found = await in_picture_pool(request, parts, lambda: explain_checkin(parts.desk, checkin_id, origin))
    response = shown_to(document(checkin_id, found, caller), caller)
    response.headers["cache-control"] = "no-store"
    return response


@router.get(
    "/explanation.png",
    response_class=Response,
    responses={200: {"content": {"image/png": {}}, "description": "Both faces: blue near, orange far."}},
)
async def draw_explanation(request: Request, parts: PartsHere, caller: Viewer, checkin_id: UUID) -> Response:
    """The same as a picture of both faces side by side: the one at the door, then the enrolled one."""
    origin = origin_of(request, caller)

    def work() -> bytes:
        found = explain_checkin(parts.desk, checkin_id, origin)
        return encode_png(draw_maps([found.probe, found.enrolled], [found.maps.a, found.maps.b]))

    picture = await in_picture_pool(request, parts, work)
    return Response(picture, headers={"cache-control": "no-store"}, media_type="image/png")


def document(checkin_id: UUID, found: ExplainedCase, reader: Caller) -> CaseExplanation:
    """The maps as this reader may see them: without `scores:read` no cell tells a difference of d."""
    sees_d = reader.may(Scope.SCORES_READ)
    maps = found.maps
    largest = 1.0 if sees_d else max(float(np.abs(one).max()) for one in (maps.a, maps.b)) or 1.0
    return CaseExplanation(
        checkin_id=checkin_id,
        template_id=found.template_id,
        model_id=found.model_id,
        unit="d" if sees_d else "largest",
        d=maps.d,
        probe=face_of(maps.a / largest, [(float(x), float(y)) for x, y in found.corners]),
        enrolment=face_of(maps.b / largest, WHOLE),
    )


def face_of(cells: Map, corners: list[Corner]) -> ExplainedFace:
    """A map, to five places: more of it is noise."""
    return ExplainedFace(cells=cells.round(5).tolist(), corners=corners)
