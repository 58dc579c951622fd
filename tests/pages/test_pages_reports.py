"""Reports in the console: by group, and one person's own file."""

import json

from fixtures_pages import Desk
from playwright.sync_api import Page, expect


def test_a_list_of_groups_is_read_on_the_page_of_an_exam_and_a_persons_file_on_theirs(
    desk: Desk, console: Page
) -> None:
    exam = desk.call("GET", f"/v1/sessions/{desk.session_id}").json()["exam_id"]
    console.goto(f"{desk.base}/console#/exams/{exam}")
    console.get_by_text("Report by group").click()
    listed = b"external_id,group\n1,left-handed\n"
    console.locator("#groups-file").set_input_files(
        {"name": "groups.csv", "mimeType": "text/csv", "buffer": listed}
    )

    expect(console.locator("#groups")).to_contain_text("Left out, too few people: left-handed.")

    subject = desk.call("POST", "/v1/subjects", json={"external_id": "p-1"}).json()["id"]
    console.goto(f"{desk.base}/console#/subjects/{subject}")
    with console.expect_download() as taken:
        console.get_by_role("link", name="As data (JSON)").click()

    assert json.loads(taken.value.path().read_text())["subject_id"] == subject
    expect(console.get_by_role("link", name="To print (PDF)")).to_be_visible()
