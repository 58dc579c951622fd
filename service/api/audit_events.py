"""/v1/audit-events: who did what; a chain that nobody can change unseen."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel
from starlette.responses import Response

from index import audit
from service.access.callers import Caller
from service.access.scopes import Scope
from service.api.answers import shown_to
from service.api.cursors import not_given_out, page_of, read_cursor
from service.api.inputs import Cursor, Limit, Order, PartsHere, Since, Until, needs
from service.audit_event import AuditEvent

router = APIRouter(prefix="/v1/audit-events", tags=["audit"])


class AuditEventList(BaseModel):
    """One page of events in the order that was asked for."""

    items: list[AuditEvent]
    next_cursor: str | None


ActorText = Annotated[
    str | None, Query(min_length=1, max_length=100, description="a part of who did it: name or id")
]
Action = Annotated[str | None, Query(max_length=64, pattern=r"^[a-z_]+(\.[a-z_]+)*$")]


@router.get("", response_model=AuditEventList)
def list_audit_events(
    parts: PartsHere,
    caller: Annotated[Caller, needs(Scope.AUDIT_READ)],
    limit: Limit = 50,
    cursor: Cursor = None,
    subject_id: UUID | None = None,
    action: Action = None,
    actor: ActorText = None,
    since: Since = None,
    until: Until = None,
    order: Order = "asc",
) -> Response:
    """The events in their order, or the newest first; of a subject, an action, an actor or a time."""
    is_newest_first, seq = order == "desc", read_seq(cursor)
    place = {"before_seq": seq} if is_newest_first and cursor is not None else {"after_seq": seq}
    with parts.database.read() as db:
        rows = audit.list_events(
            db,
            limit=limit + 1,
            subject_id=subject_id,
            action=action,
            actor=actor,
            since=since,
            until=until,
            newest_first=is_newest_first,
            **place,
        )
        items = [AuditEvent.model_validate(row, from_attributes=True) for row in rows]
    items, following = page_of(items, limit, lambda event: event.seq)
    return shown_to(AuditEventList(items=items, next_cursor=following), caller)


def read_seq(cursor: str | None) -> int:
    """The sequence number behind which a page begins.

    Raises:
        InvalidRequest: If no list has given the cursor out.
    """
    if cursor is None:
        return 0
    text = read_cursor(cursor)
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        raise not_given_out()
    return int(text)
