"""The kiosk in a real browser, with a film of a real face before its camera."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from fixtures_pages import Desk
from playwright.sync_api import Page, Route, expect


@pytest.fixture
def hall(desk: Desk, astronaut_jpeg: bytes, stranger_jpeg: bytes) -> Desk:
    """The session with two enrolled candidates."""
    desk.seat(("1001", "Eileen Collins", "A1"), ("1002", "Grace Hopper", "A2"))
    desk.enrol("1001", astronaut_jpeg)
    desk.enrol("1002", stranger_jpeg)
    return desk


def open_kiosk(page: Page, hall: Desk) -> None:
    page.goto(f"{hall.base}/kiosk#key={hall.kiosk_key()}")
    expect(page.locator("#candidate")).to_be_focused()


def claim(page: Page, number: str) -> None:
    page.keyboard.type(number)
    page.keyboard.press("Enter")


def test_the_kiosk_admits_the_right_person(
    hall: Desk, browse: Callable[..., Page], astronaut_jpeg: bytes
) -> None:
    page = browse(film=astronaut_jpeg)
    open_kiosk(page, hall)

    claim(page, "1001")

    expect(page.locator("#result-title")).to_have_text("Welcome, Eileen Collins")
    expect(page.locator("#result-detail")).to_have_text("Your seat: A1")
    expect(page.locator("#result")).to_have_class("result good")


def test_the_kiosk_is_ready_for_the_next_person_by_itself(
    hall: Desk, browse: Callable[..., Page], astronaut_jpeg: bytes
) -> None:
    page = browse(film=astronaut_jpeg)
    open_kiosk(page, hall)
    claim(page, "1001")

    expect(page.locator("#result")).to_be_visible()

    expect(page.locator("#candidate")).to_be_focused()
    expect(page.locator("#candidate")).to_have_value("")


def test_the_kiosk_refers_somebody_who_claims_another_number(
    hall: Desk, browse: Callable[..., Page], astronaut_jpeg: bytes
) -> None:
    page = browse(film=astronaut_jpeg)
    open_kiosk(page, hall)

    claim(page, "1002")

    expect(page.locator("#result-title")).to_have_text("Please see the invigilator")
    expect(page.locator("#result")).to_have_class("result wait")


def test_of_whom_no_photograph_is_used_none_is_taken(
    hall: Desk, browse: Callable[..., Page], astronaut_jpeg: bytes
) -> None:
    page = browse(film=astronaut_jpeg)
    open_kiosk(page, hall)
    text = "external_id,display_name,manual_identification\n1001,Eileen Collins,yes"
    path = f"/v1/sessions/{hall.session_id}/roster?mode=merge"
    hall.call("PUT", path, content=text.encode(), headers={"Content-Type": "text/csv"})
    sent = list[str]()
    page.on("request", lambda request: sent.append(request.url.rsplit("/", 1)[1].partition("?")[0]))

    claim(page, "1001")

    expect(page.locator("#result-title")).to_have_text("Please show your document to the invigilator")
    assert "claims" in sent
    assert {"quality", "checkins"}.isdisjoint(sent)


def test_while_the_kiosk_looks_it_says_for_whom(
    hall: Desk, browse: Callable[..., Page], black_jpeg: bytes
) -> None:
    page = browse(film=black_jpeg)
    open_kiosk(page, hall)

    claim(page, "1001")

    expect(page.locator("#claimed")).to_have_text("Eileen Collins · A1")


def test_a_camera_that_ends_is_named_and_started_again_by_itself(
    hall: Desk, browse: Callable[..., Page], astronaut_jpeg: bytes
) -> None:
    page = browse(film=astronaut_jpeg)
    open_kiosk(page, hall)
    page.evaluate(
        """() => {
            const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
            let busy = 1;
            navigator.mediaDevices.getUserMedia = (wish) =>
                busy-- > 0 ? Promise.reject(new DOMException("in use", "NotReadableError")) : ask(wish);
            const [track] = document.getElementById("camera").srcObject.getVideoTracks();
            track.stop();
            track.dispatchEvent(new Event("ended"));
        }"""
    )

    expect(page.locator("#camera-problem")).to_contain_text("Another program uses the camera")
    expect(page.locator("#candidate")).to_be_focused()
    claim(page, "1001")
    expect(page.locator("#result-title")).to_have_text("Welcome, Eileen Collins")


def test_what_is_on_its_way_is_not_called_back(
    hall: Desk, browse: Callable[..., Page], astronaut_jpeg: bytes
) -> None:
    page = browse(film=astronaut_jpeg)
    open_kiosk(page, hall)
    held = list[Route]()
    page.route(re.compile("/checkins$"), lambda route: held.append(route))
    claim(page, "1001")
    expect(page.locator("#sending")).to_be_visible()

    page.keyboard.press("Escape")

    expect(page.locator("#cancel")).to_be_hidden()
    held[0].continue_()
    expect(page.locator("#result-title")).to_have_text("Welcome, Eileen Collins")


def test_an_attempt_survives_a_lost_network_and_counts_once(
    hall: Desk, browse: Callable[..., Page], astronaut_jpeg: bytes
) -> None:
    page = browse(film=astronaut_jpeg)
    open_kiosk(page, hall)
    lost = []

    def lose_the_answer(route: Route) -> None:
        """The first request arrives and its answer does not; the second does not even arrive."""
        lost.append(route.request.headers["idempotency-key"])
        if len(lost) == 1:
            route.fetch()
        if len(lost) <= 2:
            route.abort()
        else:
            route.continue_()

    page.route(re.compile("/checkins$"), lose_the_answer)
    claim(page, "1001")

    expect(page.locator("#sending-text")).to_contain_text("Your attempt is kept")
    expect(page.locator("#result-title")).to_have_text("Welcome, Eileen Collins")
    checkins = hall.call("GET", f"/v1/sessions/{hall.session_id}/checkins").json()["items"]
    assert len(checkins) == 1
    assert len(set(lost)) == 1


def test_the_kiosk_tells_when_check_in_is_not_open(
    hall: Desk, browse: Callable[..., Page], astronaut_jpeg: bytes
) -> None:
    page = browse(film=astronaut_jpeg)
    open_kiosk(page, hall)
    hall.reopen(opens=timedelta(minutes=30), closes=timedelta(hours=2))

    claim(page, "1001")

    expect(page.locator("#result-title")).to_have_text("Check-in is not open")


def test_the_kiosk_asks_for_a_face_where_there_is_none(
    hall: Desk, browse: Callable[..., Page], black_jpeg: bytes
) -> None:
    page = browse(film=black_jpeg)
    open_kiosk(page, hall)

    claim(page, "1001")

    expect(page.locator("#guidance")).to_have_text("Please look into the camera")
    page.keyboard.press("Escape")
    expect(page.locator("#candidate")).to_be_focused()


def test_nobody_is_asked_for_a_better_picture_for_ever(
    hall: Desk, browse: Callable[..., Page], black_jpeg: bytes
) -> None:
    page = browse(film=black_jpeg)
    open_kiosk(page, hall)

    claim(page, "1001")

    expect(page.locator("#result-title")).to_have_text("Please see the invigilator")
    (checkin,) = hall.call("GET", f"/v1/sessions/{hall.session_id}/checkins").json()["items"]
    assert (checkin["external_id"], checkin["outcome"]) == ("1001", "referred")
    assert (checkin["decision"], checkin["reasons"]) == (None, ["face_not_found"])


def test_an_empty_number_does_nothing_where_the_exam_looks_for_nobody(
    hall: Desk, browse: Callable[..., Page], astronaut_jpeg: bytes
) -> None:
    page = browse(film=astronaut_jpeg)
    open_kiosk(page, hall)

    claim(page, "")
    claim(page, "1001")

    expect(page.locator("#result-title")).to_have_text("Welcome, Eileen Collins")
    (checkin,) = hall.call("GET", f"/v1/sessions/{hall.session_id}/checkins").json()["items"]
    assert checkin["mode"] == "claimed"


def test_the_kiosk_opens_with_a_kiosk_key_only(hall: Desk, browse: Callable[..., Page]) -> None:
    page = browse()
    page.goto(f"{hall.base}/kiosk")

    page.fill("#key", hall.admin)
    page.keyboard.press("Enter")

    expect(page.locator("#sign-in-problem")).to_contain_text("kiosk key of one session")


def test_a_link_that_is_no_longer_valid_shows_the_sign_in_and_says_why(
    hall: Desk, browse: Callable[..., Page]
) -> None:
    page = browse()

    page.goto(f"{hall.base}/kiosk#key={hall.kiosk_key()[:-3]}xyz")

    expect(page.locator("#key")).to_be_visible()
    expect(page.locator("#sign-in-problem")).not_to_be_empty()
