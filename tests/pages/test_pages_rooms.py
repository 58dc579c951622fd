"""The board of all rooms in a real browser: every room's queue on one page, live, over a lost connection."""

import re
from datetime import timedelta
from typing import Any

import pytest
from fixtures_pages import Desk, window
from playwright.sync_api import Page, expect

HOUR = timedelta(hours=1)


@pytest.fixture
def wing(desk: Desk) -> dict[str, str]:
    """Two open rooms of one exam and one of another: one candidate each, without a template."""
    exam = desk.call("GET", f"/v1/sessions/{desk.session_id}").json()["exam_id"]
    terms = {
        "name": "Latin",
        "starts_at": window(-HOUR, HOUR)["opens_at"],
        "ends_at": window(-HOUR, HOUR)["closes_at"],
    }
    latin = desk.call("POST", "/v1/exams", json=terms).json()["id"]
    rooms = {
        "Hall A": desk.session_id,
        "Hall B": room(desk, exam, "Hall B"),
        "Annex": room(desk, latin, "Annex"),
    }
    for number, session_id in enumerate(rooms.values(), 1):
        rows = f"external_id,display_name,seat\n100{number},Candidate {number},A{number}\n"
        path = f"/v1/sessions/{session_id}/roster?create_subjects=true"
        desk.call("PUT", path, content=rows.encode(), headers={"Content-Type": "text/csv"})
    return rooms


def room(desk: Desk, exam: str, name: str) -> str:
    terms = {"room": name} | window(-HOUR, HOUR)
    return str(desk.call("POST", f"/v1/exams/{exam}/sessions", json=terms).json()["id"])


def test_all_who_wait_in_any_room_are_on_one_board_that_follows_and_survives_a_lost_connection(
    desk: Desk, wing: dict[str, str], console: Page, astronaut_jpeg: bytes
) -> None:
    desk.arrive("1002", astronaut_jpeg, wing["Hall B"])
    console.get_by_role("link", name="All rooms", exact=True).click()
    cards: Any = console.locator("#waiting .card")

    expect(cards).to_have_count(1)
    expect(cards).to_contain_text([re.compile("Candidate 2.*Hall B.*Has no enrolment", re.DOTALL)])
    expect(console.locator("#rooms a")).to_have_count(3)
    desk.arrive("1003", astronaut_jpeg, wing["Annex"])
    desk.arrive("1001", astronaut_jpeg, wing["Hall A"])
    expect(cards.locator(".room")).to_contain_text(["Hall B", "Annex · Latin", "Hall A"])
    expect(console).to_have_title(re.compile("^3 waiting – All rooms"))

    console.locator(f'[data-filter="{wing["Annex"]}"]').click()
    expect(cards).to_have_count(1)
    cards.click()
    console.select_option("#drawer-identify select[name=document_type]", "passport")
    console.get_by_role("button", name="Identified by document").click()
    expect(console.locator("#waiting-title")).to_contain_text("2")
    expect(console.locator(f'[data-room="{wing["Annex"]}"]')).to_contain_text("1 of 1 are in")

    console.context.set_offline(True)
    expect(console.locator("#line")).to_contain_text("may be old")
    desk.call(
        "POST",
        f"/v1/sessions/{wing['Hall B']}/identifications",
        json={"candidate": "1002", "document_type": "passport"},
    )
    console.context.set_offline(False)
    expect(console.locator("#line")).to_have_text("Live")
    console.locator('[data-filter="all"]').click()
    expect(cards.locator(".room")).to_contain_text(["Hall A"])
    expect(cards).to_have_count(1)

    exam = desk.call("GET", f"/v1/sessions/{wing['Annex']}").json()["exam_id"]
    console.goto(f"{desk.base}/console#/board/{exam}")
    expect(console.locator("#rooms a")).to_have_count(1)
    expect(console.locator("#waiting")).to_contain_text("Nobody needs you now")
    desk.call(
        "PATCH", f"/v1/sessions/{wing['Annex']}", json=window(-2 * HOUR, -HOUR) | {"reason": "for the test"}
    )
    expect(console.locator("#rooms")).to_contain_text("No room is open now")
