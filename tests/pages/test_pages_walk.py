"""From seat to seat in a real browser: each compared with its candidate, or let in by one tap."""

from collections.abc import Callable

import pytest
from fixtures_pages import Desk, sign_in_by_key
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.slow("a real camera and several seats one behind the other")


@pytest.fixture
def room(desk: Desk, astronaut_jpeg: bytes, stranger_jpeg: bytes) -> Desk:
    """Eileen and Grace are enrolled; Dot, in between, shows a document; the seats count 1, 2, 10."""
    desk.seat(("1001", "Eileen Collins", "1"), ("1002", "Grace Hopper", "10"), ("1003", "Dot Comma", "2"))
    desk.enrol("1001", astronaut_jpeg)
    desk.enrol("1002", stranger_jpeg)
    return desk


def open_tab(page: Page, room: Desk, tab: str) -> None:
    page.goto(f"{room.base}/console")
    sign_in_by_key(page, room.admin)
    page.goto(f"{room.base}/console#/sessions/{room.session_id}/{tab}")


def status(room: Desk, number: str) -> str:
    items = room.call("GET", f"/v1/sessions/{room.session_id}/roster").json()["items"]
    return next(str(one["status"]) for one in items if one["external_id"] == number)


def test_a_tablet_goes_from_seat_to_seat_and_compares_each_with_its_candidate(
    room: Desk, browse: Callable[..., Page], astronaut_jpeg: bytes
) -> None:
    page = browse(film=astronaut_jpeg, width=768, height=1024)

    open_tab(page, room, "walk")

    # Eileen is who the camera sees; then comes seat 2, where a tap says that a document was seen.
    expect(page.locator("#walk-seat")).to_have_text("Seat 2")
    assert status(room, "1001") == "admitted"
    expect(page.locator("#walk-progress")).to_have_text("1 of 3 seats done")
    page.locator("#walk-seen").click()
    # At seat 10 sits somebody who is not Grace: that is a case for the board, and the walk goes on.
    expect(page.locator("#walk-card h2")).to_have_text("Every seat is done")
    assert status(room, "1003") == "identified_manually"
    assert status(room, "1002") == "referred"
    (case,) = room.call("GET", f"/v1/sessions/{room.session_id}/waiting").json()["items"]
    assert case["candidate"]["external_id"] == "1002"


def test_without_faces_the_walk_is_one_tap_a_seat_and_one_for_an_empty_one(room: Desk, console: Page) -> None:
    exam_id = room.call("GET", f"/v1/sessions/{room.session_id}").json()["exam_id"]
    room.call("PATCH", f"/v1/exams/{exam_id}", json={"faces": "off"})
    console.goto(f"{room.base}/console#/sessions/{room.session_id}/walk")

    expect(console.locator("#walk-seat")).to_have_text("Seat 1")
    console.locator("#usual-document").select_option("passport")
    console.locator("#walk-seen").click()
    expect(console.locator("#walk-seat")).to_have_text("Seat 2")
    console.locator("#walk-empty").click()
    expect(console.locator("#walk-seat")).to_have_text("Seat 10")
    console.locator("#walk-empty").click()
    expect(console.locator("#walk-progress")).to_have_text("3 of 3 seats done")

    (checkin,) = room.call("GET", f"/v1/sessions/{room.session_id}/checkins").json()["items"]
    assert (checkin["external_id"], checkin["document_type"]) == ("1001", "passport")
    assert status(room, "1003") == "expected"


def test_on_the_board_of_an_exam_without_faces_one_tap_on_a_seat_lets_in(room: Desk, console: Page) -> None:
    exam_id = room.call("GET", f"/v1/sessions/{room.session_id}").json()["exam_id"]
    room.call("PATCH", f"/v1/exams/{exam_id}", json={"faces": "off"})
    console.goto(f"{room.base}/console#/sessions/{room.session_id}/board")

    console.locator("[data-tap='1002']").first.click()

    expect(console.locator(".seat[data-candidate='1002']")).to_contain_text("by document")
    expect(console.locator("[data-tap='1002']")).to_have_count(0)
    expect(console.locator("[data-tap]")).to_have_count(2)
