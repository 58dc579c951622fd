"""Signing in through an OpenID Connect issuer, a real one on this machine."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from fixtures_issuer import Provider, come_back, go, parameter, settings_of
from fixtures_operators import Seat, join
from fixtures_service import Service
from pydantic import ValidationError

from service.access.issuer import Login
from service.access.roles import Role

pytestmark = pytest.mark.not_quick("talks to an issuer, and passwords are slow to hash")


@pytest.fixture
def service(start_service: Callable[..., Service], provider: Provider) -> Service:
    provider.know("ada-1", name="Ada Keller", email="ada@example.org", groups=["exam-staff"])
    return start_service(**settings_of(provider))


def enter(service: Service, provider: Provider, subject: str = "ada-1") -> tuple[Seat, Any]:
    """A browser that has come back, and what it saw."""
    seat = Seat(service)
    return seat, come_back(seat.client, provider.authorize(go(seat.client), subject))


def test_who_comes_back_is_signed_in_with_the_role_of_the_claim(
    service: Service,
    provider: Provider,
) -> None:
    seat, page = enter(service, provider)

    assert page.status_code == 200
    assert 'http-equiv="refresh" content="0; url=/console"' in page.text
    me = seat.call("GET", "/v1/me").json()
    assert (me["name"], me["role"], me["has_password"]) == ("Ada Keller", "invigilator", False)
    (shown,) = service.call("GET", "/v1/operators").json()["items"]
    assert shown["issuer"] == provider.address


def test_the_state_of_a_login_is_in_a_lax_cookie_of_ten_minutes_and_the_page_in_a_strict_one(
    service: Service,
    provider: Provider,
) -> None:
    seat = Seat(service)
    begun = seat.client.get("/login/issuer", follow_redirects=False)
    ended = come_back(seat.client, provider.authorize(begun.headers["location"], "ada-1"))

    cookie = begun.headers["set-cookie"]
    for part in ("invigil_login=", "HttpOnly", "SameSite=lax", "Max-Age=600"):
        assert part in cookie
    assert "code_challenge_method=S256" in begun.headers["location"]
    assert "invigil_console=" in ended.headers["set-cookie"]
    assert "SameSite=strict" in ended.headers["set-cookie"]
    assert "invigil_login" not in seat.client.cookies


def test_the_same_person_comes_back_to_the_same_operator_with_the_role_of_now(
    service: Service,
    provider: Provider,
) -> None:
    first, _ = enter(service, provider)
    provider.know("ada-1", name="Ada Meier", email="other@example.org", groups=["exam-admins", "exam-staff"])
    second, _ = enter(service, provider)

    me = second.call("GET", "/v1/me").json()
    assert (me["name"], me["role"]) == ("Ada Meier", "invigilator")
    provider.know("ada-1", name="Ada Meier", groups=["exam-admins"])
    third, _ = enter(service, provider)
    assert third.call("GET", "/v1/me").json()["role"] == "administrator"
    assert [one.call("GET", "/v1/me").status_code for one in (first, second)] == [401, 401]
    assert len(service.call("GET", "/v1/operators").json()["items"]) == 1


@pytest.mark.parametrize("groups", [None, [], ["students"], "students", {"exam-staff": True}])
def test_who_has_no_role_here_does_not_come_in(
    service: Service,
    provider: Provider,
    groups: Any,
) -> None:
    claims = {} if groups is None else {"groups": groups}
    provider.know("eve-1", name="Eve", **claims)

    _, page = enter(service, provider, "eve-1")

    assert page.status_code == 403
    assert "no role here" in page.text
    assert "set-cookie" not in page.headers or "invigil_console=" not in page.headers["set-cookie"]
    assert service.call("GET", "/v1/operators").json()["items"] == []


def test_a_code_works_once(service: Service, provider: Provider) -> None:
    seat = Seat(service)
    location = provider.authorize(go(seat.client), "ada-1")
    kept = seat.client.cookies["invigil_login"]
    assert come_back(seat.client, location).status_code == 200

    again = Seat(service)
    again.client.cookies.set("invigil_login", kept)
    replayed = come_back(again.client, location)

    assert replayed.status_code == 401
    assert again.client.get("/v1/me").status_code == 401


def test_an_answer_without_the_cookie_of_its_login_is_nobodys(
    service: Service,
    provider: Provider,
) -> None:
    mine, other = Seat(service), Seat(service)
    location = provider.authorize(go(mine.client), "ada-1")
    go(other.client)

    strangers = [come_back(Seat(service).client, location), come_back(other.client, location)]

    assert [one.status_code for one in strangers] == [401, 401]


def test_two_tabs_end_the_login_that_was_begun_last(service: Service, provider: Provider) -> None:
    seat = Seat(service)
    first, second = go(seat.client), go(seat.client)

    answers = [come_back(seat.client, provider.authorize(url, "ada-1")) for url in (second, first)]

    assert [one.status_code for one in answers] == [200, 401]
    assert seat.call("GET", "/v1/me").status_code == 200


def test_a_login_ends_after_ten_minutes() -> None:
    def begun(seconds_ago: int) -> Login:
        return Login(f"{int(time.time()) - seconds_ago}.x")

    assert [begun(one).is_current for one in (0, 590, 700, -300)] == [True, True, False, False]
    assert not any(Login(text).is_current for text in ("", ".", "x.y", "9" * 40))


def test_an_issuer_that_calls_itself_otherwise_lets_nobody_in(
    start_service: Callable[..., Service],
    provider: Provider,
) -> None:
    elsewhere = provider.address.replace("localhost", "127.0.0.1")
    service = start_service(**settings_of(provider, oidc_issuer=elsewhere + "/"))

    page = Seat(service).client.get("/login/issuer", follow_redirects=False)

    assert page.status_code == 503
    assert "INVIGIL_OIDC_ISSUER" in page.text


def test_an_answer_of_another_issuer_is_refused(service: Service, provider: Provider) -> None:
    seat = Seat(service)
    location = provider.authorize(go(seat.client), "ada-1")

    page = come_back(seat.client, f"{location}&iss=https%3A%2F%2Fevil.example.org")

    assert page.status_code == 401


def test_an_id_token_for_another_client_or_login_is_refused(
    service: Service,
    provider: Provider,
) -> None:
    """What the issuer signed for somebody else's login, brought to ours."""
    seat = Seat(service)
    url = go(seat.client)
    foreign = url.replace(f"nonce={parameter(url, 'nonce')}", "nonce=another")

    page = come_back(seat.client, provider.authorize(foreign, "ada-1"))

    assert page.status_code == 401
    assert seat.client.get("/v1/me").status_code == 401


