"""The chief ways through console and kiosk with the keyboard alone: each stop is seen, no focus is lost."""

from collections.abc import Callable

import pytest
from fixtures_pages import Desk
from playwright.sync_api import FilePayload, Locator, Page, expect

pytestmark = pytest.mark.slow("hundreds of stops of the Tab key")

ASK = """
globalThis.asked = 0;
document.getElementById("roster-file").addEventListener("click", (event) => {
  event.preventDefault();
  asked += 1;
});
"""
MOST_STOPS = 150
# How the element that has the focus shows it; a field for a file is out of sight, and its label shows it.
STOP = """() => {
  const at = document.activeElement;
  const shown = at.type === "file" ? at.closest("label") : at;
  const { outlineStyle, outlineWidth } = getComputedStyle(shown);
  const box = shown.getBoundingClientRect();
  return {
    name: `${at.tagName} ${at.id} ${at.textContent.trim().slice(0, 40)}`,
    ringed: outlineStyle !== "none" && parseFloat(outlineWidth) >= 2,
    inside: box.width > 0 && box.bottom > 0 && box.top < innerHeight,
  };
}"""


@pytest.fixture
def room(desk: Desk, astronaut_jpeg: bytes, stranger_jpeg: bytes) -> Desk:
    """Somebody else has claimed to be Grace; José has no template, and nobody has seen to Ida yet."""
    desk.seat(("1001", "Grace Hopper", "A1"), ("1002", "José Nuñez", "A2"), ("1003", "Ida Rhodes", "A3"))
    desk.enrol("1001", stranger_jpeg)
    for number in ("1001", "1002"):
        desk.arrive(number, astronaut_jpeg)
    return desk


def tab_to(page: Page, wanted: Locator, key: str = "Tab") -> None:
    """Press Tab until this has the focus; each stop on the way is ringed and in sight."""
    expect(wanted).to_be_visible()
    for _ in range(MOST_STOPS):
        page.keyboard.press(key)
        stop = page.evaluate(STOP)
        assert (stop["ringed"], stop["inside"]) == (True, True), stop
        if wanted.evaluate("one => one === document.activeElement"):
            return
    raise AssertionError(f"the keyboard does not lead to {wanted}")


def go(page: Page, wanted: Locator) -> None:
    """Tab to this, and press Enter."""
    tab_to(page, wanted)
    page.keyboard.press("Enter")


def turn_to(page: Page, address: str) -> None:
    """Go to another page of the console and wait until it has the focus: a Tab before that would be lost."""
    page.evaluate("document.activeElement.blur()")
    page.goto(address)
    expect(page.locator("#view")).to_be_focused()


def sign_in(page: Page, desk: Desk) -> None:
    page.goto(f"{desk.base}/console")
    expect(page.locator("[name=login]")).to_be_focused()
    go(page, page.locator("details summary"))
    tab_to(page, page.locator("#key"))
    page.keyboard.type(desk.admin)
    page.keyboard.press("Enter")
    expect(page.locator("#view h1")).to_have_text("Today")


def choose(page: Page, select: Locator) -> None:
    """The first real answer of a list of choices."""
    tab_to(page, select)
    page.keyboard.press("ArrowDown")


