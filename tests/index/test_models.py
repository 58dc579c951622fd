"""Models: exactly one is active, and a rollback returns to the one before."""

import pytest

from index.database import Database
from index.errors import ModelNotFound, NothingToRollBack
from index.models import Models


@pytest.fixture
def models(database: Database) -> Models:
    models = Models(database)
    for model_id in ("sha256:a", "sha256:b", "sha256:c"):
        models.register(
            model_id, name=model_id[-1], dim=128, calibration_id="cal-1", facts={"x": 1}, actor="test"
        )
    return models


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
