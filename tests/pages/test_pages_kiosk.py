"""The kiosk in a real browser, with a film of a real face before its camera."""

import io
import re
from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from urllib.parse import quote

import pytest
import zxingcpp
from fixtures_pages import Desk, claim, give, open_kiosk
from PIL import Image
from playwright.sync_api import Dialog, Page, Route, expect


def picture_of(colour: tuple[int, int, int]) -> bytes:
    """A picture of one colour."""
    made = io.BytesIO()
    Image.new("RGB", (320, 320), colour).save(made, "JPEG")
    return made.getvalue()


GREY = picture_of((120, 120, 120))

# A camera whose scene a test sets: moving as somebody does, empty but for noise, standing still, or black.
PLAYED_CAMERA = """() => {
    const canvas = document.createElement("canvas");
    canvas.width = 640;
    canvas.height = 480;
    const pen = canvas.getContext("2d");
    window.scene = "moving";
    let at = 0;
    setInterval(() => {
        if (window.scene !== "still") at += 1;
        pen.fillStyle = window.scene === "black" ? "#000000" : at % 2 ? "#888888" : "#8b8b8b";
        pen.fillRect(0, 0, 640, 480);
        if (window.scene === "moving" || window.scene === "still") {
            pen.fillStyle = "#ccc";
            pen.fillRect((at * 7) % 600, 200, 40, 40);
        }
    }, 80);
    window.opened = 0;
    navigator.mediaDevices.getUserMedia = async () => {
        window.opened += 1;
        return canvas.captureStream(12);
    };
}"""


in_person = pytest.mark.slow("waits before the camera of a kiosk as people do")


def test_the_kiosk_admits_the_right_person(
    hall: Desk, browse: Callable[..., Page], astronaut_jpeg: bytes
) -> None:
    page = browse(film=astronaut_jpeg)
    open_kiosk(page, hall)

    claim(page, "1001")

    expect(page.locator("#result-title")).to_have_text("Welcome, Eileen Collins")
    expect(page.locator("#result-detail")).to_have_text("Your seat: A1")
    expect(page.locator("#result")).to_have_class("result good")
    (checkin,) = hall.call("GET", f"/v1/sessions/{hall.session_id}/checkins").json()["items"]
    assert checkin["motion"] == "not_told"


@in_person
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


@in_person
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

    give(page, "1001")

    expect(page.locator("#result-title")).to_have_text("Please come to the desk")
    assert "claims" in sent
    assert {"quality", "checkins"}.isdisjoint(sent)


@in_person
def test_while_the_kiosk_looks_it_says_for_whom(
    hall: Desk, browse: Callable[..., Page], black_jpeg: bytes
) -> None:
    page = browse(film=black_jpeg)
    open_kiosk(page, hall)

    claim(page, "1001")

    expect(page.locator("#claimed")).to_have_text("Eileen Collins · A1")


@in_person
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

    expect(page.locator("#trouble-text")).to_contain_text("Another program uses the camera")
    # For a frame the browser calls a field focused that was hidden: only what is seen takes a number.
    expect(page.locator("#candidate")).to_be_visible()
    expect(page.locator("#candidate")).to_be_focused()
    claim(page, "1001")
    expect(page.locator("#result-title")).to_have_text("Welcome, Eileen Collins")


@in_person
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