def test_from_the_sign_in_to_a_decision_without_a_mouse(room: Desk, browse: Callable[..., Page]) -> None:
    page = browse()
    sign_in(page, room)

    # The link that skips the navigation leads into the page, and leaves the address as it is.
    go(page, page.locator(".skip"))
    expect(page.locator("#view")).to_be_focused()
    expect(page.locator("h1")).to_have_text("Today")
    go(page, page.locator("#view").get_by_role("link", name="Hall A"))
    seat = page.locator(".seat[data-candidate='1003']")
    expect(seat).to_be_visible()
    expect(page.locator("#view")).to_be_focused()

    # A drawer closes by Escape, and the focus is where it was.
    go(page, seat)
    dialog = page.locator("dialog.drawer")
    expect(dialog.get_by_role("button", name="Close")).to_be_focused()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(seat).to_be_focused()
    page.keyboard.press("Enter")
    choose(page, dialog.locator("#drawer-identify select"))
    go(page, dialog.get_by_role("button", name="Identified by document"))
    expect(seat).to_contain_text("by document")
    expect(dialog).to_have_count(0)
    expect(seat).to_be_focused()

    # Whose card goes with its decision leaves the focus at the queue.
    tab_to(page, page.locator("#waiting button.card"), "Shift+Tab")
    page.keyboard.press("Enter")
    go(page, dialog.get_by_role("button", name="Identified by document"))
    expect(page.locator("#waiting .card")).to_have_count(1)
    expect(page.locator("#waiting-title")).to_be_focused()

    go(page, page.locator("#waiting a.card"))
    expect(page.locator("#case-title")).to_have_text("Grace Hopper")
    choose(page, page.locator("select[name=reason_code]"))
    tab_to(page, page.get_by_role("button", name="Refuse"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Press again to confirm")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".seat.bad[data-candidate='1001']")).to_be_visible()
    expect(page.locator("#view")).to_be_focused()


def test_a_roster_is_imported_and_a_key_kept_without_a_mouse(room: Desk, browse: Callable[..., Page]) -> None:
    page = browse()
    sign_in(page, room)
    turn_to(page, f"{room.base}/console#/sessions/{room.session_id}/roster")
    expect(page.locator("#roster-file")).to_be_attached()

    tab_to(page, page.locator("#roster-file"))
    # That Enter asks for a file is the browser's part; now and then its event does not reach the test.
    page.evaluate(ASK)
    page.keyboard.press("Enter")
    assert page.evaluate("asked") == 1
    late = FilePayload(name="late.csv", mimeType="text/csv", buffer=b"external_id,seat\n1004,A4\n")
    page.locator("#roster-file").set_input_files(late)
    expect(page.locator("#roster-report .notice").first).to_be_visible()
    tab_to(page, page.locator("#create-subjects"), "Shift+Tab")
    page.keyboard.press("Space")
    go(page, page.locator("#apply-roster"))
    expect(page.get_by_role("cell", name="1004")).to_be_visible()
    expect(page.locator("#view")).to_be_focused()

    # A form that is refused keeps the focus on what sent it.
    turn_to(page, f"{room.base}/console#/keys")
    tab_to(page, page.get_by_label("Name, as the audit trail"))
    page.keyboard.type("Other script")
    go(page, page.get_by_role("button", name="Make a key"))
    expect(page.get_by_role("alert")).to_contain_text("at least one")
    expect(page.get_by_role("button", name="Make a key")).to_be_focused()

    # What asks twice is called off by Escape.
    room.call("POST", "/v1/keys", json={"name": "Door script", "scopes": ["verify"]})
    page.reload()
    revoke = page.get_by_role("row", name="Door script").get_by_role("button", name="Revoke")
    go(page, revoke)
    expect(page.get_by_role("row", name="Door script").get_by_role("paragraph")).to_be_visible()
    page.keyboard.press("Escape")
    expect(revoke).to_be_focused()
    expect(page.get_by_role("row", name="Door script").get_by_role("paragraph")).to_have_count(0)


def test_a_kiosk_needs_no_pointer(room: Desk, browse: Callable[..., Page], stranger_jpeg: bytes) -> None:
    page = browse(film=stranger_jpeg)
    page.goto(f"{room.base}/kiosk#key={room.kiosk_key()}")
    number = page.locator("#candidate")
    expect(number).to_be_focused()

    tab_to(page, page.locator("#set-up"), "Shift+Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#setup")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#setup")).to_be_hidden()
    expect(number).to_be_focused()
    go(page, page.locator("#document"))
    expect(page.locator("#result-title")).to_be_focused()
    page.keyboard.press("Escape")
    expect(number).to_be_focused()
    page.keyboard.type("1001")
    page.keyboard.press("Enter")
    expect(page.locator("#yes")).to_be_focused()
    go(page, page.locator("#no"))
    expect(number).to_be_focused()
    page.keyboard.type("1002")
    page.keyboard.press("Enter")
    expect(page.locator("#result-title")).to_be_focused()
    page.keyboard.press("Escape")
    expect(number).to_be_focused()
    page.keyboard.type("1001")
    page.keyboard.press("Enter")
    expect(page.locator("#yes")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#result-title")).to_contain_text("Welcome, Grace")
