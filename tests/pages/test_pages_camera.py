"""A kiosk's camera and screen: how they fail, are named, and are used again; which pictures count."""

import base64
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from fixtures_pages import Desk, claim
from playwright.sync_api import Page, expect

PLAYED = Path(__file__).parents[1] / "support" / "played_camera.js"

pytestmark = pytest.mark.slow("waits before the camera of a kiosk as people do")


@pytest.fixture
def hall(desk: Desk, astronaut_jpeg: bytes, stranger_jpeg: bytes) -> Desk:
    """The session with two enrolled candidates."""
    desk.seat(("1001", "Eileen Collins", "A1"), ("1002", "Grace Hopper", "A2"))
    desk.enrol("1001", astronaut_jpeg)
    desk.enrol("1002", stranger_jpeg)
    return desk


@pytest.fixture
def page(browse: Callable[..., Page]) -> Page:
    """A browser whose cameras the test plays."""
    made = browse()
    made.add_init_script(path=PLAYED)
    return made


def open_kiosk(page: Page, hall: Desk) -> None:
    page.goto(f"{hall.base}/kiosk#key={hall.kiosk_key()}")
    expect(page.locator("#candidate")).to_be_focused()


def stand(page: Page, picture: bytes) -> None:
    """Somebody steps before the camera."""
    source = f"data:image/jpeg;base64,{base64.b64encode(picture).decode()}"
    page.evaluate("source => window.played.stand(source)", source)


def play(page: Page, **changes: object) -> None:
    """Change what the camera does."""
    page.evaluate("changes => void Object.assign(window.played, changes)", changes)


def sent_by(page: Page) -> list[str]:
    """The last words of the addresses that the page asks from here on."""
    sent = list[str]()
    page.on("request", lambda request: sent.append(request.url.rsplit("/", 1)[1].partition("?")[0]))
    return sent


@pytest.mark.parametrize("state", ["frozen", "repeated"])
def test_a_picture_from_before_the_claim_is_never_sent(
    hall: Desk, page: Page, astronaut_jpeg: bytes, stranger_jpeg: bytes, state: str
) -> None:
    open_kiosk(page, hall)
    stand(page, astronaut_jpeg)
    page.wait_for_timeout(500)
    play(page, state=state)
    sent = sent_by(page)

    claim(page, "1001")
    expect(page.locator("#guidance")).to_be_visible()
    page.wait_for_timeout(1200)

    assert {"quality", "checkins"}.isdisjoint(sent)
    stand(page, stranger_jpeg)
    play(page, state="live")
    expect(page.locator("#result-title")).to_have_text("Please see the invigilator")
    (checkin,) = hall.call("GET", f"/v1/sessions/{hall.session_id}/checkins").json()["items"]
    assert checkin["decision"] == "no_match"


def test_a_card_from_before_the_scan_is_not_read(hall: Desk, page: Page) -> None:
    open_kiosk(page, hall)
    page.evaluate("delete window.BarcodeDetector")
    page.wait_for_timeout(300)
    play(page, state="repeated")
    sent = sent_by(page)

    page.click("#scan-card")
    expect(page.locator("#scan-hint")).to_be_visible()
    page.wait_for_timeout(1200)

    assert "scan" not in sent
    play(page, state="live")
    with page.expect_response(re.compile("/v1/scan$")):
        pass
