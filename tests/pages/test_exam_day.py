"""One exam day from the doors to the record: everything that goes wrong on such a day, in one room.

A stranger, twins, somebody without a template, somebody who prefers a document, a broken camera, a latecomer,
a way to the toilet that lasts through a power cut, and people who come meanwhile and are typed in.
"""

import csv
import io
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from fixtures_pages import Desk, give_when_free, open_session, sign_in_by_key
from fixtures_service import await_ready, prepare, serve
from playwright.sync_api import Page, expect

from benchmarks.server import free_port
from embedding.embedder import Embedder
from embedding.errors import EmbeddingError
from embedding.people.generator import MadeUpPeople
from embedding.people.photograph import encode_jpeg, photograph
from embedding.quality import Purpose
from index.database.database import Database
from service.access.keys import Keys
from service.access.scopes import Scope
from service.settings import Settings

pytestmark = pytest.mark.slow("a whole exam day with three cameras, and a server that is killed")

ROOM = (
    ("1001", "Eileen Twin", "1"),
    ("1002", "Elaine Twin", "2"),
    ("1003", "Grace Hopper", "3"),
    ("1004", "Dot Comma", "4"),
    ("1005", "Ada Document", "5"),
    ("1006", "Lena Late", "6"),
    ("1007", "Pia Paper", "7"),
    ("1008", "Paul Paper", "8"),
    ("1009", "Nora Never", "9"),
    ("1010", "Ben Broken", "10"),
)
SEE_INVIGILATOR = "Please see the invigilator"


class House:
    """The server as a process of its own, whose power can be cut."""

    def __init__(self, settings: Settings, empty_sqlite: bytes) -> None:
        prepare(settings, empty_sqlite)
        database = Database(settings.database)
        key = Keys(database).create("test", [Scope.ADMIN], actor="test")[1]
        database.close()
        self._settings, self._port = settings, free_port()
        self._process: subprocess.Popen[str] | None = None
        self.power_on()
        base = f"http://127.0.0.1:{self._port}"
        closed = Desk(base, cast(Any, None), key, "")
        self.desk = replace(closed, session_id=open_session(closed))

    def power_on(self) -> None:
        """Start the server where it was."""
        log = self._settings.data_dir / "service.log"
        self._process = serve(self._settings, self._port, log)
        await_ready(f"http://127.0.0.1:{self._port}", self._process)

    def cut_power(self) -> None:
        """End the server as a power cut does: nothing is finished."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(timeout=30)


@pytest.fixture
def house(settings_for: Callable[..., Settings], empty_sqlite: bytes) -> Iterator[House]:
    """The house with power, and an exam whose room is open."""
    made = House(settings_for(), empty_sqlite)
    try:
        yield made
    finally:
        made.cut_power()


@pytest.fixture
def unknown_jpeg(embedder: Embedder) -> bytes:
    """Somebody whom nobody knows, and who does not exist."""
    people = MadeUpPeople.open()
    for crop in people.draw(people.person(3), people.captures(3, 12)):
        picture = encode_jpeg(photograph(crop, 3))
        try:
            if embedder.embed(picture, Purpose.CHECKIN).quality.acceptable:
                return picture
        except EmbeddingError:
            continue
    raise AssertionError("no capture of the made-up person can be used")


def path(desk: Desk, rest: str = "") -> str:
    return f"/v1/sessions/{desk.session_id}{rest}"


def people(desk: Desk) -> dict[str, dict[str, Any]]:
    items = desk.call("GET", path(desk, "/roster")).json()["items"]
    return {one["external_id"]: one for one in items}


def all_waiting(desk: Desk) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = desk.call("GET", path(desk, "/waiting")).json()["items"]
    return items


def waiting(desk: Desk) -> dict[str, dict[str, Any]]:
    return {one["candidate"]["external_id"]: one for one in all_waiting(desk) if one["candidate"]}


def identify(desk: Desk, number: str, **more: str) -> None:
    """The invigilator looks at a document."""
    body = {"candidate": number, "document_type": "passport", **more}
    desk.call("POST", path(desk, "/identifications"), json=body)


def open_kiosk(browse: Callable[..., Page], desk: Desk, film: bytes) -> Page:
    page = browse(film=film)
    page.goto(f"{desk.base}/kiosk#key={desk.kiosk_key()}")
    expect(page.locator("#candidate")).to_be_focused()
    return page


def close(page: Page) -> None:
    """The next person's camera shows another film."""
    browser = page.context.browser
    assert browser is not None
    browser.close()


