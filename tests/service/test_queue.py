"""Delivering what a kiosk took without network, over HTTP: who may, until when, and what is refused."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx2 as httpx
import pytest
from fixtures_exams import ExamService
from sqlalchemy import update

from index.tables import ApiKeyRow, PageSessionRow
from service.access.scopes import Scope
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


def end_key(hall: ExamService, key: str, *, revoked: bool = False, ago: timedelta = timedelta()) -> None:
    """Let a key have ended, by its time or by hand."""
    at = datetime.now(UTC) - ago
    ended = {"revoked_at": at} if revoked else {"expires_at": at}
    with hall.service.parts.database.write() as db:
        db.execute(update(ApiKeyRow).where(ApiKeyRow.prefix == key.partition(".")[0]).values(**ended))


@pytest.fixture
def key(staffed_exam: ExamService) -> str:
    return staffed_exam.kiosk_key()


def test_a_kiosk_delivers_what_it_took_and_learns_nothing_of_the_comparison(
    staffed_exam: ExamService, key: str, astronaut_jpeg: bytes
) -> None:
    item = take(staffed_exam, key, astronaut_jpeg)

    first, again = deliver(staffed_exam, key, item), deliver(staffed_exam, key, item)

    assert (first.status_code, first.json()["outcome"]) == (201, "admitted")
    assert again.json() == first.json()
    assert set(first.json()) == {"item", "checkin_id", "outcome", "taken_at", "time_estimated"}
    assert len(staffed_exam.call("GET", "sessions/{session}/checkins").json()["items"]) == 1


def test_who_is_in_by_the_usual_way_and_by_a_lost_answer_counts_once(
    staffed_exam: ExamService, key: str, astronaut_jpeg: bytes
) -> None:
    at = "2026-11-28T09:00:00.123Z"
    online = staffed_exam.check_in(astronaut_jpeg, key, candidate="A1", client_time=at)

    late = deliver(staffed_exam, key, take(staffed_exam, key, astronaut_jpeg, client_time=at))

    assert late.json()["checkin_id"] == online.json()["checkin"]["id"]


@pytest.mark.parametrize("revoked", [False, True])
def test_a_key_that_has_ended_delivers_what_it_took_before_and_does_nothing_else(
    staffed_exam: ExamService, key: str, astronaut_jpeg: bytes, revoked: bool
) -> None:
    before = take(staffed_exam, key, astronaut_jpeg)
    after = take(staffed_exam, key, astronaut_jpeg, "B1", since_contact_ms=178_000)
    end_key(staffed_exam, key, revoked=revoked, ago=timedelta(minutes=1))

    done = deliver(staffed_exam, key, before)
    refused = deliver(staffed_exam, key, after)

    assert (done.status_code, done.json()["outcome"]) == (201, "referred" if revoked else "admitted")
    assert (refused.status_code, refused.json()["code"]) == (409, "taken_after_end")
    assert deliver(staffed_exam, key, after).json()["code"] == "taken_after_end"
    assert staffed_exam.check_in(astronaut_jpeg, key, candidate="B1").status_code == 401
    assert staffed_exam.call("GET", "sessions/{session}", key=key).status_code == 401
    assert staffed_exam.call("GET", "sessions/{session}/queue/pack", key=key).status_code == 401


def test_a_day_after_its_end_a_key_delivers_nothing(
    staffed_exam: ExamService, key: str, astronaut_jpeg: bytes
) -> None:
    item = take(staffed_exam, key, astronaut_jpeg)
    end_key(staffed_exam, key, ago=timedelta(hours=24, seconds=1))

    assert deliver(staffed_exam, key, item).status_code == 401


def test_a_key_of_no_session_has_no_day_after_its_end(
    staffed_exam: ExamService, key: str, astronaut_jpeg: bytes
) -> None:
    item = take(staffed_exam, key, astronaut_jpeg)
    other = staffed_exam.service.key(Scope.CHECKIN)
    end_key(staffed_exam, other, ago=timedelta(minutes=1))

    assert deliver(staffed_exam, other, item).status_code == 401


@pytest.mark.parametrize(("hours", "status"), [(13, 201), (37, 401)])
def test_the_cookie_of_a_kiosk_delivers_for_a_day_longer_than_it_opens(
    staffed_exam: ExamService, key: str, astronaut_jpeg: bytes, hours: int, status: int
) -> None:
    parts = staffed_exam.service.parts
    item = take(staffed_exam, key, astronaut_jpeg)
    page = parts.page_sessions.open("kiosk", parts.keys.authenticate(key))
    at = datetime.now(UTC) - timedelta(hours=hours)
    with parts.database.write() as db:
        db.execute(update(PageSessionRow).values(created_at=at, last_used_at=at))
    parts.page_sessions.purge()
    headers = {
        "Cookie": f"invigil_kiosk={page.token}",
        "X-Invigil-Page": "kiosk",
        "X-CSRF-Token": page.csrf,
    }

    done = deliver(staffed_exam, "", item, headers=headers)

    assert done.status_code == status, done.text
    assert staffed_exam.call("GET", "sessions/{session}", key="", headers=headers).status_code == 401


def test_a_queue_of_another_session_is_refused_and_another_kiosk_may_not_deliver_there(
    staffed_exam: ExamService, key: str, astronaut_jpeg: bytes
) -> None:
    item = take(staffed_exam, key, astronaut_jpeg)
    window = staffed_exam.call("GET", "sessions/{session}").json()
    room = {"room": "R2", "opens_at": window["opens_at"], "closes_at": window["closes_at"]}
    other = staffed_exam.call("POST", "exams/{exam}/sessions", json=room).json()["id"]
    of_other = staffed_exam.call("POST", f"sessions/{other}/kiosk-keys", json={}).json()["key"]

    refused = deliver(staffed_exam, of_other, item, session=other)

    assert (refused.status_code, refused.json()["code"]) == (409, "queue_of_another_session")
    assert deliver(staffed_exam, of_other, item).status_code == 403


def test_a_bad_item_is_refused_by_a_stable_code_and_said_on_the_board_once(
    staffed_exam: ExamService, key: str, astronaut_jpeg: bytes
) -> None:
    name, sealed = take(staffed_exam, key, astronaut_jpeg)
    changed = (name, sealed[:-1] + bytes([sealed[-1] ^ 1]))

    for _ in range(2):
        refused = deliver(staffed_exam, key, changed)
        assert (refused.status_code, refused.json()["code"]) == (422, "queue_unreadable")

    waiting = staffed_exam.call("GET", "sessions/{session}/waiting").json()["items"]
    assert [one["reasons"] for one in waiting] == [["queue_unreadable"]]
    assert deliver(staffed_exam, key, ("no item", sealed)).json()["code"] == "validation_failed"
    assert (
        staffed_exam.call("POST", "sessions/{session}/queue", key=key, files={"sealed": sealed}).status_code
        == 422
    )


def test_only_a_kiosk_is_given_the_names_of_its_session(staffed_exam: ExamService, key: str) -> None:
    other = staffed_exam.service.key(Scope.CHECKIN)

    assert [one["external_id"] for one in pack_of(staffed_exam, key)["people"]] == ["A1", "B1", "C1"]
    assert staffed_exam.call("GET", "sessions/{session}/queue/pack", key=other).status_code == 403


@pytest.mark.slow("delivers a queue of 500")
def test_a_queue_of_500_is_delivered_in_order_and_its_bad_items_stop_no_other(
    staffed_exam: ExamService, key: str, astronaut_jpeg: bytes
) -> None:
    roster = "external_id\n" + "\n".join(f"N{number:03}" for number in range(500))
    assert staffed_exam.put_csv(roster, "?create_subjects=true&mode=merge").status_code == 200
    items = [take(staffed_exam, key, astronaut_jpeg, f"N{number:03}") for number in range(500)]
    items[7] = (items[7][0], items[7][1][:-1])

    codes = [deliver(staffed_exam, key, item).status_code for item in items]

    assert (codes.count(201), codes[7]) == (499, 422)
    referred = staffed_exam.call("GET", "sessions/{session}/waiting").json()["items"]
    assert len(referred) == 500
