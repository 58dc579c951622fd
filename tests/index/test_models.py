"""Models: exactly one is active, and a rollback returns to the one before."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from fixtures_database import OpenDatabase
from sqlalchemy import delete

from embedding.bundle import Bundle
from index.database.database import Database
from index.errors import ModelNotFound, NothingToRollBack
from index.models.models import Models
from index.tables import ModelRow


@pytest.fixture
def models(database: Database) -> Models:
    models = Models(database)
    for model_id in ("sha256:a", "sha256:b", "sha256:c"):
        models.register(
            model_id, name=model_id[-1], dim=128, calibration_id="cal-1", facts={"x": 1}, actor="test"
        )
    return models


def test_of_two_starts_on_an_empty_database_the_first_makes_its_model_the_active_one(
    database_url: str, open_database: OpenDatabase, shipped_bundle: Path, turned: Bundle
) -> None:
    databases = [open_database(database_url) for _ in range(2)]
    bundles = [Bundle.load(shipped_bundle), turned]
    together = Barrier(2, timeout=60)

    def start(which: int) -> str:
        together.wait()
        return Models(databases[which]).begin_with(bundles[which])[1].id

    for _ in range(20):
        with databases[0].write() as db:
            db.execute(delete(ModelRow))
        with ThreadPoolExecutor(2) as processes:
            believed = list(processes.map(start, range(2)))

        assert believed[0] == believed[1]
        states = {model.id: model.state for model in Models(databases[0]).all()}
        assert sorted(states.values()) == ["active", "candidate"]
        assert states[believed[0]] == "active"


def test_a_registered_model_is_a_candidate(models: Models) -> None:
    assert models.active() is None
    assert [(model.id, model.state) for model in models.all()] == [
        ("sha256:a", "candidate"),
        ("sha256:b", "candidate"),
        ("sha256:c", "candidate"),
    ]


def test_registering_again_takes_the_new_facts_and_keeps_the_state(models: Models) -> None:
    models.activate("sha256:a", actor="test")

    again = models.register("sha256:a", name="renamed", dim=128, calibration_id="cal-2", actor="test")

    assert (again.state, again.name, again.calibration_id) == ("active", "renamed", "cal-2")


def test_a_promotion_retires_the_model_it_replaces(models: Models) -> None:
    models.activate("sha256:a", actor="test")

    promoted = models.activate("sha256:b", actor="test")

    assert models.active() == promoted
    assert (promoted.id, promoted.replaced_id) == ("sha256:b", "sha256:a")
    assert models.find("sha256:a").state == "retired"


def test_rollbacks_go_back_one_promotion_at_a_time(models: Models) -> None:
    for model_id in ("sha256:a", "sha256:b", "sha256:c"):
        models.activate(model_id, actor="test")

    assert models.rollback(actor="test").id == "sha256:b"
    assert models.rollback(actor="test").id == "sha256:a"
    with pytest.raises(NothingToRollBack):
        models.rollback(actor="test")
    assert [model.state for model in models.all()] == ["active", "retired", "retired"]


def test_a_model_that_is_active_already_stays_as_it_is(models: Models) -> None:
    first = models.activate("sha256:a", actor="test")

    assert models.activate("sha256:a", actor="test") == first


def test_an_unknown_model_is_named(models: Models) -> None:
    for attempt in (models.find, lambda model_id: models.activate(model_id, actor="test")):
        with pytest.raises(ModelNotFound, match="sha256:x"):
            attempt("sha256:x")
