"""Retrain the site's model as a worker does it, and measure what came of it on people whom it never saw."""

import json
import time
import tomllib
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.retraining.base import RECIPE
from benchmarks.retraining.site import ELSEWHERE, FEW, JUDGED, SITE
from embedding.bundle import SHIPPED, Bundle
from embedding.embedder import Embedder
from index.database.database import Database
from training.data.faces import SPLIT, Split, read_faces
from training.data.pictures import open_pictures
from training.data.seen import Seen
from training.data.sources import as_pictures
from training.embedder.export import export_bundle
from training.embedder.quantise import choose_crops
from training.embedder.recipe import RECIPES
from training.engine.run import RunFolder
from training.evaluation.bootstrap import percentiles
from training.evaluation.calibrate import calibrate_bundle
from training.evaluation.gate import ModelComparison, compare
from training.jobs.worker import Worker
from training.jobs.workshop import Workshop

FMR = 1e-3
FMRS = (1e-3, 1e-2)
"""That the installation has thresholds for."""
FEW_FMRS = (1e-2,)
PRODUCT_FMRS = (1e-4, 1e-3)
SEEDS = (1, 2, 3)
HELD_OUT_SHARE = 0.5

LOSSES: dict[str, list[dict[str, Any]]] = {
    "contrastive": [{"name": "contrastive", "weight": 1.0}],
    "triplet": [{"name": "triplet", "weight": 1.0, "options": {"active_only": True}}],
    "proxy_nca": [{"name": "proxy_nca", "weight": 0.1}],
}
"""What stands beside the incumbent's vectors."""
OPTIMISER = {"samples": 12_800, "learning_rate": 1.5e-3, "average": 0.9931}
"""A quarter of the base is left in the average; it is far from its end, hence the rate. All else is
`retrain.toml`. Chosen on people of the site who are held out there."""


@dataclass(frozen=True)
class Effect:
    """FNMR before and after, and the 95 % interval of the difference over people.

    Attributes:
        before: Of the base.
        after: Mean over seeds.
        interval: Of the mean difference, after less before.
    """

    before: float
    after: float
    interval: tuple[float, float]

    def __str__(self) -> str:
        low, high = (f"{100 * value:+.1f}" for value in self.interval)
        change = f"{100 * (self.after - self.before):+.1f}"
        return f"{self.before:.1%} | {self.after:.1%} | {change} ({low} to {high})"


def base_bundle(data: Path, work: Path) -> Path:
    """The base as a site would run it: exported in eight bits with both sides, and calibrated."""
    bundle, run = work / "base-bundle", RunFolder(work / "base-run")
    if bundle.is_dir():
        return bundle
    faces, split = read_faces(work / "base" / "faces"), Split.read(run.path / SPLIT)
    detector = Bundle.load(SHIPPED).detector
    export_bundle(run.chosen, detector, bundle, RECIPE, both_sides=True, ranges=choose_crops(faces, split))
    pictures = as_pictures(faces, data)
    calibrate_bundle(
        bundle,
        pictures,
        Seen.read(run.path),
        data="people held out",
        names=pictures.of_people(frozenset(split.calibrate)),
        aligned=True,
    )
    return bundle


def recipe_of(loss: str, seed: int, start: Path, network: dict[str, Any]) -> dict[str, Any]:
    """`retrain.toml` with other losses on labels, another seed, and the base in place of what ships."""
    table = tomllib.loads((RECIPES / "retrain.toml").read_text(encoding="utf-8"))
    anchor = [part for part in table["losses"] if part["name"].startswith("distil")]
    table |= {"seed": seed, "start_from": str(start), "network": network}
    table["data"]["held_out"] = HELD_OUT_SHARE
    table["optimiser"] |= OPTIMISER
    table["losses"] = anchor + deepcopy(LOSSES[loss])
    return dict(table)


