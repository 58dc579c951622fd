"""/v1/sessions/{session_id}/checkins and what follows a check-in: documents, overrides, kept pictures."""

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.responses import Response

from embedding.embedder import Timings
from embedding.errors import ImageError
from embedding.image import Pixels, decode
from embedding.motion import FEWEST_FRAMES, FRAME_LIMITS, MOST_FRAMES, MOST_SIDE
from service.access.callers import Caller
from service.access.idempotency import Answer
from service.access.scopes import Scope
from service.api.answers import answer, media_type_of, shown_to
from service.api.cursors import page_of, read_id
from service.api.exams import Staff, origin_of
from service.api.inputs import (
    Cursor,
    Limit,
    OnceHere,
    PartsHere,
    form_schema,
    invalid_body,
    needs,
    on_pictures,
)
from service.decisions.decision import Decision, StageTimes
from service.errors import InvalidRequest
from service.exams.checkin.claim import ask_for_document, check_claim
from service.exams.checkin.document import IdentificationTerms, identify
from service.exams.checkin.overrides import OverrideTerms, override
from service.exams.checkin.photograph import Result, check_in, checkins_page, find_checkin
from service.exams.checkin.rules import Arrival
from service.exams.checkin.thumbnails import open_enrolment, open_thumbnail
from service.exams.reasons import PILOT
from service.exams.schemas import Checkin, Override, Presence, Verdict
from service.exams.states import ENTRY, CheckinKind
from service.fields import Label, Moment, ShortLabel
from service.http.uploads import Form
from service.parts import Parts

router = APIRouter(prefix="/v1", tags=["check-in"])
Door = Annotated[Caller, needs(Scope.CHECKIN)]
Invigilator = Annotated[Caller, needs(Scope.OVERRIDE)]
Viewer = Annotated[Caller, needs(Scope.OVERRIDE, Scope.AUDIT_READ)]

MOST_SINCE_CLAIM_MS = 3_600_000

FIELDS: dict[str, Any] = {
    "candidate": {
        "type": "string",
        "maxLength": 255,
        "description": "external id; may be left out where the exam's `identification` is on",
    },
    "seat": {"type": "string", "maxLength": 64, "description": "where the roster gives none"},
    "kiosk": {"type": "string", "maxLength": 64, "description": "which kiosk, in your own words"},
    "client_time": {
        "type": "string",
        "format": "date-time",
        "description": "recorded; the server's clock decides",
    },
    "since_claim_ms": {
        "type": "integer",
        "minimum": 0,
        "maximum": MOST_SINCE_CLAIM_MS,
        "description": "how long ago the number was given, or another try asked for; for reports alone",
    },
    "final": {
        "type": "boolean",
        "description": "no better picture will come: one that cannot be used is referred, not refused",
    },
    "kind": {
        "type": "string",
        "enum": ["entry", "return"],
        "description": "`return`: of somebody who has gone out and comes back",
    },
}


SEVERAL = {"frames": MOST_FRAMES}


class ArrivalFields(BaseModel):
    """The text fields of a check-in; an empty one is as good as none."""

    candidate: Label | None = None
    seat: ShortLabel | None = None
    kiosk: ShortLabel | None = None
    client_time: Moment | None = None
    since_claim_ms: Annotated[int, Field(ge=0, le=MOST_SINCE_CLAIM_MS)] | None = None
    final: bool = False
    kind: CheckinKind = ENTRY


class Attempts(BaseModel):
    """How many photographs of this candidate were taken, of how many that are allowed."""

    made: int
    allowed: int


class NewClaim(BaseModel):
    """Who somebody at the door says they are."""

    model_config = ConfigDict(extra="forbid")

    candidate: Annotated[Label, Field(description="external id")]
    kiosk: Annotated[ShortLabel | None, Field(description="which kiosk, in your own words")] = None
    kind: Annotated[
        CheckinKind,
        Field(description="`return`: at the way out, for whoever goes out or comes back"),
    ] = ENTRY


class DocumentRequest(BaseModel):
    """Somebody at a kiosk prefers to show a document."""

    model_config = ConfigDict(extra="forbid")

    candidate: Annotated[Label | None, Field(description="external id, where it is known")] = None
    kiosk: Annotated[ShortLabel | None, Field(description="which kiosk, in your own words")] = None


class ClaimDocument(BaseModel):
    """A candidate of whom a photograph may be taken now, or who is in the room and may go out."""

    external_id: str
    display_name: str | None
    seat: str | None
    attempts: Attempts
    presence: Presence
    stays_until: datetime | None = Field(description="nobody goes out before; null: the candidate may")


class CheckedIn(BaseModel):
    """An attempt that was recorded; `decision` is null where the picture could not be compared."""

    checkin: Checkin
    decision: Decision | None
    attempts: Attempts


class Identified(BaseModel):
    """A candidate who was let in by a document."""

    checkin: Checkin