def test_an_issuer_that_is_away_is_said_to_be(
    start_service: Callable[..., Service],
    provider: Provider,
) -> None:
    service = start_service(**settings_of(provider, oidc_issuer="http://127.0.0.1:9"))

    page = Seat(service).client.get("/login/issuer", follow_redirects=False)

    assert page.status_code == 503
    assert "cannot sign anybody in now" in page.text


def test_who_was_ended_here_does_not_come_back_whatever_the_issuer_says(
    service: Service,
    provider: Provider,
) -> None:
    seat, _ = enter(service, provider)
    me = seat.call("GET", "/v1/me").json()["id"]
    service.call("DELETE", f"/v1/operators/{me}")

    assert seat.call("GET", "/v1/me").status_code == 401
    assert enter(service, provider)[1].status_code == 401


def test_nobody_takes_over_an_account_by_having_its_name_at_the_issuer(
    service: Service,
    provider: Provider,
) -> None:
    ada = join(service.parts, "ada@example.org", Role.ADMINISTRATOR)

    seat, _ = enter(service, provider)

    me = seat.call("GET", "/v1/me").json()
    assert me["id"] != str(ada.id)
    assert me["role"] == "invigilator"
    assert Seat(service).sign_in("ada@example.org").status_code == 200


def test_who_signs_in_by_an_issuer_has_no_password_here(
    service: Service,
    provider: Provider,
) -> None:
    enter(service, provider)

    assert Seat(service).sign_in("ada@example.org", "").status_code == 422
    assert Seat(service).sign_in("ada@example.org").status_code == 401


def test_without_an_issuer_there_is_no_such_door(start_service: Callable[..., Service]) -> None:
    seat = Seat(start_service())

    assert seat.client.get("/login/issuer", follow_redirects=False).status_code == 401
    assert '"issuer": null' in seat.client.get("/console").text


@pytest.mark.parametrize(
    "wrong",
    [
        {"oidc_issuer": "http://issuer.example.org"},
        {"oidc_client_id": None},
        {"oidc_roles": ""},
        {"oidc_roles": "staff"},
        {"oidc_roles": "staff=boss"},
    ],
)
def test_settings_that_make_no_sense_are_refused(
    settings_for: Callable[..., Any], wrong: dict[str, Any]
) -> None:
    right = {"oidc_issuer": "https://i.example.org", "oidc_client_id": "x", "oidc_roles": "a=auditor"}
    assert settings_for(**right).issuer.roles == {"a": Role.AUDITOR}

    with pytest.raises(ValidationError):
        settings_for(**right | wrong)
