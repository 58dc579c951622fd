"""A model in use: the alarm on the first page leads to the counts by week and by kiosk."""

from datetime import UTC, datetime, timedelta

from fixtures_pages import Desk
from playwright.sync_api import Page, expect

from service.exams.tables import ModelUseRow
from service.exams.use.counting import UseCounts
from service.exams.use.drift import monday_of


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
