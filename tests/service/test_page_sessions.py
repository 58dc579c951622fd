"""Signing in to a page: the cookie, its end, its forgery, where it may travel, and the token of the page."""

import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx2 as httpx
import pytest
from fixtures_service import Service
from sqlalchemy import select, update
from starlette.testclient import TestClient

from index.tables import PageSessionRow, utc_now
from service.access.page_sessions import IDLE, LIFETIME, is_this_machine
from service.access.scopes import Scope
from service.app import create_app

pytestmark = pytest.mark.not_quick("waits for sessions to end")


def sign_in(client: TestClient, key: str, page: str = "console", **options: Any) -> httpx.Response:
    return client.post("/login", json={"key": key, "page": page}, **options)


def answers(service: Service, cookie: str, name: str = "invigil_console", **headers: str) -> int:
    return service.call(
        "GET", "/v1/keys", key="", headers={"Cookie": f"{name}={cookie}", **headers}
    ).status_code


@pytest.fixture
def cookie(service_everywhere: Service) -> str:
    """Of the console, signed in to with the admin key."""
    made = sign_in(service_everywhere.client, service_everywhere.admin)
    assert made.status_code == 200, made.text
    service_everywhere.client.cookies.clear()
    return str(made.cookies["invigil_console"])


def test_the_cookie_holds_nothing_of_the_key_and_the_database_nothing_of_the_cookie(
    service_everywhere: Service, cookie: str
) -> None:
    prefix, _, secret = service_everywhere.admin.partition(".")
    with service_everywhere.parts.database.read() as db:
        row = db.scalars(select(PageSessionRow)).one()

    assert prefix not in cookie
    assert secret not in cookie
    assert len(cookie) == 43
    assert cookie not in row.id_digest
    assert cookie.encode() not in row.seal
    assert answers(service_everywhere, cookie) == 200


def test_after_signing_out_the_cookie_opens_nothing_in_any_process(
    service_everywhere: Service, cookie: str, start_service: Callable[..., Service]
) -> None:
    other = start_service(database_url=service_everywhere.parts.settings.database_url)
    assert answers(other, cookie) == 200

    signed_out = service_everywhere.call(
        "POST", "/logout", key="", headers={"Cookie": f"invigil_console={cookie}"}, json={"page": "console"}
    )

    assert signed_out.status_code == 204
    assert [answers(one, cookie) for one in (service_everywhere, other)] == [401, 401]


def test_signing_in_again_ends_the_session_before(service: Service) -> None:
    first = sign_in(service.client, service.admin).cookies["invigil_console"]

    second = sign_in(service.client, service.admin).cookies["invigil_console"]

    service.client.cookies.clear()
    assert (answers(service, first), answers(service, second)) == (401, 200)


@pytest.mark.parametrize("column", ["last_used_at", "created_at"])
def test_a_session_ends_when_it_is_idle_and_after_half_a_day(
    service_everywhere: Service, cookie: str, column: str
) -> None:
    age = IDLE["console"] if column == "last_used_at" else LIFETIME
    for later, expected in ((timedelta(minutes=-1), 200), (timedelta(), 401)):
        with service_everywhere.parts.database.write() as db:
            db.execute(update(PageSessionRow).values({column: utc_now() - age - later}))
        service_everywhere.parts.page_sessions._used.clear()

        assert answers(service_everywhere, cookie) == expected


@pytest.mark.parametrize("column", ["last_used_at", "created_at"])
def test_a_clock_that_was_ahead_makes_no_session_last_longer(
    service_everywhere: Service, cookie: str, column: str
) -> None:
    ahead = utc_now() + timedelta(hours=20)
    with service_everywhere.parts.database.write() as db:
        db.execute(update(PageSessionRow).values({"last_used_at": ahead, column: ahead}))

    assert answers(service_everywhere, cookie) == 401


