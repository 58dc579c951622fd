"""/v1/sessions/{session_id}/kiosks: the tablets at a door, paired by a code that an operator confirms."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from service.access.callers import Caller
from service.access.idempotency import Answer
from service.access.scopes import Scope
from service.api.answers import answer
from service.api.exams import Staff, Writer, origin_of
from service.api.inputs import OnceHere, PartsHere, needs
from service.errors import Forbidden
from service.exams import kiosks
from service.exams.kiosks import Asking, CameraState, Kiosk, Sign
from service.http.tracing import address_of
from service.parts import Parts

router = APIRouter(prefix="/v1", tags=["sessions"])
Door = Annotated[Caller, needs(Scope.CHECKIN)]
Name = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$")]
Code = Annotated[
    str,
    Field(
        min_length=8,
        max_length=20,
        description="the eight letters on the kiosk's screen",
        examples=["ABCD EFGH"],
    ),
]


class CodeGiven(BaseModel):
    """The code that a tablet shows."""

    model_config = ConfigDict(extra="forbid")

    code: Code


class NewKiosk(CodeGiven):
    """The tablet that is to be a kiosk, and its name."""

    name: Name


class KioskChanges(BaseModel):
    """What may be changed of a kiosk."""

    model_config = ConfigDict(extra="forbid")

    name: Name


class KioskSign(BaseModel):
    """What a kiosk says of itself."""

    model_config = ConfigDict(extra="forbid")

    camera: CameraState
    battery: Annotated[float | None, Field(ge=0, le=1)] = None
    charging: bool | None = None


class KioskList(BaseModel):
    """The kiosks of a session in the order they were made."""

    items: list[Kiosk]
    next_cursor: None = None


@router.post("/kiosk-codes/look", response_model=Asking)
def look_at_code(request: Request, parts: PartsHere, caller: Writer, given: CodeGiven) -> Asking:
    """Which tablet shows a code, before it is let in. Wrong codes are counted, and few are allowed."""
    attempt = begin_guess(request, parts, caller)
    found = kiosks.look_at_code(parts.desk, given.code)
    parts.sign_ins.forget(attempt)
    return found


@router.post("/sessions/{session_id}/kiosks", status_code=201, response_model=Kiosk)
def add_kiosk(
    request: Request, parts: PartsHere, caller: Writer, session_id: UUID, new: NewKiosk, once: OnceHere
) -> Response:
    """Let the tablet that shows the code be a kiosk of this session until it closes."""

    def work(_: UUID) -> Answer:
        attempt = begin_guess(request, parts, caller)
        made = kiosks.confirm(parts.desk, session_id, new.code, new.name, origin_of(request, caller))
        parts.sign_ins.forget(attempt)
        return answer(made, 201)

    return once.run([new.model_dump_json().encode()], work)


@router.get("/sessions/{session_id}/kiosks", response_model=KioskList)
def list_kiosks(parts: PartsHere, caller: Staff, session_id: UUID) -> KioskList:
    """The kiosks of a session: name, last sign, camera, battery where it is told."""
    return KioskList(items=kiosks.kiosks_of(parts.desk, session_id))


@router.patch("/sessions/{session_id}/kiosks/{kiosk_id}", response_model=Kiosk)
def change_kiosk(
    request: Request,
    parts: PartsHere,
    caller: Writer,
    session_id: UUID,
    kiosk_id: UUID,
    changes: KioskChanges,
) -> Kiosk:
    """Call a kiosk by another name."""
    return kiosks.rename_kiosk(parts.desk, session_id, kiosk_id, changes.name, origin_of(request, caller))


@router.delete("/sessions/{session_id}/kiosks/{kiosk_id}", response_model=Kiosk)
def end_kiosk(request: Request, parts: PartsHere, caller: Writer, session_id: UUID, kiosk_id: UUID) -> Kiosk:
    """End a kiosk at once: its page shows nothing more, and its key is revoked."""
    ended = kiosks.end_kiosk(parts.desk, session_id, kiosk_id, origin_of(request, caller))
    parts.note_anchor()
    return ended


@router.post("/sessions/{session_id}/kiosks/sign", status_code=204, response_class=Response)
def give_sign(parts: PartsHere, caller: Door, session_id: UUID, sign: KioskSign, once: OnceHere) -> Response:
    """A kiosk says that it is there, and how it fares."""
    caller.require_session(session_id)
    if caller.session_id is None:
        raise Forbidden("Only a kiosk gives a sign of itself.")

    def work(_: UUID) -> Answer:
        kiosks.give_sign(parts.desk, caller.id, Sign(sign.camera, sign.battery, sign.charging))
        return answer(None, 204)

    return once.run([sign.model_dump_json().encode()], work)


def begin_guess(request: Request, parts: Parts, caller: Caller) -> UUID:
    """Count a code as wrong until it is known to be right.

    Raises:
        SignInsExhausted: If too many were wrong lately.
    """
    return parts.sign_ins.begin(f"kiosk code {caller.id}", address_of(request.scope))
