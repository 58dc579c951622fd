"""The experiments of docs/training.md: recipes that can be trained, and what the table says."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.experiments.changes import BASELINE, EXPERIMENTS, recipe_of
from benchmarks.experiments.run import Outcome
from benchmarks.experiments.table import write_table
from training.embedder.objective import build_part_loss, refuse_unusable_losses
from training.evaluation.comparisons import compare_all


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiment_can_be_trained_and_differs_from_the_baseline(name: str) -> None:
    recipe = recipe_of(name, Path("runs"))

    refuse_unusable_losses(recipe, classes=10, path=Path("recipe"))
    assert all(build_part_loss(part, 10, recipe.network.dim) for part in recipe.losses)
    assert (recipe == recipe_of(BASELINE, Path("runs"))) == (name == BASELINE)
    assert EXPERIMENTS[name].against in EXPERIMENTS


def outcome(spread: float) -> Outcome:
    """A hundred people with four pictures each, around a direction of their own."""
    random = np.random.default_rng(1)
    identity = np.repeat(np.arange(100), 4)
    vectors = random.normal(size=(100, 16))[identity] + spread * random.normal(size=(400, 16))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return Outcome(compare_all(vectors.astype(np.float32), identity), samples=1000, seconds=61.7)


def test_a_row_says_what_a_change_gains_over_people_and_one_that_changes_nothing_gains_nothing() -> None:
    table = write_table({"average": outcome(0.8), BASELINE: outcome(0.8), "seed": outcome(0.4)})

    _, _, base, seed, average = table.splitlines()
    assert base.startswith("| `baseline` | the baseline |")
    assert base.endswith("| 1,000 | 62 |")
    assert " +0.0 (+0.0 to +0.0) " in average
    change, low, high = (
        float(part)
        for part in seed.split(" | ")[3].strip(")").replace(" to ", " ").replace(" (", " ").split()
    )
    assert low <= change <= high < 0
