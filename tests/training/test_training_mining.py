"""Training on what was mined: batches, rounds, resuming, and the files beside them."""

import csv
import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fixtures_cli import CommandLine
from made_faces import coarse_bundle, made_faces, pixels_of, write_folder
from made_training import people, tiny_recipe, write_folders

from training.data.confusions import Confusion, read_confusions, write_confusions
from training.data.faces import Split, read_faces
from training.embedder.batches import ByIdentity
from training.embedder.hard_order import LookAlikeOrder
from training.embedder.loop import train
from training.embedder.recipe import Recipe
from training.engine.run import load_checkpoint
from training.errors import PicturesInvalid, PoolInvalid, RecipeInvalid, SplitInvalid
from training.mining.pool import Triplets
from training.mining.triplets import Mining

pytestmark = pytest.mark.not_quick("trains")


class Stopped(Exception):
    """In the middle of a training."""


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve made people with four pictures each."""
    return write_folders(tmp_path_factory.mktemp("data") / "faces", people(12, 4))


def mining_recipe(samples: int = 160, **mining: Any) -> Recipe:
    """Twenty steps over six people in training; the whole set is mined again every six."""
    return tiny_recipe(
        optimiser={"samples": samples},
        data={"sampling": "by_identity", "faces_per_identity": 2},
        mining={"every_epochs": 2, "band": 4.0, "held_back": 0.1, **mining},
    )


def pool_of(run: Path) -> list[dict[str, str]]:
    (path,) = (run / "mined").glob("*-pool.csv")
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@contextmanager
def stopped_after(lines: int, metrics: Path) -> Iterator[None]:
    """Raises in whatever is running once so many steps were logged."""

    def look(*_: object) -> None:
        if metrics.is_file() and metrics.read_text().count("losses") >= lines:
            signal.setitimer(signal.ITIMER_REAL, 0)
            raise Stopped

    former = signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)


def look_alikes(triplets: list[tuple[int, int, int]], confirmed: list[bool], **mining: Any) -> LookAlikeOrder:
    """Twenty people with rows 5 i … 5 i + 4; number 19 has one picture, 18 is held out; batches of 8 x 3."""
    labels = np.repeat(np.arange(20), 5)
    labels[96:] = -1
    labels[90:95] = -1
    rows = np.flatnonzero(labels >= 0)
    order = LookAlikeOrder(ByIdentity(rows, labels, 24, 3, seed=1), labels, Mining(**mining), seed=1)
    anchor, positive, negative = np.array(triplets, np.int64).reshape(-1, 3).T
    d = np.zeros(len(anchor), np.float32)
    order.take(Triplets(anchor, positive, negative, d, d, np.array(confirmed, np.bool_)))
    return order


def test_a_batch_holds_the_mined_pictures_and_as_many_people_as_ever() -> None:
    triplets = [(0, 1, 5), (10, 12, 95), (20, 21, 33)]
    order = look_alikes(triplets, [False] * 3, random=0.25)

    batches = [order.rows_of(step) for step in range(30)]

    for batch in batches:
        people = [{int(order.labels[row]) for row in batch[place : place + 3]} for place in range(0, 24, 3)]
        assert all(len(each) == 1 for each in people)
        assert len(set.union(*people)) == 8
        assert all(set(triplet) <= set(batch.tolist()) for triplet in triplets)
        assert (order.labels[batch] >= 0).all()
    assert [order.rows_of(step).tolist() for step in range(30)] == [batch.tolist() for batch in batches]


def test_the_random_share_of_a_batch_is_not_mined() -> None:
    triplets = [(5 * i, 5 * i + 1, 5 * i + 5) for i in range(0, 16, 2)]
    order = look_alikes(triplets, [False] * 8, random=0.75)

    for step in range(20):
        batch = set(order.rows_of(step).tolist())
        assert any(set(triplet) <= batch for triplet in triplets)
        assert len({int(order.labels[row]) for row in batch}) == 8


def test_a_known_confusion_has_a_share_of_its_own_however_many_were_mined() -> None:
    mined = [(5 * i, 5 * i + 1, 5 * j) for i in range(2, 17) for j in range(2, 17) if i != j]
    order = look_alikes([(0, 1, 5), *mined], [True] + [False] * len(mined), random=0.75, known=0.5)

    hits = sum({0, 1, 5} <= set(order.rows_of(step).tolist()) for step in range(100))

    assert 30 < hits < 95


def test_who_is_held_out_is_in_no_batch_though_a_list_names_them() -> None:
    order = look_alikes([(90, 91, 0), (0, 1, 92)], [False, False])

    assert len(order.pool) == 0
    assert all((order.labels[order.rows_of(step)] >= 0).all() for step in range(20))


def test_a_training_mines_again_as_the_network_moves(faces: Path, tmp_path: Path) -> None:
    run = train(mining_recipe(), faces, tmp_path / "run")

    mined_at = [line["step"] for line in run.metrics() if "mined" in line]
    pool = pool_of(run.path)
    review = json.loads((run.path / "mined" / "review.json").read_text())
    page = (run.path / "mined" / "review.html").read_text()
    held_out = Split.read(run.path / "split.json").held_out
    assert mined_at == [6, 12, 18]
    assert load_checkpoint(run.last)["step"] == 20
    assert len(pool) > 10
    for line in pool:
        who = {column: line[column].split("/")[0] for column in ("anchor", "positive", "negative")}
        assert who["anchor"] == who["positive"] != who["negative"]
        assert not held_out & set(who.values())
    assert len(review["suspects"]) >= 1
    assert page.count("data:image/jpeg;base64,") == 2 * len(review["suspects"])


@pytest.mark.slow("trains twice, once stopped")
def test_a_training_stopped_between_two_minings_and_resumed_is_the_one_that_was_not(
    faces: Path, tmp_path: Path
) -> None:
    recipe = tiny_recipe(
        optimiser={"samples": 320},
        data={"sampling": "by_identity", "faces_per_identity": 2},
        mining={"every_epochs": 2, "band": 4.0},
        machine={"checkpoint_minutes": 0.0},
    )
    whole = train(recipe, faces, tmp_path / "whole")

    # torch wraps whatever is raised while it loads weights.
    with (
        pytest.raises((Stopped, RuntimeError)),
        stopped_after(14, tmp_path / "stopped" / "metrics.jsonl"),
    ):
        train(recipe, faces, tmp_path / "stopped")
    at = load_checkpoint(tmp_path / "stopped" / "last.pt")["step"]
    resumed = train(recipe, faces, tmp_path / "stopped", resume=True)

    assert 12 < at < 40
    ended, expected = (load_checkpoint(run.last) for run in (resumed, whole))
    assert all(torch.equal(ended["ema"][name], value) for name, value in expected["ema"].items())


def test_known_confusions_are_trained_on(faces: Path, tmp_path: Path) -> None:
    first = train(mining_recipe(samples=8), faces, tmp_path / "first")
    held_out = Split.read(first.path / "split.json").held_out
    one, other = sorted(set(read_faces(faces).identities) - held_out)[:2]
    write_confusions(tmp_path / "known.csv", [Confusion(one, other, "false_accept"), Confusion("x", "y")])

    run = train(
        mining_recipe(confusions=str(tmp_path / "known.csv"), band=0.0, neighbours=1), faces, tmp_path / "run"
    )

    known = [line for line in pool_of(run.path) if line["known"] == "1"]
    assert {line["anchor"].split("/")[0] for line in known} == {one, other}
    assert len(known) == 4


def test_a_training_begins_with_the_list_it_is_given(faces: Path, tmp_path: Path) -> None:
    first = train(mining_recipe(), faces, tmp_path / "first")
    (given,) = (first.path / "mined").glob("*-pool.csv")

    with_list = train(mining_recipe(samples=48, pool=str(given)), faces, tmp_path / "with")
    without = train(mining_recipe(samples=48), faces, tmp_path / "without")

    ended, other = (load_checkpoint(run.last)["ema"] for run in (with_list, without))
    assert any(not torch.equal(ended[name], value) for name, value in other.items())


def test_hard_negatives_need_batches_by_identity(faces: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeInvalid, match=r"data\.sampling: hard negatives need batches by identity"):
        train(tiny_recipe(mining={"every_epochs": 1}), faces, tmp_path / "run")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("hello\n1\n", "not a list of identity_a,identity_b,reason"),
        ("identity_a,identity_b\nann,ann\n", "line 2 does not name two identities"),
        ("identity_a,identity_b,reason\nann,bo,x\n,bo,\n", "line 3 does not name two identities"),
        ("identity_a,identity_b\nann\n", "not a list of identity_a,identity_b,reason"),
    ],
)
def test_known_confusions_that_cannot_be_used_are_refused(content: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / "known.csv").write_text(content)

    with pytest.raises(PoolInvalid, match=reason):
        read_confusions(tmp_path / "known.csv")


def test_one_identity_only_cannot_be_trained_on(tmp_path: Path) -> None:
    one = write_folders(tmp_path / "one", people(1, 4))

    with pytest.raises(RecipeInvalid, match="needs two identities, there are 1"):
        train(tiny_recipe(data={"held_out": 0.0}), one, tmp_path / "run")
    with pytest.raises(SplitInvalid, match="1 identities have two pictures"):
        train(tiny_recipe(), one, tmp_path / "run")


def test_a_folder_without_pictures_is_refused_before_anything_is_trained(tmp_path: Path) -> None:
    texts = write_folder(tmp_path / "texts", {"ann/notes.txt": b"hello", "bo/list.csv": b"1,2"})
    broken = write_folder(tmp_path / "broken", {"ann/1.png": b"?", "bo/1.jpg": b""})

    with pytest.raises(PicturesInvalid, match="holds no picture"):
        train(tiny_recipe(), texts, tmp_path / "run")
    with pytest.raises(PicturesInvalid, match="holds no face that can be used"):
        train(tiny_recipe(), broken, tmp_path / "run")
    assert not (tmp_path / "run" / "last.pt").exists()


def test_identities_with_one_picture_each_can_be_neither_held_out_nor_mined(
    tmp_path: Path, cli: CommandLine, shipped_bundle: Path
) -> None:
    each = write_folders(tmp_path / "each", people(5, 1))
    bundle = coarse_bundle(tmp_path / "coarse", shipped_bundle / "detector.onnx").path

    ended = cli.run("mine", "--images", each, "--bundle", bundle, "--to", tmp_path / "to", "--aligned")

    assert ended.status == 2
    assert "no identity has two pictures" in ended.stderr
    with pytest.raises(SplitInvalid, match="0 identities have two pictures"):
        train(mining_recipe(), each, tmp_path / "run")


def test_the_command_mines_with_a_bundle_and_writes_the_list_and_the_page(
    cli: CommandLine, tmp_path: Path, shipped_bundle: Path
) -> None:
    faces = made_faces(12, 3, spread=0.9)
    faces["p001/9.png"] = faces["p002/0.png"]
    images = write_folder(tmp_path / "faces", faces)
    (images / "p003" / "8.png").write_bytes(b"?")
    write_confusions(tmp_path / "known.csv", [Confusion("p004", "p005"), Confusion("p004", "nobody")])
    bundle = coarse_bundle(tmp_path / "coarse", shipped_bundle / "detector.onnx").path
    options = ("--images", images, "--bundle", bundle, "--to", tmp_path / "to", "--aligned")

    ended = cli.run("mine", *options, "--known", tmp_path / "known.csv", "--band", "4", "--json")
    shown = cli.run("mine", *options, "--held-back", "0")

    assert ended.status == shown.status == 0, ended.stderr
    assert ended.document["pictures"] == 37
    assert ended.document["failures"] == 1
    assert ended.document["known"] == 4
    assert ended.document["unused"] == [["p004", "nobody"]]
    review = json.loads((tmp_path / "to" / "review.json").read_text())["suspects"]
    assert [(each["identity_a"], each["identity_b"]) for each in review] == [("p001", "p002")]
    assert "p001,p002" in (tmp_path / "to" / "review.html").read_text()
    assert "held back as probable label noise" in shown.stdout
    vectors = {name: pixels_of(faces[name]).astype(float).ravel() - 128 for name in faces}
    with (tmp_path / "to" / "pool.csv").open(newline="") as file:
        first = next(csv.DictReader(file))
    unit = {name: vector / np.linalg.norm(vector) for name, vector in vectors.items()}
    d = float(np.square(unit[first["anchor"]] - unit[first["negative"]]).sum())
    assert float(first["d_negative"]) == pytest.approx(d, abs=1e-3)


def test_the_command_mines_with_a_run_and_leaves_out_whom_the_run_held_out(
    cli: CommandLine, faces: Path, tmp_path: Path
) -> None:
    run = train(tiny_recipe(), faces, tmp_path / "run")
    held_out = Split.read(run.path / "split.json").held_out

    ended = cli.run(
        "mine", "--images", faces, "--run", run.path, "--to", tmp_path / "to", "--band", "4", "--json"
    )

    assert ended.status == 0, ended.stderr
    assert ended.document["pictures"] == 24
    assert not any(name in (tmp_path / "to" / "pool.csv").read_text() for name in held_out)
