"""A process follows the model in use whatever happens to its database, and says so when it does not."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from fixtures_service import Service
from sqlalchemy import text

from embedding.bundle import Bundle
from index.database.database import Database
from service.app import PURGES, purge
from service.models import sync

pytestmark = pytest.mark.not_quick("waits for a process that follows")

PATIENCE_SECONDS = 60.0


@contextmanager
def away(database: Database, table: str) -> Iterator[None]:
    """A table that somebody is restoring."""
    rename(database, table, f"{table}_away")
    yield
    rename(database, f"{table}_away", table)


def rename(database: Database, old: str, new: str) -> None:
    with database.write(ordered=False) as db:
        db.execute(text(f"ALTER TABLE {old} RENAME TO {new}"))


def wait_until(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < until, "it never came"
        time.sleep(0.05)


@pytest.mark.parametrize("table", ["model", "gallery_change", "template"])
def test_a_promotion_after_any_fault_of_the_database_is_followed(
    service_everywhere: Service, turned: Bundle, table: str, capsys: pytest.CaptureFixture[str]
) -> None:
    parts = service_everywhere.parts

    with away(parts.database, table):
        wait_until(lambda: "following_waits" in capsys.readouterr().out)
    parts.models.register_bundle(turned, actor="test")
    parts.models.activate(turned.model_id, actor="test")

    wait_until(lambda: parts.now().model.id == turned.model_id)
    assert service_everywhere.call("GET", "/health/ready", key="").status_code == 200


def test_a_fault_of_ours_does_not_end_the_following_either(
    service: Service, turned: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    fails = threading.Event()

    def fail(*_: object) -> bool:
        fails.set()
        raise ZeroDivisionError

    with monkeypatch.context() as broken:
        broken.setattr(sync, "was_added_since", fail)
        service.parts.following._embedded = ("", 0, service.parts.gallery.loads)
        wait_until(fails.is_set)
    service.parts.models.register_bundle(turned, actor="test")
    service.parts.models.activate(turned.model_id, actor="test")

    wait_until(lambda: service.parts.now().model.id == turned.model_id)


def test_a_process_that_cannot_look_is_not_ready(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sync, "BEHIND_SECONDS", 0.0)
    service.parts.following.look()

    ready = service.call("GET", "/health/ready", key="")

    assert (ready.status_code, ready.json()["parts"]["models"]) == (503, "down")


def test_boards_work_with_the_model_in_use(service: Service, turned: Bundle) -> None:
    service.parts.models.register_bundle(turned, actor="test")
    service.parts.models.activate(turned.model_id, actor="test")

    wait_until(lambda: service.parts.now().model.id == turned.model_id)

    assert service.parts.live._desk().serving.active.id == turned.model_id


@pytest.mark.parametrize(
    ("table", "kept"),
    [("idempotency_record", {"answers"}), ("exam", {"evidence", "todays_templates"})],
)
def test_what_cannot_be_purged_keeps_nothing_else_from_it(
    service: Service, table: str, kept: set[str]
) -> None:
    with away(service.parts.database, table):
        done = {name for name in PURGES if purge(name, service.parts)}

    assert PURGES.keys() - done == kept
    assert all(purge(name, service.parts) for name in PURGES)
