"""A retraining is held to the model in use: by its vectors, and by its weights where they are at hand."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fixtures_cli import CommandLine
from fixtures_database import OpenDatabase
from made_training import people, tiny_recipe, write_folders

from embedding.embedder import Embedder
from index.jobs.folders import FOLDER
from training.data.faces import read_faces, split_identities
from training.embedder.export import is_made_of
from training.embedder.loop import train
from training.embedder.recipe import Recipe, open_recipe
from training.engine.run import load_checkpoint, save_checkpoint
from training.errors import HeldOutTooFew, RecipeInvalid
from training.evaluation.held_out import count_people_needed, refuse_too_few_people
from training.jobs.anchor import find_anchor
from training.jobs.workshop import Workshop

pytestmark = pytest.mark.not_quick("trains networks and opens the shipped bundle")

SHIPPED_START = Path("training/checkpoints/invigil-2-embedder.pt")


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    """Twelve made people with four pictures each."""
    return write_folders(tmp_path / "faces", people(12, 4))


@pytest.fixture
def shop(open_database: OpenDatabase, sqlite_url: str, shipped_bundle: Path, tmp_path: Path) -> Workshop:
    """A workshop whose model in use is the shipped one."""
    return Workshop(open_database(sqlite_url), tmp_path / "data", shipped_bundle)


def held(**parts: Any) -> Recipe:
    """A tiny recipe that is held to the model in use, whose vectors have 128 numbers."""
    losses: list[dict[str, Any]] = [{"name": "distil_cosine"}, {"name": "contrastive", "weight": 0.1}]
    return tiny_recipe(losses, **{"teacher": {"mode": "incumbent"}, "network": {"dim": 128}} | parts)


def test_the_targets_are_the_vectors_that_the_model_in_use_serves(
    faces: Path, shipped_bundle: Path, tmp_path: Path
) -> None:
    run = train(held(), faces, tmp_path / "run", incumbent=shipped_bundle)

    (stored,) = (tmp_path / "targets").iterdir()
    crops = read_faces(faces).crops(range(48))
    assert np.allclose(np.load(stored), Embedder.open(shipped_bundle).embed_crops(crops), atol=1e-3)
    losses = [line["losses"]["distil_cosine"] for line in run.metrics() if "losses" in line]
    assert losses[-1] < losses[0]


def test_a_network_whose_vectors_have_another_length_is_refused_before_it_is_trained(
    faces: Path, shipped_bundle: Path, tmp_path: Path
) -> None:
    with pytest.raises(RecipeInvalid, match="has vectors of 128 numbers, which ones of 16 cannot follow"):
        train(held(network={"dim": 16}), faces, tmp_path / "run", incumbent=shipped_bundle)


HELD = """
[optimiser]
samples = 16
batch = 8
[data]
held_out = 0.5
loaders = 0
[network]
widths = [8, 8, 8]
depths = [1, 1, 1]
[machine]
compile = false
[teacher]
mode = "incumbent"
[[losses]]
name = "distil_cosine"
"""


def test_a_folder_without_a_bundle_is_refused_as_the_model_in_use_in_one_line(
    cli: CommandLine, faces: Path
) -> None:
    (cli.folder / "held.toml").write_text(HELD)
    (cli.folder / "empty").mkdir()

    ended = cli.run("train", "held.toml", "--data", str(faces), "--bundle", "empty")

    assert (ended.status, ended.stdout) == (2, "")
    assert ended.complaint == "There is no model bundle at empty."


def test_a_checkpoint_is_known_by_the_vectors_that_its_bundle_serves(
    shipped_bundle: Path, tmp_path: Path
) -> None:
    own, incumbent = load_checkpoint(SHIPPED_START), Embedder.open(shipped_bundle)
    moved = {
        name: value * 1.05 if name.endswith("conv1.weight") else value for name, value in own["ema"].items()
    }
    moved["trunk.project.weight"] = moved["trunk.project.weight"].float() + 0.05 * torch.randn(
        own["ema"]["trunk.project.weight"].shape, generator=torch.Generator().manual_seed(0)
    )
    save_checkpoint(tmp_path / "moved.pt", own | {"ema": moved})

    assert is_made_of(SHIPPED_START, incumbent)
    assert not is_made_of(tmp_path / "moved.pt", incumbent)


def test_the_recipe_that_ships_starts_from_the_checkpoint_of_the_model_that_ships(shop: Workshop) -> None:
    recipe = open_recipe("retrain")

    anchor = find_anchor(shop, recipe, "")

    assert anchor.model_id == shop.embedder().model_id
    assert Path(anchor.start) == Path(recipe.start_from)
    assert anchor.is_start_of_model
    assert not anchor.apply_to(recipe).optimiser.forgets_start


def test_a_start_that_is_not_of_the_model_in_use_leaves_its_vectors_as_the_only_anchor(
    shop: Workshop, faces: Path, tmp_path: Path
) -> None:
    other = train(tiny_recipe(network={"dim": 128}), faces, tmp_path / "other").last
    recipe = held(start_from=str(other), optimiser={"forgets_start": False})

    anchor = find_anchor(shop, recipe, "")

    assert not anchor.is_start_of_model
    assert str(anchor) == (
        f"the anchor is the vectors of the model in use alone: {other} is not its checkpoint"
    )
    assert anchor.apply_to(recipe).optimiser.forgets_start


def test_without_any_checkpoint_the_vectors_alone_are_the_anchor_of_a_fresh_network(shop: Workshop) -> None:
    recipe = held()

    anchor = find_anchor(shop, recipe, "")

    assert str(anchor).endswith("there is no checkpoint of it")
    assert anchor.apply_to(replace(recipe, freeze_norms=True)).freeze_norms is False


def test_the_run_that_made_the_model_in_use_is_what_the_next_retraining_starts_from(shop: Workshop) -> None:
    job = shop.jobs.submit("retrain", {"enrolled": True}, actor="test")
    shop.jobs.begin(job.id, "worker")
    shop.jobs.end(job.id, "worker", "done", result={"model_id": shop.embedder().model_id})
    run = shop.data_dir / FOLDER / str(job.id) / "run"
    run.mkdir(parents=True)
    shutil.copy(SHIPPED_START, run / "best.pt")

    anchor = find_anchor(shop, replace(open_recipe("retrain"), start_from=""), "")

    assert Path(anchor.start) == run / "best.pt"
    assert anchor.is_start_of_model


def test_a_run_of_another_network_is_no_start(shop: Workshop, faces: Path) -> None:
    job = shop.jobs.submit("retrain", {"enrolled": True}, actor="test")
    shop.jobs.begin(job.id, "worker")
    shop.jobs.end(job.id, "worker", "done", result={"model_id": shop.embedder().model_id})
    train(tiny_recipe(), faces, shop.data_dir / FOLDER / str(job.id) / "run")

    assert Path(find_anchor(shop, open_recipe("retrain"), "").start) == SHIPPED_START


@pytest.mark.parametrize(("fmr", "pictures"), [(0.01, 4.0), (1e-3, 2.0), (1e-4, 25.0), (0.1, 1.0)])
def test_people_enough_are_as_few_as_make_the_comparisons(fmr: float, pictures: float) -> None:
    def comparisons(count: int) -> float:
        return sum(pictures**2 for a in range(count) for b in range(a))

    count = count_people_needed(fmr, pictures)

    assert comparisons(count) >= 3 / fmr > comparisons(count - 1)


def test_too_few_people_are_told_how_many_would_do(faces: Path, tmp_path: Path) -> None:
    few = read_faces(faces)

    with pytest.raises(HeldOutTooFew, match="people with as many pictures as these would do") as refused:
        refuse_too_few_people(few, split_identities(few, 0.5, 1), [0.01], 0.5)

    enough = refused.value.enough
    assert enough is not None
    many = read_faces(write_folders(tmp_path / "many", people(enough, 4)))
    refuse_too_few_people(many, split_identities(many, 0.5, 1), [0.01], 0.5)
    fewer = read_faces(write_folders(tmp_path / "fewer", people(enough - 4, 4)))
    with pytest.raises(HeldOutTooFew):
        refuse_too_few_people(fewer, split_identities(fewer, 0.5, 1), [0.01], 0.5)
