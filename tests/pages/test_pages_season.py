"""A season of an exam office in the browser: 300 people, three exams, cases, appeals, and retention."""

import csv
import io
import re
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from fixtures_operators import PASSWORD, join
from fixtures_pages import Desk
from playwright.sync_api import Page, expect
from sqlalchemy import select, text

from embedding.people.generator import MadeUpPeople
from embedding.people.photograph import encode_jpeg, photograph
from index.audit import Origin
from service.access.roles import Role
from service.exams.evidence.sweeping import sweep
from service.exams.tables import CheckinRow, ExamRow, SessionRow

pytestmark = [
    pytest.mark.slow("300 people are enrolled, examined and looked after"),
    pytest.mark.timeout(1500),
]

IN_FOLDERS, IN_LIST, BY_LINK = 200, 90, 10
PEOPLE = IN_FOLDERS + IN_LIST + BY_LINK
ENROLMENT_MS = 600_000
MOST_LOOK_ALIKES = 20
"""These people are drawn by chance; who comes too near to another is refused, and gets a link."""

DOOR_CAPTURE = 20
"""Captures from here on are for the door, former ones for enrolments."""


@dataclass
class Students:
    """300 people who do not exist."""

    people: MadeUpPeople = field(default_factory=MadeUpPeople.open)

    def number(self, place: int) -> str:
        return f"S{place:03}"

    def name(self, place: int) -> str:
        return f"Student {place}"

    def picture(self, place: int, capture: int = 0) -> bytes:
        """A photograph; each capture is another."""
        codes = self.people.captures(place, capture + 1)[-1:]
        return encode_jpeg(photograph(self.people.draw(self.people.person(place), codes)[0], place))

    def roster(self, places: range) -> bytes:
        """A list as a campus system exports it."""
        rows = (f"{self.number(place)};{self.name(place)};{place + 1}" for place in places)
        return "\n".join(("external_id;display_name;seat", *rows, "")).encode()


@pytest.fixture(scope="module")
def students() -> Students:
    """Drawn once."""
    return Students()


