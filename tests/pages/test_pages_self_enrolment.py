"""A person enrols by a link on a phone; the office looks at the picture and accepts it."""

import io
from collections.abc import Callable

import zxingcpp
from fixtures_pages import Desk
from PIL import Image
from playwright.sync_api import Locator, Page, expect

RIGHT_TO_LEFT = chr(0x202E)


def read_code(shown: Locator) -> str:
    """What a phone reads of a QR code on the screen."""
    (code,) = zxingcpp.read_barcodes(Image.open(io.BytesIO(shown.screenshot())))
    return str(code.text)


def only_the_letter_is_printed(page: Page) -> None:
    """The button asks the browser to print; on paper is the letter with code and address, and no more."""
    page.evaluate("window.print = () => { window.printed = document.documentElement.className; }")
    page.get_by_role("button", name="Print the letter").click()
    assert page.evaluate("window.printed") == "prints-part"
    page.evaluate("document.documentElement.className = 'prints-part'")
    page.emulate_media(media="print")
    expect(page.locator("#enrolment-letter img")).to_be_visible()
    expect(page.locator("#enrolment-letter")).to_contain_text("/enrol/#")
    expect(page.locator("h1")).not_to_be_visible()
    page.emulate_media(media="screen")
    page.evaluate("document.documentElement.className = ''")


def test_a_picture_taken_on_a_phone_is_accepted_in_the_console(
    desk: Desk, console: Page, browse: Callable[..., Page], astronaut_jpeg: bytes, black_jpeg: bytes
) -> None:
    person = desk.parts.subjects.add(
        external_id="s-1", display_name=f"<b>Eve</b>{RIGHT_TO_LEFT}x", actor="test"
    )
    console.goto(f"{desk.base}/console#/subjects/{person.id}")
    console.click("#enrolment-link")
    link = console.locator("#enrolment-link-url").inner_text()
    assert read_code(console.get_by_role("img", name="Enrolment link as a QR code")) == link
    only_the_letter_is_printed(console)
    phone = browse(film=astronaut_jpeg, width=390, height=844)
    asked: list[str] = []
    phone.on("request", lambda request: asked.append(request.url))

    phone.goto(link)
    expect(phone.get_by_text("You do not have to agree")).to_be_visible()
    assert "Eve" not in phone.content()
    phone.check("#consent")
    phone.get_by_role("button", name="Continue").click()
    phone.set_input_files("#photo", {"name": "a.jpg", "mimeType": "image/jpeg", "buffer": black_jpeg})
    phone.click("#send")
    expect(phone.get_by_text("No face was found")).to_be_visible()
    expect(phone.get_by_text("9 attempts are left")).to_be_visible()
    phone.click("#camera")
    expect(phone.locator("#take")).to_be_enabled()
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390
    phone.click("#take")
    phone.click("#send")
    expect(phone.get_by_text("your picture has arrived")).to_be_visible()
    assert all(url.startswith((f"{desk.base}/enrol/", "blob:")) for url in asked), asked
    phone.reload()
    expect(phone.get_by_text("does not work any more")).to_be_visible()

    console.goto(f"{desk.base}/console#/proposals")
    expect(console.get_by_role("img", name="Sent")).to_be_visible()
    expect(console.locator(".proposals h2")).to_contain_text("<b>Eve</b>")
    console.get_by_role("button", name="Compared with a document").click()
    expect(console.get_by_text("Accepted: s-1")).to_be_visible()
    assert desk.call("GET", "/v1/subjects/ext:s-1").json()["templates"] == 1


def test_an_office_keeps_a_portrait_and_its_link_enrols_who_matches_it(
    desk: Desk, console: Page, browse: Callable[..., Page], astronaut_jpeg: bytes
) -> None:
    person = desk.parts.subjects.add(external_id="s-1", display_name="Eve", actor="test")
    console.goto(f"{desk.base}/console#/subjects/{person.id}")
    expect(console.get_by_text("Enrol at once what matches")).to_have_count(0)
    console.set_input_files("#portrait input", {"name": "a.jpg", "mimeType": "image/jpeg", "buffer": b"no"})
    console.get_by_role("button", name="Keep this portrait").click()
    expect(console.locator("#portrait").get_by_role("alert")).to_be_visible()
    console.set_input_files(
        "#portrait input", {"name": "a.jpg", "mimeType": "image/jpeg", "buffer": astronaut_jpeg}
    )
    console.get_by_role("button", name="Keep this portrait").click()
    console.get_by_role("button", name="Look at it").click()
    expect(console.get_by_role("img", name="The office’s portrait")).to_be_visible()
    console.get_by_label("Enrol at once what matches").check()
    console.click("#enrolment-link")
    link = console.locator("#enrolment-link-url").inner_text()

    sent = desk.call(
        "POST",
        "/enrol/picture",
        headers={"X-Enrolment-Token": link.partition("#")[2]},
        files={"image": astronaut_jpeg},
        data={"consent": "yes"},
    )

    assert sent.status_code == 202
    console.reload()
    expect(console.get_by_text("in use")).to_be_visible()
    console.get_by_role("button", name="Remove the portrait").click()
    console.get_by_role("button", name="Remove the portrait").click()
    expect(console.get_by_role("button", name="Keep this portrait")).to_be_visible()
    assert desk.call("GET", "/v1/subjects/ext:s-1").json()["portrait_at"] is None
