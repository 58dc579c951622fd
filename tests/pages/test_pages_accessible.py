"""axe-core (WCAG 2.2 AA) on every page and in many states: light, dark, left to right, right to left."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from fixtures_axe import Axe, axe
from fixtures_operators import invite
from fixtures_pages import Desk
from playwright.sync_api import Page, expect

from embedding.image import encode_png
from embedding.quality import Purpose
from index.audit import Origin
from index.crops import NewCrop, keep_crop
from index.ids import uuid7
from index.jobs.jobs import Jobs
from index.webhooks.events import EVENTS
from service.access.roles import Role
from service.languages import texts

__all__ = ["axe"]

pytestmark = [
    pytest.mark.slow("axe-core looks at some eighty states of the pages"),
    pytest.mark.usefixtures("nobody_else"),
]

ROSTER = (
    "external_id,display_name,seat,manual_identification,twin,accommodation\n"
    "1001,Dot Comma,A1,yes,,\n1002,Grace Hopper,A2,,,\n1003,José Nuñez,A3,,,\n"
    "1004,Tom Twin,A10,,yes,+30 min\n1005,Eve Early,A5,,,\n1006,Ida Out,A6,,,\n"
)
BAD_ROSTER = b"external_id,seat\n1001,A1\n1001,A1\n,A3\nnobody,A4\n"
OTHER_ROSTER = b"Matrikelnummer;Nachname;Platz\n1001;Comma;A1\n"
FEWER = b"external_id\n1002\n1004\n1005\n1006\n"
NO_CAMERA = """navigator.mediaDevices.getUserMedia = async () => {
  throw new DOMException("none", "NotFoundError");
}"""
UNFOLD = "document.querySelectorAll('main details, dialog details').forEach((one) => { one.open = true; })"


both_ways = pytest.mark.parametrize("language", ["en", "ar"])


@pytest.fixture
def season(desk: Desk, astronaut_jpeg: bytes, stranger_jpeg: bytes) -> Desk:
    """Something of everything: people who wait and who are in; a job, a key, a webhook, a layout."""
    path = f"/v1/sessions/{desk.session_id}/roster?create_subjects=true"
    desk.call("PUT", path, content=ROSTER.encode(), headers={"Content-Type": "text/csv"})
    for number, picture in (("1002", stranger_jpeg), ("1004", astronaut_jpeg)):
        desk.enrol(number, picture)
    keep_a_crop(desk, "1002", stranger_jpeg)
    for number in ("1002", "1003", "1004"):
        desk.arrive(number, astronaut_jpeg)
    for number in ("1005", "1006"):
        identified = {"candidate": number, "document_type": "passport", "note": "seen"}
        desk.call("POST", f"/v1/sessions/{desk.session_id}/identifications", json=identified)
    desk.call("PUT", "/v1/list-layouts/office", json={"columns": {"external_id": ["Nr"]}})
    desk.call("POST", "/v1/keys", json={"name": "Door script", "scopes": ["verify"]})
    desk.kiosk_key()
    desk.parts.webhooks.add("https://hooks.example.org/x", EVENTS[:2], Origin("test"), uuid7())
    invite(desk.parts, "ada", Role.INVIGILATOR)
    jobs = Jobs(desk.parts.database)
    jobs.begin(jobs.submit("retrain", {"data": ["/faces"]}, actor="test").id, "worker")
    return desk


def keep_a_crop(desk: Desk, number: str, picture: bytes) -> None:
    """Keep the face of an enrolment, as settings may say."""
    crop = encode_png(desk.parts.embedder.embed(picture, Purpose.VERIFY).crop)
    cipher = desk.parts.desk.cipher
    assert cipher is not None
    with desk.parts.database.write() as db:
        keep_crop(db, cipher, subject_id(desk, number), NewCrop(crop, 30))


def subject_id(desk: Desk, number: str) -> UUID:
    return UUID(desk.call("GET", f"/v1/subjects/ext:{number}").json()["id"])


class Walk:
    """Somebody who goes through the pages in one language, with axe-core beside."""

    def __init__(self, page: Page, base: str, axe: Axe, language: str) -> None:
        self.page, self.base, self.axe = page, base, axe
        self.dark = language == "en"
        self.say = texts(language)
        page.context.add_cookies([{"name": "invigil_language", "value": language, "url": base}])

    def look(self, state: str) -> None:
        self.axe.look(self.page, state, dark=self.dark)

    def go(self, address: str, shown: str = "#view h1") -> None:
        self.page.goto(f"{self.base}/console#{address}")
        expect(self.page.locator(shown).first).to_be_visible()

    def visit(self, address: str, shown: str = "#view h1") -> None:
        self.go(address, shown)
        self.open_all()
        self.look(address)

    def open_all(self) -> None:
        """Unfold what is folded away, and let what that makes arrive."""
        self.page.evaluate(
            "document.querySelectorAll('#view details').forEach((one) => { one.open = true; })"
        )
        self.page.wait_for_load_state("networkidle")

    def press(self, key: str) -> None:
        """The button with this text."""
        self.page.get_by_role("button", name=str(self.say[key]), exact=True).first.click()

    def sign_in(self, key: str) -> None:
        self.page.goto(f"{self.base}/console")
        self.page.locator("details summary").click()
        self.page.fill("#key", key)
        self.page.keyboard.press("Enter")
        expect(self.page.locator("#nav a").first).to_be_visible()


def walk_with(browse: Callable[..., Page], desk: Desk, axe: Axe, language: str = "en", **more: Any) -> Walk:
    return Walk(browse(reduced_motion="reduce", **more), desk.base, axe, language)


def test_whoever_is_not_signed_in_meets_no_barrier(
    new_desk: Desk, browse: Callable[..., Page], axe: Axe
) -> None:
    walk = walk_with(browse, new_desk, axe)
    page = walk.page

    page.goto(f"{new_desk.base}/")
    walk.look("first page")
    page.goto(f"{new_desk.base}/docs")
    axe.run(
        page, "interactive API", {"runOnly": {"type": "rule", "values": ["html-has-lang", "document-title"]}}
    )
    walk.go("/")
    walk.look("sign-in")
    page.fill("[name=login]", "ada")
    page.fill("[name=password]", "wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_be_visible()
    page.locator("details summary").click()
    walk.look("sign-in refused, by a key")
    token = invite(new_desk.parts, "ada")
    page.goto(f"{new_desk.base}/console?1#/join/{token}")
    expect(page.locator("[name=again]")).to_be_visible()
    walk.look("invitation")
    page.goto(f"{new_desk.base}/console?2#/join/none")
    expect(page.get_by_role("alert")).to_be_visible()
    walk.look("invitation that is over")
    page.goto(f"{new_desk.base}/login/issuer/back?state=x&code=y")
    walk.look("sign-in elsewhere that failed")
    page.goto(f"{new_desk.base}/withdraw/none")
    walk.look("withdrawal that is over")
    subject = new_desk.parts.subjects.add(external_id="s-1", actor="test")
    page.goto(new_desk.call("POST", f"/v1/subjects/{subject.id}/withdrawal-link").json()["url"])
    walk.look("withdrawal")
    page.locator("main button").click()
    expect(page.get_by_role("status")).to_be_visible()
    walk.look("withdrawn")


def test_an_installation_without_anything_has_no_barrier(
    new_desk: Desk, browse: Callable[..., Page], axe: Axe
) -> None:
    walk = walk_with(browse, new_desk, axe)
    walk.sign_in(new_desk.admin)

    for address in ("/", "/board", "/exams", "/subjects", "/proposals", "/jobs", "/people", "/webhooks"):
        walk.visit(address)
    walk.go("/nothing")
    walk.look("no such page")
    walk.go(f"/exams/{uuid7()}", "#view .notice.bad")
    walk.look("no such exam")


@both_ways
def test_no_page_of_the_console_has_a_barrier(
    season: Desk, browse: Callable[..., Page], axe: Axe, language: str
) -> None:
    walk = walk_with(browse, season, axe, language)
    walk.sign_in(season.admin)
    exam = season.call("GET", f"/v1/sessions/{season.session_id}").json()["exam_id"]
    session = f"/sessions/{season.session_id}"
    job = season.call("GET", "/v1/jobs").json()["items"][0]["id"]
    model = season.call("GET", "/v1/models").json()["items"][0]["id"]
    person = season.call("GET", "/v1/operators").json()["items"][0]["id"]

    office = ("", "/exams", "/enrol", "/proposals", "/subjects", "/pair/ABCDEFGH", "/board", f"/board/{exam}")
    of_exam = (f"/exams/{exam}", f"/exams/copy/{exam}", f"/exams/{exam}/readiness")
    of_session = [f"{session}/{tab}" for tab in ("roster", "readiness", "attempts", "walk", "kiosk")]
    of_subjects = [f"/subjects/{subject_id(season, number)}" for number in ("1002", "1003")]
    of_models = ("/models", f"/models/{model}", "/jobs", f"/jobs/{job}")
    of_installation = (
        "/audit",
        "/people",
        f"/people/{person}",
        "/keys",
        "/webhooks",
        "/installation",
        "/account",
        "/retention",
        "/gallery",
    )
    for address in (*office, *of_exam, *of_session, *of_subjects, *of_models, *of_installation):
        walk.visit(address)


@both_ways
def test_no_state_of_the_board_and_its_cases_has_a_barrier(
    season: Desk, browse: Callable[..., Page], axe: Axe, language: str
) -> None:
    walk = walk_with(browse, season, axe, language)
    page = walk.page
    walk.sign_in(season.admin)
    session = f"/sessions/{season.session_id}"

    walk.go(f"{session}/board", ".seat")
    expect(page.locator("#waiting .card")).to_have_count(3)
    walk.look("board")
    page.fill("#board-search", "nobody is called so")
    walk.look("board, nobody found")
    page.fill("#board-search", "")
    for number in ("1002", "1003", "1005"):
        page.locator(f"[data-candidate='{number}']").click()
        expect(page.locator("#drawer-seat")).to_be_visible()
        page.evaluate(UNFOLD)
        walk.look(f"drawer of {number}")
        page.keyboard.press("Escape")
    page.locator("[data-candidate='1003']").click()
    page.locator("#drawer-seat summary").click()
    page.fill("#drawer-seat [name=seat]", "A2")
    page.keyboard.press("Enter")
    expect(page.locator("#drawer-seat .wrong, #drawer-seat .notice").first).to_be_visible()
    walk.look("drawer, refused")
    page.keyboard.press("Escape")
    walk.go(f"{session}/board/big", ".big-seats li")
    walk.look("board, big")
    (case,) = (
        one
        for one in season.call("GET", f"{'/v1' + session}/checkins").json()["items"]
        if one["external_id"] == "1002"
    )
    walk.go(f"{session}/case/{case['id']}", "#case-title")
    walk.open_all()
    walk.look("case")
    walk.press("explain.show")
    expect(page.locator(".face svg")).to_have_count(2)
    walk.look("case, what decided")
    page.select_option("select[name=reason_code]", index=1)
    page.locator("button.good").first.click()
    expect(page.locator(".toast")).to_be_visible()
    expect(page.locator("#view h1")).to_be_visible()
    walk.look("toast")
    walk.go(f"{session}/case/{case['id']}", "#case-title")
    walk.open_all()
    walk.look("case, settled")


def test_no_answer_of_a_form_is_a_barrier(season: Desk, browse: Callable[..., Page], axe: Axe) -> None:
    walk = walk_with(browse, season, axe)
    page = walk.page
    walk.sign_in(season.admin)

    def give(name: str, content: bytes, shown: str) -> None:
        page.set_input_files("#roster-file", {"name": name, "mimeType": "text/csv", "buffer": content})
        expect(page.locator(shown).first).to_be_visible()
        walk.look(f"roster, {name}")

    walk.go("/exams")
    page.fill("[name=name]", "Upside down")
    page.fill("[name=starts_at]", "2027-02-01T10:00")
    page.fill("[name=ends_at]", "2027-02-01T09:00")
    page.keyboard.press("Enter")
    expect(page.locator("[aria-invalid]").first).to_be_visible()
    walk.open_all()
    walk.look("exam, refused")
    walk.go(f"/sessions/{season.session_id}/roster")
    give("bad.csv", BAD_ROSTER, "#roster-report .notice.bad")
    give("other.csv", OTHER_ROSTER, "#explain-columns")
    page.locator("input[value=replace]").check()
    give("few.csv", FEWER, "#apply-roster")
    walk.go("/keys")
    page.fill("[name=name]", "One more")
    walk.press("keys.create")
    expect(page.locator("form .notice.bad, .wrong").first).to_be_visible()
    page.locator("[name=scope]").first.check()
    walk.press("keys.create")
    expect(page.locator("#new-key")).to_be_visible()
    walk.press("keys.revoke")
    walk.look("key, new and about to be revoked")
    walk.go("/audit")
    walk.press("audit.check_now")
    expect(page.locator("p.mono.big-key")).to_be_visible()
    walk.look("audit trail, checked")
    walk.go(f"/subjects/{subject_id(season, '1003')}")
    page.click("#withdraw")
    page.click("#enrolment-link")
    expect(page.locator("#enrolment-link-url")).to_be_visible()
    walk.press("subject.camera")
    walk.look("subject, camera")


@both_ways
def test_no_stage_of_the_kiosk_has_a_barrier(
    season: Desk, browse: Callable[..., Page], axe: Axe, language: str
) -> None:
    walk = walk_with(browse, season, axe, language, width=768, height=1024)
    page = walk.page

    page.goto(f"{season.base}/kiosk")
    expect(page.locator("#code")).not_to_be_empty()
    page.locator("#by-key summary").click()
    walk.look("kiosk, not paired")
    page.goto(f"{season.base}/kiosk?#key={season.kiosk_key()}")
    expect(page.locator("#candidate")).to_be_visible()
    walk.look("kiosk, ready")
    page.click("#set-up")
    expect(page.locator("#check-clock")).to_be_visible()
    page.select_option("#set-keypad", "on")
    walk.look("kiosk, set up")
    page.locator("#setup button.primary").click()
    walk.look("kiosk, keypad")
    page.locator("#keypad button").nth(9).click()
    walk.look("kiosk, letters")
    page.fill("#candidate", "1002")
    page.keyboard.press("Enter")
    expect(page.locator("#yes")).to_be_visible()
    walk.look("kiosk, is this you")
    page.click("#yes")
    expect(page.locator("#guidance")).to_be_visible()
    walk.look("kiosk, looking")
    page.click("#cancel")
    for number in ("nobody", "1001", "1003", "1005"):
        page.fill("#candidate", number)
        page.keyboard.press("Enter")
        expect(page.locator("#result")).to_be_visible()
        walk.look(f"kiosk, {number}")
        page.keyboard.press("Escape")
        expect(page.locator("#candidate")).to_be_visible()
    page.click("#document")
    expect(page.locator("#result")).to_be_visible()
    walk.look("kiosk, by a document")
    page.keyboard.press("Escape")
    page.click("#scan-card")
    expect(page.locator("#scan-hint")).to_be_visible()
    walk.look("kiosk, a card")
    page.click("#cancel")
    page.add_init_script(NO_CAMERA)
    page.reload()
    expect(page.locator("#trouble")).to_be_visible()
    walk.look("kiosk, no camera")
    season.reopen(timedelta(hours=-2), timedelta(hours=-1))
    page.evaluate("window.dispatchEvent(new Event('online'))")
    expect(page.locator("#closed-title")).to_be_visible()
    walk.look("kiosk, closed")


def test_enrolment_at_home_and_what_was_sent_have_no_barrier(
    season: Desk,
    browse: Callable[..., Page],
    axe: Axe,
    black_jpeg: bytes,
    astronaut_jpeg: bytes,
) -> None:
    walk = walk_with(browse, season, axe, width=390, height=844)
    page = walk.page
    link = season.call("POST", f"/v1/subjects/{subject_id(season, '1003')}/enrolment-link").json()["url"]

    def choose(picture: bytes) -> None:
        page.set_input_files("#photo", {"name": "a.jpg", "mimeType": "image/jpeg", "buffer": picture})

    page.goto(link)
    expect(page.locator("#consent")).to_be_visible()
    walk.look("enrolment, consent")
    page.check("#consent")
    page.locator("main button.primary").click()
    walk.look("enrolment, choose")
    page.click("#camera")
    expect(page.locator("#take")).to_be_enabled()
    walk.look("enrolment, camera")
    page.locator("main button.plain").click()
    choose(black_jpeg)
    expect(page.locator("#send")).to_be_visible()
    walk.look("enrolment, review")
    page.click("#send")
    expect(page.locator(".notice.wait")).to_be_visible()
    walk.look("enrolment, refused")
    choose(astronaut_jpeg)
    page.click("#send")
    expect(page.locator(".notice.good")).to_be_visible()
    walk.look("enrolment, sent")
    page.reload()
    expect(page.locator(".notice.bad")).to_be_visible()
    walk.look("enrolment, over")
    walk.sign_in(season.admin)
    walk.visit("/proposals")
