"""Recipes that renew something in rounds."""

from typing import Any

from made_training import tiny_recipe

from training.embedder.recipe import Recipe

KINDS: dict[str, dict[str, Any]] = {
    "mining": {
        "data": {"sampling": "by_identity", "faces_per_identity": 2},
        "mining": {"every_epochs": 2, "band": 4.0},
    },
    "tree": {
        "losses": [{"name": "hierarchical_triplet"}],
        "data": {"sampling": "anchor_neighbours", "faces_per_identity": 2},
        "tree": {"every_epochs": 2, "together": 2},
    },
    "divide": {
        "losses": [{"name": "triplet"}, {"name": "proxy_nca_plus", "weight": 0.1}],
        "data": {"sampling": "divided", "faces_per_identity": 2},
        "divide": {"every_epochs": 2, "learners": 2},
    },
}


def renewing(kind: str, **parts: Any) -> Recipe:
    """Twenty steps of eight faces: rounds begin at 6, 12 and 18."""
    return tiny_recipe(**changed(kind, parts))


def changed(kind: str, parts: dict[str, Any]) -> dict[str, Any]:
    """The recipe of a kind, with other values in its tables."""
    table: dict[str, Any] = {**KINDS[kind], "optimiser": {"samples": 160}}
    for name, part in parts.items():
        table[name] = {**table.get(name, {}), **part} if isinstance(part, dict) else part
    return table
