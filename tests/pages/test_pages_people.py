"""People in a real browser: invited, signed in as themselves, each with the pages of their role."""

import re
from collections.abc import Callable
from uuid import UUID

import pyotp
import pytest
from fixtures_operators import OTHER_PASSWORD, PASSWORD, invite, join
from fixtures_pages import Desk
from playwright.sync_api import Page, Response, expect

from index.tables import SecondFactorRow
from service.access.roles import Role
from service.errors import Unauthenticated

NAVIGATION = {
    Role.INVIGILATOR: ["Today", "All rooms", "Exams"],
    Role.EXAM_OFFICE: ["Today", "All rooms", "Exams", "Subjects"],
    Role.REGISTRAR: ["Subjects"],
    Role.AUDITOR: ["Today", "All rooms", "Exams", "Subjects", "Administration"],
    Role.ADMINISTRATOR: ["Today", "All rooms", "Exams", "Subjects", "Administration"],
}
SECTIONS = {
    Role.AUDITOR: ["Models", "Audit trail", "Installation"],
    Role.ADMINISTRATOR: ["People", "Keys", "Webhooks", "Models", "Jobs", "Audit trail", "Installation"],
}
TABS = {
    Role.INVIGILATOR: ["Board", "At the seat", "Roster", "Readiness", "Attempts", "Room sheet"],
    Role.EXAM_OFFICE: ["Board", "At the seat", "Roster", "Readiness", "Attempts", "Room sheet", "Kiosk"],
    Role.AUDITOR: ["Board", "Roster", "Readiness", "Attempts"],
    Role.ADMINISTRATOR: ["Board", "At the seat", "Roster", "Readiness", "Attempts", "Room sheet", "Kiosk"],
}


def sign_in(page: Page, desk: Desk, login: str, password: str = PASSWORD) -> None:
    page.goto(f"{desk.base}/console")
    page.get_by_label("Sign-in name").fill(login)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()


def test_an_invitation_leads_to_a_page_of_ones_own(desk: Desk, browse: Callable[..., Page]) -> None:
    page = browse()
    token = invite(desk.parts, "ada@example.org", Role.INVIGILATOR, name="Ada Keller")
    page.goto(f"{desk.base}/console#/join/{token}")
    expect(page.get_by_label("Your name")).to_have_value("Ada Keller")
    expect(page.get_by_label("Sign-in name")).to_have_value("ada@example.org")

    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("The password again").fill(PASSWORD + "?")
    page.get_by_role("button", name="Set the password").click()
    expect(page.get_by_role("alert")).to_contain_text("differ")
    page.get_by_label("The password again").fill(PASSWORD)
    page.get_by_role("button", name="Set the password").click()

    expect(page.locator("h1")).to_have_text("Today")
    expect(page.locator("#who")).to_contain_text("Ada Keller")
    assert token not in page.url
    page.goto(f"{desk.base}/console?again#/join/{token}")
    expect(page.get_by_role("alert")).to_contain_text("used already")


def test_a_wrong_password_is_told_and_the_right_one_opens(desk: Desk, browse: Callable[..., Page]) -> None:
    join(desk.parts, "ada")
    page = browse()

    sign_in(page, desk, "ada", OTHER_PASSWORD)
    expect(page.get_by_role("alert")).to_contain_text("wrong")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")

    expect(page.locator("h1")).to_have_text("Today")


def test_a_one_time_code_is_asked_for_where_there_is_a_second_factor(
    desk: Desk, browse: Callable[..., Page]
) -> None:
    ada = join(desk.parts, "ada")
    totp = pyotp.TOTP(desk.parts.second_factors.begin(ada.id).secret)
    with desk.parts.database.write() as db:
        db.get_one(SecondFactorRow, ada.id).confirmed = True
    page = browse()

    sign_in(page, desk, "ada")
    page.get_by_label("One-time code").fill(totp.now())
    page.keyboard.press("Enter")

    expect(page.locator("h1")).to_have_text("Today")


