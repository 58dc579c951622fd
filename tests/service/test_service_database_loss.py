"""A database that fails in any way: a 503 that says to come again, and well again by itself."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx2 as httpx
import psycopg
import pytest
from fixtures_exams import ExamService
from fixtures_service import Service
from sqlalchemy import event, make_url, select, text
from structlog.testing import capture_logs

from index.database.database import Database
from index.database.write_trial import TRIAL_SECONDS
from index.tables import TemplateRow
from service.openapi import document


@pytest.fixture
def on_postgresql(start_service: Callable[..., Service], postgresql_url: str) -> Service:
    return start_service(database_url=postgresql_url)


@pytest.fixture
def server(postgresql_url: str) -> Iterator[psycopg.Connection]:
    """A connection of the operator's, to another database of the same server."""
    address = make_url(postgresql_url).set(database="postgres").render_as_string(False)
    with psycopg.connect(address, autocommit=True) as connection:
        yield connection


@pytest.fixture(autouse=True)
def _no_outcome_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("index.database.write_trial.TRIAL_SECONDS", 0.0)


def add(service: Service, external_id: str | None = None, **headers: str) -> httpx.Response:
    return service.call("POST", "/v1/subjects", json={"external_id": external_id}, headers=headers)


def refusal(answer: httpx.Response) -> tuple[int, str, bool, bool]:
    told = answer.json()
    return answer.status_code, told["code"], told["retryable"], "retry-after" in answer.headers


def readiness(service: Service) -> int:
    return service.call("GET", "/health/ready", key="").status_code


UNAVAILABLE = (503, "database_unavailable", True, True)


@contextmanager
def read_only(server: psycopg.Connection, database: str) -> Iterator[None]:
    """As a standby is: whoever connects now can read and not write, for as long as the connection lives."""
    end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
    server.execute(f"ALTER DATABASE {database} SET default_transaction_read_only = on".encode())
    server.execute(end, [database])
    yield
    server.execute(f"ALTER DATABASE {database} SET default_transaction_read_only = off".encode())


def test_a_standby_behind_the_address_is_left_as_soon_as_it_is_the_primary_again(
    on_postgresql: Service, server: psycopg.Connection, postgresql_url: str
) -> None:
    name = str(make_url(postgresql_url).database)
    assert readiness(on_postgresql) == 200

    with read_only(server, name):
        refused = [add(on_postgresql, "a"), add(on_postgresql, "b", **{"Idempotency-Key": "k"})]
        read = on_postgresql.call("GET", "/v1/subjects")
        ready = readiness(on_postgresql)
        with on_postgresql.parts.database.read() as one, on_postgresql.parts.database.read() as other:
            for db in (one, other):
                db.execute(text("SELECT 1"))
    # Nobody cuts the connections that were made meanwhile.
    afterwards = [add(on_postgresql, "a"), add(on_postgresql, "b", **{"Idempotency-Key": "k"})]

    assert [refusal(one) for one in refused] == [UNAVAILABLE] * 2
    assert (read.status_code, ready) == (200, 503)
    assert [one.status_code for one in afterwards] == [201, 201]
    assert readiness(on_postgresql) == 200


def test_readiness_alone_finds_its_way_back_to_the_primary(
    on_postgresql: Service, server: psycopg.Connection, postgresql_url: str
) -> None:
    with read_only(server, str(make_url(postgresql_url).database)):
        assert readiness(on_postgresql) == 503

    assert readiness(on_postgresql) == 200


# No memory, too many connections of a role, a shut-down, a lost file, a fault of the server, a changed plan,
# a read-only transaction, a query that was given up.
@pytest.mark.parametrize(
    ("state", "code"),
    [
        ("53200", "database_unavailable"),
        ("53400", "database_unavailable"),
        ("57P01", "database_unavailable"),
        ("57P05", "database_unavailable"),
        ("58030", "database_unavailable"),
        ("58P01", "database_unavailable"),
        ("XX000", "database_unavailable"),
        ("XX001", "database_unavailable"),
        ("0A000", "database_unavailable"),
        ("25006", "database_unavailable"),
        ("42P01", "database_unavailable"),
        ("42501", "database_unavailable"),
        ("53100", "database_full"),
        ("57014", "database_busy"),
        ("55P03", "database_busy"),
    ],
)
def test_whatever_the_server_says_is_a_503_until_it_is_over(
    on_postgresql: Service, state: str, code: str
) -> None:
    run(
        on_postgresql.parts.database,
        f"CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"RAISE EXCEPTION 'Ana Lovelace' USING ERRCODE = '{state}'; END $$",
        "CREATE TRIGGER refusal BEFORE INSERT ON subject FOR EACH ROW EXECUTE FUNCTION refuse()",
    )

    refused = add(on_postgresql)
    run(on_postgresql.parts.database, "DROP TRIGGER refusal ON subject")

    assert refusal(refused) == (503, code, True, True)
    assert "Lovelace" not in refused.text
    assert add(on_postgresql).status_code == 201


