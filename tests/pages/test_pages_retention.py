"""Retention in the console: what is kept until when, and what is on hold."""

from fixtures_pages import Desk
from playwright.sync_api import Page, expect


def test_an_exam_and_a_person_are_put_on_hold_and_a_hold_is_lifted(desk: Desk, console: Page) -> None:
    desk.seat(("s-1", "Ann Onymous", "1"))
    subject = desk.call("GET", "/v1/subjects?external_id=s-1").json()["items"][0]["id"]
    console.get_by_role("link", name="Exams").click()
    console.get_by_role("link", name="Retention and holds").click()
    exam = console.get_by_role("article", name="Linear Algebra")
    expect(exam).to_contain_text("appeals end")
    expect(console.get_by_text("Nothing is on hold.")).to_be_visible()

    exam.locator("summary", has_text="Put on hold").click()
    exam.get_by_label("Reason").fill("appeal of 3 May")
    exam.get_by_role("button", name="Put on hold").click()
    expect(exam).to_contain_text("on hold")
    holds = console.locator("#holds")
    expect(holds).to_contain_text("Appeal appeal of 3 May")

    console.goto(f"{desk.base}/console#/subjects/{subject}")
    mine = console.locator("#holds")
    mine.locator("summary", has_text="Put on hold").click()
    mine.get_by_label("For").select_option("legal")
    mine.get_by_label("Reason").fill("a court asks")
    mine.get_by_role("button", name="Put on hold").click()
    expect(mine).to_contain_text("Legal proceedings a court asks")
    console.locator("#erase summary").click()
    console.get_by_label("To confirm, type: s-1").fill("s-1")
    console.get_by_role("button", name="Erase", exact=False).last.click()
    expect(console.get_by_role("alert")).to_contain_text("on hold")

    console.goto(f"{desk.base}/console#/retention")
    expect(exam).to_contain_text("A candidate is on hold")
    mine = holds.locator("li", has_text="a court asks")
    mine.locator("summary").click()
    mine.get_by_label("Why it is lifted").fill("the court has decided")
    mine.get_by_role("button", name="Lift the hold").click()
    expect(holds.locator("li")).to_have_count(1)

    left = desk.call("GET", "/v1/holds").json()["items"]
    assert [(one["kind"], one["reason"]) for one in left] == [("appeal", "appeal of 3 May")]
