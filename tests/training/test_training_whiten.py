"""The last step on labels without training: the network's own last layer takes it up."""

from pathlib import Path

import numpy as np
import pytest
import torch
from fixtures_cli import CommandLine
from made_training import people, tiny_recipe, write_folders
from numpy.typing import NDArray

from training.data.faces import Split, read_faces
from training.embedder.loop import train
from training.embedder.start import build_starting_network
from training.embedder.validation import embed_faces
from training.embedder.weights import load_network
from training.embedder.whiten import choose_faces, whiten
from training.engine.run import RunFolder
from training.errors import CheckpointInvalid
from training.networks.embedder import DenseTrunk, FaceEmbedder

CPU = torch.device("cpu")


def ignore(done: int, of: int) -> None:
    """Nobody watches."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folders(tmp_path_factory.mktemp("data"), people(16, 4))


@pytest.fixture(scope="module")
def run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return train(tiny_recipe(), data, tmp_path_factory.mktemp("runs") / "tiny")


def within(vectors: NDArray[np.float32], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """(dim, dim) covariance of what differs between pictures of one person."""
    spread = np.concatenate([vectors[labels == one] - vectors[labels == one].mean(0) for one in set(labels)])
    return np.cov(spread.T)


def test_the_whitened_network_gives_the_map_of_the_former_outputs(
    run: RunFolder, data: Path, tmp_path: Path
) -> None:
    faces = read_faces(data)
    rows, labels = choose_faces(faces, Split.read(run.path / "split.json"), 10)
    former = load_network(run.chosen)
    crops = torch.from_numpy(faces.crops(rows))
    with torch.inference_mode():
        outputs = former.trunk(former.pixels(crops)).double().numpy()

    made = whiten(run, tmp_path / "white", faces, ignore, smoothing=0.5)

    # The covariance within people, and its inverse root, by plain loops.
    dim, mean = outputs.shape[1], outputs.mean(0)
    scatter, freedom = np.zeros((dim, dim)), 0
    for person in set(labels.tolist()):
        own = outputs[labels == person]
        freedom += len(own) - 1
        for each in own:
            scatter += np.outer(each - own.mean(0), each - own.mean(0))
    covariance = scatter / freedom
    mixed = 0.5 * covariance / (np.trace(covariance) / dim) + 0.5 * np.eye(dim)
    values, directions = np.linalg.eigh(mixed)
    expected = (outputs - mean) @ (directions / np.sqrt(values)) @ directions.T
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    with torch.inference_mode():
        actual = load_network(made.chosen)(crops).numpy()
    assert np.abs(actual - expected).max() < 1e-4


def test_a_person_spreads_more_evenly_afterwards(run: RunFolder, data: Path, tmp_path: Path) -> None:
    faces = read_faces(data)
    rows, labels = choose_faces(faces, Split.read(run.path / "split.json"), 10)

    made = whiten(run, tmp_path / "white", faces, ignore, smoothing=0.9)

    before, after = (
        np.linalg.eigvalsh(within(embed_faces(load_network(one.chosen), faces, rows, CPU), labels))
        for one in (run, made)
    )
    assert after[-1] / after.mean() < before[-1] / before.mean()


def test_nobody_who_is_held_out_and_nobody_with_one_picture_has_a_say(run: RunFolder, data: Path) -> None:
    faces = read_faces(data)
    split = Split.read(run.path / "split.json")

    rows, labels = choose_faces(faces, split, 3)

    chosen = [faces.identities[row] for row in rows]
    assert not set(chosen) & split.held_out
    assert np.bincount(labels).tolist() == [3] * len(set(chosen))


def test_a_training_goes_on_from_a_whitened_network(run: RunFolder, data: Path, tmp_path: Path) -> None:
    faces = read_faces(data)
    made = whiten(run, tmp_path / "white", faces, ignore)
    rows, _ = choose_faces(faces, Split.read(run.path / "split.json"), 10)

    trunk = build_starting_network(tiny_recipe(start_from=str(made.chosen))).eval().trunk

    # Its last normalisation keeps the statistics of what it sees, so a batch of a training changes little.
    assert isinstance(trunk, DenseTrunk)
    seen: list[torch.Tensor] = []
    trunk.project.register_forward_hook(lambda layer, given, made: seen.append(made))
    with torch.inference_mode():
        trunk(FaceEmbedder.pixels(torch.from_numpy(faces.crops(rows))))
    norm = trunk.project_norm
    assert norm.running_mean is not None
    assert norm.running_var is not None
    assert (seen[0].mean(0) - norm.running_mean).abs().max() < 1e-3
    assert (seen[0].var(0, correction=0) / norm.running_var - 1).abs().max() < 1e-3
    assert (made.path / "split.json").read_bytes() == (run.path / "split.json").read_bytes()
    assert (made.path / "seen.json").is_file()


def test_a_network_without_that_last_layer_is_refused(data: Path, tmp_path: Path) -> None:
    vit = {"kind": "vit", "widths": [32], "depths": [1], "dim": 16}
    run = train(tiny_recipe(network=vit), data, tmp_path / "vit")

    with pytest.raises(CheckpointInvalid, match="dense"):
        whiten(run, tmp_path / "white", read_faces(data), ignore)


def test_the_command_makes_a_run_that_is_exported_like_any_other(
    cli: CommandLine, run: RunFolder, data: Path, tmp_path: Path
) -> None:
    done = cli.run("whiten", run.path, "--to", tmp_path / "white", "--data", data, "--json")
    again = cli.run("whiten", run.path, "--to", tmp_path / "white", "--data", data, "--json")

    assert done.document == {"run": str(tmp_path / "white")}
    assert again.status != 0
    assert "a training is here" in again.complaint
