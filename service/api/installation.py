"""/v1/installation: how this installation is set and how it is; confirming its clock."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel

from service.access.callers import Caller
from service.access.scopes import Scope
from service.api.inputs import PartsHere, needs
from service.installation import Installation, accept_clock, describe_installation

router = APIRouter(prefix="/v1/installation", tags=["installation"])


class ClockConfirmed(BaseModel):
    """From when on deletions are announced anew."""

    confirmed_at: datetime


@router.get("", response_model=Installation)
def show_installation(
    parts: PartsHere, _: Annotated[Caller, needs(Scope.ADMIN, Scope.AUDIT_READ)]
) -> Installation:
    """Version, model, database, disk, anchor, clock and every setting; no secret and nothing of a person."""
    return describe_installation(parts)


@router.post("/clock", response_model=ClockConfirmed)
def confirm_clock(parts: PartsHere, caller: Annotated[Caller, needs(Scope.ADMIN)]) -> ClockConfirmed:
    """Say that the clock is right after it leapt: deletions start again, each announced a day before."""
    confirmed = ClockConfirmed(confirmed_at=accept_clock(parts, caller.actor))
    parts.note_anchor()
    return confirmed
