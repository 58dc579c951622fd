"""/v1/webhooks: addresses that are called about events. A secret is shown once, when it is made."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from index.webhooks.events import WebhookEvent
from index.webhooks.webhooks import Delivery, Webhook
from service.access.callers import Caller
from service.access.idempotency import Answer
from service.access.scopes import Scope
from service.api.answers import answer
from service.api.cursors import page_of, read_id
from service.api.exams import origin_of
from service.api.inputs import Cursor, Limit, OnceHere, PartsHere, needs

router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"])
Admin = Annotated[Caller, needs(Scope.ADMIN)]


class NewWebhook(BaseModel):
    """Whom to call, and about what."""

    model_config = ConfigDict(extra="forbid")

    url: str = Field(
        min_length=1,
        max_length=2_000,
        pattern=r"^https?://[\x21-\x7e]+$",
        description="INVIGIL_WEBHOOK_TARGETS has to allow its host",
        examples=["https://hooks.example.org/invigil"],
    )
    events: list[WebhookEvent] = Field(min_length=1, max_length=5, examples=[["checkin.referred"]])


class WebhookChange(BaseModel):
    """Whether a webhook is called."""

    model_config = ConfigDict(extra="forbid")

    enabled: bool


class WebhookDocument(BaseModel):
    """A webhook without its secret."""

    id: UUID
    url: str
    events: list[WebhookEvent]
    created_at: datetime
    disabled_at: datetime | None
    disabled_reason: str | None = Field(description="`by_hand`, or `gone`: the receiver answered 410")


class IssuedWebhook(WebhookDocument):
    """A webhook with its new secret, which cannot be shown again."""

    secret: str


class WebhookList(BaseModel):
    """One page of webhooks."""

    items: list[WebhookDocument]
    next_cursor: str | None


class DeliveryDocument(BaseModel):
    """One message and how its delivery stands."""

    id: UUID = Field(description="the `webhook-id` header, the same at each try")
    webhook_id: UUID
    event: str
    audit_seq: int | None = Field(description="number of the audit event; none for a test")
    created_at: datetime
    due_at: datetime | None = Field(description="of the next try; none once delivered or given up")
    attempts: int
    delivered_at: datetime | None
    status: int | None = Field(description="HTTP status of the last answer")
    error: str | None = Field(
        description="`timed_out`, `not_allowed`, `unreachable`, `refused`, `redirected` or `gone`"
    )


class DeliveryList(BaseModel):
    """The last messages, the newest first."""

    items: list[DeliveryDocument]
    next_cursor: str | None


@router.post("", status_code=201, response_model=IssuedWebhook)
def add_webhook(
    request: Request, parts: PartsHere, caller: Admin, new: NewWebhook, once: OnceHere
) -> Response:
    """Call an address about what happens from now on."""

    def work(webhook_id: UUID) -> Answer:
        parts.targets.check(new.url)
        events = list(dict.fromkeys(new.events))
        made, secret = parts.webhooks.add(new.url, events, origin_of(request, caller), webhook_id)
        return answer(issued(made, secret), 201)

    return once.run([new.model_dump_json().encode()], work)


@router.get("", response_model=WebhookList)
def list_webhooks(parts: PartsHere, caller: Admin, limit: Limit = 50, cursor: Cursor = None) -> WebhookList:
    """The webhooks in the order they were made."""
    found = parts.webhooks.page(limit + 1, read_id(cursor))
    items, following = page_of(found, limit, lambda one: one.id)
    return WebhookList(items=[document(one) for one in items], next_cursor=following)


@router.patch("/{webhook_id}", response_model=WebhookDocument)
def change_webhook(
    request: Request, parts: PartsHere, caller: Admin, webhook_id: UUID, change: WebhookChange
) -> WebhookDocument:
    """Disable a webhook, or enable it again: what happened meanwhile is delivered then."""
    by = origin_of(request, caller)
    return document(parts.webhooks.switch(webhook_id, by, enabled=change.enabled))


@router.delete("/{webhook_id}", status_code=204)
def remove_webhook(request: Request, parts: PartsHere, caller: Admin, webhook_id: UUID) -> Response:
    """Remove a webhook and its messages."""
    parts.webhooks.remove(webhook_id, origin_of(request, caller))
    return Response(status_code=204)


@router.post("/{webhook_id}/secret", response_model=IssuedWebhook)
def rotate_webhook_secret(
    request: Request, parts: PartsHere, caller: Admin, webhook_id: UUID
) -> IssuedWebhook:
    """Make another secret, which signs every message from now on, those that are tried again too."""
    return issued(*parts.webhooks.rotate(webhook_id, origin_of(request, caller)))


@router.get("/{webhook_id}/deliveries", response_model=DeliveryList)
def list_webhook_deliveries(
    parts: PartsHere, caller: Admin, webhook_id: UUID, limit: Limit = 50, cursor: Cursor = None
) -> DeliveryList:
    """The last messages of a webhook, the newest first."""
    found = parts.webhooks.deliveries(webhook_id, limit + 1, read_id(cursor))
    items, following = page_of(found, limit, lambda one: one.id)
    return DeliveryList(items=[delivery_document(one) for one in items], next_cursor=following)


@router.post("/{webhook_id}/test", status_code=202, response_model=DeliveryDocument)
def test_webhook(parts: PartsHere, caller: Admin, webhook_id: UUID) -> DeliveryDocument:
    """Send a message that tells of nothing (`webhook.test`)."""
    return delivery_document(parts.webhooks.send_test(webhook_id))


@router.post(
    "/{webhook_id}/deliveries/{delivery_id}/send-again", status_code=202, response_model=DeliveryDocument
)
def send_webhook_again(
    parts: PartsHere, caller: Admin, webhook_id: UUID, delivery_id: UUID
) -> DeliveryDocument:
    """Send a message once more, with its former id."""
    return delivery_document(parts.webhooks.send_again(webhook_id, delivery_id))


def document(one: Webhook) -> WebhookDocument:
    """A webhook as it is shown."""
    return WebhookDocument.model_validate(vars(one))


def issued(one: Webhook, secret: str) -> IssuedWebhook:
    """A webhook with a new secret."""
    return IssuedWebhook.model_validate({**vars(one), "secret": secret})


def delivery_document(one: Delivery) -> DeliveryDocument:
    """A message as it is shown."""
    return DeliveryDocument.model_validate(vars(one))
