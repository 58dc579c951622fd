"""The board in a real browser: who needs a person, the drawer of a seat, search, and lost connections."""

import re
from collections.abc import Callable

import pytest
from fixtures_pages import Desk, sign_in_by_key
from playwright.sync_api import Page, Route, expect


@pytest.fixture
def room(desk: Desk, astronaut_jpeg: bytes, stranger_jpeg: bytes) -> Desk:
    """Grace is enrolled, José has no template, Dot agreed to a document, Tom is a twin with more time."""
    rows = (
        "external_id,display_name,seat,manual_identification,twin,accommodation\n"
        "1001,Dot Comma,A1,yes,,\n1002,Grace Hopper,A2,,,\n"
        "1003,José Nuñez,A3,,,\n1004,Tom Twin,A10,,yes,+30 min\n"
    )
    path = f"/v1/sessions/{desk.session_id}/roster?create_subjects=true"
    desk.call("PUT", path, content=rows.encode(), headers={"Content-Type": "text/csv"})
    desk.enrol("1002", stranger_jpeg)
    desk.enrol("1004", astronaut_jpeg)
    return desk


@pytest.fixture
def board(room: Desk, console: Page) -> Page:
    """Its board, with every seat on it."""
    visit(console, room, "board")
    expect(console.locator(".seat")).to_have_count(4)
    return console


def visit(page: Page, desk: Desk, tab: str) -> None:
    page.goto(f"{desk.base}/console#/sessions/{desk.session_id}/{tab}")


def standing(desk: Desk, number: str) -> tuple[str, str]:
    items = desk.call("GET", f"/v1/sessions/{desk.session_id}/roster").json()["items"]
    (one,) = (one for one in items if one["external_id"] == number)
    return one["status"], one["seat"]


def open_drawer(page: Page, number: str) -> None:
    page.locator(f'.seat[data-candidate="{number}"]').click()
    expect(page.locator("#drawer-seat")).to_be_visible()


def test_everybody_who_needs_a_person_is_on_the_board_oldest_first_with_the_reason(
    room: Desk, board: Page, astronaut_jpeg: bytes, black_jpeg: bytes
) -> None:
    exam = room.call("GET", f"/v1/sessions/{room.session_id}").json()["exam_id"]
    room.call("PATCH", f"/v1/exams/{exam}", json={"identification": True})

    room.arrive("1003", astronaut_jpeg)
    room.arrive("1001", astronaut_jpeg)
    room.arrive("1004", astronaut_jpeg)
    room.arrive("1002", black_jpeg)
    room.arrive("nobody", astronaut_jpeg)

    cards = board.locator("#waiting .card")
    expect(cards).to_have_count(5)
    expect(cards).to_contain_text(
        [
            re.compile("José Nuñez.*Has no enrolment", re.DOTALL),
            re.compile("Dot Comma.*Document check agreed", re.DOTALL),
            re.compile("Tom Twin.*twin.*\\+30 min", re.DOTALL),
            re.compile("Grace Hopper.*(dark|found)", re.DOTALL),
            re.compile("not on the roster.*not on the list", re.DOTALL),
        ]
    )
    expect(board).to_have_title(re.compile("^5 waiting – Hall A"))
    board.reload()
    expect(board.locator("#waiting .card")).to_have_count(5)


def test_whoever_has_no_attempt_is_identified_by_a_document_from_the_drawer(room: Desk, board: Page) -> None:
    open_drawer(board, "1003")
    board.select_option("#drawer-identify select[name=document_type]", "passport")
    board.get_by_role("button", name="Identified by document").click()

    expect(board.locator('.seat.good[data-candidate="1003"]')).to_contain_text("by document")
    assert standing(room, "1003") == ("identified_manually", "A3")


def test_the_drawer_shows_the_flags_and_corrects_an_admission(
    room: Desk, board: Page, stranger_jpeg: bytes
) -> None:
    assert room.arrive("1002", stranger_jpeg).json()["checkin"]["outcome"] == "admitted"
    open_drawer(board, "1004")
    expect(board.locator("dialog")).to_contain_text("Twin or look-alike")
    expect(board.locator("dialog")).to_contain_text("+30 min")
    board.keyboard.press("Escape")
    open_drawer(board, "1002")
    board.get_by_text("Correct the decision").click()
    board.select_option("#drawer-decide select[name=reason_code]", "wrong_candidate")

    board.get_by_role("button", name="Take back the admission").click()
    assert standing(room, "1002")[0] == "admitted"
    board.get_by_role("button", name="Press again to confirm").click()

    expect(board.locator('.seat.bad[data-candidate="1002"]')).to_be_visible()
    assert standing(room, "1002")[0] == "refused"


def test_a_candidate_is_moved_and_marked_as_a_twin_by_the_keyboard_alone(room: Desk, board: Page) -> None:
    board.locator('.seat[data-candidate="1002"]').focus()
    board.keyboard.press("Enter")
    expect(board.locator("#drawer-seat")).to_be_visible()
    board.locator("#drawer-seat summary").focus()
    board.keyboard.press("Enter")
    board.locator("#drawer-seat input").focus()
    board.keyboard.type("B7")
    board.keyboard.press("Enter")
    expect(board.locator('.seat[data-candidate="1002"]')).to_contain_text("B7")

    open_drawer(board, "1002")
    board.locator("#drawer-twin summary").click()
    board.fill("#drawer-twin input[name=reason]", "the sister sits in Hall B")
    board.keyboard.press("Enter")

    expect(board.locator('.seat[data-candidate="1002"]')).to_contain_text("twin")
    assert standing(room, "1002")[1] == "B7"


