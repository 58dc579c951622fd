"""Going out and coming back in a real browser: at the kiosk of the way out, and by hand on the board."""

import re
from collections.abc import Callable

import pytest
from fixtures_pages import Desk, give_when_free
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.slow("a real camera and several people one behind the other")


@pytest.fixture
def hall(desk: Desk, astronaut_jpeg: bytes, stranger_jpeg: bytes) -> Desk:
    """Eileen is in by her face, Grace by a document; Dot is not in."""
    desk.seat(("1001", "Eileen Collins", "A1"), ("1002", "Grace Hopper", "A2"), ("1003", "Dot Comma", "A3"))
    desk.enrol("1001", astronaut_jpeg)
    sessions = f"/v1/sessions/{desk.session_id}"
    desk.call("POST", f"{sessions}/checkins", files={"image": astronaut_jpeg}, data={"candidate": "1001"})
    document = {"candidate": "1002", "document_type": "passport"}
    desk.call("POST", f"{sessions}/identifications", json=document)
    return desk


def presence(hall: Desk, number: str) -> str:
    items = hall.call("GET", f"/v1/sessions/{hall.session_id}/roster").json()["items"]
    return next(str(one["presence"]) for one in items if one["external_id"] == number)


def open_exit(page: Page, hall: Desk) -> None:
    """Open the kiosk and set it up for the way out."""
    page.goto(f"{hall.base}/kiosk#key={hall.kiosk_key()}")
    expect(page.locator("#candidate")).to_be_focused()
    page.locator("#set-up").click()
    page.locator("#set-mode").select_option("movement")
    page.locator("#setup .primary").click()
    expect(page.locator("#ready-title")).to_have_text("Going out, or back again?")


def test_people_go_out_and_come_back_at_the_kiosk_of_the_way_out(
    hall: Desk, browse: Callable[..., Page], astronaut_jpeg: bytes
) -> None:
    page = browse(film=astronaut_jpeg)
    open_exit(page, hall)

    give_when_free(page, "1001")
    expect(page.locator("#going-name")).to_have_text("Eileen Collins · A1")
    expect(page.locator("#exit")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#result-title")).to_have_text("See you later, Eileen Collins")
    assert presence(hall, "1001") == "out"

    # A number that is read twice within three seconds counts once: somebody else comes between.
    page.locator("#next").click()
    give_when_free(page, "1003")
    expect(page.locator("#result-title")).to_have_text("You are not checked in yet")
    page.locator("#next").click()
    give_when_free(page, "1001")
    expect(page.locator("#yes")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#result-title")).to_have_text("Welcome back, Eileen Collins")
    assert presence(hall, "1001") == "present"

    page.locator("#next").click()
    give_when_free(page, "1002")
    page.locator("#exit").click()
    expect(page.locator("#result-title")).to_have_text("See you later, Grace Hopper")
    page.locator("#next").click()
    give_when_free(page, "1001")
    page.locator("#end").click()
    expect(page.locator("#result-title")).to_have_text("Goodbye, Eileen Collins")
    assert presence(hall, "1001") == "left"

    page.locator("#next").click()
    give_when_free(page, "1002")
    expect(page.locator("#result-title")).to_have_text("Please show your document to the invigilator")


def test_a_person_records_exit_and_return_on_the_board_and_takes_one_back(hall: Desk, console: Page) -> None:
    console.goto(f"{hall.base}/console#/sessions/{hall.session_id}/board")
    seat = console.locator('.seat[data-candidate="1002"]')
    seat.click()
    console.get_by_role("button", name="Record the exit").click()
    expect(seat).to_contain_text("out 0 min")
    expect(console.locator("[data-filter=out]")).to_contain_text("1")

    seat.click()
    console.get_by_role("button", name="Record the return").click()
    expect(seat).to_contain_text("by document")

    seat.click()
    expect(console.locator("#absences")).to_be_visible()
    console.get_by_role("button", name="Record that they left").click()
    expect(seat).to_contain_text("left")

    seat.click()
    undo = console.locator("form.fields", has=console.get_by_role("button", name="Take it back"))
    undo.locator("[name=reason]").fill("it was somebody else")
    undo.get_by_role("button", name="Take it back").click()
    expect(seat).to_contain_text("by document")
    assert presence(hall, "1002") == "present"


def test_without_an_answer_somebody_at_the_kiosk_is_soon_told_what_to_do(
    hall: Desk, browse: Callable[..., Page], astronaut_jpeg: bytes
) -> None:
    hall.seat(("1001", "Eileen Collins", "A1"), ("1002", "Grace Hopper", "A2"), ("1004", "Mae Jemison", "A4"))
    page = browse(film=astronaut_jpeg)
    page.clock.install()
    # It holds nothing of its session either, so nothing can be queued.
    page.route(re.compile("/(claims|checkins|queue/pack)$"), lambda route: route.abort())
    page.goto(f"{hall.base}/kiosk#key={hall.kiosk_key()}")

    give_when_free(page, "1004")
    expect(page.locator("#yes")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#sending-text")).to_contain_text("Your attempt is kept")
    page.clock.fast_forward(25_000)
    expect(page.locator("#result-title")).to_have_text("Please go to the invigilator with your document")
    expect(page.locator("#result-detail")).to_contain_text("room sheet")

    page.unroute_all()
    page.locator("#next").click()
    expect(page.locator("#candidate")).to_be_focused()
    expect(page.locator("#offline")).to_be_hidden()
    open_exit(page, hall)
    page.route(re.compile("/claims$"), lambda route: route.abort())
    give_when_free(page, "1002")
    expect(page.locator("#result-detail")).to_contain_text("tell the invigilator")
