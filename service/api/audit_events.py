"""/v1/audit-events: who did what; a chain that nobody can change unseen."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel

from index import audit
from service.access.callers import Caller
from service.access.scopes import Scope
from service.api.cursors import not_given_out, page_of, read_cursor
from service.api.inputs import Cursor, Limit, PartsHere, needs
from service.audit_event import AuditEvent

router = APIRouter(prefix="/v1/audit-events", tags=["audit"])


class AuditEventList(BaseModel):
    """One page of events, oldest first."""

    items: list[AuditEvent]
    next_cursor: str | None


Action = Annotated[str | None, Query(max_length=64, pattern=r"^[a-z_]+(\.[a-z_]+)*$")]


@router.get("", response_model=AuditEventList)
def list_audit_events(
    parts: PartsHere,
    caller: Annotated[Caller, needs(Scope.AUDIT_READ)],
    limit: Limit = 50,
    cursor: Cursor = None,
    subject_id: UUID | None = None,
    action: Action = None,
) -> AuditEventList:
    """The events in their order; of one subject or one action where asked."""
    with parts.database.read() as db:
        rows = audit.list_events(
            db, limit=limit + 1, after_seq=read_seq(cursor), subject_id=subject_id, action=action
        )
        items = [AuditEvent.model_validate(row, from_attributes=True) for row in rows]
    items, following = page_of(items, limit, lambda event: event.seq)
    return AuditEventList(items=items, next_cursor=following)


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
