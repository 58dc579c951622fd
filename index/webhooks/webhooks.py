"""The webhooks of an installation: add, list, disable, remove, with sealed secrets."""

import secrets
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from index import audit
from index.audit import Origin
from index.database.database import Database
from index.errors import KeyMissing, WebhookDisabled, WebhookNotFound
from index.ids import uuid7
from index.resealing import SealedTable
from index.sealing.cipher import TemplateCipher, build_binding
from index.tables import WebhookDeliveryRow, WebhookRow, utc_now
from index.webhooks.events import TEST, compose

SECRET_BYTES = 32
PREFIX = "whsec_"
KEPT = timedelta(days=30)
"""How long a message is shown that was delivered or given up."""


def binding_of(webhook_id: UUID) -> bytes:
    """The associated data of a webhook's secret."""
    return build_binding("webhook", webhook_id)


WEBHOOKS = SealedTable(
    "webhooks",
    WebhookRow.id,
    WebhookRow.id,
    WebhookRow.sealed,
    WebhookRow.key_id,
    lambda _, row: binding_of(row.id),
)


@dataclass(frozen=True)
class Webhook:
    """An address that is called, without its secret."""

    id: UUID
    url: str
    events: list[str]
    created_at: datetime
    disabled_at: datetime | None
    disabled_reason: str | None


@dataclass(frozen=True)
class Delivery:
    """How one message stands."""

    id: UUID
    webhook_id: UUID
    event: str
    audit_seq: int | None
    created_at: datetime
    due_at: datetime | None
    attempts: int
    delivered_at: datetime | None
    status: int | None
    error: str | None


