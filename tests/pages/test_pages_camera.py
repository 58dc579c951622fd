"""A kiosk's camera and screen: how they fail, are named, and are used again; which pictures count."""

import base64
import io
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from fixtures_pages import Desk, claim, open_kiosk
from PIL import Image, ImageFilter
from playwright.sync_api import Page, expect

PLAYED = Path(__file__).parents[1] / "support" / "played_camera.js"

pytestmark = pytest.mark.slow("waits before the camera of a kiosk as people do")


@pytest.fixture
def page(browse: Callable[..., Page]) -> Page:
    """A browser whose cameras the test plays."""
    made = browse()
    made.add_init_script(path=PLAYED)
    return made


def stand(page: Page, picture: bytes) -> None:
    """Somebody steps before the camera."""
    source = f"data:image/jpeg;base64,{base64.b64encode(picture).decode()}"
    page.evaluate("source => window.played.stand(source)", source)


def play(page: Page, **changes: object) -> None:
    """Change what the camera does."""
    page.evaluate("changes => void Object.assign(window.played, changes)", changes)


def until(page: Page, expression: str) -> None:
    """Wait until something holds in the page, whose policy lets no test evaluate a text there by itself."""
    end = time.monotonic() + 60
    while not page.evaluate(expression):
        assert time.monotonic() < end, expression
        page.wait_for_timeout(50)


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


FAULTS = {
    "NotAllowedError": ("denied", "The browser was not allowed to use the camera"),
    "NotReadableError": ("busy", "Another program uses the camera"),
    "NotFoundError": ("missing", "No camera was found"),
    "OverconstrainedError": ("unsuitable", "The page cannot use the picture of this camera"),
    "TypeError": ("no_picture", "The camera gives no picture"),
}


def camera_told(page: Page, hall: Desk) -> str:
    """What the console reads of the kiosk's camera, once the kiosk has said it."""
    with page.expect_response(re.compile("/kiosks/sign$")):
        page.evaluate("window.dispatchEvent(new Event('online'))")
    (kiosk,) = hall.call("GET", f"/v1/sessions/{hall.session_id}/kiosks").json()["items"]
    return str(kiosk["camera"])


def test_each_fault_of_a_camera_is_named_told_and_recovered_from(hall: Desk, page: Page) -> None:
    open_kiosk(page, hall)

    for error, (named, words) in FAULTS.items():
        play(page, refused=error)
        page.evaluate("window.played.end()")
        expect(page.locator("#trouble-text")).to_contain_text(words)
        expect(page.locator("#document")).to_be_visible()
        assert camera_told(page, hall) == named
        play(page, refused="")
        expect(page.locator("#trouble")).to_be_hidden()
        expect(page.locator("#candidate")).to_be_focused()


@pytest.mark.parametrize(
    ("fault", "named", "words"),
    [
        ("", "unsupported", "This page needs a newer browser: Chrome or Edge 92"),
        (
            "Object.defineProperty(window, 'isSecureContext', { value: false });",
            "insecure",
            "not opened over HTTPS",
        ),
    ],
)
def test_a_browser_that_gives_no_page_a_camera_is_told_what_it_needs(
    hall: Desk, browse: Callable[..., Page], fault: str, named: str, words: str
) -> None:
    page = browse()
    page.add_init_script(f"Object.defineProperty(navigator, 'mediaDevices', {{ value: undefined }}); {fault}")

    page.goto(f"{hall.base}/kiosk#key={hall.kiosk_key()}")

    expect(page.locator("#trouble-text")).to_contain_text(words)
    assert camera_told(page, hall) == named


def test_a_permission_that_is_withdrawn_while_looking_ends_the_look_and_no_picture_is_sent(
    hall: Desk, page: Page, astronaut_jpeg: bytes
) -> None:
    open_kiosk(page, hall)
    claim(page, "1001")
    expect(page.locator("#guidance")).to_be_visible()

    play(page, refused="NotAllowedError")
    page.evaluate("window.played.end()")

    expect(page.locator("#trouble-text")).to_contain_text("The browser was not allowed to use the camera")
    assert hall.call("GET", f"/v1/sessions/{hall.session_id}/checkins").json()["items"] == []
    play(page, refused="")
    expect(page.locator("#candidate")).to_be_focused()
    stand(page, astronaut_jpeg)
    claim(page, "1001")
    expect(page.locator("#result-title")).to_have_text("Welcome, Eileen Collins")


def test_the_chosen_camera_is_used_again_when_it_is_plugged_in_again(hall: Desk, page: Page) -> None:
    open_kiosk(page, hall)
    page.click("#set-up")
    page.select_option("#set-camera", "back")
    page.get_by_text("Done").click()
    until(page, "window.played.opened.at(-1) === 'back'")
    page.reload()
    expect(page.locator("#candidate")).to_be_focused()
    assert page.evaluate("window.played.opened.at(-1)") == "back"

    page.evaluate("window.played.plug('front')")
    page.evaluate("window.played.end()")
    until(page, "window.played.opened.at(-1) === 'front'")
    page.evaluate("window.played.plug()")
    page.evaluate("window.played.end()")
    expect(page.locator("#trouble-text")).to_contain_text("No camera was found")
    page.evaluate("window.played.plug('front')")
    expect(page.locator("#candidate")).to_be_focused()
    page.evaluate("window.played.plug('front', 'back')")

    until(page, "window.played.opened.at(-1) === 'back'")
    expect(page.locator("#candidate")).to_be_focused()


