"""From a printed key to the first person let in, through the pages alone."""

from collections.abc import Callable
from pathlib import Path

from fixtures_pages import Desk, sign_in_by_key
from playwright.sync_api import Locator, Page, expect


def test_the_pages_lead_from_the_key_to_the_first_check_in(
    new_desk: Desk, browse: Callable[..., Page], astronaut_jpeg: bytes, tmp_path: Path
) -> None:
    roster, photo = tmp_path / "roster.csv", tmp_path / "photo.jpg"
    roster.write_text("external_id,display_name,seat\n1001,Eileen Collins,A1\n")
    photo.write_bytes(astronaut_jpeg)
    page = browse(film=astronaut_jpeg)

    page.goto(new_desk.base)
    page.get_by_role("link", name="Open the console").click()
    sign_in_by_key(page, new_desk.admin)
    expect(page.locator("li.done")).to_have_count(1)

    page.get_by_role("link", name="An exam with a session").click()
    page.fill("input[name=name]", "Analysis")
    page.get_by_role("button", name="Create exam").click()
    page.fill("textarea[name=room]", "Hall B")
    page.get_by_role("button", name="Add session").click()
    expect(page.get_by_role("link", name="Hall B")).to_be_visible()

    step(page, new_desk, "The roster", done=2).click()
    page.check("#create-subjects")
    page.set_input_files("#roster-file", roster)
    page.click("#apply-roster")
    expect(page.get_by_role("cell", name="Eileen Collins")).to_be_visible()

    step(page, new_desk, "Enrolments", done=3).click()
    page.get_by_role("link", name="1001").click()
    page.set_input_files("#photo", photo)
    expect(page.get_by_role("button", name="Remove")).to_be_visible()

    step(page, new_desk, "The kiosk", done=4).click()
    page.get_by_role("button", name="Make a kiosk key").click()
    with page.expect_popup() as opened:
        page.get_by_role("link", name="Open the kiosk here").click()
    kiosk = opened.value
    expect(kiosk.locator("#candidate")).to_be_focused()
    kiosk.keyboard.type("1001")
    kiosk.keyboard.press("Enter")
    kiosk.get_by_role("button", name="Yes, continue").click()

    expect(kiosk.locator("#result-title")).to_have_text("Welcome, Eileen Collins")


def step(page: Page, desk: Desk, name: str, *, done: int) -> Locator:
    """The next step on the first page, which says how many are done."""
    page.goto(f"{desk.base}/console#/")
    expect(page.locator("li.done")).to_have_count(done)
    return page.get_by_role("link", name=name, exact=True)
