"""/v1/audit-events: who did what; a chain that nobody can change unseen."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from index import audit
from index.errors import AnchorInvalid
from service.access.callers import Caller
from service.access.scopes import Scope
from service.api.answers import shown_to
from service.api.cursors import not_given_out, page_of, read_cursor
from service.api.inputs import Cursor, Limit, Order, PartsHere, Since, Until, needs
from service.audit_event import AuditEvent
from service.trail.anchoring import head_of
from service.trail.checking import TrailReport, check_trail, report_changed_anchor

router = APIRouter(prefix="/v1/audit-events", tags=["audit"])


class AuditEventList(BaseModel):
    """One page of events in the order that was asked for."""

    items: list[AuditEvent]
    next_cursor: str | None


class NotedEvents(BaseModel):
    """Events that somebody noted elsewhere, each as SEQ:DIGEST."""

    model_config = ConfigDict(extra="forbid")

    expect: Annotated[
        list[Annotated[str, Field(pattern=r"^[0-9]{1,18}:[0-9a-f]{64}$")]], Field(max_length=100)
    ] = []


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


@router.post("/verify", response_model=TrailReport)
def verify_trail(
    parts: PartsHere, _: Annotated[Caller, needs(Scope.AUDIT_READ)], noted: NotedEvents
) -> TrailReport:
    """Walk the whole trail, and compare the anchor, events noted elsewhere and all evidence with it.

    It reads every event and every row of evidence: some seconds for a hundred thousand.
    """
    expected = [head_of(text) for text in noted.expect]
    try:
        return check_trail(parts.settings, parts.database, expected)
    except AnchorInvalid:
        return report_changed_anchor(parts.database, expected)


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
