"""Which audit events webhooks are called about, and what they are told: ids only."""

import json
from typing import Any, Literal, get_args

from index.tables import AuditEventRow

WebhookEvent = Literal[
    "checkin.admitted",
    "checkin.referred",
    "checkin.overridden",
    "subject.erased",
    "model.promoted",
    "model.drifted",
]
EVENTS: tuple[WebhookEvent, ...] = get_args(WebhookEvent)
TEST = "webhook.test"

BY_OUTCOME: dict[str, WebhookEvent] = {
    "admitted": "checkin.admitted",
    "identified_manually": "checkin.admitted",
    "referred": "checkin.referred",
}
BY_ACTION: dict[str, WebhookEvent] = {
    "override.recorded": "checkin.overridden",
    "subject.erased": "subject.erased",
    "model.activated": "model.promoted",
    "model.rolled_back": "model.promoted",
    "model.use_alarm": "model.drifted",
}
ACTIONS = ("checkin.recorded", *BY_ACTION)
TOLD = ("exam_id", "session_id", "checkin_id", "entry_id", "outcome", "model_id", "alarms")
"""Details that a message may hold: an event's other details stay here."""


def event_of(row: AuditEventRow) -> WebhookEvent | None:
    """What an audit event is called in a message; None where none is sent."""
    if row.action == "checkin.recorded":
        return BY_OUTCOME.get(row.details.get("outcome", ""))
    return BY_ACTION.get(row.action)


def body_of(row: AuditEventRow, event: WebhookEvent) -> str:
    """The message about an audit event, as JSON."""
    data: dict[str, Any] = {"audit_seq": row.seq}
    if row.subject_id is not None:
        data["subject_id"] = str(row.subject_id)
    data |= {name: row.details[name] for name in TOLD if row.details.get(name) is not None}
    return compose(event, row.at.isoformat(), data)


def compose(event: str, at: str, data: dict[str, Any]) -> str:
    """A message as the Standard Webhooks specification recommends: `type`, `timestamp`, `data`."""
    return json.dumps({"type": event, "timestamp": at, "data": data}, separators=(",", ":"))
