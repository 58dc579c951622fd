"""What a training renews in rounds: the mined pool, the class tree, the clusters; killed and resumed, too."""

import subprocess
import sys
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made_training import people, tiny_recipe, write_folders
from renewal_recipes import KINDS, renewing

from training.data.faces import Split, class_labels, read_faces
from training.embedder.class_tree import ClassTree
from training.embedder.divide import TOGETHER, DividePart, cluster_identities
from training.embedder.loop import train
from training.embedder.recipe import Recipe
from training.embedder.validation import embed_faces
from training.embedder.weights import load_network
from training.engine.run import RunFolder, load_checkpoint
from training.errors import RecipeInvalid, TrainingStopped

pytestmark = pytest.mark.not_quick("trains")

FILES = {"mining": "mined/*-pool.csv", "tree": "tree/*-tree.npz", "divide": "clusters/*-clusters.npy"}
LOGGED = {"mining": "mined", "tree": "tree", "divide": "clusters"}


ROOT = Path(__file__).resolve().parents[2]


class Killed(Exception):
    """Before anything could be saved."""


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve made people with four pictures each; six of them are trained on."""
    return write_folders(tmp_path_factory.mktemp("data") / "faces", people(12, 4))


def file_of(run: RunFolder, kind: str) -> Path:
    (file,) = run.path.glob(FILES[kind])
    return file


def killed_after(step: int) -> Any:
    def stop(done: int, _: int) -> bool:
        if done == step:
            raise Killed
        return False

    return stop


def stopped_at(recipe: Recipe, faces: Path, folder: Path, step: int) -> RunFolder:
    """A training that was told to stop, and saved."""
    with pytest.raises(TrainingStopped):
        train(recipe, faces, folder, stop=lambda done, _: done == step)
    return RunFolder(folder)


def seen_by_the_network_of(run: RunFolder, faces: Path) -> tuple[np.ndarray, np.ndarray]:
    """Vectors and classes of those trained on, by the averaged weights of the last checkpoint."""
    known = read_faces(faces)
    rows = Split.read(run.path / "split.json").training_rows(known)
    return embed_faces(load_network(run.last), known, rows, torch.device("cpu")), class_labels(known, rows)[
        rows
    ]


@pytest.fixture(scope="module")
def whole(faces: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, RunFolder]:
    """A training of each kind that nothing interrupted."""
    return {kind: train(renewing(kind), faces, tmp_path_factory.mktemp(kind) / "run") for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_a_training_renews_every_few_epochs_and_keeps_the_newest(
    whole: dict[str, RunFolder], kind: str
) -> None:
    run = whole[kind]

    assert [line["step"] for line in run.metrics() if LOGGED[kind] in line] == [6, 12, 18]
    assert file_of(run, kind).name.startswith("00000018-")
    assert load_checkpoint(run.last)["step"] == 20


@pytest.mark.slow("trains twice, once killed")
@pytest.mark.parametrize("how", ["in the middle of a round", "back to its beginning", "and lost the file"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_training_killed_and_resumed_is_the_one_that_was_not(
    faces: Path, tmp_path: Path, whole: dict[str, RunFolder], kind: str, how: str
) -> None:
    minutes = 0.0 if how == "in the middle of a round" else 60.0
    recipe = renewing(kind, machine={"checkpoint_minutes": minutes})

    with pytest.raises(Killed):
        train(recipe, faces, tmp_path / "killed", stop=killed_after(15))
    at = load_checkpoint(tmp_path / "killed" / "last.pt")["step"]
    if how == "and lost the file":
        file_of(RunFolder(tmp_path / "killed"), kind).unlink()
    resumed = train(recipe, faces, tmp_path / "killed", resume=True)

    assert at == (15 if how == "in the middle of a round" else 12)
    ended, expected = (load_checkpoint(run.last) for run in (resumed, whole[kind]))
    for part in ("ema", "losses"):
        assert all(torch.equal(ended[part][name], value) for name, value in expected[part].items())
    assert file_of(resumed, kind).read_bytes() == file_of(whole[kind], kind).read_bytes()


def test_the_class_tree_of_a_round_is_of_the_network_as_it_was_then(faces: Path, tmp_path: Path) -> None:
    recipe = renewing("tree")
    run = stopped_at(recipe, faces, tmp_path / "run", 12)
    expected = ClassTree.of(*seen_by_the_network_of(run, faces))
    before = load_checkpoint(run.last)["losses"]["0.margins"]

    with pytest.raises(Killed):
        train(recipe, faces, run.path, resume=True, stop=killed_after(13))
    tree = ClassTree.read(file_of(run, "tree"))
    train(recipe, faces, run.path, resume=True)

    assert tree.distance == pytest.approx(expected.distance, abs=1e-6)
    assert np.array_equal(tree.level, expected.level)
    assert before.unique().numel() > 2  # one β for all until a tree is there
    last = ClassTree.read(file_of(run, "tree"))
    margins = load_checkpoint(run.last)["losses"]["0.margins"]
    assert margins.numpy() == pytest.approx(0.1 + last.rise(), abs=1e-6)


def test_a_training_divides_people_who_lie_apart_and_ends_with_all_together(
    faces: Path, tmp_path: Path
) -> None:
    recipe = renewing("divide")
    run = stopped_at(recipe, faces, tmp_path / "run", 12)
    vectors, labels = seen_by_the_network_of(run, faces)
    former = load_checkpoint(run.last)["losses"]["0.clusters"].numpy()

    stopped = RunFolder(run.path)
    with pytest.raises(TrainingStopped):
        train(recipe, faces, run.path, resume=True, stop=lambda done, _: done == 14)
    divided = load_checkpoint(stopped.last)["losses"]
    train(recipe, faces, run.path, resume=True)

    expected = cluster_identities(vectors, labels, 2, recipe.seed, former)
    assert np.array_equal(divided["0.clusters"].numpy(), expected)
    assert torch.equal(divided["0.clusters"], divided["1.clusters"])
    assert set(expected.tolist()) == {0, 1}
    assert set(load_checkpoint(run.last)["losses"]["0.clusters"].tolist()) == {TOGETHER}


def test_a_class_tree_serves_one_without_the_other(faces: Path, tmp_path: Path) -> None:
    neighbours = renewing("tree", losses=[{"name": "triplet"}])
    margins = renewing("tree", data={"sampling": "by_identity", "faces_per_identity": 2})

    for number, recipe in enumerate((neighbours, margins)):
        run = train(recipe, faces, tmp_path / str(number))
        assert [line["step"] for line in run.metrics() if "tree" in line] == [6, 12, 18]


def test_a_training_that_starts_from_another_divides_at_once(faces: Path, tmp_path: Path) -> None:
    first = train(tiny_recipe(), faces, tmp_path / "first")

    run = train(renewing("divide", start_from=str(first.last)), faces, tmp_path / "run")

    sizes = {line["step"]: line["clusters"] for line in run.metrics() if "clusters" in line}
    assert list(sizes) == [0, 6, 12, 18]
    assert [sum(sizes[step]) for step in sizes] == [6, 6, 6, 0]


@pytest.mark.parametrize(
    ("share", "every", "steps", "begin"),
    [(0.25, 6, 20, 18), (0.5, 6, 20, 12), (0.0, 6, 20, 18), (0.25, 6, 24, 18), (0.9, 30, 20, 0)],
)
def test_all_learn_together_in_whole_rounds_at_the_end(
    share: float, every: int, steps: int, begin: int
) -> None:
    assert DividePart(together=share).find_conquer_step(every, steps) == begin


def test_learners_keep_as_many_of_their_people_as_any_numbering_of_the_clusters_lets_them() -> None:
    vectors = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)
    labels = np.arange(40)
    former = cluster_identities(vectors, labels, 4, seed=1)

    for seed in range(2, 8):
        unmatched = cluster_identities(vectors, labels, 4, seed)
        matched = cluster_identities(vectors, labels, 4, seed, former)

        numberings = [np.array(each)[unmatched] for each in permutations(range(4))]
        assert any(np.array_equal(matched, each) for each in numberings)
        most = max(int((each == former).sum()) for each in numberings)
        assert int((matched == former).sum()) == most


@pytest.mark.parametrize(
    ("kind", "parts", "complaint"),
    [
        ("tree", {"tree": {"every_epochs": 0}}, r"tree\.every_epochs: sampling 'anchor_neighbours' needs"),
        ("divide", {"divide": {"every_epochs": 0}}, r"divide\.every_epochs: sampling 'divided' needs it"),
        (
            "mining",
            {"tree": {"every_epochs": 1}},
            r"tree\.every_epochs: one thing is renewed .*, here mining",
        ),
        ("divide", {"data": {"sampling": "by_identity"}}, r"data\.sampling: .* must be 'divided'"),
        ("tree", {"tree": {"together": 3}}, r"tree\.together: 4 people .* groups of 3"),
        ("divide", {"divide": {"learners": 3}}, r"divide\.learners: 16 numbers are not parted among 3"),
        ("divide", {"divide": {"learners": 8}}, r"divide\.learners: there are 6 identities only"),
        ("divide", {"divide": {"together": 1.0}}, r"divide\.together: 1\.0 is no share below 1"),
        ("divide", {"divide": {"every_epochs": 5}}, r"divide\.every_epochs: .* 15 of 20 steps: nothing"),
        (
            "mining",
            {"losses": [{"name": "hierarchical_triplet"}]},
            r"tree\.every_epochs: hierarchical_triplet needs a class tree",
        ),
        (
            "tree",
            {"losses": [{"name": "triplet"}], "data": {"sampling": "every_face"}},
            r"tree\.every_epochs: no loss and no sampling uses a class tree",
        ),
        (
            "divide",
            {"losses": [{"name": "distil_cosine"}], "teacher": {"mode": "cached"}},
            "losses: none is on labels",
        ),
        ("tree", {"optimiser": {"batch": 9}}, r"optimiser\.batch: 9 is no multiple of 2"),
    ],
)
def test_what_does_not_go_together_is_refused_at_its_key(
    faces: Path, tmp_path: Path, kind: str, parts: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(RecipeInvalid, match=complaint):
        train(renewing(kind, **parts), faces, tmp_path / "run")

    assert not (tmp_path / "run" / "last.pt").exists()


@pytest.mark.slow("starts two processes under torchrun")
@pytest.mark.parametrize("kind", KINDS)
def test_two_processes_renew_what_one_would(
    faces: Path, tmp_path: Path, whole: dict[str, RunFolder], kind: str
) -> None:
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    worker, run = ROOT / "tests" / "support" / "rounds_worker.py", RunFolder(tmp_path / "run")

    subprocess.run(
        [*torchrun, str(worker), kind, str(faces), str(run.path)], check=True, timeout=500, cwd=ROOT
    )

    assert [line["step"] for line in run.metrics() if LOGGED[kind] in line] == [6, 12, 18]
    assert file_of(run, kind).name == file_of(whole[kind], kind).name
    # A process that drew its batches from another pool, tree or cluster would see other faces.
    alone = np.array(losses_of(whole[kind]))
    assert np.array(losses_of(run)) == pytest.approx(alone, rel=1e-2, abs=1e-3)


def losses_of(run: RunFolder) -> list[list[float]]:
    """(steps, terms) of the joined batch."""
    return [list(line["losses"].values()) for line in run.metrics() if "losses" in line]
