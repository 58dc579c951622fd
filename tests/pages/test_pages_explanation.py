"""What decided, on the page of a case: over both faces, in words, and gone again by a switch."""

from collections.abc import Callable
from uuid import UUID

import pytest
from fixtures_pages import Desk, sign_in_by_key
from playwright.sync_api import Page, expect
from sqlalchemy import delete

from embedding.image import encode_png
from embedding.quality import Purpose
from index.crops import NewCrop, keep_crop
from index.tables import CropRow
from service.access.scopes import Scope


@pytest.fixture
def case(desk: Desk, stranger_jpeg: bytes, astronaut_jpeg: bytes) -> str:
    """The address of a case whose two pictures are kept."""
    desk.seat(("1001", "Grace Hopper", "A1"))
    desk.enrol("1001", stranger_jpeg)
    subject = UUID(desk.call("GET", "/v1/subjects/ext:1001").json()["id"])
    cipher = desk.parts.desk.cipher
    assert cipher is not None
    crop = desk.parts.embedder.embed(stranger_jpeg, Purpose.VERIFY).crop
    with desk.parts.database.write() as db:
        keep_crop(db, cipher, subject, NewCrop(encode_png(crop), 30))
    attempt = desk.arrive("1001", astronaut_jpeg).json()["checkin"]["id"]
    return f"{desk.base}/console#/sessions/{desk.session_id}/case/{attempt}"


def explain(page: Page, case: str) -> None:
    page.goto(case)
    expect(page.locator(".face img")).to_have_count(2)
    page.get_by_role("button", name="What decided").click()
    expect(page.locator(".face svg")).to_have_count(2)


def test_what_decided_lies_over_both_faces_and_is_told_in_words(console: Page, case: str) -> None:
    explain(console, case)

    said = console.locator("ul.says li").all_inner_texts()
    assert any(one.startswith("At the door: what") for one in said)
    assert any(one.startswith("At enrolment: what") for one in said), said
    labels = [one.get_attribute("aria-label") or "" for one in console.locator(".face svg").all()]
    assert labels[0].startswith("At the door: what")
    assert labels[1].startswith("At enrolment: what")
    # Near and far differ by their signs, not by colour alone.
    crosses = console.locator(".face .near path.sign").count()
    bars = console.locator(".face .far path.sign").count()
    assert crosses > 0
    assert bars > 0
    assert "V" in (console.locator(".face .near path.sign").first.get_attribute("d") or "")
    assert "V" not in (console.locator(".face .far path.sign").first.get_attribute("d") or "")
    expect(console.locator("ul.signs")).to_contain_text("made the faces near")
    expect(console.locator("#explanation")).to_contain_text("d = ")


def test_the_map_is_taken_away_and_brought_back_by_its_switch(console: Page, case: str) -> None:
    explain(console, case)
    expect(console.get_by_label("Show the map over the faces")).to_be_focused()

    console.keyboard.press("Space")
    expect(console.locator(".face svg").first).to_be_hidden()
    expect(console.locator(".face img").first).to_be_visible()
    assert "scale" not in (console.locator(".face img").first.get_attribute("style") or "")
    console.keyboard.press("Space")

    expect(console.locator(".face svg").first).to_be_visible()
    # The face at the door is small in its picture and comes closer.
    assert "scale" in (console.locator(".face img").first.get_attribute("style") or "")


def test_whoever_may_not_see_scores_is_shown_the_map_without_d(
    desk: Desk, case: str, browse: Callable[..., Page]
) -> None:
    page = browse()
    page.goto(f"{desk.base}/console")
    sign_in_by_key(page, desk.parts.keys.create("Invigilator", [Scope.OVERRIDE], actor="test")[1])

    explain(page, case)

    expect(page.locator("ul.says li").first).to_be_visible()
    assert "d =" not in page.locator("main").inner_text()


def test_a_picture_that_went_meanwhile_is_said_to_be_gone(desk: Desk, console: Page, case: str) -> None:
    console.goto(case)
    expect(console.locator(".face img")).to_have_count(2)
    with desk.parts.database.write() as db:
        db.execute(delete(CropRow))

    console.get_by_role("button", name="What decided").click()

    expect(console.locator("#explanation .notice")).to_contain_text("enrolment")
    expect(console.get_by_role("button", name="What decided")).to_be_enabled()
