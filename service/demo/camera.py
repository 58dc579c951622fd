"""The simulated camera: pictures of the made-up people, in demonstrations alone."""

from functools import lru_cache
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, FastAPI
from fastapi import Path as PathParameter
from starlette.responses import FileResponse, Response

from service.demo.cast import Cast
from service.web import desk

WEB = Path(__file__).parent / "web"
CAMERA = "/demo/camera.js"
CAPTURES = 64
KEPT_PICTURES = 512


def mount(app: FastAPI, cast: Cast) -> None:
    """Adds the camera to an application, and to its kiosk page."""
    router = APIRouter(prefix="/demo", include_in_schema=False)

    @lru_cache(maxsize=KEPT_PICTURES)
    def picture(external_id: str, capture: int) -> bytes | None:
        member = cast.find(external_id)
        return None if member is None else cast.picture(member, capture)

    @router.get("/camera.js")
    def camera() -> FileResponse:
        """Puts the chosen person before the camera of the kiosk page."""
        return FileResponse(WEB / "camera.js", media_type="text/javascript", headers=desk.HEADERS)

    @router.get("/people")
    def people() -> list[dict[str, str]]:
        """Who can stand before the camera."""
        return [{"external_id": one.external_id, "name": one.name, "fate": one.fate} for one in cast.members]

    @router.get("/people/{external_id}/{capture}.jpg")
    def show(external_id: str, capture: Annotated[int, PathParameter(ge=0, lt=CAPTURES)]) -> Response:
        """One frame of somebody."""
        found = picture(external_id, capture)
        return Response(status_code=404) if found is None else Response(found, media_type="image/jpeg")

    app.include_router(router)
    app.state.simulated_camera = CAMERA