def test_a_seat_that_somebody_has_is_not_given_away(room: Desk, board: Page) -> None:
    open_drawer(board, "1002")
    board.locator("#drawer-seat summary").click()
    board.fill("#drawer-seat input", "A1")
    board.keyboard.press("Enter")

    expect(board.locator("#drawer-seat [role=alert]")).to_contain_text("A1")
    assert standing(room, "1002")[1] == "A2"


def test_somebody_who_is_on_no_list_leaves_the_board_once_seen_to(
    room: Desk, board: Page, astronaut_jpeg: bytes
) -> None:
    room.arrive("nobody", astronaut_jpeg)

    board.get_by_role("button", name="I have seen to it").click()

    expect(board.locator("#waiting .card")).to_have_count(0)
    expect(board).to_have_title(re.compile("^Hall A"))


def test_seats_are_found_by_name_number_and_seat_and_filtered_by_counts(
    room: Desk, board: Page, stranger_jpeg: bytes
) -> None:
    for sought, number in (("nunez", "1003"), ("1004", "1004"), ("a10", "1004")):
        board.fill("#board-search", sought)
        expect(board.locator(".seat:visible")).to_have_count(1)
        expect(board.locator(f'.seat[data-candidate="{number}"]')).to_be_visible()
    board.fill("#board-search", "")
    room.arrive("1002", stranger_jpeg)

    admitted = board.locator("[data-filter=admitted]")
    expect(admitted).to_have_text("1 admitted")
    admitted.click()

    expect(board.locator(".seat:visible")).to_have_count(1)
    expect(admitted).to_have_attribute("aria-pressed", "true")


def test_the_number_in_the_title_can_be_switched_off_and_stays_so(
    room: Desk, board: Page, astronaut_jpeg: bytes
) -> None:
    room.arrive("1003", astronaut_jpeg)
    expect(board).to_have_title(re.compile("^1 waiting"))

    board.uncheck("#switch-badge")

    expect(board).to_have_title(re.compile("^Hall A"))
    board.reload()
    expect(board.locator("#waiting .card")).to_have_count(1)
    expect(board).to_have_title(re.compile("^Hall A"))


def test_a_board_whose_stream_is_refused_says_so_and_comes_back_by_itself(
    room: Desk, board: Page, stranger_jpeg: bytes
) -> None:
    refusing = {"now": True}

    def refuse(route: Route) -> None:
        # What a proxy says while the service is restarted: an EventSource never asks again after it.
        route.fulfill(status=502) if refusing["now"] else route.continue_()

    board.route(re.compile("/live$"), refuse)
    board.reload()
    expect(board.locator("#line")).to_contain_text("Connection lost")
    expect(board.locator(".stale")).to_be_visible()

    refusing["now"] = False

    expect(board.locator("#line")).to_have_text("Live")
    expect(board.locator(".seat")).to_have_count(4)
    room.arrive("1002", stranger_jpeg)
    expect(board.locator('.seat.good[data-candidate="1002"]')).to_be_visible()


def test_a_board_that_lost_its_network_shows_afterwards_what_happened_meanwhile(
    room: Desk, board: Page, stranger_jpeg: bytes
) -> None:
    board.context.set_offline(True)
    expect(board.locator("#line")).to_contain_text("may be old")
    room.arrive("1002", stranger_jpeg)

    board.context.set_offline(False)

    expect(board.locator("#line")).to_have_text("Live")
    expect(board.locator('.seat.good[data-candidate="1002"]')).to_be_visible()


def test_a_big_screen_shows_seats_and_no_name(room: Desk, board: Page, astronaut_jpeg: bytes) -> None:
    room.arrive("1003", astronaut_jpeg)
    board.get_by_role("link", name="Big screen").click()

    expect(board.locator(".big-figures")).to_contain_text("0 of 4 are in")
    expect(board.locator(".big-figures")).to_contain_text("1 waiting")
    expect(board.locator(".big-seats li.wait")).to_contain_text("A3")
    assert "José" not in board.locator("main").inner_text()
    board.keyboard.press("Escape")
    expect(board.locator("#board-search")).to_be_visible()


def test_times_are_written_as_the_browser_writes_them_with_the_zone(
    room: Desk, browse: Callable[..., Page]
) -> None:
    page = browse(locale="en-GB", timezone_id="Asia/Tokyo")
    page.goto(f"{room.base}/console")
    sign_in_by_key(page, room.admin)
    expect(page.locator("h1")).to_have_text("Today")
    visit(page, room, "board")

    shown = page.locator("#session-window")

    expect(shown).to_contain_text(re.compile(r"\d\d?:\d\d"))
    expect(shown).to_contain_text("GMT+9")
    assert not re.search(r"\b[AP]M\b", shown.inner_text())
