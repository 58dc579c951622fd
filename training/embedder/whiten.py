"""A last step on labels, in closed form: within-class covariance normalisation of an embedding network.

Directions in which pictures of one person differ count less, and the mean of all faces becomes the origin.
Both go into the network's last layer, so that it keeps its shape and its speed.

Source: Hatch, Kajarekar and Stolcke, "Within-class covariance normalization for SVM-based speaker
recognition", Interspeech 2006; with smoothing as there, section 3.2.
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from training.data.faces import SPLIT, FaceSet, Rows, Split, class_labels
from training.data.seen import FILE as SEEN
from training.embedder.weights import load_network
from training.engine.run import RunFolder, load_checkpoint, save_checkpoint
from training.errors import CheckpointInvalid, SplitInvalid
from training.networks.embedder import DenseTrunk, FaceEmbedder

Matrix = NDArray[np.float64]
Progress = Callable[[int, int], None]
"""Called with faces done and faces in all."""

SMOOTHING = 0.3
"""Share of the measured covariance; the rest is round. Chosen on the people held out for calibration."""
PICTURES = 10
"""Most pictures of one person: of people with hundreds, their one camera would count too much."""
BATCH = 32


@dataclass(frozen=True)
class Whitening:
    """An affine map of a network's outputs before they get unit length.

    Attributes:
        mean: (dim,) becomes the origin.
        matrix: (dim, dim) symmetric; applied after the mean is taken away.
        spread: (dim,) standard deviation of each number afterwards.
    """

    mean: Matrix
    matrix: Matrix
    spread: Matrix


def whiten(
    source: RunFolder,
    folder: Path,
    faces: FaceSet,
    progress: Progress,
    smoothing: float = SMOOTHING,
    pictures: int = PICTURES,
) -> RunFolder:
    """Whiten the chosen network of a run, by its labelled training faces, into a run of its own.

    Args:
        source: A run of the shipped kind of network, with its split.
        folder: Of the new run, which is exported like any other.
        faces: That it was trained on.
        progress: Told how far it is.
        smoothing: Share of the measured covariance, 0 to 1.
        pictures: Most of one person.

    Raises:
        CheckpointInvalid: If the network has another last layer, or the folder holds a training.
        CheckpointNotSaved: If the disk is full.
        SplitInvalid: If the run does not say who is held out, or too few others have two pictures.
    """
    split = Split.read(source.path / SPLIT)
    with RunFolder.open(folder, resume=False) as run:
        used = whiten_checkpoint(source.chosen, run.last, faces, split, progress, smoothing, pictures)
        for name in (SPLIT, SEEN):
            shutil.copyfile(source.path / name, run.path / name)
        run.record("run", {"whitened": str(source.chosen), "smoothing": smoothing, "faces": used})
        return run


def whiten_checkpoint(
    checkpoint: Path,
    to: Path,
    faces: FaceSet,
    split: Split,
    progress: Progress,
    smoothing: float = SMOOTHING,
    pictures: int = PICTURES,
) -> int:
    """Write a checkpoint whose network is whitened by the labelled faces that a split lets be trained on.

    Returns:
        How many faces were used.

    Raises:
        CheckpointInvalid, CheckpointNotSaved, SplitInvalid: As `whiten`.
    """
    network = load_network(checkpoint)
    if not isinstance(network.trunk, DenseTrunk):
        raise CheckpointInvalid(checkpoint, "only the last layer of a `dense` network can be whitened")
    rows, labels = choose_faces(faces, split, pictures)
    outputs = compute_raw_outputs(network, faces, rows, progress)
    fold(network.trunk, fit(outputs, labels, smoothing))
    former = load_checkpoint(checkpoint)
    kept = {name: former[name] for name in ("format", "network")}
    save_checkpoint(to, {**kept, "ema": network.state_dict()})
    return len(rows)


def choose_faces(faces: FaceSet, split: Split, pictures: int) -> tuple[Rows, Rows]:
    """Rows of people who are trained on and have two pictures or more, and the number of each one's person.

    Raises:
        SplitInvalid: If there are fewer than two.
    """
    labels = class_labels(faces, split.training_rows(faces))
    order = np.random.default_rng(split.seed).permutation(np.flatnonzero(labels >= 0))
    people: dict[int, list[int]] = {}
    for row in order.tolist():
        of_person = people.setdefault(int(labels[row]), [])
        if len(of_person) < pictures:
            of_person.append(row)
    several = [rows for rows in people.values() if len(rows) > 1]
    if len(several) < 2:
        raise SplitInvalid(
            f"{len(several)} people who are trained on have two pictures; two people are needed."
        )
    numbers = np.repeat(np.arange(len(several)), [len(rows) for rows in several])
    return np.concatenate([np.array(rows, np.int64) for rows in several]), numbers


@torch.inference_mode()
def compute_raw_outputs(network: FaceEmbedder, faces: FaceSet, rows: Rows, progress: Progress) -> Matrix:
    """(k, dim) what the trunk makes of some faces, before it gets unit length."""
    parts = []
    for start in range(0, len(rows), BATCH):
        crops = torch.from_numpy(faces.crops(rows[start : start + BATCH]))
        parts.append(network.trunk(network.pixels(crops)).double().numpy())
        progress(min(start + BATCH, len(rows)), len(rows))
    return np.concatenate(parts)


def fit(outputs: Matrix, labels: Rows, smoothing: float) -> Whitening:
    """The map that makes the spread within a person alike in all directions.

    Args:
        outputs: (k, dim) of several pictures of several people.
        labels: (k,) whose they are, 0 … c - 1.
        smoothing: Share of the measured covariance; the rest is a round one of the same size.
    """
    counts = np.bincount(labels)
    means = np.stack([np.bincount(labels, column) / counts for column in outputs.T], axis=1)
    within = outputs - means[labels]
    covariance = within.T @ within / (len(outputs) - len(counts))
    dim = len(covariance)
    smooth = smoothing * covariance + (1 - smoothing) * np.eye(dim) * np.trace(covariance) / dim
    values, directions = np.linalg.eigh(smooth / (np.trace(covariance) / dim))
    matrix = directions @ np.diag(values**-0.5) @ directions.T
    mean = outputs.mean(0)
    return Whitening(mean, matrix, ((outputs - mean) @ matrix).std(0))


@torch.no_grad()
def fold(trunk: DenseTrunk, whitening: Whitening) -> None:
    """Put the map into the last layer and its normalisation.

    The normalisation keeps the mean and the spread of what it sees, so that a training may go on from here.
    """
    norm = trunk.project_norm
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
    shift = norm.bias.double() - scale * norm.running_mean.double()
    matrix = torch.from_numpy(whitening.matrix)
    mean, spread = torch.from_numpy(whitening.mean), torch.from_numpy(whitening.spread)
    trunk.project.weight.copy_(matrix @ (scale[:, None] * trunk.project.weight.double()))
    # The layer gives matrix @ (output - shift), whose mean is this.
    norm.running_mean.copy_(matrix @ (mean - shift))
    norm.running_var.copy_(spread**2)
    norm.weight.copy_((spread**2 + norm.eps).sqrt())
    norm.bias.zero_()