def test_the_torch_gives_light_while_somebody_is_looked_at(hall: Desk, page: Page) -> None:
    open_kiosk(page, hall)
    play(page, hasTorch=True)
    page.click("#set-up")
    page.select_option("#set-light", "on")
    page.get_by_text("Done").click()

    claim(page, "1001")

    until(page, "window.played.torch === true")
    expect(page.locator("body")).to_have_class("kiosk lit")
    page.keyboard.press("Escape")
    until(page, "window.played.torch === false")
    expect(page.locator("body")).to_have_class("kiosk")


def test_the_screen_stays_on_also_after_the_page_was_hidden(hall: Desk, page: Page) -> None:
    page.add_init_script(
        """window.kept = 0;
        window.shown = "visible";
        Object.defineProperty(navigator, "wakeLock", {
            value: { request: async (kind) => { if (kind === "screen") window.kept += 1; } },
        });
        Object.defineProperty(Document.prototype, "visibilityState", { get: () => window.shown });
        window.turn = (shown) => {
            window.shown = shown;
            document.dispatchEvent(new Event("visibilitychange"));
        };"""
    )
    open_kiosk(page, hall)
    assert page.evaluate("window.kept") == 1

    page.evaluate("window.turn('hidden')")
    assert page.evaluate("window.kept") == 1
    page.evaluate("window.turn('visible')")

    assert page.evaluate("window.kept") == 2


def test_a_screen_that_something_else_let_go_is_kept_on_again(hall: Desk, page: Page) -> None:
    page.add_init_script(
        """window.locks = [];
        Object.defineProperty(navigator, "wakeLock", {
            value: { request: async () => {
                const lock = Object.assign(new EventTarget(), { released: false });
                window.locks.push(lock);
                return lock;
            } },
        });"""
    )
    open_kiosk(page, hall)
    assert page.evaluate("window.locks.length") == 1

    page.evaluate("window.locks[0].released = true; window.locks[0].dispatchEvent(new Event('release'))")

    until(page, "window.locks.length === 2")


def test_a_question_of_the_browser_that_nobody_answers_is_said_and_the_kiosk_goes_on_once_it_is(
    hall: Desk, page: Page
) -> None:
    page.add_init_script(
        """const ask = navigator.mediaDevices.getUserMedia;
        navigator.mediaDevices.getUserMedia = async (wish) => {
            await new Promise((resolve) => { window.allow = resolve; });
            return ask.call(navigator.mediaDevices, wish);
        };"""
    )
    page.goto(f"{hall.base}/kiosk#key={hall.kiosk_key()}")

    expect(page.locator("#trouble")).to_contain_text("allow it")
    expect(page.locator("#document")).to_be_visible()
    page.evaluate("window.allow()")

    expect(page.locator("#ready")).to_be_visible()


def test_the_kiosk_fills_the_screen_when_it_is_asked_to(hall: Desk, page: Page) -> None:
    open_kiosk(page, hall)
    page.click("#set-up")

    page.click("#fullscreen")

    until(page, "document.fullscreenElement === document.documentElement")


def test_a_browser_that_reads_cards_itself_sends_no_picture_of_them(hall: Desk, page: Page) -> None:
    page.add_init_script(
        """window.read = [];
        window.BarcodeDetector = class {
            static async getSupportedFormats() { return ["qr_code", "code_39", "code_128"]; }
            async detect({ width, height }) {
                window.read.push([width, height]);
                return window.read.length > 2 ? [{ rawValue: "1002" }] : [];
            }
        };"""
    )
    open_kiosk(page, hall)
    sent = sent_by(page)

    page.click("#scan-card")

    expect(page.locator("#confirm-name")).to_have_text("Grace Hopper · A2")
    assert page.evaluate("window.read") == [[480, 240]] * 3
    assert "scan" not in sent


def test_the_best_of_the_pictures_is_sent_and_not_the_last(
    hall: Desk, page: Page, astronaut_jpeg: bytes
) -> None:
    blurred = io.BytesIO()
    Image.open(io.BytesIO(astronaut_jpeg)).convert("RGB").filter(ImageFilter.GaussianBlur(12)).save(
        blurred, "JPEG"
    )
    page.add_init_script(
        """window.pictures = [];
        const send = window.fetch.bind(window);
        window.fetch = (path, options) => {
            const image = options?.body instanceof FormData && options.body.get("image");
            if (image) window.pictures.push([path.split("/").at(-1).split("?")[0], image.size]);
            return send(path, options);
        };"""
    )
    open_kiosk(page, hall)
    stand(page, astronaut_jpeg)
    claim(page, "1001")
    with page.expect_response(re.compile("/v1/quality")) as first:
        pass
    assert first.value.json()["acceptable"]

    stand(page, blurred.getvalue())

    expect(page.locator("#result-title")).to_have_text("Welcome, Eileen Collins")
    *asked, (last, size) = page.evaluate("window.pictures")
    sizes = [one for name, one in asked if name == "quality"]
    assert last == "checkins"
    assert size > 2 * sizes[-1]
    assert size in sizes[:-1]