class Overridden(BaseModel):
    """An override that was recorded, and the attempt as it counts now."""

    override: Override
    checkin: Checkin


class CheckinList(BaseModel):
    """One page of attempts, newest first."""

    items: list[Checkin]
    next_cursor: str | None


@router.post(
    "/sessions/{session_id}/checkins",
    status_code=201,
    response_model=CheckedIn,
    openapi_extra=form_schema(("image",), FIELDS, several=SEVERAL),
)
async def check_in_candidate(
    request: Request, parts: PartsHere, caller: Door, session_id: UUID, once: OnceHere
) -> Response:
    """One photograph decides: admitted, or referred to the invigilator. Nobody is refused by a machine.

    `frames` are 2 to 8 pictures of one size, at most 320 pixels long, of the moments before it, in their
    order; they are looked at for motion and kept nowhere.
    """
    caller.require_session(session_id)

    def work(form: Form, checkin_id: UUID) -> Answer:
        arrival = arrival_of(session_id, form)
        origin = origin_of(request, caller)
        result = check_in(parts.desk, arrival, form.images["image"], origin, checkin_id)
        count(parts, result.checkin)
        return answer(document(result, caller), 201, reader=caller, subject_id=result.checkin.subject_id)

    return await on_pictures(request, parts, once, ("image",), work, tuple(FIELDS), SEVERAL)


@router.post("/sessions/{session_id}/claims", response_model=ClaimDocument)
def check_claim_of_candidate(
    request: Request, parts: PartsHere, caller: Door, session_id: UUID, new: NewClaim, once: OnceHere
) -> Response:
    """Ask before any picture: whoever is unknown, in, settled or by document is told so at once."""
    caller.require_session(session_id)

    def work(_: UUID) -> Answer:
        arrival = Arrival(session_id, new.candidate, kiosk=new.kiosk, kind=new.kind)
        claim = check_claim(parts.desk, arrival, origin_of(request, caller))
        told = ClaimDocument(
            external_id=claim.external_id,
            display_name=claim.display_name,
            seat=claim.seat,
            attempts=Attempts(made=claim.made, allowed=claim.allowed),
            presence=claim.presence,
            stays_until=claim.stays_until,
        )
        return answer(told, 200)

    return once.run([new.model_dump_json().encode()], work)


@router.post("/sessions/{session_id}/document-requests", status_code=204, response_class=Response)
def request_document_check(
    request: Request, parts: PartsHere, caller: Door, session_id: UUID, new: DocumentRequest, once: OnceHere
) -> Response:
    """Wait for a person who looks at a document instead of a photograph; no reason is asked for."""
    caller.require_session(session_id)

    def work(_: UUID) -> Answer:
        arrival = Arrival(session_id, new.candidate, kiosk=new.kiosk)
        ask_for_document(parts.desk, arrival, origin_of(request, caller))
        return answer(None, 204)

    return once.run([new.model_dump_json().encode()], work)


@router.post("/sessions/{session_id}/identifications", status_code=201, response_model=Identified)
def identify_candidate(
    request: Request,
    parts: PartsHere,
    caller: Invigilator,
    session_id: UUID,
    terms: IdentificationTerms,
    once: OnceHere,
) -> Response:
    """Let a candidate in by a document: no photograph, and no less than one."""

    def work(checkin_id: UUID) -> Answer:
        made = identify(parts.desk, session_id, terms, origin_of(request, caller), checkin_id)
        return answer(Identified(checkin=made), 201, reader=caller, subject_id=made.subject_id)

    return once.run([terms.model_dump_json().encode()], work)


