"""Pages of a browser that denies them its storage, or whose storage is full."""

from collections.abc import Callable

import pytest
from fixtures_pages import Desk, claim, sign_in_by_key
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.slow("opens the pages of a browser once for each way of storing nothing")

DENIED = """for (const name of ["localStorage", "sessionStorage"]) {
    Object.defineProperty(window, name, {
        get() { throw new DOMException("denied", "SecurityError"); },
    });
}"""
MISSING = """for (const name of ["localStorage", "sessionStorage"]) {
    Object.defineProperty(window, name, { value: null });
}"""
FULL = """Storage.prototype.setItem = () => { throw new DOMException("full", "QuotaExceededError"); };"""

storing_nothing = pytest.mark.parametrize("fault", [DENIED, MISSING, FULL], ids=["denied", "missing", "full"])


@storing_nothing
def test_a_kiosk_that_stores_nothing_lets_people_in_and_finds_its_own_language_again(
    desk: Desk, browse: Callable[..., Page], astronaut_jpeg: bytes, fault: str
) -> None:
    desk.seat(("1001", "Eileen Collins", "A1"))
    desk.enrol("1001", astronaut_jpeg)
    page = browse(film=astronaut_jpeg)
    page.add_init_script(fault)
    page.goto(f"{desk.base}/kiosk#key={desk.kiosk_key()}")
    expect(page.locator("#candidate")).to_be_focused()

    page.locator("#for-one").select_option("ar")

    expect(page.locator("html")).to_have_attribute("dir", "rtl")
    expect(page.locator("#candidate")).to_be_focused()
    claim(page, "1001")
    expect(page.locator("#result-title")).to_contain_text("Eileen Collins")
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(page.locator("#candidate")).to_be_focused()


@storing_nothing
def test_a_board_that_stores_nothing_can_be_read_and_silenced(
    desk: Desk, browse: Callable[..., Page], fault: str
) -> None:
    desk.seat(("1001", "Eileen Collins", "A1"))
    page = browse()
    page.add_init_script(fault)
    page.goto(f"{desk.base}/console")
    sign_in_by_key(page, desk.admin)

    page.goto(f"{desk.base}/console#/sessions/{desk.session_id}/board")

    expect(page.locator("#view")).to_contain_text("Eileen Collins")
    page.locator("#switch-sound").uncheck()
    page.goto(f"{desk.base}/console#/enrol")
    expect(page.locator("#dry-run")).to_be_visible()
    page.goto(f"{desk.base}/console#/sessions/{desk.session_id}/board")
    expect(page.locator("#switch-sound")).not_to_be_checked()
