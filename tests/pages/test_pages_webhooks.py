"""Webhooks in the console of an administrator: refused, listed, disabled, tried, rotated, removed."""

from fixtures_pages import Desk
from playwright.sync_api import Page, expect

from index.audit import Origin
from index.ids import uuid7
from index.webhooks.events import EVENTS

URL = "https://hooks.example.org/invigil"


def test_an_administrator_looks_after_webhooks(desk: Desk, console: Page) -> None:
    hook, secret = desk.parts.webhooks.add(URL, EVENTS[:2], Origin("test"), uuid7())
    console.get_by_role("link", name="Administration").click()
    console.get_by_role("link", name="Webhooks").click()
    expect(console.locator("h1")).to_have_text("Webhooks")

    console.get_by_label("Address").fill("http://127.0.0.1:9/private")
    console.get_by_role("button", name="Add", exact=True).click()
    expect(console.get_by_role("alert")).to_contain_text("at least one thing")
    console.get_by_label("somebody was erased").check()
    console.get_by_role("button", name="Add", exact=True).click()
    expect(console.get_by_role("alert")).to_contain_text("INVIGIL_WEBHOOK_TARGETS")

    card = console.get_by_role("region", name=URL)
    expect(card).to_contain_text("checkin.admitted checkin.referred")
    card.get_by_role("button", name="Send a test").click()
    expect(card.locator("tbody tr")).to_contain_text("webhook.test")
    expect(card.locator("tbody tr")).to_contain_text("next try")
    card.get_by_role("button", name="Disable").click()
    expect(card).to_contain_text("Disabled since")
    card.get_by_role("button", name="Enable").click()
    expect(card.get_by_role("button", name="Disable")).to_be_visible()

    card.get_by_role("button", name="Another secret").click()
    card.get_by_role("button", name="Another secret").click()
    shown = card.locator(f"#secret-{hook.id}")
    expect(shown).to_contain_text("whsec_")
    assert secret not in shown.inner_text()

    card.get_by_role("button", name="Remove").click()
    card.get_by_role("button", name="Remove").click()
    expect(console.get_by_text("None yet.")).to_be_visible()
    assert desk.call("GET", "/v1/webhooks").json()["items"] == []
