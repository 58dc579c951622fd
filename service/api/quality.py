"""/v1/quality: is this picture good enough? Cheap, for guidance in front of the camera."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel
from starlette.responses import Response

from embedding.detector import Face
from embedding.embedder import Inspection
from embedding.quality import Purpose
from service.access.callers import Caller
from service.access.idempotency import Answer
from service.access.scopes import Scope
from service.api.answers import answer
from service.api.inputs import OnceHere, PartsHere, form_schema, needs, on_pictures
from service.http.uploads import Form

router = APIRouter(prefix="/v1/quality", tags=["decisions"])


class FaceFacts(BaseModel):
    """Where the face is, in pixels of the picture as it was sent (upright).

    Attributes:
        box: x, y, width, height.
        landmarks: right eye, left eye, nose, right and left corner of the mouth; the person's right first.
    """

    box: tuple[float, float, float, float]
    landmarks: list[tuple[float, float]]
    score: float

    @classmethod
    def of(cls, face: Face) -> "FaceFacts":
        """A face as it is shown."""
        points = [(float(x), float(y)) for x, y in face.landmarks]
        x, y, width, height = (float(value) for value in face.box)
        return cls(box=(x, y, width, height), landmarks=points, score=float(face.score))


class QualityReport(BaseModel):
    """Whether the picture would be accepted for the purpose, and if not, why."""

    acceptable: bool
    reasons: list[str]
    faces: int
    face: FaceFacts | None
    measures: dict[str, float]
    limits: dict[str, float]
    timings_ms: dict[str, float]
    request_id: str


For = Annotated[
    Literal["enrol", "verify", "checkin", "kiosk"],
    Query(alias="for", description="which limits apply, and which of several faces is taken"),
]


@router.post("", response_model=QualityReport, openapi_extra=form_schema(("image",)))
async def assess_quality(
    request: Request,
    parts: PartsHere,
    caller: Annotated[Caller, needs(Scope.ENROL, Scope.VERIFY, Scope.CHECKIN)],
    once: OnceHere,
    purpose: For = "enrol",
) -> Response:
    """Look at one photograph; no template is made. A picture without a face is an answer, not an error."""

    def work(form: Form, _: UUID) -> Answer:
        seen = parts.embedder.inspect(form.images["image"], Purpose(purpose))
        return answer(report_on(seen, request.state.request_id))

    return await on_pictures(request, parts, once, ("image",), work)


def report_on(seen: Inspection, request_id: str) -> QualityReport:
    """What was seen, with the codes of an enrolment that would be refused."""
    reasons = list(seen.quality.reasons) if seen.quality else []
    if len(seen.faces) != 1:
        reasons.insert(0, "multiple_faces" if seen.faces else "face_not_found")
    return QualityReport(
        acceptable=not reasons,
        reasons=reasons,
        faces=len(seen.faces),
        face=FaceFacts.of(seen.faces[0]) if seen.faces else None,
        measures=seen.quality.measures if seen.quality else {},
        limits=seen.quality.limits if seen.quality else {},
        timings_ms={"decode": round(seen.timings.decode_ms, 3), "detect": round(seen.timings.detect_ms, 3)},
        request_id=request_id,
    )
