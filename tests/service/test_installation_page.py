"""The installation as an administrator sees it: alarms, settings without secrets, the clock."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from fixtures_service import Service
from sqlalchemy import text

from index import audit
from service.access.scopes import Scope


def test_it_tells_how_it_is_and_no_secret(service_everywhere: Service, astronaut_jpeg: bytes) -> None:
    service = service_everywhere
    service.enrolled(astronaut_jpeg, "1001")
    service.parts.note_anchor()

    answer = service.call("GET", "/v1/installation")

    told = answer.json()
    assert (told["subjects"], told["templates"], told["templates_left_out"]) == (1, 1, 0)
    assert told["database"] == ("sqlite" if service.parts.database.is_sqlite else "postgresql")
    assert told["audit_events"] == told["anchored_events"] > 0
    assert (told["clock_leap"], told["anchor_is_changed"]) == (None, False)
    assert 0 < told["free_bytes"] <= told["total_bytes"]
    secret = service.parts.settings.template_key
    assert "1001" not in answer.text
    assert secret is None or secret.get_secret_value() not in answer.text


def test_a_setting_is_shown_as_it_was_read_and_a_secret_only_as_set(
    start_service: Callable[..., Service], postgresql_url: str
) -> None:
    service = start_service(database_url=postgresql_url, match_fmr=1e-4, upload_seconds=12.5)

    settings = {one["name"]: one for one in service.call("GET", "/v1/installation").json()["settings"]}

    assert settings["INVIGIL_UPLOAD_SECONDS"] == {
        "name": "INVIGIL_UPLOAD_SECONDS",
        "value": "12.5",
        "is_set": True,
        "is_secret": False,
    }
    assert settings["INVIGIL_DATABASE_URL"]["value"] is None
    assert settings["INVIGIL_DATABASE_URL"]["is_set"]
    assert (settings["INVIGIL_TEMPLATE_KEY"]["value"], settings["INVIGIL_TEMPLATE_KEY"]["is_secret"]) == (
        None,
        True,
    )
    assert not settings["INVIGIL_WORKERS"]["is_set"]


def test_every_secret_of_the_settings_is_known_as_one(service: Service) -> None:
    shown = service.call("GET", "/v1/installation").json()["settings"]

    for one in shown:
        if one["name"].endswith(("_KEY", "_KEYS", "_SECRET", "_URL")) and one["name"] != "INVIGIL_PUBLIC_URL":
            assert one["is_secret"], one
            assert one["value"] is None


def test_a_leap_is_shown_until_an_administrator_confirms_the_clock(service: Service) -> None:
    early = datetime.now(UTC) - timedelta(days=400)
    with service.parts.database.write() as db:
        db.execute(text("UPDATE audit_event SET at = :at WHERE seq = 1"), {"at": early})
    auditor = service.key(Scope.AUDIT_READ)

    leap = service.call("GET", "/v1/installation", key=auditor).json()["clock_leap"]
    refused = service.call("POST", "/v1/installation/clock", key=auditor)
    confirmed = service.call("POST", "/v1/installation/clock")

    assert leap is not None
    assert (refused.status_code, confirmed.status_code) == (403, 200)
    assert service.call("GET", "/v1/installation").json()["clock_leap"] is None
    with service.parts.database.read() as db:
        assert audit.list_events(db, limit=9, action="clock.confirmed")[0].actor.startswith("admin")


@pytest.mark.parametrize("scope", [Scope.ENROL, Scope.EXAMS_WRITE, Scope.OVERRIDE])
def test_nobody_else_sees_how_it_is_set(service: Service, scope: Scope) -> None:
    assert service.call("GET", "/v1/installation", key=service.key(scope)).status_code == 403
