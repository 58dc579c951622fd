"""Kiosks: let in by a code that an operator confirms, seen, named and ended."""

import sqlite3
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from fixtures_exams import ExamService, hours_from_now
from sqlalchemy import select, update

from index.copying import copy_rows
from index.database.database import Database
from index.tables import utc_now
from service.access.scopes import Scope
from service.exams.errors import TooManyCodes
from service.exams.kiosks import ask_to_be_paired
from service.exams.tables import KioskPairingRow


@pytest.fixture
def hall(exam_service: ExamService) -> ExamService:
    """A session that is open."""
    return exam_service


def ask(hall: ExamService) -> dict[str, Any]:
    """A tablet asks for a code."""
    answer = hall.service.client.post("/pair")
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def collect(hall: ExamService, asked: dict[str, Any], **other: str) -> httpx.Response:
    answer = hall.service.client.post(
        "/pair/collect", json={"id": asked["id"], "secret": asked["secret"], **other}
    )
    hall.service.client.cookies.clear()
    return answer


def confirm(hall: ExamService, code: str, name: str = "Door 1", **options: Any) -> httpx.Response:
    return hall.call("POST", "sessions/{session}/kiosks", json={"code": code, "name": name}, **options)


def paired(hall: ExamService, name: str = "Door 1") -> tuple[str, str]:
    """A kiosk's id and its cookie."""
    asked = ask(hall)
    assert confirm(hall, asked["code"], name).status_code == 201
    return asked["id"], str(collect(hall, asked).cookies["invigil_kiosk"])


def kiosks(hall: ExamService) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = hall.call("GET", "sessions/{session}/kiosks").json()["items"]
    return items


def as_kiosk(hall: ExamService, cookie: str, path: str) -> int:
    headers = {"Cookie": f"invigil_kiosk={cookie}"}
    return hall.call("GET", path, key="", headers=headers).status_code


def test_a_tablet_whose_code_is_confirmed_is_a_kiosk_of_the_session_and_of_no_other(
    hall: ExamService,
) -> None:
    asked = ask(hall)
    before = collect(hall, asked)
    spelled = f"{asked['code'][:4].lower()} {asked['code'][4:].lower()}"
    made = confirm(hall, spelled)
    got = collect(hall, asked)

    assert before.status_code == 202
    assert made.status_code == 201, made.text
    assert got.json() == {"name": "Door 1"}
    cookie = str(got.cookies["invigil_kiosk"])
    assert as_kiosk(hall, cookie, "sessions/{session}") == 200
    assert as_kiosk(hall, cookie, "subjects") == 403
    assert [(one["id"], one["name"], one["state"]) for one in kiosks(hall)] == [
        (asked["id"], "Door 1", "away")
    ]


def test_the_cookie_is_fetched_once_and_by_whoever_knows_the_secret(hall: ExamService) -> None:
    asked, other = ask(hall), ask(hall)
    confirm(hall, asked["code"])

    assert collect(hall, asked, secret=other["secret"]).json()["code"] == "pairing_ended"
    assert collect(hall, asked).status_code == 200
    assert collect(hall, asked).status_code == 410


def test_one_code_lets_one_tablet_in(hall: ExamService) -> None:
    asked = ask(hall)

    first, second = confirm(hall, asked["code"]), confirm(hall, asked["code"], "Door 2")

    assert (first.status_code, second.status_code) == (201, 404)
    assert second.json()["code"] == "code_unknown"


def test_a_code_has_an_end(hall: ExamService) -> None:
    asked, confirmed = ask(hall), ask(hall)
    confirm(hall, confirmed["code"])
    with hall.service.parts.database.write() as db:
        db.execute(update(KioskPairingRow).values(expires_at=utc_now()))

    assert confirm(hall, asked["code"]).json()["code"] == "code_unknown"
    assert collect(hall, confirmed).status_code == 410


def test_codes_are_guessed_a_few_times_only(hall: ExamService) -> None:
    asked = ask(hall)
    wrong = [
        hall.call("POST", "kiosk-codes/look", json={"code": f"AAAAAAA{letter}"}).status_code
        for letter in "BCDEFGHJKL"
    ]

    right = hall.call("POST", "kiosk-codes/look", json={"code": asked["code"]})

    assert set(wrong) == {404}
    assert right.status_code == 429
    assert confirm(hall, asked["code"]).status_code == 429


def test_right_codes_are_not_counted_as_guesses(hall: ExamService) -> None:
    seen = [
        hall.call("POST", "kiosk-codes/look", json={"code": ask(hall)["code"]}).status_code for _ in range(12)
    ]

    assert set(seen) == {200}