def retrain(shop: Workshop, recipe: dict[str, Any], data: Path, name: str) -> dict[str, Any]:
    """A retraining, from gathering to the candidate; what its row says in the end."""
    job = shop.jobs.submit("retrain", {"recipe": recipe, "data": [str(data)], "name": name}, actor="proof")
    with Worker(shop) as worker:
        while not shop.jobs.find(job.id).has_ended:
            worker.look()
            time.sleep(0.5)
    ended = shop.jobs.find(job.id)
    return {name: getattr(ended, name) for name in ("state", "error", "log", "result")}


def open_shop(folder: Path, bundle: Path, fmrs: tuple[float, ...]) -> Workshop:
    """An installation of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    database = Database(f"sqlite:///{folder}/site.db")
    database.upgrade()
    return Workshop(database, folder, bundle, None, fmrs)


def prove(data: Path, work: Path, losses: Sequence[str], seeds: Sequence[int]) -> str:
    """Retrain with each loss and seed; the table in Markdown. What is done already is not done again."""
    bundle = base_bundle(data, work)
    start = RunFolder(work / "base-run").chosen
    network = network_of_base()
    shop = open_shop(work / "installation", bundle, FMRS)
    lines = []
    for loss in losses:
        for seed in seeds:
            record = work / f"{loss}-{seed}.json"
            if not record.is_file():
                made = retrain(shop, recipe_of(loss, seed, start, network), work / SITE, f"{loss}-{seed}")
                record.write_text(json.dumps(made, indent=1), encoding="utf-8")
        bundles = [shop.data_dir / "models" / f"{loss}-{seed}" for seed in seeds]
        judged, elsewhere = (effect_on(work / name, bundle, bundles) for name in (JUDGED, ELSEWHERE))
        relative = judged.after / judged.before - 1
        lines.append(f"| {loss} | {len(bundles)} | {judged} | {relative:+.1%} | {elsewhere} |")
        print(lines[-1], flush=True)
    return "\n".join(lines)


def try_few(data: Path, work: Path) -> str:
    """What becomes of a site of few people: with rates that they support, and with those of the product."""
    bundle, start = base_bundle(data, work), RunFolder(work / "base-run").chosen
    recipe = recipe_of("triplet", SEEDS[0], start, network_of_base())
    told = []
    for name, fmrs in (("few", FEW_FMRS), ("too-few", PRODUCT_FMRS)):
        made = retrain(open_shop(work / name, bundle, fmrs), recipe, work / FEW, name)
        told.append(f"{name}: {made['error']['detail'] if made['error'] else made['log'][-3:]}")
    return "\n".join(told)


def network_of_base() -> dict[str, Any]:
    """The `[network]` table of the base's recipe."""
    table = tomllib.loads((RECIPES / f"{RECIPE}.toml").read_text(encoding="utf-8"))
    return dict(table["network"])


def effect_on(archive: Path, before: Path, after: Sequence[Path]) -> Effect:
    """What retraining changed for some people: the mean over candidates, the same people drawn for all."""
    pictures = open_pictures(archive)
    incumbent = Embedder.open(before)
    made = [compare(incumbent, Embedder.open(each), pictures, aligned=True) for each in after]
    changes = [drawn(one) for one in made]
    rates = [_at(one) for one in made]
    return Effect(
        rates[0]["incumbent"]["fnmr"],
        float(np.mean([rate["candidate"]["fnmr"] for rate in rates])),
        percentiles(np.mean(changes, axis=0)),
    )


def drawn(made: ModelComparison) -> Any:
    """(replicates,) change of FNMR with other people drawn."""
    old, new = (side.replicates.fnmr_values(FMR) for side in (made.incumbent, made.candidate))
    assert old is not None  # the kept comparisons reach 1e-2
    assert new is not None
    return new - old


def _at(made: ModelComparison) -> dict[str, Any]:
    rate: dict[str, Any] = next(rate for rate in made.record["rates"] if rate["fmr"] == FMR)
    return rate