@pytest.mark.parametrize("role", list(Role))
def test_each_role_finds_its_own_pages_and_no_refusal(
    desk: Desk, browse: Callable[..., Page], role: Role
) -> None:
    desk.seat(("1001", "Eileen Collins", "A1"))
    join(desk.parts, "somebody", role)
    page = browse()
    refused: list[str] = []

    def note(response: Response) -> None:
        if response.status in (401, 403):
            refused.append(f"{response.status} {response.url}")

    sign_in(page, desk, "somebody")
    expect(page.locator("#nav a")).to_have_text(NAVIGATION[role])
    page.on("response", note)
    places = [link.get_attribute("href") or "" for link in page.locator("#nav a").all()]
    if role in SECTIONS:
        page.get_by_role("link", name="Administration").click()
        expect(page.locator("#sections a")).to_have_text(SECTIONS[role])
        places += [link.get_attribute("href") or "" for link in page.locator("#sections a").all()]
    if role in TABS:
        page.goto(f"{desk.base}/console#/sessions/{desk.session_id}/board")
        expect(page.locator(".tabs a")).to_have_text(TABS[role])
        places += [link.get_attribute("href") or "" for link in page.locator(".tabs a").all()]
        exam = desk.call("GET", f"/v1/sessions/{desk.session_id}").json()["exam_id"]
        places.append(f"#/exams/{exam}")
    if role is not Role.INVIGILATOR:
        places.append(f"#/subjects/{desk.call('GET', '/v1/subjects/ext:1001').json()['id']}")

    for place in places:
        page.evaluate("place => { location.hash = place; }", place)
        expect(page.locator("#view h1").first).to_be_visible()
        expect(page.locator("#view")).not_to_be_empty()
        expect(page.locator("#view .notice.bad")).to_have_count(0)

    assert refused == []
    expect(page.locator("#view")).not_to_contain_text("may not")


def test_what_a_role_may_not_do_is_not_on_its_pages(desk: Desk, browse: Callable[..., Page]) -> None:
    desk.seat(("1001", "Eileen Collins", "A1"))
    join(desk.parts, "somebody", Role.AUDITOR)
    page = browse()
    sign_in(page, desk, "somebody")
    expect(page.locator("#nav a").first).to_be_visible()
    subject = desk.call("GET", "/v1/subjects/ext:1001").json()["id"]

    for place in ("/exams", f"/sessions/{desk.session_id}/roster", "/subjects", f"/subjects/{subject}"):
        page.goto(f"{desk.base}/console#{place}")
        expect(page.locator("#view h1").first).to_be_visible()
        expect(
            page.get_by_role("button", name=re.compile("Make|Add|Create|Save|Take|Withdraw"))
        ).to_have_count(0)
        expect(page.locator("input[type=file]")).to_have_count(0)


def test_an_invigilator_of_some_exams_finds_these_alone(desk: Desk, browse: Callable[..., Page]) -> None:
    times = {"starts_at": "2026-11-27T08:00:00Z", "ends_at": "2026-11-27T23:00:00Z"}
    other = desk.call("POST", "/v1/exams", json={"name": "History", **times}).json()["id"]
    exam = desk.call("GET", f"/v1/sessions/{desk.session_id}").json()["exam_id"]
    join(desk.parts, "ada", exam_ids=(UUID(exam),))
    page = browse()
    sign_in(page, desk, "ada")

    page.get_by_role("link", name="Exams").click()

    expect(page.get_by_role("link", name="Linear Algebra")).to_be_visible()
    expect(page.get_by_text("History")).to_have_count(0)
    page.goto(f"{desk.base}/console#/exams/{other}")
    expect(page.get_by_role("alert")).to_contain_text("There is no exam")


def test_who_is_ended_loses_page_and_board(desk: Desk, browse: Callable[..., Page]) -> None:
    desk.seat(("1001", "Eileen Collins", "A1"))
    ada = join(desk.parts, "ada")
    page = browse()
    sign_in(page, desk, "ada")
    expect(page.locator("#nav a").first).to_be_visible()
    page.goto(f"{desk.base}/console#/sessions/{desk.session_id}/board")
    expect(page.locator(".seat")).to_have_count(1)

    desk.call("DELETE", f"/v1/operators/{ada.id}")

    expect(page.locator(".seat")).to_have_count(0)
    expect(page.get_by_label("Sign-in name")).to_be_visible()


