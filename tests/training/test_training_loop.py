"""The training loop, through its front door, on a network that learns in seconds."""

import json
import math
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from full_disk import files_of_at_most
from made_training import TINY_NETWORK, people, tiny_recipe, write_folders
from precision import tolerance

from training.data.faces import read_faces
from training.data.seen import Seen
from training.embedder.distributed import join_processes
from training.embedder.export import write_onnx
from training.embedder.loop import train
from training.embedder.material import gather
from training.embedder.recipe import Recipe
from training.embedder.start import build_starting_network
from training.embedder.teacher import Teacher
from training.embedder.weights import load_network
from training.engine.run import RunFolder, load_checkpoint, save_checkpoint
from training.errors import (
    CheckpointInvalid,
    CheckpointNotSaved,
    LossNotFinite,
    RecipeInvalid,
    UnknownLoss,
)
from training.networks.backbones import build_network

pytestmark = pytest.mark.not_quick("trains")

ROOT = Path(__file__).resolve().parents[2]

RECIPE_FILE = """
seed = 20261121
[network]
widths = [8, 8, 8]
depths = [1, 1, 1]
dim = 16
head_channels = 4
[optimiser]
samples = 480
batch = 8
warm_up_steps = 2
[data]
held_out = 0.5
loaders = 0
[machine]
compile = false
log_steps = 1
checkpoint_minutes = 0.0
[[losses]]
name = "contrastive"
"""


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve made people with four pictures each."""
    return write_folders(tmp_path_factory.mktemp("data") / "faces", people(12, 4))


@pytest.fixture(scope="module")
def taught(faces: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the same faces and an untrained network of ours as the teacher, made NCHW float."""
    data = tmp_path_factory.mktemp("taught")
    (data / "faces").symlink_to(faces)
    torch.manual_seed(1)
    trunk = build_network(tiny_recipe().network).trunk.eval()
    write_onnx(trunk, data / "teacher.onnx", torch.zeros(2, 3, 112, 112))
    return data


