"""What a kiosk takes without network, and how it is delivered over HTTP."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx2 as httpx
from fixtures_exams import ExamService

from service.exams.offline.sealing import seal_item

Item = tuple[str, bytes]


def pack_of(hall: ExamService, key: str) -> dict[str, Any]:
    answer = hall.call("GET", "sessions/{session}/queue/pack", key=key)
    assert answer.status_code == 200, answer.text
    pack: dict[str, Any] = answer.json()
    return pack


def take(hall: ExamService, key: str, picture: bytes, candidate: str = "A1", **facts: Any) -> Item:
    """An item, sealed as a kiosk does it."""
    text = pack_of(hall, key)["public_key"]
    public = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    now = datetime.now(UTC)
    said = {
        "candidate": candidate,
        "contact_at": (now - timedelta(minutes=3)).isoformat(),
        "since_contact_ms": 60_000,
        "client_time": now.isoformat(),
        "provisional": True,
        **facts,
    }
    item = uuid4().hex
    return item, seal_item(public, UUID(hall.session_id), item, json.dumps(said).encode(), picture)


def deliver(
    hall: ExamService, key: str, item: Item, session: str = "{session}", **options: Any
) -> httpx.Response:
    files, data = {"sealed": item[1]}, {"item": item[0]}
    return hall.call("POST", f"sessions/{session}/queue", key=key, files=files, data=data, **options)
