"""Subjects in the console: found, renamed, looked at, taken away, erased."""

from pathlib import Path

from fixtures_pages import Desk
from playwright.sync_api import Page, expect

RIGHT_TO_LEFT = chr(0x202E)


def test_a_registrar_finds_renames_and_erases_somebody(
    desk: Desk, console: Page, astronaut_jpeg: bytes
) -> None:
    for number in range(60):
        desk.parts.subjects.add(external_id=f"s-{number:02}", display_name=f"Person {number}", actor="test")
    ana = desk.parts.subjects.add(external_id="S-2003", display_name="Ána <b>DUVALL</b>", actor="test")
    desk.parts.subjects.add(external_id="twin", display_name=f"{RIGHT_TO_LEFT}evil", actor="test")
    desk.enrol("S-2003", astronaut_jpeg)
    path = "/v1/subjects/ext:twin/templates?force=true&reason=sisters"
    desk.call("POST", path, files={"image": astronaut_jpeg})
    console.goto(f"{desk.base}/console#/subjects")

    rows = console.locator("#results tbody tr")
    expect(rows).to_have_count(50)
    console.get_by_role("button", name="Show more").click()
    expect(rows).to_have_count(62)
    console.select_option("select[name=show]", "twins")
    expect(rows).to_have_count(2)
    console.select_option("select[name=show]", "no_template")
    expect(console.get_by_role("button", name="Show more")).to_be_visible()
    console.select_option("select[name=show]", "all")
    console.fill("input[name=q]", "áNA <B>duv")
    console.keyboard.press("Enter")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("Ána <b>DUVALL</b>")
    console.get_by_role("link", name="S-2003").click()

    expect(console.locator("h1")).to_have_text("Ána <b>DUVALL</b>")
    expect(console.get_by_text("sisters")).to_be_visible()
    console.get_by_text("Measures").click()
    expect(console.get_by_text("Sharpness")).to_be_visible()
    console.go_back()
    expect(rows).to_have_count(1)
    console.go_forward()
    console.fill("input[name=display_name]", "Ana Duvall")
    console.get_by_role("button", name="Save").click()
    expect(console.locator("h1")).to_have_text("Ana Duvall")
    console.get_by_role("button", name="Remove").click()
    expect(console.get_by_text("is the only one")).to_be_visible()
    console.get_by_role("button", name="Cancel").click()
    console.locator("#erase summary").click()
    console.fill("input[name=typed]", "S-2004")
    console.get_by_role("button", name="Erase for good").click()
    expect(console.get_by_text("Nothing was erased")).to_be_visible()
    assert desk.parts.subjects.find(ana.id).templates == 1
    console.fill("input[name=typed]", "s-2003")
    console.get_by_role("button", name="Erase for good").click()
    expect(console.get_by_text("1 templates")).to_be_visible()
    assert desk.call("GET", "/v1/subjects?q=duvall").json()["items"] == []


def test_a_refused_picture_says_whose_face_it_is_and_leads_there(
    desk: Desk, console: Page, astronaut_jpeg: bytes, tmp_path: Path
) -> None:
    desk.seat(("1001", "Eileen Collins", "A1"), ("1002", "Grace Hopper", "A2"))
    desk.enrol("1001", astronaut_jpeg)
    subject = desk.call("GET", "/v1/subjects/ext:1002").json()["id"]
    console.goto(f"{desk.base}/console#/subjects/{subject}")

    photo = tmp_path / "photo.jpg"
    photo.write_bytes(astronaut_jpeg)
    console.set_input_files("#photo", photo)

    expect(console.get_by_role("alert")).to_contain_text("enrolled already, under another number")
    console.get_by_role("link", name="Open 1001").click()
    expect(console.locator("h1")).to_have_text("Eileen Collins")


def test_an_administrator_sees_who_looks_like_whom_over_the_whole_gallery(
    desk: Desk, console: Page, astronaut_jpeg: bytes
) -> None:
    for number in ("ann", "twin"):
        desk.parts.subjects.add(external_id=number, actor="test")
        path = f"/v1/subjects/ext:{number}/templates?force=true&reason=sisters"
        desk.call("POST", path, files={"image": astronaut_jpeg})

    console.goto(f"{desk.base}/console#/subjects")
    console.get_by_role("link", name="Gallery survey").click()

    expect(console.locator("#compared")).to_contain_text("2 templates of 2 people")
    expect(console.locator("#doubts")).to_contain_text("No photograph is in doubt")
    pair = console.locator("#pairs tbody tr")
    expect(pair).to_have_count(1)
    expect(pair).to_contain_text("would match")
    expect(pair.get_by_role("link", name="twin")).to_be_visible()
