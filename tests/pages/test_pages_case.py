"""A case in a real browser: two faces, the reason, the band, next and back, and who was faster."""

import io
import re
from collections.abc import Callable
from uuid import UUID

import pytest
from fixtures_pages import Desk, sign_in_by_key
from PIL import Image
from playwright.sync_api import Page, expect

from index.crops import NewCrop, keep_crop
from service.access.scopes import Scope


@pytest.fixture
def room(desk: Desk, stranger_jpeg: bytes, astronaut_jpeg: bytes) -> Desk:
    """Somebody else has claimed to be Grace, of whom a crop is kept; Joan has no template."""
    desk.seat(("1001", "Grace Hopper", "A1"), ("1002", "Joan Clarke", "A2"))
    desk.enrol("1001", stranger_jpeg)
    keep_a_crop(desk, "1001")
    desk.arrive("1001", astronaut_jpeg, frames=[square_jpeg()] * 2)
    desk.arrive("1002", stranger_jpeg)
    return desk


def square_jpeg() -> bytes:
    """A frame that shows nothing."""
    frame = io.BytesIO()
    Image.new("RGB", (64, 64)).save(frame, "JPEG")
    return frame.getvalue()


def keep_a_crop(desk: Desk, number: str) -> None:
    subject = UUID(desk.call("GET", f"/v1/subjects/ext:{number}").json()["id"])
    crop = io.BytesIO()
    Image.new("RGB", (112, 112), "teal").save(crop, "PNG")
    cipher = desk.parts.desk.cipher
    assert cipher is not None
    with desk.parts.database.write() as db:
        keep_crop(db, cipher, subject, NewCrop(crop.getvalue(), 30))


def sign_in(page: Page, desk: Desk, key: str) -> None:
    page.goto(f"{desk.base}/console#/sessions/{desk.session_id}/board")
    sign_in_by_key(page, key)


def test_a_case_shows_both_faces_and_the_reason_until_it_is_decided(room: Desk, console: Page) -> None:
    console.goto(f"{room.base}/console#/sessions/{room.session_id}/board")
    console.get_by_role("link", name="Hopper").click()

    expect(console.locator(".face img")).to_have_count(2)
    sizes = "nodes => nodes.map(node => node.naturalWidth)"
    assert console.locator(".face img").evaluate_all(sizes)[1] == 112
    expect(console.locator("#why + ul")).to_contain_text("does not match the enrolment")
    expect(console.locator("#motion")).to_contain_text("do not tell a head from something flat")
    expect(console.locator(".legend [aria-current]")).to_contain_text("Too far")
    expect(console.locator(".scale .marker")).to_be_visible()
    expect(console).to_have_title(re.compile("2 waiting – Grace Hopper – Hall A"))
    case = console.url
    console.select_option("select[name=reason_code]", "impersonation_suspected")
    console.get_by_role("button", name="Refuse").click()
    console.get_by_role("button", name="Press again to confirm").click()
    expect(console.locator('.seat.bad[data-candidate="1001"]')).to_be_visible()

    console.goto(case)

    expect(console.locator(".faces")).to_contain_text("The picture went with the decision")
    expect(console.locator("ol.attempts")).to_contain_text("Impersonation suspected")


def test_whoever_may_not_see_scores_is_told_the_band_in_words(
    room: Desk, browse: Callable[..., Page]
) -> None:
    page = browse()
    key = room.parts.keys.create("Invigilator", [Scope.OVERRIDE], actor="test")[1]
    (attempt,) = room.call("GET", f"/v1/sessions/{room.session_id}/checkins").json()["items"]
    sign_in(page, room, key)
    expect(page.locator(".seat")).to_have_count(2)

    page.goto(f"{room.base}/console#/sessions/{room.session_id}/case/{attempt['id']}")

    expect(page.locator(".legend [aria-current]")).to_contain_text("Too far")
    expect(page.locator(".face img")).to_have_count(2)
    expect(page.locator(".marker")).to_have_count(0)
    assert "d =" not in page.locator("main").inner_text()


