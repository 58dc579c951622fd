"""Signing in to a page: the cookie, its end, its forgery, and the token of the page."""

from __future__ import annotations

import pytest

from service.access.page_sessions import PageSession, cookie_name, session_of
from service.errors import Forbidden, Unauthenticated

KEY = "inv0123456789.a-secret_of-some-length"
NOW = 1_800_000_000.0


def opened() -> PageSession:
    return PageSession.open("console", KEY, NOW)


def test_a_cookie_gives_back_the_session_it_was_made_for() -> None:
    session = opened()

    assert PageSession.read("console", session.cookie, NOW + 1) == session


def test_a_cookie_ends_with_its_lifetime() -> None:
    session = opened()

    with pytest.raises(Unauthenticated):
        PageSession.read("console", session.cookie, session.expires)


@pytest.mark.parametrize(
    "forged",
    [
        "",
        "~~",
        KEY,
        f"{KEY}~9999999999~",
        f"{KEY}~٣~abc",
        f"{KEY}~{'9' * 5_000}~abc",
        opened().cookie.replace(str(opened().expires), str(opened().expires + 1)),
        opened().cookie[:-1] + ("0" if opened().cookie[-1] != "0" else "1"),
        opened().cookie + "é",
    ],
)
def test_a_forged_cookie_is_nobodys(forged: str) -> None:
    with pytest.raises(Unauthenticated):
        PageSession.read("console", forged, NOW)


def test_a_cookie_of_the_console_does_not_open_the_kiosk() -> None:
    with pytest.raises(Unauthenticated):
        PageSession.read("kiosk", opened().cookie, NOW)


def test_a_page_changes_something_only_with_its_token() -> None:
    session = opened()
    cookies = {cookie_name("console"): session.cookie}

    with pytest.raises(Forbidden):
        session_of("POST", {}, cookies, NOW)
    with pytest.raises(Forbidden):
        session_of("POST", {"X-CSRF-Token": PageSession.open("kiosk", KEY, NOW).csrf}, cookies, NOW)
    assert session_of("POST", {"X-CSRF-Token": session.csrf}, cookies, NOW) == session
    assert session_of("GET", {}, cookies, NOW) == session


def test_a_request_names_the_page_it_came_from() -> None:
    kiosk = PageSession.open("kiosk", KEY, NOW)
    cookies = {cookie_name("console"): opened().cookie, cookie_name("kiosk"): kiosk.cookie}

    assert session_of("GET", {"X-Invigil-Page": "kiosk"}, cookies, NOW) == kiosk
    assert session_of("GET", {}, cookies, NOW) == opened()
    assert session_of("GET", {}, {}, NOW) is None
