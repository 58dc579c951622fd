"""Delivering what a kiosk took without network, over HTTP: who may, until when, and what is refused."""

from datetime import UTC, datetime, timedelta

import pytest
from fixtures_exams import ExamService
from queues import deliver, pack_of, take
from sqlalchemy import update

from index.tables import ApiKeyRow, PageSessionRow
from service.access.scopes import Scope


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


def another_session(hall: ExamService) -> tuple[str, str]:
    """Another session of the exam, and a kiosk's key of it."""
    now = datetime.now(UTC)
    room = {
        "room": "Hall B",
        "opens_at": (now - timedelta(hours=1)).isoformat(),
        "closes_at": (now + timedelta(hours=1)).isoformat(),
    }
    session = str(hall.call("POST", "exams/{exam}/sessions", json=room).json()["id"])
    made = hall.call("POST", f"sessions/{session}/kiosk-keys", json={})
    return session, str(made.json()["key"])


def test_a_tablet_that_is_of_another_session_delivers_what_it_took_before_and_nothing_else(
    staffed_exam: ExamService, key: str, astronaut_jpeg: bytes
) -> None:
    parts, client = staffed_exam.service.parts, staffed_exam.service.client
    before, after = (take(staffed_exam, key, astronaut_jpeg, since_contact_ms=ms) for ms in (60_000, 999_000))
    page = parts.page_sessions.open("kiosk", parts.keys.authenticate(key))
    session, other = another_session(staffed_exam)
    own = {"Cookie": f"invigil_kiosk={page.token}"}

    moved = client.post("/login", json={"page": "kiosk", "key": other}, headers=own)
    client.cookies.clear()

    cookie = next(one for one in moved.headers.get_list("set-cookie") if "former" in one)
    assert f"Path=/v1/sessions/{staffed_exam.session_id}/queue;" in cookie
    assert "HttpOnly" in cookie
    former = {"Cookie": cookie.partition(";")[0], "X-Invigil-Page": "kiosk", "X-CSRF-Token": page.csrf}
    assert deliver(staffed_exam, "", before, session, headers=former).status_code == 403
    done = deliver(staffed_exam, "", before, headers=former)
    assert (done.status_code, done.json()["outcome"]) == (201, "admitted")
    assert deliver(staffed_exam, "", after, headers=former).json()["code"] == "taken_after_end"
    for headers in (former, own | {"X-CSRF-Token": page.csrf}):
        for path in ("queue/pack", "roster"):
            answer = staffed_exam.call("GET", f"sessions/{{session}}/{path}", key="", headers=headers)
            assert answer.status_code == 401, answer.text
    forged = former | {"X-CSRF-Token": "0" * 64}
    assert deliver(staffed_exam, "", before, headers=forged).status_code == 401


def test_a_day_after_a_tablet_went_to_another_session_it_delivers_nothing_of_the_former(
    staffed_exam: ExamService, key: str, astronaut_jpeg: bytes
) -> None:
    parts = staffed_exam.service.parts
    item = take(staffed_exam, key, astronaut_jpeg)
    page = parts.page_sessions.open("kiosk", parts.keys.authenticate(key))
    parts.page_sessions.hand_over(page.token)
    with parts.database.write() as db:
        db.execute(update(PageSessionRow).values(last_used_at=datetime.now(UTC) - timedelta(hours=25)))

    headers = {"Cookie": f"invigil_former_kiosk={page.token}", "X-CSRF-Token": page.csrf}
    assert deliver(staffed_exam, "", item, headers=headers).status_code == 401


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