def claim(page: Page, number: str, answer: str) -> None:
    give_when_free(page, number)
    expect(page.locator("#yes")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#result-title")).to_have_text(answer)
    page.locator("#next").click()


def break_camera(page: Page) -> None:
    """The cable is torn out, and the camera does not come back."""
    page.evaluate(
        """() => {
            const lost = () => Promise.reject(new DOMException("gone", "NotFoundError"));
            navigator.mediaDevices.getUserMedia = lost;
            const [track] = document.getElementById("camera").srcObject.getVideoTracks();
            track.stop();
            track.dispatchEvent(new Event("ended"));
        }"""
    )
    expect(page.locator("#trouble-text")).to_be_visible()


def rows_of(desk: Desk, name: str) -> list[dict[str, str]]:
    text = desk.call("GET", path(desk, f"/{name}")).text.lstrip("\ufeff")
    return list(csv.DictReader(io.StringIO(text)))


def test_an_exam_day_with_all_that_goes_wrong_leaves_a_record_that_is_whole(
    house: House,
    browse: Callable[..., Page],
    astronaut_jpeg: bytes,
    stranger_jpeg: bytes,
    unknown_jpeg: bytes,
) -> None:
    desk = house.desk
    desk.seat(*ROOM)
    desk.enrol("1001", astronaut_jpeg)
    forced = "?force=true&reason=twins"
    files = {"image": astronaut_jpeg}
    desk.call("POST", f"/v1/subjects/ext:1002/templates{forced}", files=files)
    desk.enrol("1003", stranger_jpeg)
    assert desk.call("GET", path(desk, "/sheet.pdf")).content.startswith(b"%PDF")

    # A stranger with Grace's number is referred, and is gone when the invigilator comes.
    kiosk = open_kiosk(browse, desk, unknown_jpeg)
    claim(kiosk, "1003", SEE_INVIGILATOR)
    assert waiting(desk)["1003"]["kind"] == "referred"
    close(kiosk)

    # Twins: the machine cannot tell which one it is, a person does.
    kiosk = open_kiosk(browse, desk, astronaut_jpeg)
    decision = {"outcome": "admitted", "reason_code": "look_alike"}
    for number in ("1001", "1002"):
        claim(kiosk, number, SEE_INVIGILATOR)
        twin = waiting(desk)[number]
        assert "twin" in twin["reasons"]
        desk.call("POST", f"/v1/checkins/{twin['checkin_id']}/override", json=decision)
    close(kiosk)

    # Grace herself; somebody without a template; somebody who prefers a document; then the camera breaks.
    kiosk = open_kiosk(browse, desk, stranger_jpeg)
    claim(kiosk, "1003", "Welcome, Grace Hopper")
    give_when_free(kiosk, "1004")
    expect(kiosk.locator("#result-title")).to_have_text(SEE_INVIGILATOR)
    assert waiting(desk)["1004"]["reasons"] == ["no_template"]
    kiosk.locator("#next").click()
    identify(desk, "1004")
    expect(kiosk.locator("#candidate")).to_be_focused()
    kiosk.keyboard.type("1005")
    kiosk.locator("#document").click()
    expect(kiosk.locator("#result-title")).to_have_text("Please go to the invigilator with your document")
    assert waiting(desk)["1005"]["reasons"] == ["document_wanted"]
    kiosk.locator("#next").click()
    identify(desk, "1005")
    expect(kiosk.locator("#candidate")).to_be_focused()
    break_camera(kiosk)
    kiosk.locator("#document").click()
    expect(kiosk.locator("#result-title")).to_have_text("Please go to the invigilator with your document")
    (unnamed,) = all_waiting(desk)
    desk.call("POST", path(desk, "/waiting/attended"), json={"id": unnamed["id"]})
    identify(desk, "1010")

    # Grace goes to the toilet, and the power goes with her.
    desk.call("POST", path(desk, "/movements"), json={"candidate": "1003", "kind": "exit"})
    close(kiosk)
    cut_at = datetime.now(UTC)
    house.cut_power()
    house.power_on()

    kiosk = open_kiosk(browse, desk, stranger_jpeg)
    kiosk.locator("#set-up").click()
    kiosk.locator("#set-mode").select_option("movement")
    kiosk.locator("#setup .primary").click()
    claim(kiosk, "1003", "Welcome back, Grace Hopper")
    close(kiosk)

    # What was written down meanwhile is typed in; a name that is in already by the kiosk is not merged.
    console = browse()
    console.goto(f"{desk.base}/console")
    sign_in_by_key(console, desk.admin)
    expect(console.locator("h1")).to_have_text("Today")
    console.goto(f"{desk.base}/console#/sessions/{desk.session_id}/paper")
    expect(console.locator("#paper-one [name=candidate]")).to_be_focused()
    # As the browser's clock shows it: the sheet is written by the clock in the room.
    shown = "at => new Date(at).toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' })"
    clock = console.evaluate(shown, cut_at.isoformat()).replace(":", "")
    said = console.locator("#paper-said li").first
    for number, words in (("1007", "recorded Pia Paper · 7"), ("1003", "Recorded otherwise already")):
        console.locator("#paper-one [name=candidate]").fill(number)
        console.keyboard.press("Enter")
        expect(console.locator("#paper-one [name=arrived]")).to_be_focused()
        console.keyboard.type(clock)
        console.keyboard.press("Enter")
        expect(said).to_contain_text(words)
    row = console.locator(".paper-table tr", has=console.locator('[data-line="1008"]'))
    row.locator("[name=arrived]").fill(clock)
    row.locator("[name=breaks]").fill(f"{clock}-{clock}")
    row.locator("[name=left]").fill(clock)
    console.get_by_role("button", name="Record what is filled in").click()
    expect(row.locator("[role=status]")).to_contain_text("recorded")

    # Nobody comes in any more: a latecomer is let in by a person who says why.
    late = {"last_entry_minutes": 0, "reason": "the doors are closed"}
    desk.call("PATCH", path(desk), json=late)
    kiosk = open_kiosk(browse, desk, stranger_jpeg)
    give_when_free(kiosk, "1006")
    expect(kiosk.locator("#result-title")).to_have_text(SEE_INVIGILATOR)
    assert waiting(desk)["1006"]["reasons"] == ["entry_over"]
    identify(desk, "1006", late_reason="the tram stood still")
    close(kiosk)

    require_whole(desk, cut_at)


def require_whole(desk: Desk, cut_at: datetime) -> None:
    """Report, attendance, roster and evidence say the same of everybody, and nothing is open."""
    paper = {"1007", "1008"}
    inside = {"1001", "1002", "1003", "1004", "1005", "1006", "1010", *paper}
    found = people(desk)
    assert {
        number for number, one in found.items() if one["status"] in ("admitted", "identified_manually")
    } == inside
    assert {number for number, one in found.items() if one["source"] == "paper"} == paper
    assert all_waiting(desk) == []
    assert [found[number]["presence"] for number in ("1003", "1008", "1009")] == ["present", "left", "absent"]
    assert [len(found[number]["absences"]) for number in ("1003", "1008")] == [1, 1]
    for number in paper:
        assert found[number]["status_at"][:16] == cut_at.isoformat()[:16]

    attendance = {one["external_id"]: one for one in rows_of(desk, "attendance.csv")}
    assert {number for number, one in attendance.items() if one["present"] == "yes"} == inside
    assert {number for number, one in attendance.items() if one["source"] == "paper"} == paper
    report = rows_of(desk, "report.csv")
    counting = [
        one
        for one in report
        if one["kind"] in ("attempt", "override") and one["outcome"] in ("admitted", "identified_manually")
    ]
    assert sorted(one["external_id"] for one in counting) == sorted(inside)
    assert {one["external_id"] for one in report if one["source"] == "paper"} == paper
    assert sorted(one["external_id"] for one in report if one["kind"] == "return") == ["1003", "1008"]
    tried = {one["external_id"]: one["outcome"] for one in report if one["kind"] == "transaction"}
    assert tried == {"1001": "referred", "1002": "referred", "1003": "verified"}
    for number in inside:
        evidence = desk.call("GET", path(desk, f"/candidates/{number}/evidence")).json()
        assert evidence["intact"], number
        assert evidence["candidate"]["status"] == found[number]["status"]
    trail = desk.call("POST", "/v1/audit-events/verify", json={}).json()
    assert (trail["is_whole"], trail["evidence"]) == (True, [])