def test_a_clock_that_leaps_ahead_for_a_while_ends_no_session_for_good(
    service_everywhere: Service, cookie: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert answers(service_everywhere, cookie) == 200

    with monkeypatch.context() as leapt:
        leapt.setattr(
            "service.access.page_sessions.utc_now", lambda: datetime.now(UTC) + timedelta(minutes=40)
        )
        during = answers(service_everywhere, cookie)

    assert (during, answers(service_everywhere, cookie)) == (401, 200)


def test_use_keeps_a_session_open_while_the_database_cannot_be_written(service: Service) -> None:
    cookie = sign_in(service.client, service.admin).cookies["invigil_console"]
    service.client.cookies.clear()
    with service.parts.database.write() as db:
        db.execute(update(PageSessionRow).values(last_used_at=utc_now() - timedelta(minutes=29)))
    locked = sqlite3.connect(service.parts.settings.data_dir / "invigil.db", isolation_level=None)
    locked.execute("BEGIN IMMEDIATE")

    seen = answers(service, cookie)

    locked.close()
    assert seen == 200


def test_a_session_ends_with_its_key(service_everywhere: Service, cookie: str) -> None:
    service = service_everywhere
    key_id = service.call("GET", "/v1/keys").json()["items"][0]["id"]

    service.parts.keys.revoke(UUID(key_id), actor="test")

    assert answers(service, cookie) == 401
    page = service.client.get("/console", headers={"Cookie": f"invigil_console={cookie}"})
    assert "csrf" not in page.text


@pytest.mark.parametrize("forged", ["", "~~", "a" * 43, "é", "٣" * 43, "9" * 5_000])
def test_a_forged_cookie_is_nobodys(service: Service, forged: str) -> None:
    sent = {b"cookie": b"invigil_console=" + forged.encode()}

    assert service.client.get("/v1/keys", headers=sent).status_code == 401


def test_a_cookie_of_the_console_does_not_open_the_kiosk(service_everywhere: Service, cookie: str) -> None:
    assert answers(service_everywhere, cookie, "invigil_kiosk") == 401


def test_a_page_changes_something_only_with_its_token(service_everywhere: Service, cookie: str) -> None:
    service, sent = service_everywhere, {"Cookie": f"invigil_console={cookie}"}
    page = service.client.get("/console", headers=sent).text
    token = page.partition('"csrf": "')[2].partition('"')[0]
    assert len(token) == 64

    made = [
        service.call("POST", "/v1/subjects", key="", headers={**sent, **more}, json={}).status_code
        for more in ({}, {"X-CSRF-Token": "0" * 64}, {"X-CSRF-Token": token})
    ]

    assert made == [403, 403, 201]


def test_an_answer_is_replayed_to_who_signs_in_again_with_the_same_key(service: Service) -> None:
    sent = []
    for _ in range(2):
        cookie = sign_in(service.client, service.admin).cookies["invigil_console"]
        page = service.client.get("/console").text
        headers = {
            "X-CSRF-Token": page.partition('"csrf": "')[2].partition('"')[0],
            "Cookie": f"invigil_console={cookie}",
            "Idempotency-Key": "once",
        }
        sent.append(service.call("POST", "/v1/subjects", key="", headers=headers, json={}))

    assert sent[0].json() == sent[1].json()
    assert sent[1].headers["idempotency-replayed"] == "true"


class TestWhereACookieTravels:
    def test_over_tls_it_is_bound_to_the_host_and_never_sent_in_clear(self, service: Service) -> None:
        secure = TestClient(create_app(service.parts), "https://exams.example.org")

        made = sign_in(secure, service.admin)

        sent = made.headers["set-cookie"]
        assert sent.startswith("__Host-invigil_console=")
        for part in ("HttpOnly", "Path=/", "SameSite=strict", "Secure"):
            assert part in sent
        assert "Domain" not in sent
        assert made.headers["strict-transport-security"] == "max-age=31536000"
        assert secure.get("/v1/keys").status_code == 200
        bare = sent.partition("=")[2].partition(";")[0]
        secure.cookies.clear()
        plain = secure.get("/v1/keys", headers={"Cookie": f"invigil_console={bare}"})
        assert plain.status_code == 401

    def test_on_this_machine_it_has_its_plain_name(self, service: Service) -> None:
        sent = sign_in(service.client, service.admin).headers["set-cookie"]

        assert sent.startswith("invigil_console=")
        assert "Secure" not in sent

    def test_over_plain_http_and_a_network_nobody_signs_in(self, service: Service) -> None:
        open_air = TestClient(create_app(service.parts), "http://exams.example.org")

        refused = sign_in(open_air, service.admin)
        page = open_air.get("/console")

        assert (refused.status_code, refused.json()["code"]) == (403, "insecure_address")
        assert "set-cookie" not in refused.headers
        assert page.status_code == 403
        assert "over plain http the key would travel in clear" in page.text
        assert "<form" not in page.text

    @pytest.mark.parametrize(
        ("host", "expected"),
        [
            ("localhost", True),
            ("localhost:8000", True),
            ("127.0.0.1:8000", True),
            ("127.9.9.9", True),
            ("[::1]:8000", True),
            ("192.168.1.5:8000", False),
            ("localhost.example.org", False),
            ("127.0.0.1.example.org", False),
            ("kiosk", False),
            ("[::1", False),
            ("", False),
        ],
    )
    def test_this_machine_is_known_by_its_names(self, host: str, expected: bool) -> None:
        assert is_this_machine(host) is expected


def test_a_kiosk_page_opens_with_a_kiosks_key_alone(service: Service) -> None:
    refused = sign_in(service.client, service.key(Scope.VERIFY), "kiosk")

    assert refused.status_code == 422


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/docs",
        "/openapi.json",
        "/static/style.css",
        "/swagger/swagger-ui.css",
        "/console",
        "/kiosk",
        "/v1/keys",
        "/nowhere",
        "/health/live",
    ],
)
def test_every_answer_says_what_browsers_may_do_with_it(service: Service, path: str) -> None:
    headers = service.client.get(path).headers

    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-frame-options"] == "DENY"
    policy = headers["content-security-policy"]
    assert "frame-ancestors 'none'" in policy
    assert "object-src 'none'" in policy or "default-src 'none'" in policy


def test_the_documentation_runs_the_script_that_it_names_and_no_other(service: Service) -> None:
    page = service.client.get("/docs")

    nonce = page.headers["content-security-policy"].partition("'nonce-")[2].partition("'")[0]
    assert f'<script nonce="{nonce}">' in page.text
    assert "<script>" not in page.text
    assert service.client.get("/docs").headers["content-security-policy"].count(nonce) == 0