def losses_by_step(run: Path) -> dict[int, dict[str, float]]:
    """Step → losses; of a step that was done twice, the second."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return {line["step"]: line["losses"] for line in lines if "losses" in line}


def in_a_process(recipe: Path, data: Path, run: Path, *launcher: str) -> list[str]:
    """The command that trains by the command line."""
    invigil = [sys.executable, str(ROOT / "invigil.py"), "train", str(recipe)]
    return [*launcher, *invigil, "--data", str(data), "--run", str(run)]


def test_the_loss_falls_and_the_last_checkpoint_is_of_the_last_step(faces: Path, tmp_path: Path) -> None:
    run = train(tiny_recipe(optimiser={"samples": 160}), faces, tmp_path / "run")

    losses = [losses["contrastive"] for losses in losses_by_step(run.path).values()]
    assert sum(losses[-5:]) < sum(losses[:5])
    assert load_checkpoint(run.last)["step"] == 20


def test_a_run_records_its_recipe_its_data_and_whom_it_saw(faces: Path, tmp_path: Path) -> None:
    run = train(tiny_recipe(), faces, tmp_path / "run")

    record = json.loads((run.path / "run.json").read_text())
    split = json.loads((run.path / "split.json").read_text())
    seen = Seen.read(run.path)
    everyone = read_faces(faces)
    assert record["data"] == {"digest": everyone.digest, "faces": 48, "trained_on": 24}
    assert record["recipe"]["optimiser"]["batch"] == 8
    assert seen.identities == set(everyone.identities) - set(split["calibrate"]) - set(split["test"])
    assert len(seen.digests) == 24


@pytest.mark.slow("trains twice, once killed")
def test_a_run_says_beside_its_rate_what_the_arithmetic_of_the_machine_allows(
    tmp_path: Path, faces: Path
) -> None:
    run = train(tiny_recipe(), faces, tmp_path / "run")

    (limit,) = [line["limit"] for line in run.metrics() if "limit" in line]
    stem_and_stages = 28 * 28 * 9 * (48 * 8 + 2 * 8 * 8) + (14 * 14 + 7 * 7) * 9 * 2 * 8 * 8
    assert limit["multiply_adds"] == stem_and_stages + 7 * 7 * 8 * 4 + 4 * 7 * 7 * 16
    assert limit["precision"] == "float32"
    expected = limit["machine"] / (3 * limit["multiply_adds"])
    assert limit["images_per_second"] == pytest.approx(expected, rel=1e-2)


def test_a_training_killed_and_resumed_is_the_training_that_was_not(faces: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(RECIPE_FILE)
    whole, killed = tmp_path / "whole", tmp_path / "killed"

    subprocess.run(in_a_process(recipe, faces, whole), check=True)
    process = subprocess.Popen(in_a_process(recipe, faces, killed))
    metrics = killed / "metrics.jsonl"
    while process.poll() is None and not (metrics.is_file() and metrics.read_text().count("losses") > 5):
        time.sleep(0.01)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    stopped_at = load_checkpoint(killed / "last.pt")["step"]
    subprocess.run([*in_a_process(recipe, faces, killed), "--resume"], check=True)

    assert 0 < stopped_at < 60
    assert losses_by_step(killed) == losses_by_step(whole)
    ended, expected = (load_checkpoint(run / "last.pt") for run in (killed, whole))
    assert all(torch.equal(ended["ema"][name], value) for name, value in expected["ema"].items())


def test_a_loss_that_is_not_finite_stops_the_training_and_names_the_step(faces: Path, tmp_path: Path) -> None:
    recipe = tiny_recipe(optimiser={"learning_rate": 1e38}, machine={"checkpoint_minutes": 60.0})

    with pytest.raises(LossNotFinite, match=r"The loss of step \d+ is not finite.*last\.pt") as stopped:
        train(recipe, faces, tmp_path / "run")

    kept = load_checkpoint(tmp_path / "run" / "last.pt")
    assert 1 < stopped.value.step <= 10
    assert all(value.isfinite().all() for value in kept["weights"].values())


def test_a_full_disk_leaves_the_former_checkpoint_whole(faces: Path, tmp_path: Path) -> None:
    run = train(tiny_recipe(), faces, tmp_path / "run")
    former = run.last.read_bytes()

    with files_of_at_most(len(former) // 2), pytest.raises(CheckpointNotSaved, match="File too large"):
        train(tiny_recipe(optimiser={"samples": 160}), faces, run.path, resume=True)

    assert run.last.read_bytes() == former
    assert sorted(file.suffix for file in run.path.iterdir()) == [".json"] * 3 + [".jsonl", ".pt", ".pt"]


def test_a_checkpoint_of_another_network_is_refused_by_the_first_difference(
    faces: Path, tmp_path: Path
) -> None:
    run = train(tiny_recipe(), faces, tmp_path / "run")
    wider = tiny_recipe(network={**TINY_NETWORK, "widths": [8, 8, 16]})

    with pytest.raises(CheckpointInvalid, match=r"another network: trunk\.head\.weight is \(4, 8, 1, 1\)"):
        train(wider, faces, run.path, resume=True)


def test_a_checkpoint_of_other_faces_is_refused(faces: Path, tmp_path: Path) -> None:
    run = train(tiny_recipe(), faces, tmp_path / "run")
    others = write_folders(tmp_path / "others", people(12, 4, seed=9))

    with pytest.raises(CheckpointInvalid, match="other faces"):
        train(tiny_recipe(), others, run.path, resume=True)


def test_a_file_that_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.pt").write_text("weights")
    save_checkpoint(tmp_path / "old.pt", {"format": 0})

    for name in ("text.pt", "old.pt", "absent.pt"):
        with pytest.raises(CheckpointInvalid, match=name):
            load_network(tmp_path / name)


def test_a_training_is_not_overwritten_by_another(faces: Path, tmp_path: Path) -> None:
    run = train(tiny_recipe(), faces, tmp_path / "run")
    former = run.last.read_bytes()

    with pytest.raises(CheckpointInvalid, match="resume it, or choose another folder"):
        train(tiny_recipe(), faces, run.path)

    assert run.last.read_bytes() == former


def teaching(**part: Any) -> Recipe:
    return tiny_recipe(
        losses=[{"name": "distil_cosine"}],
        teacher={"path": "teacher.onnx", "mean": [127.5] * 3, "std": [127.5] * 3, **part},
    )


def test_a_teacher_that_is_our_own_network_says_what_that_network_says(taught: Path) -> None:
    teacher = Teacher(teaching(mode="live").teacher, taught, 16, threads=1)
    torch.manual_seed(1)
    network = build_network(tiny_recipe().network).eval()
    crops = read_faces(taught / "faces").crops(range(8))

    with torch.inference_mode():
        expected = network(torch.from_numpy(crops)).numpy()

    assert np.abs(teacher(crops) - expected).max() < tolerance(f32=1e-4, bf16=2e-2)


@pytest.mark.parametrize("mode", ["cached", "live"])
@pytest.mark.parametrize("mix", [0.0, 0.5])
def test_a_student_comes_nearer_to_its_teacher(taught: Path, tmp_path: Path, mode: str, mix: float) -> None:
    run = train(teaching(mode=mode, mix=mix), taught, tmp_path / "run")

    losses = [line["losses"]["distil_cosine"] for line in run.metrics() if "losses" in line]
    assert len(losses) == 10
    assert losses[-1] < losses[0]


def test_a_mix_of_two_faces_is_labelled_by_what_the_teacher_sees_before_it_is_altered(
    taught: Path, tmp_path: Path
) -> None:
    recipe = teaching(mode="cached", mix=0.5)
    with join_processes(1) as process:
        material = gather(recipe, taught, RunFolder.create(tmp_path / "run", resume=False), process)

    (batch,) = material.batches(range(1), 0)

    assert material.cached is not None
    assert material.teacher is not None
    assert batch.targets is not None
    mixed = batch.mixed.tolist()
    single = [place for place in range(len(batch.rows)) if place not in mixed]
    assert 0 < len(mixed) < len(batch.rows)
    assert torch.equal(batch.targets[single], material.cached[batch.rows[single]])
    expected = material.teacher.embed_both_sides(batch.unaltered.numpy())
    assert np.abs(batch.targets[mixed].numpy() - expected).max() < tolerance(f32=1e-5, bf16=2e-2)
    assert not torch.equal(batch.faces[mixed], batch.unaltered)
    assert (batch.labels[mixed] == -1).all()


def test_what_a_teacher_said_of_the_same_faces_is_not_asked_again(taught: Path, tmp_path: Path) -> None:
    train(teaching(mode="cached"), taught, tmp_path / "first")
    (stored,) = (tmp_path / "targets").iterdir()
    written_at = stored.stat().st_mtime_ns

    train(teaching(mode="cached"), taught, tmp_path / "second")

    assert [file.stat().st_mtime_ns for file in (tmp_path / "targets").iterdir()] == [written_at]
    targets = np.load(stored)
    assert targets.shape == (48, 16)
    assert np.allclose(np.linalg.norm(targets, axis=1), 1, atol=1e-5)


def test_a_second_stage_holds_the_same_people_out_and_starts_from_the_first(
    faces: Path, tmp_path: Path
) -> None:
    first = train(tiny_recipe(), faces, tmp_path / "first")
    recipe = tiny_recipe(
        losses=[{"name": "proxy_nca_plus", "weight": 0.1}, {"name": "triplet"}],
        data={"held_out": 0.5, "loaders": 0, "sampling": "by_identity", "faces_per_identity": 2},
        start_from=str(first.best),
        seed=7,
    )

    second = train(recipe, faces, tmp_path / "second")

    assert (second.path / "split.json").read_text() == (first.path / "split.json").read_text()
    judged = [line["held_out_fnmr"] for line in second.metrics() if "held_out_fnmr" in line]
    before = [line["held_out_fnmr"] for line in first.metrics() if "held_out_fnmr" in line]
    assert judged[0] in before


def test_a_wider_network_begins_as_what_the_narrow_one_was_and_learns_with_all_of_its_width(
    faces: Path, tmp_path: Path
) -> None:
    narrow = train(tiny_recipe(), faces, tmp_path / "narrow")
    network = TINY_NETWORK | {"widths": [12, 12, 12], "head_channels": 6}
    recipe = tiny_recipe(start_from=str(narrow.last), widen=True, network=network)

    begun = build_starting_network(recipe).eval()
    run = train(recipe, faces, tmp_path / "wide")

    crops = torch.from_numpy(read_faces(faces).crops(range(6)))
    former = load_network(narrow.last).eval()
    with torch.no_grad():
        torch.testing.assert_close(begun(crops), former(crops), rtol=0, atol=1e-5)
    before, after = begun.state_dict(), load_checkpoint(run.last)["weights"]
    unchanged = [
        name for name in before if name.endswith(".weight") and torch.equal(before[name], after[name])
    ]
    assert unchanged == []
    assert after["trunk.head.weight"][:4, 8:].abs().min() > 0  # old channels came to read new ones


def test_a_network_is_not_widened_to_a_narrower_one(faces: Path, tmp_path: Path) -> None:
    wide = train(tiny_recipe(), faces, tmp_path / "wide")
    network = TINY_NETWORK | {"widths": [8, 8, 4]}

    with pytest.raises(CheckpointInvalid, match="it cannot be widened to this network"):
        build_starting_network(tiny_recipe(start_from=str(wide.last), widen=True, network=network))


def test_faces_without_a_label_are_not_seen_by_losses_on_labels(tmp_path: Path) -> None:
    made = people(12, 2)
    folder = write_folders(tmp_path / "faces", made)
    for number, (picture, *_) in enumerate(people(8, 1, seed=5).values()):
        (folder / f"{number}.png").write_bytes(picture)

    run = train(tiny_recipe(losses=[{"name": "arcface"}]), folder, tmp_path / "run")

    losses = [line["losses"]["arcface"] for line in run.metrics() if "losses" in line]
    assert all(math.isfinite(loss) for loss in losses)


def test_a_loss_that_wants_a_teacher_is_refused_without_one(faces: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeInvalid, match=r"teacher\.mode: distil_cosine needs a teacher"):
        train(tiny_recipe(losses=[{"name": "distil_cosine"}]), faces, tmp_path / "run")


def test_an_unknown_loss_is_refused_before_the_training(faces: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownLoss, match="did you mean 'triplet'"):
        train(tiny_recipe(losses=[{"name": "triplets"}]), faces, tmp_path / "run")


@pytest.mark.slow("starts two processes under torchrun")
def test_two_processes_train_together_under_torchrun(faces: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(RECIPE_FILE.replace("samples = 480", "samples = 80"))
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--no-python", "--"]

    subprocess.run(in_a_process(recipe, faces, tmp_path / "run", *launcher), check=True, timeout=500)

    assert load_checkpoint(tmp_path / "run" / "last.pt")["step"] == 10
    assert list(losses_by_step(tmp_path / "run")) == list(range(1, 11))


@pytest.mark.slow("starts torch in a process of its own")
def test_a_machine_without_a_compiler_trains_all_the_same_and_says_so(faces: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(RECIPE_FILE.replace("compile = false", "compile = true").replace("480", "80"))
    without = os.environ | {"CXX": str(tmp_path / "no-such-compiler")}

    done = subprocess.run(
        in_a_process(recipe, faces, tmp_path / "run"),
        env=without,
        stderr=subprocess.PIPE,
        text=True,
        check=True,
    )

    assert done.stderr.startswith("There is no sign of a C++ compiler")
    assert load_checkpoint(tmp_path / "run" / "last.pt")["step"] == 10


def test_a_second_stage_may_keep_the_statistics_of_its_normalisations(faces: Path, tmp_path: Path) -> None:
    first = train(tiny_recipe(), faces, tmp_path / "first")

    second = train(tiny_recipe(start_from=str(first.last), freeze_norms=True), faces, tmp_path / "second")

    before, after = load_checkpoint(first.last)["ema"], load_checkpoint(second.last)["weights"]
    statistics = [name for name in before if name.endswith(("running_mean", "running_var"))]
    assert statistics
    assert all(torch.equal(before[name], after[name]) for name in statistics)
    assert not torch.equal(before["trunk.stem_norm.weight"], after["trunk.stem_norm.weight"])


@pytest.mark.parametrize(("forgets_start", "share"), [(True, 0.1), (False, 0.75)])
def test_an_average_keeps_a_share_of_the_network_it_began_with_unless_it_forgets_it(
    forgets_start: bool, share: float, faces: Path, tmp_path: Path
) -> None:
    first = train(tiny_recipe(), faces, tmp_path / "first")
    one_step = tiny_recipe(start_from=str(first.last))
    part = replace(one_step.optimiser, samples=8, average=0.75, forgets_start=forgets_start)

    second = train(replace(one_step, optimiser=part), faces, tmp_path / "second")

    start, end = load_checkpoint(first.last)["ema"], load_checkpoint(second.last)
    for name, value in start.items():
        if value.is_floating_point():
            assert torch.allclose(
                end["ema"][name], share * value + (1 - share) * end["weights"][name], atol=1e-6
            )
