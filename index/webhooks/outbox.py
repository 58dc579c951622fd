"""The messages that are due: taken from the audit trail, delivered by one process at a time, tried again."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from index import audit
from index.database.database import Database
from index.sealing.cipher import TemplateCipher
from index.tables import WebhookDeliveryRow, WebhookLeaseRow, WebhookRow, utc_now
from index.webhooks.events import ACTIONS, body_of, event_of
from index.webhooks.webhooks import binding_of

LEASE = timedelta(seconds=60)
BATCH = 500
WAITS = tuple(
    timedelta(seconds=seconds)
    for seconds in (5, 60, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
)
"""How long after each failure the next try comes: over three days in all."""

AWAY = ("timed_out", "unreachable")
PAUSE = timedelta(seconds=60)
"""How long a receiver that does not answer is let alone, so that others do not wait for it."""


@dataclass(frozen=True)
class Message:
    """What is sent.

    Attributes:
        id: The same at each try: a receiver knows by it what it has seen.
        secret: Signs it.
    """

    id: UUID
    url: str
    body: str
    secret: str


@dataclass(frozen=True)
class DeliveryResult:
    """What came of one try.

    Attributes:
        status: Of the answer; None without one.
        error: A code; None where the message was taken.
    """

    status: int | None
    error: Literal["timed_out", "not_allowed", "unreachable", "refused", "redirected", "gone"] | None


class Outbox:
    """The outbox as one process sees it."""

    def __init__(self, database: Database, cipher: TemplateCipher | None, holder: str) -> None:
        self._database = database
        self._cipher = cipher
        self._holder = holder

    def take_lease(self) -> bool:
        """Become or stay the process that delivers; returns whether this one is."""
        now = utc_now()
        with self._database.read() as db:
            row = db.get(WebhookLeaseRow, 1)
            if row and row.holder != self._holder and now < row.until < now + 2 * LEASE:
                return False
            if row and row.holder == self._holder and now + LEASE / 2 < row.until < now + 2 * LEASE:
                return True
        with self._database.write() as db:
            row = db.get(WebhookLeaseRow, 1)
            # A lease that ends long after one could is of a clock that leapt.
            if row and row.holder != self._holder and now < row.until < now + 2 * LEASE:
                return False
            db.merge(WebhookLeaseRow(id=1, holder=self._holder, until=utc_now() + LEASE))
        return True

    def drop_lease(self) -> None:
        """Let another process deliver at once."""
        with self._database.write() as db:
            row = db.get(WebhookLeaseRow, 1)
            if row and row.holder == self._holder:
                db.delete(row)

    def gather(self) -> None:
        """Make messages of the audit events since the last look, each with its place in one transaction."""
        with self._database.read() as db:
            newest, _ = audit.find_newest_head(db)
            behind = select(WebhookRow.id).where(WebhookRow.disabled_at.is_(None), WebhookRow.seq < newest)
            webhook_ids = list(db.scalars(behind))
        for webhook_id in webhook_ids:
            while self._gather_for(webhook_id):
                pass

    def list_due(self) -> list[UUID]:
        """The messages that are due, the oldest first; those of a webhook that is not called are not."""
        query = (
            select(WebhookDeliveryRow.id)
            .join(WebhookRow, WebhookRow.id == WebhookDeliveryRow.webhook_id)
            .where(WebhookRow.disabled_at.is_(None), WebhookDeliveryRow.due_at <= utc_now())
            .order_by(WebhookDeliveryRow.due_at, WebhookDeliveryRow.id)
            .limit(BATCH)
        )
        with self._database.read() as db:
            return list(db.scalars(query))

    def open(self, delivery_id: UUID) -> Message | None:
        """What is to be sent; None where that was settled meanwhile.

        Raises:
            TemplateUnreadable: If the secret does not open.
        """
        with self._database.read() as db:
            row = db.get(WebhookDeliveryRow, delivery_id)
            hook = db.get(WebhookRow, row.webhook_id) if row else None
            if row is None or hook is None or hook.disabled_at or row.due_at is None or self._cipher is None:
                return None
            secret = self._cipher.open(hook.id, binding_of(hook.id), hook.sealed, hook.key_id)
            return Message(row.id, hook.url, row.body, secret.decode())

    def settle(self, delivery_id: UUID, result: DeliveryResult) -> None:
        """Note what came of a try: delivered, due again, given up; a webhook that is gone is disabled."""
        with self._database.write() as db:
            row = db.get(WebhookDeliveryRow, delivery_id)
            if row is None:
                return
            row.attempts += 1
            row.status, row.error = result.status, result.error
            now = utc_now()
            if result.error is None:
                row.delivered_at, row.due_at = now, None
            else:
                over = row.attempts > len(WAITS)
                row.due_at = None if over else now + WAITS[row.attempts - 1]
            if result.error in AWAY:
                _pause(db, row)
            if result.error == "gone":
                disable_gone(db, row.webhook_id)

    def _gather_for(self, webhook_id: UUID) -> bool:
        """One block of events; returns whether there may be more."""
        with self._database.write() as db:
            hook = db.get(WebhookRow, webhook_id)
            if hook is None or hook.disabled_at is not None:
                return False
            newest, _ = audit.find_newest_head(db)
            rows = audit.list_events(db, limit=BATCH, after_seq=hook.seq, action=ACTIONS)
            for one in rows:
                event = event_of(one)
                if event is not None and event in hook.events:
                    db.add(
                        WebhookDeliveryRow(
                            webhook_id=webhook_id,
                            seq=one.seq,
                            event=event,
                            body=body_of(one, event),
                            due_at=utc_now(),
                        )
                    )
            is_full = len(rows) == BATCH
            hook.seq = rows[-1].seq if is_full else newest
            return is_full


def _pause(db: Session, tried: WebhookDeliveryRow) -> None:
    """Let the other messages for a receiver that does not answer wait as this one does, a minute at most."""
    until = min(tried.due_at or utc_now() + PAUSE, utc_now() + PAUSE)
    others = update(WebhookDeliveryRow).where(
        WebhookDeliveryRow.webhook_id == tried.webhook_id,
        WebhookDeliveryRow.id != tried.id,
        WebhookDeliveryRow.due_at < until,
    )
    db.execute(others.values(due_at=until))


def disable_gone(db: Session, webhook_id: UUID) -> None:
    """Call a webhook no more whose receiver has said that it is gone."""
    hook = db.get(WebhookRow, webhook_id)
    if hook is not None and hook.disabled_at is None:
        hook.disabled_at, hook.disabled_reason = utc_now(), "gone"
        details = {"webhook_id": str(webhook_id), "reason": "gone"}
        audit.record(db, action="webhook.disabled", actor="webhooks", details=details)
