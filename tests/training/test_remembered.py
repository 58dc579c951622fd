"""What the engine remembers of jobs: plain values and our own errors, and never code."""

import base64
import pickle
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from dbos import error as engine
from sqlalchemy import make_url

from index.database.database import Database
from training.jobs.lease import JobCancelled
from training.jobs.remembered import AsJson, MayPass, StepFailed
from training.jobs.worker import Worker
from training.jobs.workshop import Workshop

PATIENCE_SECONDS = 120


class Code:
    """A pickle that writes a file when it is read."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.file,)


@pytest.fixture
def shop(
    open_database: Callable[[str], Database], sqlite_url: str, shipped_bundle: Path, tmp_path: Path
) -> Workshop:
    database = open_database(sqlite_url)
    database.upgrade()
    return Workshop(database, tmp_path / "data", shipped_bundle)


def put_in(shop: Workshop, **columns: Any) -> None:
    """Write a row of the engine's, as somebody who has the database could."""
    now = int(time.time() * 1000)
    row = {
        "workflow_uuid": "01920000-0000-7000-8000-000000000000",
        "status": "ENQUEUED",
        "name": "job",
        "queue_name": "jobs",
        "application_version": "1",
        "executor_id": "x",
        "created_at": now,
        "updated_at": now,
        "priority": 0,
        "recovery_attempts": 0,
        **columns,
    }
    names, marks = ",".join(row), ",".join("?" * len(row))
    with closing(sqlite3.connect(engine_file(shop))) as connection:
        connection.execute(f"INSERT INTO workflow_status ({names}) VALUES ({marks})", list(row.values()))
        connection.commit()


def engine_file(shop: Workshop) -> str:
    return str(make_url(shop.database.engine_url()).database)


def state_of(shop: Workshop) -> str:
    with closing(sqlite3.connect(engine_file(shop))) as connection:
        return str(connection.execute("SELECT status FROM workflow_status").fetchone()[0])


@pytest.mark.slow("starts the engine")
@pytest.mark.parametrize("says", ["py_pickle", None])
def test_a_pickle_in_the_engines_tables_is_refused_and_not_run(
    shop: Workshop, tmp_path: Path, says: str | None
) -> None:
    proof = tmp_path / "run"
    code = base64.b64encode(pickle.dumps({"args": (Code(proof),), "kwargs": {}})).decode()

    with Worker(shop, look_seconds=0.05) as worker:
        put_in(shop, inputs=code, serialization=says)
        end = time.monotonic() + PATIENCE_SECONDS
        while state_of(shop) != "ERROR":
            assert time.monotonic() < end, state_of(shop)
            worker.look()
            time.sleep(0.05)

    assert not proof.exists()
    pickle.loads(base64.b64decode(code))
    assert proof.exists()


@pytest.mark.parametrize(
    "value", [None, {"args": ["a"], "kwargs": {}}, {"gate": {"worse_in": ["é"], "d": 0.25}}, [1, 2.5, True]]
)
def test_values_come_back_as_they_were(value: Any) -> None:
    assert AsJson().deserialize(AsJson().serialize(value)) == value


@pytest.mark.parametrize("kind", [StepFailed, MayPass])
def test_a_failed_step_comes_back_with_its_texts(kind: type[StepFailed]) -> None:
    tried = engine.DBOSMaxStepRetriesExceeded("train", 6, [kind("train", "disk", "no room")])

    again = AsJson().deserialize(AsJson().serialize(tried))

    assert isinstance(again, engine.DBOSMaxStepRetriesExceeded)
    failed = again.errors[-1]
    assert isinstance(failed, kind)
    assert (type(failed), failed.step, failed.code, failed.detail) == (kind, "train", "disk", "no room")


def test_a_cancelled_job_is_cancelled_again() -> None:
    assert isinstance(AsJson().deserialize(AsJson().serialize(JobCancelled())), JobCancelled)


def test_of_an_unknown_error_its_kind_alone_is_remembered() -> None:
    text = AsJson().serialize(ValueError("/proc/self/environ holds a secret"))

    assert "secret" not in text
    assert AsJson().deserialize(text).code == "ValueError"


def test_what_json_cannot_hold_is_an_error_and_no_pickle() -> None:
    with pytest.raises(TypeError):
        AsJson().serialize({"array": object()})
