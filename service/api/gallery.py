"""/v1/gallery/survey: all templates compared with each other, for whoever looks after the enrolment."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from service.access.callers import Caller
from service.access.scopes import Scope
from service.api.answers import shown_to
from service.api.inputs import PartsHere, in_picture_pool, needs
from service.matching.survey import GallerySurvey, survey_gallery
from service.parts import Parts

router = APIRouter(prefix="/v1/gallery", tags=["subjects"])


@router.get("/survey", response_model=GallerySurvey)
async def show_survey(
    request: Request,
    parts: PartsHere,
    caller: Annotated[Caller, needs(Scope.ADMIN)],
    limit: Annotated[int, Query(ge=1, le=500, description="of each list")] = 100,
) -> Response:
    """Photographs that may be under a wrong name, and everybody's nearest other person.

    Nobody whose legal basis has ended is compared. Without `scores:read` the lists are in order and show no
    distance.
    """

    def work(parts: Parts = parts) -> GallerySurvey:
        return survey_gallery(parts, limit)

    return shown_to(await in_picture_pool(request, parts, work), caller)
