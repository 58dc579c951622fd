"""The console in a real browser: rosters, the live board, decisions, enrolment."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fixtures_pages import Desk, enter_key
from fixtures_pictures import Picture, jpeg, resized
from playwright.sync_api import Page, Route, expect


def refer(desk: Desk, probe: bytes) -> None:
    """Somebody claims 1002 with the face of somebody else."""
    assert desk.arrive("1002", probe).json()["checkin"]["outcome"] == "referred"


def visit(page: Page, desk: Desk, tab: str) -> None:
    page.goto(f"{desk.base}/console#/sessions/{desk.session_id}/{tab}")


def test_a_wrong_key_is_told_so(desk: Desk, browse: Callable[..., Page]) -> None:
    page = browse()
    page.goto(f"{desk.base}/console")

    enter_key(page, "inv0123456789.wrong")

    expect(page.get_by_role("alert").first).to_contain_text("not valid")


def test_a_roster_is_shown_before_it_is_applied(desk: Desk, console: Page, tmp_path: Path) -> None:
    path = tmp_path / "roster.csv"
    path.write_text("external_id;display_name;seat\n1001;Eileen Collins;A1\n1002;Grace Hopper;A2\n")
    visit(console, desk, "roster")
    console.check("#create-subjects")

    console.set_input_files("#roster-file", path)
    expect(console.locator("#apply-roster")).to_be_visible()
    assert desk.call("GET", f"/v1/sessions/{desk.session_id}").json()["candidates"] == 0
    console.click("#apply-roster")

    expect(console.get_by_role("cell", name="Grace Hopper")).to_be_visible()
    assert desk.call("GET", f"/v1/sessions/{desk.session_id}").json()["candidates"] == 2


def test_a_list_of_another_office_is_explained_once_and_nobody_is_removed_by_accident(
    desk: Desk, console: Page, tmp_path: Path
) -> None:
    desk.seat(("1001", "Eileen Collins", "A1"), ("1002", "Grace Hopper", "A2"), ("1003", "Sally Ride", "A3"))
    path = tmp_path / "Klausur 2026.csv"
    path.write_text(
        "Klausur Mathe, Raum 1;;\nMatrikelnummer;Name;Platz\n1001;Eileen Collins;A1\n1004;Mae Jemison;A4\n"
    )
    visit(console, desk, "roster")
    console.check("#create-subjects")

    console.set_input_files("#roster-file", path)
    expect(console.locator("select[name='external_id.0']")).to_have_value("Matrikelnummer")
    console.get_by_role("button", name="Remember and read the list").click()
    expect(console.locator("#roster-report")).to_contain_text("read as “Klausur”")
    expect(console.locator("#roster-report")).to_contain_text("1 new, 0 changed, 0 removed")
    console.get_by_label("Replaces the roster").check()
    leaving = console.locator("#roster-report .notice.bad")
    expect(leaving).to_contain_text("Grace Hopper")
    expect(leaving).to_contain_text("Sally Ride")
    console.click("#apply-roster")
    assert desk.call("GET", f"/v1/sessions/{desk.session_id}").json()["candidates"] == 3
    console.fill("input[name=typed]", "2")
    console.click("#apply-roster")
    expect(console.get_by_role("cell", name="Mae Jemison")).to_be_visible()
    expect(console.get_by_role("cell", name="Grace Hopper")).to_have_count(0)

    console.get_by_text("Add one person").click()
    console.fill("input[name=external_id]", "1002")
    console.fill("input[name=display_name]", "Grace Hopper")
    console.get_by_role("button", name="Add to the roster").click()

    expect(console.get_by_role("cell", name="Grace Hopper")).to_be_visible()
    assert desk.call("GET", f"/v1/sessions/{desk.session_id}").json()["candidates"] == 3


def test_a_roster_shows_what_the_invigilator_should_know(desk: Desk, console: Page) -> None:
    rows = "external_id,display_name,twin,accommodation\n1001,Eileen Collins,yes,extra time\n"
    path = f"/v1/sessions/{desk.session_id}/roster?create_subjects=true"
    desk.call("PUT", path, content=rows.encode(), headers={"Content-Type": "text/csv"})

    visit(console, desk, "roster")

    row = console.get_by_role("row").filter(has_text="1001")
    expect(row).to_contain_text("twin: a person decides · extra time")


def test_a_roster_with_faults_says_which_and_changes_nothing(
    desk: Desk, console: Page, tmp_path: Path
) -> None:
    path = tmp_path / "roster.csv"
    path.write_text("external_id,display_name,seat\n1001,Eileen Collins,A1\n1002,Grace Hopper,A1\n")
    visit(console, desk, "roster")
    console.check("#create-subjects")

    console.set_input_files("#roster-file", path)

    expect(console.get_by_text("Seats given twice: 1")).to_be_visible()
    expect(console.locator("#apply-roster")).to_have_count(0)
    assert desk.call("GET", f"/v1/sessions/{desk.session_id}").json()["candidates"] == 0


def test_the_board_shows_a_referred_candidate_live_and_the_invigilator_decides(
    desk: Desk, console: Page, astronaut_jpeg: bytes, stranger_jpeg: bytes
) -> None:
    desk.seat(("1001", "Eileen Collins", "A1"), ("1002", "Grace <b>Hopper</b>", "A2"))
    desk.enrol("1002", stranger_jpeg)
    visit(console, desk, "board")
    expect(console.locator(".seat")).to_have_count(2)

    refer(desk, astronaut_jpeg)

    waiting = console.get_by_role("link", name="Hopper")
    expect(waiting).to_contain_text("Grace <b>Hopper</b>")
    waiting.click()
    expect(console.locator(".scale")).to_be_visible()
    console.select_option("select[name=reason_code]", "document_checked")
    console.fill("section[aria-labelledby=decide] input[name=note]", "<script>alert(1)</script>")
    console.get_by_role("button", name="Accept").click()
    expect(console.locator('.seat.good[data-candidate="1002"]')).to_be_visible()
    checkins = desk.call("GET", f"/v1/sessions/{desk.session_id}/checkins").json()["items"]
    assert checkins[0]["effective_outcome"] == "admitted"
    assert checkins[0]["overrides"][0]["note"] == "<script>alert(1)</script>"


def test_the_board_shows_who_is_turned_away_and_takes_up_a_changed_session(
    desk: Desk, console: Page, black_jpeg: bytes, stranger_jpeg: bytes
) -> None:
    desk.seat(("1002", "Grace Hopper", "A2"))
    desk.enrol("1002", stranger_jpeg)
    visit(console, desk, "board")
    expect(console.locator(".seat")).to_have_count(1)

    assert desk.arrive("1002", black_jpeg).status_code == 422
    expect(console.locator("#waiting .queue")).to_contain_text("Grace Hopper")
    assert desk.arrive("1002", stranger_jpeg).status_code == 201
    expect(console.locator('.seat.good[data-candidate="1002"]')).to_be_visible()
    expect(console.locator("#waiting .card")).to_have_count(0)
    before = console.locator("#session-window").inner_text()
    desk.reopen(timedelta(minutes=-5), timedelta(hours=5))
    expect(console.locator("#session-window")).not_to_have_text(before)


def test_an_open_board_shows_at_once_who_has_withdrawn_and_that_the_exam_was_archived(
    desk: Desk, console: Page, stranger_jpeg: bytes
) -> None:
    desk.seat(("1002", "Grace Hopper", "A2"))
    desk.enrol("1002", stranger_jpeg)
    visit(console, desk, "board")
    seat = console.locator('.seat[data-candidate="1002"]')
    expect(seat).to_be_visible()

    assert desk.arrive("1002", stranger_jpeg).status_code == 201
    desk.call("POST", "/v1/subjects/ext:1002/withdrawal")
    expect(seat).to_contain_text("by document")
    exam_id = desk.call("GET", f"/v1/sessions/{desk.session_id}").json()["exam_id"]
    assert desk.call("DELETE", f"/v1/exams/{exam_id}?reason=fire+alarm").status_code == 200

    expect(console.get_by_text("Closed since")).to_be_visible()


def test_a_board_that_is_left_before_it_is_drawn_is_not_followed(desk: Desk, console: Page) -> None:
    def answer_late(route: Route) -> None:
        time.sleep(0.5)
        route.continue_()

    console.route("**/v1/sessions/*", answer_late)
    with console.expect_response("**/v1/sessions/*"):
        visit(console, desk, "board")
        console.evaluate("location.hash = '#/models'")
    expect(console.get_by_role("heading", name="Models")).to_be_visible()

    console.wait_for_timeout(1000)

    until = time.monotonic() + 30
    while desk.parts.live.viewers and time.monotonic() < until:
        time.sleep(0.1)
    assert desk.parts.live.viewers == 0


def test_what_was_measured_in_an_enrolled_picture_is_shown(
    desk: Desk, console: Page, astronaut_jpeg: bytes
) -> None:
    desk.seat(("1001", "Eileen Collins", "A1"))
    desk.enrol("1001", astronaut_jpeg)
    subject = desk.call("GET", "/v1/subjects/ext:1001").json()["id"]

    console.goto(f"{desk.base}/console#/subjects/{subject}")
    console.get_by_text("Measures").click()

    expect(console.locator("dl.facts dd").first).to_be_visible()


@pytest.fixture
def case(desk: Desk, console: Page, astronaut_jpeg: bytes, stranger_jpeg: bytes) -> Page:
    """The page of a candidate who was referred."""
    desk.seat(("1002", "Grace Hopper", "A2"))
    desk.enrol("1002", stranger_jpeg)
    refer(desk, astronaut_jpeg)
    visit(console, desk, "board")
    console.get_by_role("link", name="Hopper").click()
    return console


def test_a_decision_needs_a_reason(case: Page) -> None:
    case.get_by_role("button", name="Refuse").click()

    assert case.locator("select[name=reason_code]").evaluate("node => node.validity.valueMissing")


def test_a_stale_page_is_told_that_somebody_else_has_decided(desk: Desk, case: Page) -> None:
    expect(case.locator("select[name=reason_code]")).to_be_visible()
    (attempt,) = desk.call("GET", f"/v1/sessions/{desk.session_id}/checkins").json()["items"]
    refusal = {"outcome": "refused", "reason_code": "impersonation_suspected", "operator": "M. Reyes"}
    desk.call("POST", f"/v1/checkins/{attempt['id']}/override", json=refusal)

    case.select_option("select[name=reason_code]", "document_checked")
    case.get_by_role("button", name="Accept").click()

    expect(case.get_by_text("M. Reyes was faster: refused")).to_be_visible()
    status = desk.call("GET", f"/v1/checkins/{attempt['id']}").json()["effective_outcome"]
    assert status == "refused"


def test_a_superseded_attempt_leads_to_the_one_that_counts(
    desk: Desk, console: Page, astronaut_jpeg: bytes, stranger_jpeg: bytes
) -> None:
    desk.seat(("1002", "Grace Hopper", "A2"))
    desk.enrol("1002", stranger_jpeg)
    refer(desk, astronaut_jpeg)
    refer(desk, astronaut_jpeg)
    newer, older = desk.call("GET", f"/v1/sessions/{desk.session_id}/checkins").json()["items"]

    visit(console, desk, f"case/{older['id']}")
    expect(console.get_by_text("A newer attempt of this candidate counts")).to_be_visible()
    expect(console.locator("select[name=reason_code]")).to_have_count(0)
    console.get_by_role("link", name="Show it").click()

    expect(console.locator("select[name=reason_code]")).to_be_visible()
    assert console.url.endswith(newer["id"])


def test_a_candidate_is_identified_by_document(case: Page) -> None:
    case.select_option("select[name=document_type]", "passport")
    case.get_by_role("button", name="Identified by document").click()

    expect(case.locator('.seat.good[data-candidate="1002"]')).to_contain_text("by document")


def test_a_subject_is_added_and_enrolled_from_a_file(
    desk: Desk, console: Page, astronaut_jpeg: bytes, tmp_path: Path
) -> None:
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(astronaut_jpeg)
    console.goto(f"{desk.base}/console#/subjects")
    console.get_by_text("New subject").click()
    console.fill("input[name=external_id]", "s 7/ü")
    console.fill("input[name=display_name]", "Eileen Collins")
    console.get_by_role("button", name="Add").click()
    expect(console.locator("h1")).to_have_text("Eileen Collins")

    console.set_input_files("#photo", photo)

    expect(console.get_by_role("button", name="Remove")).to_be_visible()


def test_a_photo_that_is_too_large_to_be_sent_is_made_smaller_first(
    desk: Desk, console: Page, astronaut: Picture, tmp_path: Path
) -> None:
    photo = tmp_path / "photo.jpg"
    # What a telephone appends to its photo, such as a film, counts as well.
    photo.write_bytes(jpeg(resized(astronaut, 4000, 4000)) + bytes(13_000_000))
    subject = desk.parts.subjects.add(external_id="s7", actor="test")
    console.goto(f"{desk.base}/console#/subjects/{subject.id}")

    console.set_input_files("#photo", photo)

    expect(console.get_by_role("button", name="Remove")).to_be_visible()


def test_a_photo_that_is_refused_says_why(
    desk: Desk, console: Page, black_jpeg: bytes, tmp_path: Path
) -> None:
    photo = tmp_path / "black.jpg"
    photo.write_bytes(black_jpeg)
    subject = desk.parts.subjects.add(external_id="s7", actor="test")
    console.goto(f"{desk.base}/console#/subjects/{subject.id}")

    console.set_input_files("#photo", photo)

    expect(console.get_by_role("alert")).to_be_visible()


def test_another_persons_photo_is_enrolled_for_a_reason_alone(
    desk: Desk, console: Page, astronaut_jpeg: bytes, stranger_jpeg: bytes, tmp_path: Path
) -> None:
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(stranger_jpeg)
    desk.seat(("1001", "Eileen Collins", "A1"))
    desk.enrol("1001", astronaut_jpeg)
    subject = desk.call("GET", "/v1/subjects/ext:1001").json()["id"]
    console.goto(f"{desk.base}/console#/subjects/{subject}")
    expect(console.get_by_role("button", name="Remove")).to_have_count(1)

    console.set_input_files("#photo", photo)
    console.fill("input[name=reason]:visible", "The older picture is of somebody else")
    console.get_by_role("button", name="Enrol anyway").click()

    expect(console.get_by_role("button", name="Remove")).to_have_count(2)


def test_the_first_exam_is_made_in_the_console(desk: Desk, console: Page) -> None:
    console.goto(f"{desk.base}/console#/exams")
    console.fill("input[name=name]", "Analysis")
    console.get_by_role("button", name="Create exam").click()
    expect(console.locator("h1")).to_have_text("Analysis")

    console.fill("textarea[name=room]", "Hall B")
    console.get_by_role("button", name="Add session").click()

    expect(console.get_by_role("link", name="Hall B")).to_be_visible()
    names = [one["name"] for one in desk.call("GET", "/v1/exams").json()["items"]]
    assert "Analysis" in names


def test_consent_is_withdrawn_in_the_console_and_by_the_persons_own_link(
    desk: Desk, console: Page, browse: Callable[..., Page], astronaut_jpeg: bytes, stranger_jpeg: bytes
) -> None:
    desk.seat(("1001", "Eileen Collins", "A1"), ("1002", "Grace Hopper", "A2"))
    desk.enrol("1001", astronaut_jpeg)
    desk.enrol("1002", stranger_jpeg)
    ids = [desk.call("GET", f"/v1/subjects/ext:{one}").json()["id"] for one in ("1001", "1002")]

    console.goto(f"{desk.base}/console#/subjects/{ids[0]}")
    console.click("#withdraw")
    console.get_by_role("button", name="Remove templates and pictures").click()
    expect(console.get_by_text("Withdrawn. 1 templates")).to_be_visible()
    console.goto(f"{desk.base}/console#/subjects/{ids[1]}")
    console.click("#withdrawal-link")
    link = console.locator("p.mono").inner_text()
    own = browse()
    own.goto(link)
    own.get_by_role("button", name="Withdraw my consent").click()
    expect(own.get_by_role("status")).to_contain_text("Your consent is withdrawn")

    console.goto(f"{desk.base}/console#/subjects")
    console.select_option("select[name=show]", "ended")
    expect(console.get_by_role("link", name="1001")).to_be_visible()
    expect(console.get_by_role("link", name="1002")).to_be_visible()
    visit(console, desk, "roster")
    expect(console.get_by_role("row").filter(has_text="Grace Hopper")).to_contain_text("by document")


def test_an_exam_is_taken_away_and_one_with_an_attempt_is_found_in_the_archive(
    desk: Desk, case: Page
) -> None:
    exam_id = desk.call("GET", f"/v1/sessions/{desk.session_id}").json()["exam_id"]
    case.goto(f"{desk.base}/console#/exams/{exam_id}")
    case.get_by_text("Remove this exam").first.click()
    case.fill("input[name=reason]", "fire alarm")
    case.get_by_role("button", name="Remove this exam").click()

    case.get_by_text("Archive: 1").click()
    case.locator(f"a[href='#/exams/{exam_id}']").click()

    expect(case.locator("#archived")).to_be_visible()
    expect(case.get_by_role("button", name="Add session")).to_have_count(0)
    assert desk.call("GET", "/v1/exams").json()["items"] == []


def test_an_exam_is_changed_copied_and_closed_and_what_is_wrong_stands_at_its_field(
    desk: Desk, console: Page
) -> None:
    exam_id = desk.call("GET", f"/v1/sessions/{desk.session_id}").json()["exam_id"]
    console.goto(f"{desk.base}/console#/exams/{exam_id}")
    change = console.locator("#change-exam")
    change.locator("summary").first.click()
    change.get_by_text("Further settings").click()
    expect(change.locator("select[name=match_fmr] option").first).to_have_text(
        "as the server is set: 1 in 10,000"
    )

    change.locator("[name=ends_at]").fill("2020-01-01T10:00")
    change.get_by_role("button", name="Save").click()
    wrong = change.locator("[name=ends_at][aria-invalid=true]")
    expect(wrong).to_be_visible()
    expect(wrong).to_have_accessible_description("The end has to be after the beginning.")
    change.locator("[name=ends_at]").fill("2099-01-01T10:00")
    change.locator("[name=attempts_allowed]").fill("5")
    change.locator("[name=reason_codes]").fill("document_checked: Passport seen\nOf old acquaintance")
    change.get_by_role("button", name="Save").click()
    expect(console.locator("#exam-window")).to_contain_text("2099")
    changed = desk.call("GET", f"/v1/exams/{exam_id}").json()
    assert (changed["attempts_allowed"], changed["own_match_fmr"]) == (5, None)
    assert [one["code"] for one in changed["reason_codes"]] == ["document_checked", "of_old_acquaintance"]

    console.fill("textarea[name=room]", "Hall B\nHall C")
    console.get_by_role("button", name="Add session").click()
    expect(console.get_by_role("link", name="Hall C")).to_be_visible()
    console.get_by_role("link", name="Copy this exam").click()
    console.fill("[name=name]", "Linear Algebra, second date")
    console.get_by_role("button", name="Create exam").click()
    expect(console.get_by_role("heading", name="Linear Algebra, second date")).to_be_visible()
    expect(console.locator("a.card")).to_have_count(3)

    visit(console, desk, "attempts")
    expect(console.locator("#report")).to_contain_text("How candidates came in")
    console.locator("#change-session summary").click()
    console.get_by_role("button", name="Close now").locator("xpath=ancestor::form").locator(
        "[name=reason]"
    ).fill("fire alarm")
    console.get_by_role("button", name="Close now").click()
    expect(console.locator("#session-window")).to_contain_text("closed")
    assert desk.call("GET", f"/v1/sessions/{desk.session_id}").json()["state"] == "closed"

    console.goto(f"{desk.base}/console#/audit")
    console.fill("[name=action]", "session.changed")
    console.get_by_role("button", name="Show", exact=True).click()
    row = console.locator("#events tbody tr")
    expect(row).to_have_count(1)
    row.locator("summary").click()
    expect(row).to_contain_text("fire alarm")
    console.get_by_role("button", name="Check now").click()
    expect(console.get_by_text("The trail is whole:")).to_be_visible()

    console.get_by_role("link", name="Administration").click()
    console.get_by_role("link", name="Installation").click()
    expect(console.locator("h1")).to_have_text("Installation")
    expect(console.get_by_text("Active model")).to_be_visible()
    expect(console.get_by_text("INVIGIL_DATA_DIR")).to_be_visible()


def test_today_shows_a_room_that_is_open_whatever_number_of_exams_was_made_since(
    desk: Desk, console: Page
) -> None:
    later = datetime.now(UTC) + timedelta(days=40)
    times = {"starts_at": later.isoformat(), "ends_at": (later + timedelta(hours=3)).isoformat()}
    for number in range(21):
        desk.call("POST", "/v1/exams", json={"name": f"Later {number}", **times})

    console.goto(f"{desk.base}/console#/exams")
    expect(console.locator("h1")).to_have_text("Exams")
    console.goto(f"{desk.base}/console#/")

    expect(console.locator(f"a[href='#/sessions/{desk.session_id}/board']")).to_contain_text("Hall A")
    console.goto(f"{desk.base}/console#/pair/ABCDEFGH")
    expect(console.get_by_label("Letters on the kiosk")).to_be_visible()