def test_a_table_that_is_away_for_a_moment_is_a_503_and_nothing_has_to_be_restarted(
    service_everywhere: Service,
) -> None:
    service = service_everywhere
    subject = service.subject()

    run(service.parts.database, "ALTER TABLE subject RENAME TO subject_away")
    refused = [add(service), service.call("GET", f"/v1/subjects/{subject}")]
    run(service.parts.database, "ALTER TABLE subject_away RENAME TO subject")

    assert [refusal(one) for one in refused] == [UNAVAILABLE] * 2
    assert service.call("GET", f"/v1/subjects/{subject}").status_code == 200
    assert add(service).status_code == 201


def test_a_process_of_another_revision_writes_nothing_and_is_not_ready(service_everywhere: Service) -> None:
    service = service_everywhere
    subject = service.subject()
    revision = service.parts.database.revision()

    run(service.parts.database, "UPDATE alembic_version SET version_num = 'later'")
    refused, ready = add(service, "x"), readiness(service)
    read = service.call("GET", f"/v1/subjects/{subject}")
    run_raw(service.parts.database, f"UPDATE alembic_version SET version_num = '{revision}'")

    assert refusal(refused) == (503, "database_outdated", True, True)
    assert (ready, read.status_code) == (503, 200)
    assert (add(service, "x").status_code, readiness(service)) == (201, 200)


def test_readiness_is_asked_often_and_writes_once_in_a_while(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("index.database.write_trial.TRIAL_SECONDS", 1000 * TRIAL_SECONDS)
    trials: list[str] = []

    def note(_: object, __: object, statement: str, *rest: object) -> None:
        if statement.startswith("UPDATE alembic_version"):
            trials.append(statement)

    event.listen(service.parts.database.engine, "before_cursor_execute", note)

    assert [readiness(service) for _ in range(5)] == [200] * 5
    assert len(trials) == 1


@pytest.mark.parametrize("path", ["/health/ready", "/health/live", "/"])
def test_a_monitor_may_ask_for_the_head_alone(service: Service, path: str) -> None:
    answer = service.call("HEAD", path, key="")

    assert (answer.status_code, answer.content) == (200, b"")


def test_head_is_get_without_the_body_on_every_route(service: Service) -> None:
    paths = [path for path, of in json.loads(document())["paths"].items() if "get" in of and "{" not in path]
    # Its answer has no end; its head has, as the next test shows.
    paths.remove("/v1/waiting/live")

    for path in [*paths, "/docs", "/openapi.json", "/console", "/kiosk"]:
        whole, head = service.call("GET", path), service.call("HEAD", path)
        assert (head.status_code, head.content) == (whole.status_code, b""), path
        assert head.headers["content-type"] == whole.headers["content-type"], path
    assert service.call("HEAD", "/v1/compare").status_code == 405
    assert service.call("HEAD", "/v1/subjects", key="").status_code == 401


@pytest.mark.parametrize("path", ["sessions/{session}/live", "waiting/live"])
def test_the_head_of_a_live_board_has_an_end(staffed_exam: ExamService, path: str) -> None:
    head = staffed_exam.call("HEAD", path)

    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"].startswith("text/event-stream")


def test_a_template_that_was_changed_in_the_database_is_told_and_raises_an_alarm(
    service: Service, astronaut_jpeg: bytes
) -> None:
    subject = service.enrolled(astronaut_jpeg)
    with service.parts.database.write() as db:
        row = db.scalars(select(TemplateRow)).one()
        row.vector = bytes(len(row.vector))
        row_id = str(row.id)

    with capture_logs() as logged:
        answer = service.call("POST", f"/v1/subjects/{subject}/verify", files={"image": astronaut_jpeg})

    assert (answer.status_code, answer.json()["code"]) == (409, "template_unreadable")
    assert not answer.json()["retryable"]
    assert row_id not in answer.text
    (alarm,) = (one for one in logged if one["event"] == "row_unreadable")
    assert (alarm["log_level"], alarm["row_id"]) == ("error", row_id)


def run(database: Database, *statements: str) -> None:
    with database.write() as db:
        for statement in statements:
            db.execute(text(statement))


def run_raw(database: Database, statement: str) -> None:
    """Where the tables' revision forbids `write`."""
    with database.engine.begin() as connection:
        connection.execute(text(statement))