def test_an_administrator_invites_by_a_link_that_is_shown_once(
    desk: Desk, console: Page, browse: Callable[..., Page]
) -> None:
    console.get_by_role("link", name="Administration").click()
    console.get_by_label("Name, as decisions").fill("Ada <b>Keller</b>")
    console.get_by_label("for example the e-mail address").fill("ada@example.org")
    console.get_by_label("Role").select_option("invigilator")
    console.get_by_role("checkbox", name="Linear Algebra").check()
    console.get_by_role("button", name="Make a link").click()

    link = console.locator("#invitation").inner_text()
    expect(console.get_by_role("row", name="Ada <b>Keller</b>")).to_contain_text("Linear Algebra")
    expect(console.get_by_role("row", name="Ada <b>Keller</b>")).to_contain_text("invited")
    hers = browse()
    hers.goto(link)
    hers.get_by_label("Password", exact=True).fill(PASSWORD)
    hers.get_by_label("The password again").fill(PASSWORD)
    hers.keyboard.press("Enter")
    expect(hers.locator("h1")).to_have_text("Today")
    console.reload()
    expect(console.get_by_role("row", name="Ada <b>Keller</b>")).to_contain_text("active")
    expect(console.locator("#invitation")).to_have_count(0)


def test_an_administrator_changes_renews_and_ends(desk: Desk, console: Page) -> None:
    ada = join(desk.parts, "ada", Role.REGISTRAR)
    console.goto(f"{desk.base}/console#/people/{ada.id}")

    console.get_by_label("Role").select_option("auditor")
    console.get_by_role("button", name="Save").click()
    expect(console.locator("dl.facts")).to_contain_text("Auditor")
    console.get_by_role("button", name="Make a link").click()
    console.get_by_role("button", name="Make a link").click()
    expect(console.locator("#invitation")).to_contain_text("/console#/join/")
    console.get_by_role("button", name="End this person").click()
    expect(console.get_by_text("will not come back")).to_be_visible()
    console.get_by_role("button", name="End this person").click()

    expect(console.get_by_text("Ended (1)")).to_be_visible()
    assert desk.parts.operators.find(ada.id).ended_at is not None


def test_a_key_is_shown_once_and_revoked(desk: Desk, console: Page) -> None:
    console.get_by_role("link", name="Administration").click()
    console.get_by_role("link", name="Keys").click()
    console.get_by_label("Name, as the audit trail").fill("Door script")
    console.get_by_role("button", name="Make a key").click()
    expect(console.get_by_role("alert")).to_contain_text("at least one")
    console.get_by_role("checkbox", name="compare a photo").check()
    console.get_by_role("button", name="Make a key").click()

    key = console.locator("#new-key").inner_text()
    assert desk.parts.keys.authenticate(key).name == "Door script"
    row = console.get_by_role("row", name="Door script")
    row.get_by_role("button", name="Revoke").click()
    row.get_by_role("button", name="Revoke").click()
    expect(console.get_by_text("Ended and revoked (1)")).to_be_visible()
    with pytest.raises(Unauthenticated):
        desk.parts.keys.authenticate(key)


def test_ones_own_account_takes_a_new_password_and_a_second_factor(
    desk: Desk, browse: Callable[..., Page]
) -> None:
    join(desk.parts, "ada")
    page = browse()
    sign_in(page, desk, "ada")
    page.get_by_role("link", name="Ada").click()

    page.get_by_label("Current password").fill(PASSWORD)
    page.get_by_label("New password").fill(OTHER_PASSWORD)
    page.get_by_label("The password again").fill(OTHER_PASSWORD)
    page.get_by_role("button", name="Change the password").click()
    expect(page.get_by_text("Changed.")).to_be_visible()
    page.get_by_label("Password", exact=True).fill(OTHER_PASSWORD)
    page.get_by_role("button", name="Add a second factor").click()
    totp = pyotp.TOTP(page.locator("#secret").inner_text().replace(" ", ""))
    page.get_by_label("One-time code").fill(totp.now())
    page.get_by_role("button", name="Use it from now on").click()

    expect(page.get_by_role("button", name="Remove the second factor")).to_be_visible()


@pytest.mark.parametrize("role", [Role.INVIGILATOR, Role.REGISTRAR])
def test_a_page_that_is_not_ones_own_is_not_there(
    desk: Desk, browse: Callable[..., Page], role: Role
) -> None:
    join(desk.parts, "somebody", role)
    page = browse()
    sign_in(page, desk, "somebody")
    expect(page.locator("#nav a").first).to_be_visible()

    for place in ("/people", "/keys", "/jobs", "/models"):
        page.goto(f"{desk.base}/console#{place}")
        expect(page.locator("#view")).to_contain_text("There is no such page")
