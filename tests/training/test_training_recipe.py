"""Recipes: what may stand in one, and how a wrong one is refused."""

from pathlib import Path

import pytest

from training.embedder.objective import refuse_unusable_losses
from training.embedder.recipe import RECIPES, Sampling, open_recipe
from training.errors import NetworkInvalid, RecipeInvalid
from training.networks.backbones import NetworkConfig, build_network

SOUND = '[optimiser]\nsamples = 640\n[[losses]]\nname = "contrastive"\n'


def written(folder: Path, text: str) -> Path:
    path = folder / "recipe.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    "name",
    [
        "cpu",
        "cpu_more",
        "wider",
        "wider_more",
        "wider_long",
        "wider_mixed",
        "wider_mixed_more",
        "full",
        "finetune",
        "wide64",
        "retrain",
    ],
)
def test_a_shipped_recipe_builds_its_network_and_can_use_its_losses(name: str) -> None:
    recipe = open_recipe(name)

    assert build_network(recipe.network)
    refuse_unusable_losses(recipe, classes=10, path=RECIPES)


def test_what_a_recipe_leaves_out_has_its_default(tmp_path: Path) -> None:
    recipe = open_recipe(written(tmp_path, SOUND))

    assert recipe.optimiser.steps == 10
    assert recipe.data.sampling is Sampling.EVERY_FACE
    assert recipe.network == NetworkConfig()


@pytest.mark.parametrize(
    ("addition", "complaint"),
    [
        ("[optimizer]\n", "optimizer: unknown key; did you mean 'optimiser'"),
        ("[network]\nwidth = 3\n", "network.width: unknown key; did you mean 'widths'"),
        ('[network]\nwidths = ["many"]\n', r"network.widths\[0\]: 'many' is no int"),
        ("[augmentation]\nflip = true\n", "augmentation.flip: True is no float"),
        ('[data]\nsampling = "by_identit"\n', "data.sampling: .* did you mean 'by_identity'"),
        ("[teacher]\nmix = 0.5\n", "teacher.mix: only a teacher"),
        ("[widen]\n", "widen: .* is no bool"),
        ("[tree]\nevery_epoch = 2\n", "tree.every_epoch: unknown key; did you mean 'every_epochs'"),
        ("[divide]\nlearner = 2\n", "divide.learner: unknown key; did you mean 'learners'"),
        ('[data]\nsampling = "divided"\n', "divide.every_epochs: sampling 'divided' needs it"),
        ("[divide]\nevery_epochs = 2\n", "data.sampling: to divide and conquer"),
        ("[teacher]\nmean = [1.0]\n", "teacher.mean: 3 values are needed, not 1"),
        ("[teacher]\nmean = [1.0, 2.0, 3.0, 4.0]\n", "teacher.mean: 3 values are needed, not 4"),
        ("[teacher]\npath = 2026-11-27\n", "teacher.path: .* is no string"),
        ("[network]\ndim = 3.0\n", "network.dim: 3.0 is no int"),
        (
            '[[losses]]\nname = "triplet"\nmemry = 3\n',
            r"losses\[1\].memry: unknown key; did you mean 'memory'",
        ),
        ("[network\n", "it is not TOML"),
    ],
)
def test_a_wrong_recipe_is_refused_at_the_place_that_is_wrong(
    tmp_path: Path, addition: str, complaint: str
) -> None:
    path = written(tmp_path, SOUND + addition)

    with pytest.raises(RecipeInvalid, match=complaint):
        open_recipe(path)


def test_a_recipe_that_widens_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeInvalid, match="widen: there is nothing to widen without start_from"):
        open_recipe(written(tmp_path, "widen = true\n" + SOUND))


def test_a_run_that_goes_on_from_another_holds_out_whom_that_one_did(tmp_path: Path) -> None:
    path = written(tmp_path, 'start_from = "runs/a/last.pt"\n' + SOUND + '[data]\nsplit_of = "runs/b"\n')

    with pytest.raises(RecipeInvalid, match=r"data\.split_of: the run of start_from says who is held out"):
        open_recipe(path)


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    path = written(tmp_path, '[optimiser]\nbatch = 8\n[[losses]]\nname = "triplet"\n')

    with pytest.raises(RecipeInvalid, match=r"optimiser\.samples: this key is missing"):
        open_recipe(path)


def test_the_nearest_shipped_recipe_is_named() -> None:
    with pytest.raises(RecipeInvalid, match="did you mean 'finetune'"):
        open_recipe("finetun")


def test_the_nearest_network_is_named() -> None:
    with pytest.raises(NetworkInvalid, match="did you mean 'resnet18'"):
        build_network(NetworkConfig(kind="resnet_18"))
