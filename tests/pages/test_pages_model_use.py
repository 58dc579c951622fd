"""A model in use and a candidate in its shadow, as an administrator sees them."""

from collections import Counter
from datetime import UTC, datetime, timedelta

from fixtures_pages import Desk
from playwright.sync_api import Page, expect

from index.models.shadows import Said, add_answers, start_shadow
from service.exams.tables import ModelUseRow
from service.exams.use.counting import UseCounts, monday_of


def test_an_administrator_sees_that_a_rate_has_risen_and_where(desk: Desk, console: Page) -> None:
    monday = monday_of(datetime.now(UTC).date())
    before = UseCounts(attempts=2000, matches=1960, referred=40)
    now = UseCounts(attempts=500, matches=400, referred=100)
    with desk.parts.database.write() as db:
        for week, kiosk, counts in ((monday - timedelta(weeks=8), "East", before), (monday, "West", now)):
            row = ModelUseRow(
                model_id=desk.parts.model.id, week=week, kiosk=kiosk, counts=counts.model_dump()
            )
            db.add(row)

    console.reload()
    alarm = console.get_by_role("alert")
    expect(alarm).to_contain_text("Referred: 20.00 % in the last weeks, more than in the weeks before")
    alarm.get_by_role("link").click()

    expect(console.get_by_role("navigation", name="Parts of the model")).to_be_visible()
    kiosks = console.get_by_role("table", name="By kiosk")
    expect(kiosks.locator("tbody tr").nth(1)).to_contain_text("West")
    expect(kiosks.locator("tbody tr").nth(1)).to_contain_text("20.00 % (16.7 … 23.7 %)")
    expect(console.get_by_role("table", name="By week").locator("tbody tr")).to_have_count(3)
    console.get_by_role("link", name="About").click()
    expect(console.get_by_role("heading", name="Thresholds in use")).to_be_visible()


def test_what_a_candidate_said_in_the_shadow_is_shown_before_it_is_promoted(
    desk: Desk, console: Page
) -> None:
    desk.parts.models.register("sha256:candidate", name="autumn", dim=128, actor="test")
    said: Counter[Said] = Counter({("verify", "match", "match"): 96, ("verify", "match", "refer"): 4})
    with desk.parts.database.write() as db:
        add_answers(db, start_shadow(db, "sha256:candidate", actor="test").id, said)

    console.goto(f"{desk.base}/console#/models/sha256:candidate")
    console.get_by_role("link", name="Try it in the shadow first").click()
    expect(console.get_by_role("table", name="Verifications").locator("tbody tr").first).to_contain_text("96")
    expect(console.locator("dl.facts")).to_contain_text("96.00 % (90.2 … 98.4 %)")
    console.get_by_role("button", name="Take out of the shadow").click()
    console.get_by_role("button", name="Take out of the shadow").click()

    expect(console.get_by_role("button", name="Put into the shadow")).to_be_visible()
    expect(console.get_by_text("It was in the shadow from")).to_be_visible()