class Webhooks:
    """The webhooks in the database."""

    def __init__(self, database: Database, cipher: TemplateCipher | None) -> None:
        self._database = database
        self._cipher = cipher

    def add(self, url: str, events: Sequence[str], by: Origin, webhook_id: UUID) -> tuple[Webhook, str]:
        """A new webhook, called about what happens from now on, and its secret.

        Raises:
            KeyMissing: If there is no key to seal the secret with.
        """
        secret, sealed, key_id = self._new_secret(webhook_id)
        with self._database.write() as db:
            seq, _ = audit.find_newest_head(db)
            row = WebhookRow(
                id=webhook_id, url=url, events=list(events), sealed=sealed, key_id=key_id, seq=seq
            )
            db.add(row)
            _record(db, "webhook.added", by, row)
            return _build(row), secret

    def page(self, limit: int, after: UUID | None) -> list[Webhook]:
        """Webhooks in the order they were made."""
        query = select(WebhookRow).order_by(WebhookRow.id).limit(limit)
        if after is not None:
            query = query.where(WebhookRow.id > after)
        with self._database.read() as db:
            return [_build(row) for row in db.scalars(query)]

    def rotate(self, webhook_id: UUID, by: Origin) -> tuple[Webhook, str]:
        """Another secret, which signs from now on; raises as `add`, and WebhookNotFound."""
        secret, sealed, key_id = self._new_secret(webhook_id)
        with self._database.write() as db:
            row = find_row(db, webhook_id)
            row.sealed, row.key_id = sealed, key_id
            _record(db, "webhook.secret_rotated", by, row)
            return _build(row), secret

    def switch(self, webhook_id: UUID, by: Origin, *, enabled: bool) -> Webhook:
        """Stop calling a webhook, or call it again: what happened meanwhile is delivered then."""
        with self._database.write() as db:
            row = find_row(db, webhook_id)
            if enabled == (row.disabled_at is None):
                return _build(row)
            row.disabled_at = None if enabled else utc_now()
            row.disabled_reason = None if enabled else "by_hand"
            _record(db, "webhook.enabled" if enabled else "webhook.disabled", by, row)
            return _build(row)

    def purge(self) -> int:
        """Forget settled messages that were made longer ago than they are kept; returns how many."""
        row = WebhookDeliveryRow
        over = delete(row).where(row.due_at.is_(None), row.created_at < utc_now() - KEPT)
        with self._database.write(ordered=False) as db:
            return len(db.scalars(over.returning(row.id)).all())

    def remove(self, webhook_id: UUID, by: Origin) -> None:
        """Forget a webhook and its messages."""
        with self._database.write() as db:
            row = find_row(db, webhook_id)
            _record(db, "webhook.removed", by, row)
            db.execute(delete(WebhookDeliveryRow).where(WebhookDeliveryRow.webhook_id == webhook_id))
            db.delete(row)

    def deliveries(self, webhook_id: UUID, limit: int, before: UUID | None) -> list[Delivery]:
        """The last messages, the newest first."""
        own = WebhookDeliveryRow.webhook_id == webhook_id
        query = select(WebhookDeliveryRow).where(own).order_by(WebhookDeliveryRow.id.desc()).limit(limit)
        if before is not None:
            query = query.where(WebhookDeliveryRow.id < before)
        with self._database.read() as db:
            find_row(db, webhook_id)
            return [build_delivery(row) for row in db.scalars(query)]

    def send_again(self, webhook_id: UUID, delivery_id: UUID) -> Delivery:
        """Deliver a message once more, with its former id.

        Raises:
            WebhookNotFound: If there is no such webhook or message.
            WebhookDisabled: If the webhook is not called.
        """
        with self._database.write() as db:
            require_enabled(find_row(db, webhook_id))
            row = db.get(WebhookDeliveryRow, delivery_id)
            if row is None or row.webhook_id != webhook_id:
                raise WebhookNotFound(delivery_id)
            row.due_at, row.attempts, row.delivered_at = utc_now(), 0, None
            return build_delivery(row)

    def send_test(self, webhook_id: UUID) -> Delivery:
        """Deliver a message that tells of nothing; raises as `send_again`."""
        with self._database.write() as db:
            require_enabled(find_row(db, webhook_id))
            now = utc_now()
            row = WebhookDeliveryRow(
                id=uuid7(),
                webhook_id=webhook_id,
                event=TEST,
                body=compose(TEST, now.isoformat(), {}),
                due_at=now,
            )
            db.add(row)
            db.flush()
            return build_delivery(row)

    def _new_secret(self, webhook_id: UUID) -> tuple[str, bytes, str]:
        if self._cipher is None:
            raise KeyMissing
        secret = PREFIX + b64encode(secrets.token_bytes(SECRET_BYTES)).decode()
        return secret, *self._cipher.seal(binding_of(webhook_id), secret.encode())


def find_row(db: Session, webhook_id: UUID) -> WebhookRow:
    """The row of a webhook.

    Raises:
        WebhookNotFound: If there is none.
    """
    row = db.get(WebhookRow, webhook_id)
    if row is None:
        raise WebhookNotFound(webhook_id)
    return row


def require_enabled(row: WebhookRow) -> None:
    """Refuse a webhook that is not called."""
    if row.disabled_at is not None:
        raise WebhookDisabled(row.id)


def _record(db: Session, action: str, by: Origin, row: WebhookRow) -> None:
    details = {"webhook_id": str(row.id), "events": row.events}
    audit.record(db, action=action, actor=by.actor, request_id=by.request_id, details=details)
    db.flush()


def _build(row: WebhookRow) -> Webhook:
    return Webhook(row.id, row.url, list(row.events), row.created_at, row.disabled_at, row.disabled_reason)


def build_delivery(row: WebhookDeliveryRow) -> Delivery:
    """A message as it is shown."""
    return Delivery(
        id=row.id,
        webhook_id=row.webhook_id,
        event=row.event,
        audit_seq=row.seq,
        created_at=row.created_at,
        due_at=row.due_at,
        attempts=row.attempts,
        delivered_at=row.delivered_at,
        status=row.status,
        error=row.error,
    )