def test_as_many_tablets_ask_as_may(hall: ExamService, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.exams.kiosks.MOST_CODES_OF_ADDRESS", 2)
    ask(hall)
    ask(hall)

    refused = hall.service.client.post("/pair")

    assert (refused.status_code, refused.headers["retry-after"]) == (429, "600")


def test_a_network_of_addresses_asks_as_often_as_one_address(
    hall: ExamService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.exams.kiosks.MOST_CODES_OF_ADDRESS", 2)
    database = hall.service.parts.database
    for host in (1, 2):
        ask_to_be_paired(database, f"2001:db8::{host}", None)

    with pytest.raises(TooManyCodes):
        ask_to_be_paired(database, "2001:db8::3", None)
    ask_to_be_paired(database, "2001:db8:1::1", None)


def test_a_code_that_came_back_with_an_older_database_lets_nobody_in(hall: ExamService) -> None:
    asked = ask(hall)
    confirm(hall, asked["code"])

    hall.service.parts.following.when_gone_back()

    assert collect(hall, asked).status_code == 410


def test_no_code_is_in_a_backup(hall: ExamService, tmp_path: Path) -> None:
    confirm(hall, ask(hall)["code"])
    copy = Database(f"sqlite:///{tmp_path}/copy.db")
    copy.upgrade()

    with hall.service.parts.database.snapshot() as source, copy.write() as target:
        copy_rows(source, target)

    with copy.read() as db:
        assert db.scalars(select(KioskPairingRow)).all() == []
    copy.close()


def test_who_may_not_plan_exams_lets_no_kiosk_in(hall: ExamService) -> None:
    key = hall.service.key(Scope.CHECKIN, Scope.OVERRIDE)

    assert confirm(hall, ask(hall)["code"], key=key).status_code == 403


def test_a_session_that_is_over_takes_no_kiosk(hall: ExamService) -> None:
    asked = ask(hall)
    confirm(hall, asked["code"])
    window = {"opens_at": hours_from_now(-3).isoformat(), "closes_at": hours_from_now(-2).isoformat()}
    changed = hall.call("PATCH", "sessions/{session}", json=window | {"reason": "for the test"})
    assert changed.status_code == 200, changed.text

    assert collect(hall, asked).json()["code"] == "session_closed"
    assert confirm(hall, ask(hall)["code"]).json()["code"] == "session_closed"


def test_a_kiosk_says_how_it_fares_is_renamed_and_ended_at_once(hall: ExamService) -> None:
    kiosk_id, cookie = paired(hall)
    page = hall.service.parts.page_sessions.find("kiosk", cookie)
    headers = {"Cookie": f"invigil_kiosk={cookie}", "X-Invigil-Page": "kiosk", "X-CSRF-Token": page.csrf}
    told = {"camera": "frozen", "battery": 0.4, "charging": False}

    sign = hall.call("POST", "sessions/{session}/kiosks/sign", key="", headers=headers, json=told)
    named = hall.call("PATCH", f"sessions/{{session}}/kiosks/{kiosk_id}", json={"name": "Door B"})
    (here,) = kiosks(hall)
    ended = hall.call("DELETE", f"sessions/{{session}}/kiosks/{kiosk_id}")

    assert sign.status_code == 204, sign.text
    assert named.json()["name"] == "Door B"
    assert (here["state"], here["camera"], here["battery"], here["charging"]) == (
        "here",
        "frozen",
        0.4,
        False,
    )
    assert here["seen_at"] is not None
    assert ended.json()["state"] == "ended"
    assert as_kiosk(hall, cookie, "sessions/{session}") == 401


def test_a_key_that_is_no_kiosks_of_the_session_is_not_found_there(hall: ExamService) -> None:
    other = hall.service.parts.keys.create("other", [Scope.VERIFY], actor="test")[0]

    assert hall.call("DELETE", f"sessions/{{session}}/kiosks/{other.id}").json()["code"] == "kiosk_not_found"
    sign = hall.call("POST", "sessions/{session}/kiosks/sign", json={"camera": "ok"})
    assert sign.status_code == 403


def test_the_database_knows_neither_code_nor_secret(hall: ExamService) -> None:
    asked = ask(hall)

    with sqlite3.connect(hall.service.parts.settings.data_dir / "invigil.db") as db:
        rows = str(db.execute("SELECT * FROM kiosk_pairing").fetchall())

    assert asked["code"] not in rows
    assert asked["secret"] not in rows