class Office:
    """The exam office before its console."""

    def __init__(self, page: Page, desk: Desk, login: str) -> None:
        self.page, self.base = page, desk.base
        page.goto(f"{self.base}/console")
        page.fill("[name=login]", login)
        page.fill("[name=password]", PASSWORD)
        page.keyboard.press("Enter")
        expect(page.locator("#nav a").first).to_be_visible()

    def go(self, address: str) -> None:
        self.page.goto(f"{self.base}/console#{address}")
        expect(self.page.locator("#view h1").first).to_be_visible()

    def press(self, name: str) -> None:
        self.page.get_by_role("button", name=name, exact=True).first.click()

    def enrol(self, archive: Path) -> tuple[int, int]:
        """Upload a ZIP; how many were enrolled and refused."""
        self.go("/enrol")
        # What this tab did before is shown again; the new result takes its place.
        self.page.evaluate("sessionStorage.clear()")
        self.page.reload()
        self.page.set_input_files("#bulk-files", archive)
        expect(self.page.get_by_role("heading", name="Result")).to_be_visible(timeout=ENROLMENT_MS)
        counts = self.page.locator(".counts b").all_inner_texts()
        return int(counts[0]), int(counts[2])

    def import_roster(self, session_id: str, content: bytes, added: int, mode: str = "merge") -> None:
        self.go(f"/sessions/{session_id}/roster")
        before = self.page.locator("tbody tr").count()
        if before:
            self.page.locator(f"input[value={mode}]").check()
        self.page.locator("#create-subjects").check()
        roster = {"name": "list.csv", "mimeType": "text/csv", "buffer": content}
        self.page.set_input_files("#roster-file", roster)  # type: ignore[arg-type]
        self.page.locator("#apply-roster").click()
        expect(self.page.locator("tbody tr")).to_have_count(before + added)

    def plan(self, name: str, starts: datetime, room: str) -> tuple[str, str]:
        """A new exam with a room; their ids."""
        self.go("/exams")
        self.fill_times(name, starts)
        self.press("Create exam")
        expect(self.page.locator("h1")).to_have_text(name)
        self.page.fill("[name=room]", room)
        self.press("Add session")
        return self.ids(room)

    def copy(self, exam_id: str, name: str, starts: datetime, room: str) -> tuple[str, str]:
        """An exam like another, with its rooms; its ids."""
        self.go(f"/exams/copy/{exam_id}")
        self.fill_times(name, starts)
        self.press("Create exam")
        expect(self.page.locator("h1")).to_have_text(name)
        return self.ids(room)

    def fill_times(self, name: str, starts: datetime) -> None:
        self.page.fill("[name=name]", name)
        self.page.fill("[name=starts_at]", starts.strftime("%Y-%m-%dT%H:%M"))
        self.page.fill("[name=ends_at]", (starts + timedelta(hours=3)).strftime("%Y-%m-%dT%H:%M"))

    def ids(self, room: str) -> tuple[str, str]:
        card = self.page.locator("#view a.card").filter(has_text=room)
        expect(card).to_have_count(1)
        address = str(card.get_attribute("href"))
        exam_id = self.page.url.rpartition("/")[2]
        return exam_id, address.split("/")[2]

    def settle_everybody(self, waiting: int) -> None:
        """From the first card of the queue to the last."""
        cards = self.page.locator("#waiting .card")
        for left in range(waiting, 0, -1):
            expect(cards).to_have_count(left)
            if cards.first.evaluate("card => card.tagName") == "A":
                self.settle_case()
            else:
                cards.first.click()
                self.page.locator("dialog").get_by_role("button", name="Identified by document").click()
                expect(self.page.locator("dialog.drawer")).to_have_count(0)
        expect(cards).to_have_count(0)

    def settle_case(self) -> None:
        """Admit after a look at a document, and go back to the board."""
        self.page.locator("#waiting .card").first.click()
        expect(self.page.locator("#case-title")).to_be_visible()
        board = self.page.url.partition("/case/")[0] + "/board"
        self.page.select_option("select[name=reason_code]", "document_checked")
        self.page.get_by_role("button", name="Accept").click()
        expect(self.page.locator(".toast").last).to_be_visible()
        self.page.goto(board)


@pytest.fixture
def office(new_desk: Desk, browse: Callable[..., Page]) -> Office:
    """Olga, who may do everything."""
    join(new_desk.parts, "olga", Role.ADMINISTRATOR)
    return Office(browse(timezone_id="UTC", accept_downloads=True), new_desk, "olga")


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def folders(students: Students, path: Path) -> Path:
    """A folder for each person."""
    files = {f"{students.number(one)}/photo.jpg": students.picture(one) for one in range(IN_FOLDERS)}
    return zipped(path, files)


def listed(students: Students, path: Path) -> Path:
    """A list beside the pictures."""
    places = range(IN_FOLDERS, IN_FOLDERS + IN_LIST)
    rows = (f"{students.number(one)};{students.name(one)};{one}.jpg" for one in places)
    listing = "\n".join(("external_id;display_name;path", *rows, "")).encode()
    return zipped(path, {"people.csv": listing} | {f"{one}.jpg": students.picture(one) for one in places})


def send_picture(phone: Page, link: str, pictures: Iterator[bytes]) -> None:
    """At home, by the link that came by mail: until a picture is good enough."""
    phone.goto(link)
    phone.check("#consent")
    phone.get_by_role("button", name="Continue").click()
    for picture in pictures:
        phone.set_input_files("#photo", {"name": "me.jpg", "mimeType": "image/jpeg", "buffer": picture})
        phone.click("#send")
        expect(phone.locator(".notice.good, .notice.wait")).to_be_visible()
        if phone.locator(".notice.good").count():
            return
    raise AssertionError("no picture was good enough")


def subjects_of(desk: Desk) -> set[str]:
    """Everybody who has a template."""
    found: set[str] = set()
    cursor: str | None = ""
    while cursor is not None:
        page = desk.call("GET", f"/v1/subjects?has_template=true&limit=200{cursor}").json()
        found |= {one["external_id"] for one in page["items"]}
        cursor = f"&cursor={page['next_cursor']}" if page["next_cursor"] else None
    return found


