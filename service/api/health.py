"""/health: is the process alive, and are its parts up?"""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from index.errors import DatabaseError, TemplateUnreadable
from service.api.inputs import PartsHere
from service.errors import NotReady
from service.parts import Parts

router = APIRouter(prefix="/health", tags=["health"])

State = Literal["up", "down"]


class Alive(BaseModel):
    """The process answers."""

    status: Literal["up"] = "up"


class Ready(Alive):
    """Every part by name."""

    parts: dict[str, State]
    templates_left_out: int = Field(
        default=0,
        description="templates that no search sees, for somebody has changed their stored rows or their key "
        "is not set: an alarm. Everybody else is served",
    )


@router.head("/live", include_in_schema=False)
@router.get("/live", response_model=Alive)
async def live() -> Alive:
    """Answers as long as the event loop turns; nothing else is asked."""
    return Alive()


@router.head("/ready", include_in_schema=False)
@router.get("/ready", response_model=Ready)
def ready(parts: PartsHere) -> Ready:
    """Up when the database can be written at the right revision, a model is loaded and the index follows."""
    states = states_of(parts)
    if set(states.values()) != {"up"}:
        raise NotReady(states)
    return Ready(parts=states, templates_left_out=len(parts.serving.left_out))


def states_of(parts: Parts) -> dict[str, State]:
    """Each part and whether it is up; the index cannot follow a database that it cannot read."""
    states: dict[str, State] = {"database": "down", "models": "down", "index": "down"}
    try:
        parts.database.require_current()
        parts.trial.require_writable()
        states["database"] = "up"
        states["models"] = "up" if parts.models.active() and parts.following.is_in_step() else "down"
        parts.gallery.catch_up()
        states["index"] = "up"
    except (DatabaseError, TemplateUnreadable):
        # Rows that the key does not open: this process would search without them.
        return states
    return states