@router.get("/sessions/{session_id}/checkins", response_model=CheckinList)
def list_checkins(
    parts: PartsHere,
    caller: Staff,
    session_id: UUID,
    outcome: Annotated[Verdict | None, Query(description="of the attempt itself, before overrides")] = None,
    external_id: Annotated[str | None, Query(max_length=255)] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """The attempts of a session, newest first."""
    found = checkins_page(parts.desk, session_id, limit + 1, read_id(cursor), outcome, external_id)
    items, following = page_of(found, limit, lambda checkin: checkin.id)
    return shown_to(CheckinList(items=items, next_cursor=following), caller)


@router.get("/checkins/{checkin_id}", response_model=Checkin)
def show_checkin(parts: PartsHere, caller: Staff, checkin_id: UUID) -> Response:
    """One attempt with all that its decision rests on."""
    return shown_to(find_checkin(parts.desk, checkin_id), caller)


@router.get(
    "/checkins/{checkin_id}/thumbnail",
    response_class=Response,
    responses={200: {"content": {"image/jpeg": {}}, "description": "The kept picture."}},
)
def show_thumbnail(request: Request, parts: PartsHere, caller: Viewer, checkin_id: UUID) -> Response:
    """The small picture of an attempt, where the exam keeps them; that it was looked at is recorded."""
    picture = open_thumbnail(parts.desk, checkin_id, origin_of(request, caller))
    return Response(picture, headers={"cache-control": "no-store"}, media_type="image/jpeg")


@router.get(
    "/checkins/{checkin_id}/enrolment",
    response_class=Response,
    responses={
        200: {
            "content": {"image/png": {}, "image/jpeg": {}},
            "description": "The kept crop, or the office's portrait.",
        }
    },
)
def show_enrolment(request: Request, parts: PartsHere, caller: Viewer, checkin_id: UUID) -> Response:
    """The enrolment that an attempt was compared with, where its crop is kept; the look is recorded."""
    picture = open_enrolment(parts.desk, checkin_id, origin_of(request, caller))
    return Response(picture, headers={"cache-control": "no-store"}, media_type=media_type_of(picture))


@router.post("/checkins/{checkin_id}/override", status_code=201, response_model=Overridden)
def override_checkin(
    request: Request,
    parts: PartsHere,
    caller: Invigilator,
    checkin_id: UUID,
    terms: OverrideTerms,
    once: OnceHere,
) -> Response:
    """Settle an attempt, or correct how it was settled, with a reason. The attempt itself never changes."""

    def work(override_id: UUID) -> Answer:
        origin = origin_of(request, caller)
        made, checkin = override(parts.desk, checkin_id, terms, origin, override_id)
        done = Overridden(override=made, checkin=checkin)
        return answer(done, 201, reader=caller, subject_id=checkin.subject_id)

    return once.run([terms.model_dump_json().encode()], work)


def arrival_of(session_id: UUID, form: Form) -> Arrival:
    """Who stands at the door, from the text fields of the form.

    Raises:
        RequestValidationError: Naming the field.
    """
    given = {name: text.strip() for name, text in form.fields.items() if text.strip()}
    try:
        fields = ArrivalFields.model_validate(given)
    except ValidationError as error:
        raise invalid_body(error) from error
    client_time = fields.client_time.astimezone(UTC) if fields.client_time else None
    return Arrival(
        session_id,
        fields.candidate,
        fields.seat,
        fields.kiosk,
        client_time,
        fields.final,
        fields.kind,
        fields.since_claim_ms,
        frames_of(form),
    )


def frames_of(form: Form) -> list[Pixels]:
    """The frames of a form, decoded.

    Raises:
        InvalidRequest: If there is only one, one is no picture or too large, or their sizes differ.
    """
    frames: list[Pixels] = []
    for sent in form.several.get("frames", []):
        try:
            frames.append(decode(sent, FRAME_LIMITS))
        except ImageError as error:
            raise InvalidRequest("/body/frames", error.code, f"A frame: {error}") from error
    if len(frames) == 1:
        raise InvalidRequest("/body/frames", "too_few", f"Motion takes {FEWEST_FRAMES} `frames` or more.")
    if any(max(frame.shape) > MOST_SIDE for frame in frames):
        raise InvalidRequest(
            "/body/frames", "image_too_large", f"A frame is at most {MOST_SIDE} pixels long."
        )
    if len({frame.shape for frame in frames}) > 1:
        raise InvalidRequest("/body/frames", "sizes_differ", "All `frames` have one size.")
    return frames


def count(parts: Parts, checkin: Checkin) -> None:
    """Count the decision of an attempt, and the time of each stage on the way to it."""
    if checkin.decision is None or checkin.timings_ms is None:
        parts.metrics.decided("checkin", "none")
        return
    parts.metrics.decided("checkin", str(checkin.decision))
    took = StageTimes(**checkin.timings_ms)
    parts.metrics.timed(Timings(took.decode, took.detect, took.embed))


def document(result: Result, caller: Caller) -> CheckedIn:
    """The answer to a check-in. A kiosk's screen is public: it hears of a conflict, not with whom."""
    checkin = result.checkin
    decision = decision_of(checkin)
    if caller.session_id is not None:
        checkin = checkin.model_copy(update={"conflicts": []})
    if caller.session_id is not None and checkin.why == [PILOT]:
        # Whoever stands at the kiosk of a pilot learns nothing of the comparison.
        checkin = checkin.model_copy(update={"decision": None, "reasons": [PILOT]})
        decision = None
    attempts = Attempts(made=result.attempts_made, allowed=result.attempts_allowed)
    return CheckedIn(checkin=checkin, decision=decision, attempts=attempts)


def decision_of(checkin: Checkin) -> Decision | None:
    """The comparison behind an attempt, in the form that every decision has; None where there was none."""
    if checkin.decision is None:
        return None
    return Decision.model_validate(
        {
            **{name: getattr(checkin, name) for name in Decision.model_fields if hasattr(checkin, name)},
            "timings_ms": StageTimes(**(checkin.timings_ms or {})),
        }
    )
