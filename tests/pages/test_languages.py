"""The languages of the pages: every text in each, and which one a request gets."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from fixtures_pages import Desk
from fixtures_service import Service
from playwright.sync_api import Locator, Page, ViewportSize, expect

from service.languages import ENGLISH, LANGUAGES, RIGHT_TO_LEFT, STRINGS, preferred, texts
from service.problems import STATUSES

CATEGORIES = {
    "en": {"one", "other"},
    "de": {"one", "other"},
    "fr": {"one", "many", "other"},
    "es": {"one", "many", "other"},
    "pl": {"one", "few", "many", "other"},
    "ar": {"zero", "one", "two", "few", "many", "other"},
}
"""Plural categories of each language (Unicode CLDR 42, cardinal)."""


def placeholders(text: str) -> set[str]:
    return set(re.findall(r"\{\w+\}", text))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_is_there_with_the_same_placeholders_and_the_plurals_of_the_language(
    language: str,
) -> None:
    own = json.loads((STRINGS / f"{language}.json").read_text(encoding="utf-8"))
    english = texts(ENGLISH)

    assert own.keys() == english.keys()
    for key, text in own.items():
        original = english[key]
        needed = placeholders(original if isinstance(original, str) else original["other"])
        if isinstance(text, str):
            assert placeholders(text) == needed, key
            continue
        assert set(text) == CATEGORIES[language], key
        assert "{n}" in needed, key
        for form in text.values():
            assert needed - {"{n}"} <= placeholders(form) <= needed, key


def test_every_problem_of_the_api_has_a_text() -> None:
    codes = {
        error.code
        for kind in STATUSES
        for error in family(kind)
        if isinstance(error.__dict__.get("code"), str)
    }

    assert len(codes) > 60
    assert [code for code in codes if not {f"code.{code}", f"problem.{code}"} & texts(ENGLISH).keys()] == []


def family(kind: type[Any]) -> list[type[Any]]:
    return [kind, *(one for child in kind.__subclasses__() for one in family(child))]


@pytest.mark.parametrize(
    ("header", "language", "direction"),
    [
        ("de-CH, de;q=0.9, en;q=0.8", "de", "ltr"),
        ("ar", "ar", "rtl"),
        ("nl, pl;q=0.5, fr;q=0.7", "fr", "ltr"),
        ("es;q=0, nl", "en", "ltr"),
        ("*", "en", "ltr"),
        ("de;q=much, ;;;, \x7f", "en", "ltr"),
        ("", "en", "ltr"),
    ],
)
@pytest.mark.parametrize("path", ["/console", "/kiosk", "/enrol/", "/withdraw/none"])
def test_a_page_speaks_the_language_of_the_browser(
    service: Service, path: str, header: str, language: str, direction: str
) -> None:
    page = service.call("GET", path, key="", headers={"Accept-Language": header}).text

    assert f'<html lang="{language}" dir="{direction}">' in page


def test_what_was_chosen_counts_more_than_the_browser(service: Service) -> None:
    chosen = {"Accept-Language": "de", "Cookie": "invigil_language=pl"}
    unknown = {"Accept-Language": "de", "Cookie": "invigil_language=../../etc"}

    assert '<html lang="pl"' in service.call("GET", "/console", key="", headers=chosen).text
    assert '<html lang="de"' in service.call("GET", "/console", key="", headers=unknown).text


def test_a_long_header_costs_nothing(service: Service) -> None:
    page = service.call("GET", "/console", key="", headers={"Accept-Language": "a-" * 30_000 + "de"})

    assert '<html lang="en"' in page.text
    assert preferred("fr-CA;q=0.4,de-AT") == ["de", "fr"]
    assert LANGUAGES.keys() > RIGHT_TO_LEFT


def language_of(page: Page) -> Locator:
    return page.locator("html")


def test_somebody_at_the_kiosk_chooses_a_language_for_themselves_alone(
    desk: Desk, browse: Callable[..., Page], astronaut_jpeg: bytes
) -> None:
    desk.seat(("1001", "Eileen Collins", "A1"))
    desk.enrol("1001", astronaut_jpeg)
    page = browse(film=astronaut_jpeg)
    page.goto(f"{desk.base}/kiosk#key={desk.kiosk_key()}")
    expect(page.locator("#candidate")).to_be_focused()

    page.locator("#for-one").select_option("ar")

    expect(language_of(page)).to_have_attribute("dir", "rtl")
    expect(page.locator("#candidate")).to_be_focused()
    page.keyboard.type("1001")
    page.keyboard.press("Enter")
    expect(page.locator("#yes")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#result")).to_have_class("result good")
    expect(page.locator("#result-title")).to_contain_text("Eileen Collins")
    expect(language_of(page)).to_have_attribute("lang", "en")
    expect(page.locator("#candidate")).to_be_focused()


def test_whoever_sets_the_kiosk_up_chooses_its_language(
    desk: Desk, browse: Callable[..., Page], astronaut_jpeg: bytes
) -> None:
    page = browse(film=astronaut_jpeg)
    page.goto(f"{desk.base}/kiosk#key={desk.kiosk_key()}")

    page.locator("#set-up").click()
    page.locator("#set-language").select_option("de")

    expect(language_of(page)).to_have_attribute("lang", "de")
    page.reload()
    expect(language_of(page)).to_have_attribute("lang", "de")


def test_the_console_remembers_the_language_and_no_page_is_wider_than_the_screen(
    desk: Desk, console: Page
) -> None:
    console.locator("#language").select_option("ar")

    expect(language_of(console)).to_have_attribute("dir", "rtl")
    expect(console.locator("#nav a").first).to_be_visible()
    for width, height in ((1280, 800), (390, 844)):
        console.set_viewport_size(ViewportSize(width=width, height=height))
        assert console.evaluate("document.documentElement.scrollWidth <= innerWidth"), width
    console.goto(f"{desk.base}/console#/subjects")
    expect(language_of(console)).to_have_attribute("lang", "ar")