@in_person
def test_a_kiosk_that_is_reloaded_in_the_middle_of_an_attempt_counts_it_once_or_not_at_all(
    hall: Desk, browse: Callable[..., Page], astronaut_jpeg: bytes
) -> None:
    page = browse(film=astronaut_jpeg)
    open_kiosk(page, hall)
    path = f"/v1/sessions/{hall.session_id}/checkins"

    # While the camera looks, and waits for a word of the server: nothing was sent.
    page.route(re.compile("/quality"), lambda route: None)
    give(page, "1001")
    expect(page.locator("#yes")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#claimed")).to_be_visible()
    page.unroute(re.compile("/quality"))
    page.reload()
    expect(page.locator("#candidate")).to_be_focused()
    assert hall.call("GET", path).json()["items"] == []

    # While the answer is on its way: the attempt was made, and whoever gives the number again is in.
    arrived = list[str]()

    def keep_the_answer(route: Route) -> None:
        route.fetch()
        arrived.append(route.request.url)

    page.route(re.compile("/checkins$"), keep_the_answer)
    claim(page, "1001")
    expect(page.locator("#sending")).to_be_visible()
    while not arrived:
        page.wait_for_timeout(50)
    page.unroute(re.compile("/checkins$"))
    page.reload()
    expect(page.locator("#candidate")).to_be_focused()
    give(page, "1001")

    expect(page.locator("#result-title")).to_have_text("You are checked in already")
    assert len(hall.call("GET", path).json()["items"]) == 1


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


@in_person
def test_the_kiosk_tells_when_check_in_is_not_open(
    hall: Desk, browse: Callable[..., Page], astronaut_jpeg: bytes
) -> None:
    page = browse(film=astronaut_jpeg)
    open_kiosk(page, hall)
    hall.reopen(opens=timedelta(minutes=30), closes=timedelta(hours=2))

    give(page, "1001")

    expect(page.locator("#result-title")).to_have_text("Check-in is not open")


@in_person
def test_the_kiosk_asks_for_a_face_where_there_is_none(hall: Desk, browse: Callable[..., Page]) -> None:
    page = browse(film=GREY)
    open_kiosk(page, hall)

    claim(page, "1001")

    expect(page.locator("#guidance")).to_have_text("Please look into the camera")
    page.keyboard.press("Escape")
    expect(page.locator("#candidate")).to_be_focused()


@in_person
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
    asked = page.evaluate(
        "performance.getEntriesByType('resource').filter(({ name }) => name.includes('/quality'))"
        ".map(({ startTime }) => startTime)"
    )
    assert len(asked) > 2
    assert min(later - former for former, later in pairwise(asked)) >= 490


@in_person
def test_an_empty_number_does_nothing_where_the_exam_looks_for_nobody(
    hall: Desk, browse: Callable[..., Page], astronaut_jpeg: bytes
) -> None:
    page = browse(film=astronaut_jpeg)
    open_kiosk(page, hall)

    give(page, "")
    claim(page, "1001")

    expect(page.locator("#result-title")).to_have_text("Welcome, Eileen Collins")
    (checkin,) = hall.call("GET", f"/v1/sessions/{hall.session_id}/checkins").json()["items"]
    assert checkin["mode"] == "claimed"


@in_person
def test_the_kiosk_opens_with_a_kiosk_key_only(hall: Desk, browse: Callable[..., Page]) -> None:
    page = browse()
    page.goto(f"{hall.base}/kiosk")
    page.get_by_text("Use a key instead").click()

    page.fill("#key", hall.admin)
    page.keyboard.press("Enter")

    expect(page.locator("#sign-in-problem")).to_contain_text("kiosk key of one session")


@in_person
def test_a_link_that_is_no_longer_valid_shows_the_sign_in_and_says_why(
    hall: Desk, browse: Callable[..., Page]
) -> None:
    page = browse()

    page.goto(f"{hall.base}/kiosk#key={hall.kiosk_key()[:-3]}xyz")

    expect(page.locator("#key")).to_be_visible()
    expect(page.locator("#sign-in-problem")).not_to_be_empty()


@in_person
@pytest.mark.parametrize("agrees", [False, True])
def test_a_link_asks_before_it_takes_the_place_of_the_kiosk_that_is_open(
    hall: Desk, browse: Callable[..., Page], agrees: bool
) -> None:
    page = browse()
    open_kiosk(page, hall)
    before = page.context.cookies()
    asked: list[str] = []

    def answer(dialog: Dialog) -> None:
        asked.append(dialog.message)
        dialog.accept() if agrees else dialog.dismiss()

    page.on("dialog", answer)
    page.goto("about:blank")
    open_kiosk(page, hall)

    assert len(asked) == 1
    assert (page.context.cookies() != before) is agrees


@in_person
def test_a_number_that_nobody_uses_is_dropped(
    hall: Desk, browse: Callable[..., Page], astronaut_jpeg: bytes
) -> None:
    page = browse(film=astronaut_jpeg)
    page.clock.install()
    open_kiosk(page, hall)

    page.keyboard.type("1001")
    page.clock.fast_forward(21_000)
    expect(page.locator("#candidate")).to_have_value("")

    give(page, "1001")
    expect(page.locator("#confirm-name")).to_have_text("Eileen Collins · A1")
    page.clock.fast_forward(21_000)
    expect(page.locator("#candidate")).to_be_focused()
    expect(page.locator("#candidate")).to_have_value("")


@in_person
def test_where_nobody_comes_before_the_camera_the_number_is_dropped_and_no_attempt_made(
    hall: Desk, browse: Callable[..., Page]
) -> None:
    page = browse()
    page.add_init_script(f"({PLAYED_CAMERA})(); window.scene = 'empty';")
    page.clock.install()
    open_kiosk(page, hall)
    claim(page, "1001")
    expect(page.locator("#guidance")).to_be_visible()

    page.clock.fast_forward(21_000)

    expect(page.locator("#candidate")).to_be_focused()
    assert hall.call("GET", f"/v1/sessions/{hall.session_id}/checkins").json()["items"] == []


@in_person
def test_the_name_is_asked_about_and_another_card_asks_about_another(
    hall: Desk, browse: Callable[..., Page], astronaut_jpeg: bytes
) -> None:
    page = browse(film=astronaut_jpeg)
    open_kiosk(page, hall)
    sent = list[str]()
    page.on("request", lambda request: sent.append(request.url.rsplit("/", 1)[1].partition("?")[0]))

    give(page, "1001")
    expect(page.locator("#confirm-name")).to_have_text("Eileen Collins · A1")
    give(page, "1001")
    expect(page.locator("#confirm-name")).to_have_text("Eileen Collins · A1")
    give(page, "1002")
    expect(page.locator("#confirm-name")).to_have_text("Grace Hopper · A2")
    page.click("#no")

    expect(page.locator("#candidate")).to_be_focused()
    assert sent.count("claims") == 2
    assert {"quality", "checkins"}.isdisjoint(sent)


@in_person
def test_what_a_reader_adds_to_a_number_is_left_out_and_a_card_read_twice_counts_once(
    hall: Desk, browse: Callable[..., Page], astronaut_jpeg: bytes
) -> None:
    page = browse(film=astronaut_jpeg)
    open_kiosk(page, hall)

    page.fill("#candidate", "\u001d\u200b1001 ")
    page.keyboard.press("Enter")
    expect(page.locator("#confirm-name")).to_have_text("Eileen Collins · A1")
    page.keyboard.press("Enter")

    expect(page.locator("#result-title")).to_have_text("Welcome, Eileen Collins")


@in_person
def test_whoever_is_expected_in_another_room_is_told_which(
    hall: Desk, browse: Callable[..., Page], astronaut_jpeg: bytes
) -> None:
    page = browse(film=astronaut_jpeg)
    open_kiosk(page, hall)
    session = hall.call("GET", f"/v1/sessions/{hall.session_id}").json()
    room = {"room": "Hall B"} | {name: session[name] for name in ("opens_at", "closes_at")}
    other = hall.call("POST", f"/v1/exams/{session['exam_id']}/sessions", json=room).json()["id"]
    path = f"/v1/sessions/{other}/roster?create_subjects=true"
    rows = b"external_id\n2001"
    hall.call("PUT", path, content=rows, headers={"Content-Type": "text/csv"})

    give(page, "2001")

    expect(page.locator("#result-title")).to_have_text("Your room is Hall B")


def test_a_document_is_asked_for_with_one_button_and_somebody_waits_on_the_board(
    hall: Desk, browse: Callable[..., Page], astronaut_jpeg: bytes
) -> None:
    page = browse(film=astronaut_jpeg)
    open_kiosk(page, hall)
    sent = list[str]()
    page.on("request", lambda request: sent.append(request.url.rsplit("/", 1)[1].partition("?")[0]))

    page.keyboard.type("1002")
    page.click("#document")

    expect(page.locator("#result-title")).to_have_text("Please go to the invigilator with your document")
    (waiting,) = hall.call("GET", f"/v1/sessions/{hall.session_id}/waiting").json()["items"]
    assert (waiting["candidate"]["external_id"], waiting["reasons"]) == ("1002", ["document_wanted"])
    assert {"claims", "quality", "checkins"}.isdisjoint(sent)


@in_person
def test_who_comes_when_the_session_has_closed_reads_that_and_no_form(
    hall: Desk, browse: Callable[..., Page], astronaut_jpeg: bytes
) -> None:
    page = browse(film=astronaut_jpeg)
    open_kiosk(page, hall)

    hall.reopen(opens=timedelta(minutes=-30), closes=timedelta(seconds=-1))
    page.evaluate("window.dispatchEvent(new Event('online'))")

    expect(page.locator("#closed-title")).to_have_text("Check-in has ended")
    page.reload()
    expect(page.locator("#closed-title")).to_have_text("Check-in has ended")
    expect(page.locator("#sign-in")).to_be_hidden()


@in_person
def test_a_kiosk_whose_key_was_ended_says_where_to_go(
    hall: Desk, browse: Callable[..., Page], astronaut_jpeg: bytes
) -> None:
    page = browse(film=astronaut_jpeg)
    open_kiosk(page, hall)
    keys = hall.call("GET", "/v1/keys").json()["items"]
    key_id = next(key["id"] for key in keys if key["session_id"] == hall.session_id)

    hall.call("DELETE", f"/v1/keys/{key_id}")
    give(page, "1001")

    expect(page.locator("#closed-title")).to_have_text("This kiosk was ended")


@in_person
def test_a_camera_that_fails_is_named_and_recovered_from(hall: Desk, browse: Callable[..., Page]) -> None:
    page = browse()
    page.add_init_script(f"({PLAYED_CAMERA})()")
    open_kiosk(page, hall)
    trouble = page.locator("#trouble-text")

    for scene, words in (("black", "The picture is black"), ("still", "The picture is frozen")):
        page.evaluate("scene => { window.scene = scene; }", scene)
        expect(trouble).to_contain_text(words)
        expect(page.locator("#document")).to_be_visible()
        page.evaluate("window.scene = 'moving'")
        expect(page.locator("#candidate")).to_be_focused()
    assert page.evaluate("window.opened") > 1

    page.evaluate(
        """() => {
            window.track = document.getElementById("camera").srcObject.getVideoTracks()[0];
            Object.defineProperty(window.track, "muted", { value: true, configurable: true });
        }"""
    )
    expect(trouble).to_contain_text("The camera is paused")
    page.evaluate("delete window.track.muted")
    expect(page.locator("#candidate")).to_be_focused()


@in_person
def test_in_a_dark_room_the_screen_gives_light(
    hall: Desk, browse: Callable[..., Page], black_jpeg: bytes
) -> None:
    page = browse(film=black_jpeg)
    open_kiosk(page, hall)

    claim(page, "1001")

    expect(page.locator("#guidance")).to_have_text("More light on the face, please")
    expect(page.locator("body")).to_have_class("kiosk lit")
    page.keyboard.press("Escape")
    expect(page.locator("body")).to_have_class("kiosk")


@in_person
def test_the_kiosk_is_set_up_and_tried_before_anybody_comes(
    hall: Desk, browse: Callable[..., Page], astronaut_jpeg: bytes
) -> None:
    page = browse(film=astronaut_jpeg)
    open_kiosk(page, hall)

    page.click("#set-up")

    for name in ("camera", "light", "distance", "network", "clock"):
        expect(page.locator(f"#check-{name}")).to_have_class("good")
    page.select_option("#set-mirror", "false")
    page.select_option("#set-keypad", "on")
    page.get_by_text("Done").click()
    expect(page.locator("#camera")).to_have_class("")
    for digit in "1011":
        page.locator("#keypad").get_by_text(digit, exact=True).click()
    page.get_by_label("Delete").click()
    page.locator("#keypad").get_by_text("2", exact=True).click()
    expect(page.locator("#candidate")).to_have_value("1012")
    expect(page.locator("#candidate")).to_have_attribute("inputmode", "none")
    page.reload()
    expect(page.locator("#keypad")).to_be_visible()


@in_person
@pytest.mark.parametrize("size", [(1280, 800), (768, 1024), (390, 844), (844, 390)])
def test_the_panel_is_beside_the_face_and_all_of_it_can_be_read(
    hall: Desk, browse: Callable[..., Page], size: tuple[int, int], astronaut_jpeg: bytes
) -> None:
    page = browse(film=astronaut_jpeg, width=size[0], height=size[1], color_scheme="light")
    open_kiosk(page, hall)

    panel, video = page.locator("#ready").bounding_box(), page.locator("#camera").bounding_box()

    assert panel
    assert video
    is_beside = panel["x"] >= video["x"] + video["width"] - 1
    assert is_beside or panel["y"] >= video["y"] + video["height"] - 1
    assert video["width"] * video["height"] > size[0] * size[1] / 8
    for name in ("Continue", "Show a document instead"):
        expect(page.get_by_role("button", name=name, exact=True)).to_be_in_viewport(ratio=1)
    surface = page.evaluate("getComputedStyle(document.getElementById('document')).backgroundColor")
    assert surface == "rgb(24, 32, 43)"


@in_person
def test_a_browser_that_runs_no_script_of_ours_is_told_which_one_is_needed(
    hall: Desk, browse: Callable[..., Page]
) -> None:
    page = browse()
    page.route(
        "**/kiosk.js", lambda route: route.fulfill(body="let not = script;;)", content_type="text/javascript")
    )

    page.context.add_init_script("window.addEventListener('error', (event) => event.preventDefault(), true)")
    page.goto(f"{hall.base}/kiosk")

    expect(page.locator("#old-browser")).to_contain_text("needs a newer browser")


def test_a_kiosk_is_let_in_by_the_letters_on_its_screen_seen_and_ended(
    hall: Desk, console: Page, browse: Callable[..., Page], astronaut_jpeg: bytes
) -> None:
    page = browse(film=astronaut_jpeg)
    page.goto(f"{hall.base}/kiosk")
    expect(page.locator("#code")).to_have_text(re.compile("^[A-Z]{4} [A-Z]{4}$"))
    assert page.evaluate("document.getElementById('code-qr').decode().then(() => true)")
    console.goto(f"{hall.base}/console#/sessions/{hall.session_id}/kiosk")

    console.get_by_label("Letters on the kiosk").fill(page.locator("#code").inner_text())
    console.get_by_role("button", name="Find the kiosk").click()
    expect(console.locator("#view")).to_contain_text("has shown this code since")
    console.get_by_role("button", name="Let it in").click()

    expect(page.locator("#candidate")).to_be_focused()
    page.evaluate("window.dispatchEvent(new Event('online'))")
    row = console.locator("#kiosks tbody tr")
    expect(row).to_contain_text("here")
    expect(row).to_contain_text("works")
    row.get_by_role("button", name="End").click()
    row.get_by_role("button", name="End").click()
    expect(row).to_contain_text("ended")
    give(page, "1001")
    expect(page.locator("#closed-title")).to_have_text("This kiosk was ended")


@in_person
def test_who_stands_at_the_kiosk_of_a_pilot_learns_nothing_and_the_console_reports(
    hall: Desk, console: Page, browse: Callable[..., Page], astronaut_jpeg: bytes
) -> None:
    exam_id = hall.call("GET", f"/v1/sessions/{hall.session_id}").json()["exam_id"]
    hall.call("PATCH", f"/v1/exams/{exam_id}", json={"faces": "pilot"})
    page = browse(film=astronaut_jpeg)
    open_kiosk(page, hall)

    with page.expect_response(re.compile("/checkins$")) as answered:
        claim(page, "1001")

    expect(page.locator("#result-title")).to_have_text("Please show your document to the invigilator")
    told = answered.value.json()
    assert (told["decision"], told["checkin"]["decision"], told["checkin"]["reasons"]) == (
        None,
        None,
        ["pilot"],
    )
    console.goto(f"{hall.base}/console#/sessions/{hall.session_id}/attempts")
    expect(console.locator("#pilot tbody tr").nth(1)).to_have_text(re.compile("has not decided.*1.*0"))


# A camera before which somebody holds a card: window.card is drawn in the middle, moved a little each time.
CARD_CAMERA = """() => {
    const canvas = document.createElement("canvas");
    canvas.width = 640;
    canvas.height = 480;
    const pen = canvas.getContext("2d");
    let at = 0;
    setInterval(() => {
        at += 1;
        pen.fillStyle = at % 2 ? "#bbbbbb" : "#bebebe";
        pen.fillRect(0, 0, 640, 480);
        if (window.card) pen.drawImage(window.card, window.cardAt + (at % 3), 168);
    }, 80);
    navigator.mediaDevices.getUserMedia = async () => canvas.captureStream(12);
    delete window.BarcodeDetector;
    window.hold = async (source) => {
        const card = new Image();
        card.src = source;
        await card.decode();
        window.card = card;
    };
}"""


@in_person
def test_a_card_before_the_camera_claims_and_only_the_frame_around_it_is_sent(
    hall: Desk, browse: Callable[..., Page]
) -> None:
    page = browse(width=768, height=1024)
    page.add_init_script(f"({CARD_CAMERA})()")
    open_kiosk(page, hall)
    code = zxingcpp.create_barcode("1001", zxingcpp.BarcodeFormat.QRCode).to_svg()
    sent = list[int]()
    page.on(
        "request",
        lambda request: sent.append(len(request.post_data_buffer or b"")) if "/scan" in request.url else None,
    )

    page.click("#scan-card")
    expect(page.locator("#scan-hint")).to_have_text("Hold the code of your card into the frame")
    page.evaluate("window.cardAt = 64")
    with page.expect_response("**/v1/scan"):
        page.evaluate("source => window.hold(source)", f"data:image/svg+xml,{quote(large(code))}")
    for _ in range(3):
        with page.expect_response("**/v1/scan") as beside:
            pass
        assert beside.value.json() == {"codes": []}
    page.evaluate("window.cardAt = 248")

    expect(page.locator("#confirm-name")).to_have_text("Eileen Collins · A1")
    assert sent
    assert max(sent) < 120_000
    page.click("#no")
    page.route("**/v1/scan", lambda route: route.abort())
    page.click("#scan-card")
    expect(page.locator("#scan-hint")).to_have_text(
        "No network: the camera reads no cards now. Please type the number"
    )
    page.keyboard.press("Escape")
    expect(page.locator("#candidate")).to_be_focused()


def large(svg: str) -> str:
    """The code five times as large."""
    return re.sub(
        r'width="(\d+)" height="(\d+)"', r'width="145" height="145" viewBox="0 0 \1 \2"', svg, count=1
    )
