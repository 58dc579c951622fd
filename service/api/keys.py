"""/v1/keys: API keys. The secret is shown once, in the answer that makes the key."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from service.access.callers import Caller
from service.access.idempotency import Answer
from service.access.keys import KeyFacts
from service.access.scopes import Scope
from service.api.answers import answer
from service.api.cursors import page_of, read_id
from service.api.inputs import Cursor, Limit, OnceHere, PartsHere, needs
from service.fields import Moment

router = APIRouter(prefix="/v1/keys", tags=["keys"])
Admin = Annotated[Caller, needs(Scope.ADMIN)]


class NewKey(BaseModel):
    """What is asked of a new key."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$")
    scopes: list[Scope] = Field(min_length=1, max_length=len(Scope))
    not_before: Moment | None = None
    expires_at: Moment | None = None


class KeyDocument(BaseModel):
    """A key without its secret."""

    id: UUID
    prefix: str
    name: str
    scopes: list[Scope]
    session_id: UUID | None = Field(description="the exam session that a kiosk's key is bound to")
    not_before: datetime | None
    expires_at: datetime | None
    created_at: datetime
    last_used_at: datetime | None = Field(description="to the minute")
    revoked_at: datetime | None


class IssuedKey(KeyDocument):
    """A new key with its secret, which cannot be shown again."""

    key: str


class KeyList(BaseModel):
    """One page of keys."""

    items: list[KeyDocument]
    next_cursor: str | None


@router.post("", status_code=201, response_model=IssuedKey)
def create_key(request: Request, parts: PartsHere, caller: Admin, new: NewKey, once: OnceHere) -> Response:
    """Make a key."""

    def work(key_id: UUID) -> Answer:
        facts, text = parts.keys.create(
            new.name,
            new.scopes,
            actor=caller.actor,
            key_id=key_id,
            not_before=new.not_before,
            expires_at=new.expires_at,
            request_id=request.state.request_id,
        )
        return answer(IssuedKey(**vars(facts), key=text), 201)

    return once.run([new.model_dump_json().encode()], work)


@router.get("", response_model=KeyList)
def list_keys(parts: PartsHere, caller: Admin, limit: Limit = 50, cursor: Cursor = None) -> KeyList:
    """The keys in the order they were made, revoked ones too."""
    found = parts.keys.page(limit + 1, read_id(cursor))
    items, following = page_of(found, limit, lambda key: key.id)
    return KeyList(items=[document(one) for one in items], next_cursor=following)


@router.delete("/{key_id}", response_model=KeyDocument)
def revoke_key(request: Request, parts: PartsHere, caller: Admin, key_id: UUID) -> KeyDocument:
    """Revoke a key: from this answer on it opens nothing, in any process."""
    revoked = parts.keys.revoke(key_id, actor=caller.actor, request_id=request.state.request_id)
    parts.note_anchor()
    return document(revoked)


def document(facts: KeyFacts) -> KeyDocument:
    """A key as it is shown."""
    return KeyDocument(**vars(facts))