def test_an_admission_is_corrected_with_a_reason_from_its_case(room: Desk, console: Page) -> None:
    (attempt,) = room.call("GET", f"/v1/sessions/{room.session_id}/checkins").json()["items"]
    decision = {"outcome": "admitted", "reason_code": "document_checked", "operator": "M. Reyes"}
    room.call("POST", f"/v1/checkins/{attempt['id']}/override", json=decision)

    console.goto(f"{room.base}/console#/sessions/{room.session_id}/case/{attempt['id']}")
    console.get_by_text("Correct the decision").click()
    console.select_option("select[name=reason_code]", "wrong_candidate")
    console.get_by_role("button", name="Take back the admission").click()
    console.get_by_role("button", name="Press again to confirm").click()

    expect(console.locator('.seat.bad[data-candidate="1001"]')).to_be_visible()


def test_the_next_case_comes_by_itself_and_by_its_link(
    room: Desk, console: Page, astronaut_jpeg: bytes, stranger_jpeg: bytes
) -> None:
    room.seat(("1001", "Grace Hopper", "A1"), ("1002", "Joan Clarke", "A2"), ("1003", "Mary Ward", "A3"))
    room.enrol("1003", astronaut_jpeg)
    room.arrive("1003", stranger_jpeg)
    newest, oldest = room.call("GET", f"/v1/sessions/{room.session_id}/checkins").json()["items"]
    console.goto(f"{room.base}/console#/sessions/{room.session_id}/case/{oldest['id']}")
    expect(console.get_by_text("Case 1 of 2")).to_be_visible()

    console.get_by_role("link", name="Next case").click()
    expect(console.locator("#case-title")).to_have_text("Mary Ward")
    console.get_by_role("link", name="Previous").click()
    expect(console.locator("#case-title")).to_have_text("Grace Hopper")
    console.select_option("select[name=reason_code]", "document_checked")
    console.get_by_role("button", name="Accept").click()

    expect(console.locator("#case-title")).to_have_text("Mary Ward")
    assert console.url.endswith(newest["id"])


def test_another_attempt_is_allowed_from_the_drawer(room: Desk, console: Page, stranger_jpeg: bytes) -> None:
    exam = room.call("GET", f"/v1/sessions/{room.session_id}").json()["exam_id"]
    room.call("PATCH", f"/v1/exams/{exam}", json={"attempts_allowed": 1})
    assert room.arrive("1001", stranger_jpeg).json()["code"] == "attempts_exhausted"
    console.goto(f"{room.base}/console#/sessions/{room.session_id}/board")
    console.locator('.seat[data-candidate="1001"]').click()
    expect(console.locator("dialog .face img")).to_have_count(2)

    console.fill("#drawer-attempt input[name=reason]", "the lamp was off")
    console.get_by_role("button", name="Allow one more").click()
    expect(console.locator("dialog")).to_have_count(0)

    assert room.arrive("1001", stranger_jpeg).json()["checkin"]["outcome"] == "admitted"


def test_a_complaint_is_on_the_first_page_in_red_once_it_is_overdue_until_it_is_answered(
    room: Desk, console: Page
) -> None:
    console.goto(f"{room.base}/console#/sessions/{room.session_id}/board")
    console.get_by_role("link", name="Hopper").click()
    console.locator("#complaint summary").click()
    console.fill("#complaint [name=text]", "I was sent away though it was me")
    console.fill("#complaint [name=received_on]", "2026-01-05")
    console.get_by_role("button", name="Record", exact=True).click()
    expect(console.locator("#complaint .tag.bad")).to_contain_text("overdue since")

    console.goto(f"{room.base}/console#/")
    expect(console.locator("#complaints .tag.bad")).to_contain_text("overdue since")
    console.locator("#complaints").get_by_role("link", name="1001").click()
    console.fill("#complaint [name=answer]", "You were right.")
    console.get_by_role("button", name="Answer, and end the hold").click()

    expect(console.locator("#complaint .tag")).to_have_count(0)
    assert room.call("GET", "/v1/complaints").json()["items"] == []