def let_pass(desk: Desk, exam_id: UUID, time: timedelta) -> None:
    """Move an exam so long into the past, with its sessions and attempts."""
    with desk.parts.database.write() as db:
        # Nobody else can change when an attempt was.
        db.execute(text("DROP TRIGGER checkin_is_written_once"))
        exam = db.get_one(ExamRow, exam_id)
        exam.starts_at, exam.ends_at = exam.starts_at - time, exam.ends_at - time
        exam.appeal_ends_at = exam.appeal_ends_at and exam.appeal_ends_at - time
        for session in db.scalars(select(SessionRow).where(SessionRow.exam_id == exam_id)):
            session.opens_at, session.closes_at = session.opens_at - time, session.closes_at - time
        for attempt in db.scalars(select(CheckinRow).where(CheckinRow.exam_id == exam_id)):
            attempt.created_at -= time


def test_a_season_from_the_first_enrolment_to_what_retention_leaves(
    new_desk: Desk, office: Office, students: Students, browse: Callable[..., Page], tmp_path: Path
) -> None:
    desk, page = new_desk, office.page

    # Enrolment: 200 by folders, 90 by a list, both in a ZIP.
    enrolled, refused = office.enrol(folders(students, tmp_path / "folders.zip"))
    more_enrolled, more_refused = office.enrol(listed(students, tmp_path / "list.zip"))
    refused += more_refused
    assert enrolled + more_enrolled + refused == IN_FOLDERS + IN_LIST
    assert refused <= MOST_LOOK_ALIKES

    # Three exams: one today, and two like it.
    now = datetime.now(UTC)
    algebra, today = office.plan("Linear Algebra", now + timedelta(minutes=20), "Hall A")
    history, later = office.copy(algebra, "History", now + timedelta(days=7), "Hall A")
    physics, last = office.copy(algebra, "Physics", now + timedelta(days=14), "Hall A")
    office.import_roster(today, students.roster(range(PEOPLE)), PEOPLE)
    office.import_roster(later, students.roster(range(50)), 50)
    office.import_roster(last, students.roster(range(50, 100)), 50)

    # Whoever has no template gets a link by mail, ten send their picture, and the office looks at each.
    office.go(f"/sessions/{today}/readiness")
    office.press("Make links for all of them")
    with page.expect_download() as download:
        office.press("Make links for all of them")
    sheet = csv.DictReader(io.StringIO(Path(download.value.path()).read_text(encoding="utf-8-sig")))
    links = {row["external_id"]: row["url"] for row in sheet}
    assert len(links) == refused + BY_LINK
    phone = browse(width=390, height=844)
    for place in range(IN_FOLDERS + IN_LIST, PEOPLE):
        pictures = (students.picture(place, capture) for capture in range(9))
        send_picture(phone, links[students.number(place)], pictures)
    office.go("/proposals")
    expect(page.locator(".proposals > li")).to_have_count(BY_LINK)
    for at in range(BY_LINK):
        card = page.locator(".proposals > li").nth(at)
        card.get_by_role("button", name="Compared with a document: accept").click()
        expect(card.locator(".notice").last).to_be_visible()
    expect(page.get_by_text(re.compile("Accepted: S"))).not_to_have_count(0)

    # Late changes: one more person, another seat, another end.
    office.go(f"/sessions/{today}/roster")
    page.get_by_text("Add one person").click()
    page.fill("details [name=external_id]", "S999")
    page.fill("details [name=seat]", "999")
    page.locator("details input[name=create]").check()
    office.press("Add to the roster")
    expect(page.get_by_role("cell", name="S999")).to_be_visible()
    office.go(f"/sessions/{today}/board")
    expect(page.locator(".seat")).to_have_count(PEOPLE + 1)
    page.locator("[data-candidate='S000']").click()
    page.locator("#drawer-seat summary").click()
    page.fill("#drawer-seat [name=seat]", "500")
    office.press("Move")
    expect(page.locator("[data-candidate='S000'] strong")).to_have_text("500")

    # The day: most are let in, somebody else comes, one has no template, one prefers a document.
    arrivals = [(place, place) for place in range(1, 13)] + [(13, 40)]
    for place, who in arrivals:
        desk.arrive(students.number(place), students.picture(who, DOOR_CAPTURE), today)
    desk.call("POST", f"/v1/sessions/{today}/document-requests", json={"candidate": "S999"})
    waiting = len(desk.call("GET", f"/v1/sessions/{today}/waiting").json()["items"])
    assert waiting >= 2
    office.settle_everybody(waiting)
    items = desk.call("GET", f"/v1/sessions/{today}/roster?limit=200").json()["items"]
    inside = [one for one in items if one["status"] in ("admitted", "identified_manually")]
    assert len(inside) >= len(arrivals)

    # The room is closed; somebody appeals, and everything about them is handed out and kept.
    page.get_by_text("Change this room").click()
    page.locator("#change-session form").last.locator("[name=reason]").fill("everybody is in")
    office.press("Close now")
    expect(page.locator("#session-window")).to_contain_text("closed")
    attempt = desk.call("GET", f"/v1/sessions/{today}/checkins").json()["items"][-1]
    office.go(f"/sessions/{today}/case/{attempt['id']}")
    with page.expect_download() as evidence:
        page.click("#take-evidence")
    assert attempt["external_id"] in Path(evidence.value.path()).read_text(encoding="utf-8")
    office.go("/retention")
    exam = page.get_by_role("article", name="Linear Algebra")
    exam.locator("summary", has_text="Put on hold").click()
    exam.get_by_label("Reason").fill("appeal of a candidate")
    exam.get_by_role("button", name="Put on hold").click()
    expect(page.locator("#holds")).to_contain_text("appeal of a candidate")

    # The appeal is decided and the hold lifted; an exam that fell through goes, the others stay.
    office.go("/retention")
    hold = page.locator("#holds li")
    hold.locator("summary").click()
    hold.get_by_label("Why it is lifted").fill("the appeal was decided")
    hold.get_by_role("button", name="Lift the hold").click()
    expect(page.get_by_text("Nothing is on hold.")).to_be_visible()
    office.go(f"/exams/{physics}")
    page.locator("#remove-exam summary").click()
    office.press("Remove this exam")
    expect(page.locator("h1")).to_have_text("Exams")
    expect(page.get_by_role("link", name="Physics")).to_have_count(0)
    expect(page.get_by_role("link", name="History")).to_be_visible()
    planned = desk.call("GET", f"/v1/exams/{history}/sessions").json()["items"]
    assert [(one["room"], one["candidates"]) for one in planned] == [("Hall A", 50)]

    # Half a year later a sweep announces what is due, and the next one takes it. The rest stays.
    people, now = subjects_of(desk), datetime.now(UTC)
    let_pass(desk, UUID(algebra), timedelta(days=200))
    announced = sweep(desk.parts.database, Origin("retention"), now).announced
    office.go("/retention")
    expect(page.get_by_role("article", name="Linear Algebra")).to_contain_text("announced")
    swept = sweep(desk.parts.database, Origin("retention"), now + timedelta(hours=25))
    assert announced == [UUID(algebra)]
    assert [one.exam_id for one in swept.purges] == [UUID(algebra)]
    assert desk.call("GET", f"/v1/sessions/{today}/checkins").json()["items"] == []
    assert desk.call("GET", f"/v1/sessions/{today}/roster").json()["items"] == []
    assert len(desk.call("GET", f"/v1/sessions/{later}/roster?limit=200").json()["items"]) == 50
    assert subjects_of(desk) == people
    trail = desk.call("GET", "/v1/audit-events?action=exam.purged").json()["items"]
    assert [algebra in str(one) for one in trail] == [True]
    assert desk.call("POST", "/v1/audit-events/verify", json={}).json()["first_bad_seq"] is None
    page.reload()
    expect(page.get_by_role("article", name="Linear Algebra")).to_contain_text("Removed")
