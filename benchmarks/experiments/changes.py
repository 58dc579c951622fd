"""The experiments: the recipe `experiment`, and what each of them changes in it."""

import tomllib
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from training.embedder.recipe import RECIPES, Recipe, refuse_contradictions
from training.embedder.tables import read_table
from training.engine.run import LAST

RECIPE = "experiment"
BASELINE = "baseline"


@dataclass(frozen=True)
class Experiment:
    """A training with one thing changed.

    Attributes:
        told: What its row says.
        change: Tables of the recipe that are other, merged key by key.
        against: The experiment that it is compared with.
        after: One whose network it begins with.
    """

    told: str
    change: Mapping[str, Any] = field(default_factory=dict)
    against: str = BASELINE
    after: str = ""


TAUGHT = {"name": "distil_cosine"}
LAYERS = tuple(f"/features/features.{block}/Add" for block in (4, 11, 14))
"""Of the teacher, a MobileFaceNet: the ends of its stages at 28, 14 and 7 places each way."""

LAST_STAGE = {
    "optimiser": {"samples": 4_800, "learning_rate": 6e-4, "warm_up_steps": 20, "average": 0.98},
    "data": {"split_of": "", "sampling": "by_identity", "faces_per_identity": 4},
}
"""Faces with a label only, as losses on labels need them, at a rate that has come down."""
MINED_TRIPLETS = {
    "name": "triplet",
    "weight": 0.5,
    "options": {"margin": 0.2, "active_only": True},
    "miner": "semi_hard",
}


def _last_stage(told: str, *losses: Mapping[str, Any]) -> Experiment:
    change = {**LAST_STAGE, "losses": [TAUGHT, *losses]}
    return Experiment(told, change, against="last" if losses else BASELINE, after=BASELINE)


EXPERIMENTS: dict[str, Experiment] = {
    BASELINE: Experiment("the baseline"),
    "seed": Experiment("another seed", {"seed": 20261211}),
    "average": Experiment("an average three times as long", {"optimiser": {"average": 0.995}}),
    "sgd": Experiment(
        "gradient descent with momentum in place of AdamW",
        {"optimiser": {"method": "sgd", "learning_rate": 0.2, "weight_decay": 5e-4}},
    ),
    "deeper": Experiment(
        "14-28-56, depths 3-4-2: deeper, at as many multiply-adds",
        {"network": {"widths": [14, 28, 56], "depths": [3, 4, 2]}},
    ),
    "arcface": Experiment(
        "ArcFace on the faces with a label beside the teacher",
        {"losses": [TAUGHT, {"name": "arcface", "weight": 0.02}]},
    ),
    "adaarc": Experiment(
        "adaptive class centres (AdaArc) beside the teacher",
        {"losses": [TAUGHT, {"name": "ada_arcface", "weight": 0.02}]},
    ),
    "mix-0.5": Experiment("half of the faces are mixes of two", {"teacher": {"mix": 0.5}}),
    "mix-0.8": Experiment("four of five faces are mixes of two", {"teacher": {"mix": 0.8}}),
    "hints": Experiment(
        "hints from three layers of the teacher, which looks at every view",
        {"teacher": {"hints": list(LAYERS), "hint_weight": 0.5}},
    ),
    "live": Experiment("the teacher looks at the very view", {"teacher": {"mode": "live"}}),
    "last": _last_stage("4,800 more, labelled faces, the teacher alone"),
    "last-nca": _last_stage("and ProxyNCA++; against `last`", {"name": "proxy_nca_plus", "weight": 0.05}),
    "last-triplet": _last_stage("and triplets with mined negatives; against `last`", MINED_TRIPLETS),
    "last-arcface": _last_stage("and ArcFace; against `last`", {"name": "arcface", "weight": 0.02}),
}
"""By their names."""


def recipe_of(name: str, runs: Path) -> Recipe:
    """The recipe of an experiment; `runs` holds the runs of all, for one that goes on from another.

    Raises:
        RecipeInvalid: If the change contradicts the recipe.
    """
    experiment, path = EXPERIMENTS[name], RECIPES / f"{RECIPE}.toml"
    table = merge_tables(tomllib.loads(path.read_text(encoding="utf-8")), experiment.change)
    if experiment.after:
        table["start_from"] = str(runs / experiment.after / LAST)
    recipe = read_table(table, Recipe, path)
    refuse_contradictions(recipe, path)
    return recipe


def merge_tables(table: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """A table with some of its keys changed; tables in it are merged alike, all else is replaced."""
    merged = deepcopy(dict(table))
    for key, value in change.items():
        inner = merged.get(key)
        merged[key] = merge_tables(inner, value) if isinstance(inner, dict) else deepcopy(value)
    return merged
