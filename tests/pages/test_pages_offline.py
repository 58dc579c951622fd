"""A kiosk whose network is cut: nobody waits, nobody is lost, nobody is counted twice."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fixtures_pages import Desk, claim, give, window
from fixtures_service import Service
from playwright.sync_api import Page, expect
from wire import Wire

from service.web.installing import kept_files, version
from service.web.places import STATIC

MINUTES = timedelta(minutes=20)


@pytest.fixture
def wire(desk: Desk) -> Iterator[Wire]:
    """What the kiosk reaches the server by."""
    made = Wire(int(desk.base.rpartition(":")[2]))
    yield made
    made.close()


@pytest.fixture
def hall(desk: Desk, wire: Wire, astronaut_jpeg: bytes, stranger_jpeg: bytes) -> Desk:
    """The session behind the wire, with two enrolled candidates and one who is not."""
    desk.seat(
        ("1001", "Eileen Collins", "A1"), ("1002", "Grace Hopper", "A2"), ("1003", "Ada Lovelace", "A3")
    )
    desk.enrol("1001", astronaut_jpeg)
    desk.enrol("1002", stranger_jpeg)
    desk.reopen(timedelta(minutes=-90), timedelta(hours=2))
    return desk


def open_kiosk(page: Page, hall: Desk, wire: Wire) -> None:
    page.goto(f"{wire.address}/kiosk#key={hall.kiosk_key()}")
    expect(page.locator("#candidate")).to_be_focused()
    page.click("#set-up")
    expect(page.locator("#check-installed")).to_have_text(
        re.compile("Without network: works; 3 people known")
    )
    page.get_by_role("button", name="Done").click()
    expect(page.locator("#candidate")).to_be_focused()


def ready(page: Page) -> None:
    page.locator("#next").click()
    expect(page.locator("#candidate")).to_be_focused()


def checkins(hall: Desk) -> dict[str, Any]:
    items = hall.call("GET", f"/v1/sessions/{hall.session_id}/checkins").json()["items"]
    found = {one["external_id"]: one for one in items}
    assert len(found) == len(items)
    return found


@pytest.mark.slow("a kiosk's network is cut for twenty minutes by both clocks")
def test_twenty_minutes_without_network_lose_nobody_and_count_nobody_twice(
    hall: Desk,
    wire: Wire,
    browse: Callable[..., Page],
    astronaut_jpeg: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    page = browse(film=astronaut_jpeg, service_workers="allow")
    page.clock.install()
    # Until the cut, the server's clock is at twenty minutes ago.
    before = lambda: datetime.now(UTC) - MINUTES  # noqa: E731
    for module in ("service.exams.sessions", "service.exams.offline.pack"):
        monkeypatch.setattr(f"{module}.utc_now", before)
    open_kiosk(page, hall, wire)

    wire.cut()
    claim(page, "1001")
    expect(page.locator("#result-title")).to_have_text("Welcome, Eileen Collins")
    expect(page.locator("#result-detail")).to_have_text("Your seat: A1")
    expect(page.locator("#result-note")).to_contain_text("Your picture is compared as soon as")
    ready(page)
    expect(page.locator("#offline")).to_have_text("No network · to be sent: 1")
    # A card that is read twice within three seconds is read once.
    page.clock.fast_forward(4_000)
    give(page, "1001")
    expect(page.locator("#result-title")).to_have_text("You were let in here already")
    ready(page)
    give(page, "1003")
    expect(page.locator("#result-title")).to_have_text("Please come to the desk")
    ready(page)
    give(page, "9999")
    expect(page.locator("#result-title")).to_have_text("This number is not on the list of this room")
    page.clock.fast_forward(600_000)
    page.reload()
    expect(page.locator("#candidate")).to_be_focused()
    claim(page, "1002")
    expect(page.locator("#result-title")).to_have_text("Welcome, Grace Hopper")
    ready(page)
    page.clock.fast_forward(590_000)
    monkeypatch.undo()
    wire.mend()

    expect(page.locator("#offline")).to_be_hidden()
    found = checkins(hall)
    assert {number: (one["outcome"], one["held"], one["provisional"]) for number, one in found.items()} == {
        "1001": ("admitted", False, True),
        "1002": ("referred", True, True),
    }
    first, second = (datetime.fromisoformat(found[number]["taken_at"]) for number in ("1001", "1002"))
    now = datetime.now(UTC)
    assert timedelta(minutes=17) < now - first < timedelta(minutes=21)
    assert timedelta(minutes=7) < now - second < timedelta(minutes=12)
    assert [found[number]["time_estimated"] for number in ("1001", "1002")] == [False, True]
    (waiting,) = hall.call("GET", f"/v1/sessions/{hall.session_id}/waiting").json()["items"]
    assert (waiting["candidate"]["external_id"], waiting["held"]) == ("1002", True)
    # Nothing that was there is asked for again, and who is in is in.
    give(page, "1001")
    expect(page.locator("#result-title")).to_have_text("You are checked in already")


# As many items as a tablet keeps, which nobody can open.
FILL_QUEUE = """(session) => new Promise((resolve, reject) => {
    const opening = indexedDB.open("invigil-kiosk", 1);
    opening.onsuccess = () => {
        const work = opening.result.transaction("queue", "readwrite");
        const until = Date.now() + 3600e3;
        for (let at = 0; at < 500; at += 1) {
            const item = at.toString(16).padStart(32, "0");
            const sealed = new Uint8Array(200).fill(7);
            const kept = { item, session_id: session, sealed, external_id: `x${at}`, until };
            work.objectStore("queue").add(kept);
        }
        work.oncomplete = () => resolve(true);
        work.onerror = () => reject(work.error);
    };
})"""


@pytest.mark.slow("delivers five hundred items one after the other")
def test_a_queue_of_five_hundred_sends_people_to_a_person_and_is_delivered_without_stopping(
    hall: Desk, wire: Wire, browse: Callable[..., Page], astronaut_jpeg: bytes
) -> None:
    page = browse(film=astronaut_jpeg, service_workers="allow")
    open_kiosk(page, hall, wire)

    wire.cut()
    assert page.evaluate(FILL_QUEUE, str(hall.session_id))
    page.reload()
    expect(page.locator("#offline")).to_have_text("No network · to be sent: 500")
    expect(page.locator("#candidate")).to_be_focused()
    # The tablet has no place for another picture: it keeps this one in memory alone, and says to whom to go.
    claim(page, "1001")
    expect(page.locator("#result-title")).to_have_text("Please go to the invigilator with your document")
    wire.mend()

    expect(page.locator("#offline")).to_be_hidden(timeout=300_000)
    assert {number: one["outcome"] for number, one in checkins(hall).items()} == {"1001": "admitted"}


@pytest.mark.slow("waits before the camera of a kiosk without network")
def test_a_kiosk_that_holds_sends_to_a_person_and_a_reload_in_between_loses_nothing(
    hall: Desk, wire: Wire, browse: Callable[..., Page], astronaut_jpeg: bytes
) -> None:
    exam_id = hall.call("GET", f"/v1/sessions/{hall.session_id}").json()["exam_id"]
    hall.call("PATCH", f"/v1/exams/{exam_id}", json={"offline": "hold"})
    page = browse(film=astronaut_jpeg, service_workers="allow")
    open_kiosk(page, hall, wire)

    wire.cut()
    claim(page, "1001")
    expect(page.locator("#result-title")).to_have_text("Please see the invigilator")
    expect(page.locator("#result-detail")).to_contain_text("Your picture is compared as soon as there is")
    page.reload()
    expect(page.locator("#offline")).to_have_text("No network · to be sent: 1")
    wire.mend()

    expect(page.locator("#offline")).to_be_hidden()
    found = checkins(hall)["1001"]
    assert (found["outcome"], found["provisional"], found["time_estimated"]) == ("admitted", False, False)
    # Once the session is over the tablet holds no name any more.
    hall.reopen(timedelta(minutes=-90), timedelta(seconds=-1))
    expect(page.locator("#closed-title")).to_have_text("Check-in has ended")
    stored = """() => new Promise((resolve) => {
        const opening = indexedDB.open("invigil-kiosk", 1);
        opening.onsuccess = () => {
            const asked = opening.result.transaction("facts").objectStore("facts").getAllKeys();
            asked.onsuccess = () => resolve(asked.result);
        };
    })"""
    assert "pack" not in page.evaluate(stored)


@pytest.mark.slow("waits before the camera of a kiosk without network, and of another session")
def test_a_tablet_that_is_paired_to_another_session_delivers_what_it_took_under_the_former(
    hall: Desk, wire: Wire, browse: Callable[..., Page], astronaut_jpeg: bytes
) -> None:
    page = browse(film=astronaut_jpeg)
    with page.expect_response(re.compile("/queue/pack$")):
        page.goto(f"{wire.address}/kiosk#key={hall.kiosk_key()}")
    expect(page.locator("#candidate")).to_be_focused()
    exam_id = hall.call("GET", f"/v1/sessions/{hall.session_id}").json()["exam_id"]
    room = {"room": "Hall B", **window(timedelta(minutes=-5), timedelta(hours=2))}
    other = replace(
        hall, session_id=hall.call("POST", f"/v1/exams/{exam_id}/sessions", json=room).json()["id"]
    )
    wire.cut()
    claim(page, "1001")
    expect(page.locator("#result-title")).to_have_text("Welcome, Eileen Collins")
    # Nothing is delivered before the tablet is of the other session.
    page.route(re.compile("/queue$"), lambda route: route.abort())
    wire.mend()
    page.on("dialog", lambda dialog: dialog.accept())

    page.goto("about:blank")
    page.goto(f"{wire.address}/kiosk#key={other.kiosk_key()}")
    expect(page.locator("#session")).to_contain_text("Hall B")
    expect(page.locator("#offline")).to_have_text("Being sent: 1")
    page.unroute(re.compile("/queue$"))

    expect(page.locator("#offline")).to_be_hidden()
    found = checkins(hall)["1001"]
    assert (found["outcome"], found["provisional"]) == ("admitted", True)
    assert checkins(other) == {}


@pytest.mark.slow("opens a kiosk twice")
@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (
            "Object.defineProperty(window, 'indexedDB', {get() { throw new DOMException('no'); }})",
            "this browser stores nothing here",
        ),
        (
            "navigator.serviceWorker.register = () => Promise.reject(new DOMException('SSL'))",
            "does not trust the server’s certificate",
        ),
    ],
)
def test_the_self_test_says_why_a_kiosk_needs_the_network_and_it_works_with_it(
    hall: Desk, wire: Wire, browse: Callable[..., Page], astronaut_jpeg: bytes, fault: str, said: str
) -> None:
    page = browse(film=astronaut_jpeg, service_workers="allow")
    page.add_init_script(fault)
    page.goto(f"{wire.address}/kiosk#key={hall.kiosk_key()}")
    expect(page.locator("#candidate")).to_be_focused()

    page.click("#set-up")

    expect(page.locator("#check-installed")).to_contain_text(said)
    page.get_by_role("button", name="Done").click()
    claim(page, "1001")
    expect(page.locator("#result-title")).to_have_text("Welcome, Eileen Collins")


def test_the_worker_keeps_everything_that_the_page_is_made_of() -> None:
    """Every script that the kiosk loads, and those that these load."""
    found, left = set[Path](), [STATIC / "js" / "kiosk.js"]
    while left:
        one = left.pop()
        if one not in found:
            found.add(one)
            names = re.findall(r'^import .* from "(\..*?)";$', one.read_text(encoding="utf-8"), re.MULTILINE)
            left += [(one.parent / name).resolve() for name in names]

    kept = {STATIC / path.removeprefix("/static/") for path in kept_files()}

    assert found <= kept
    assert len(found) > 10


def test_the_worker_looks_after_the_kiosk_alone_and_knows_its_version(service: Service) -> None:
    worker = service.client.get("/kiosk/worker.js")
    page = service.client.get("/kiosk")

    assert worker.headers["service-worker-allowed"] == "/kiosk"
    assert worker.headers["cache-control"] == "no-cache"
    assert "default-src 'self'" in worker.headers["content-security-policy"]
    assert worker.text.startswith(f'self.kept = {{"version": "{version()}"')
    assert page.headers["x-kiosk-version"] == version()
    assert service.client.get("/kiosk/app.webmanifest").json()["scope"] == "/kiosk"
