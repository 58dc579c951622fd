"""Train the face detector: recipe and photos to a run folder with checkpoints and metrics.

A run continues from its last checkpoint. New views are drawn from there: the curve continues, but with other
views.
"""

from collections.abc import Iterator
from dataclasses import asdict, astuple, fields
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from index.jobs.places import resolve_checkpoint
from training.detection.assign import cell_points
from training.detection.augment import Composer
from training.detection.bank import open_bank
from training.detection.batches import DetectorBatch, DetectorViews, load_batches
from training.detection.data import read_photos, split_photos
from training.detection.loss import detection_losses, flatten_grids
from training.detection.recipe import DetectorRecipe
from training.detection.teacher import DetectorTeacher
from training.engine.keeper import Keeper, Pace
from training.engine.loop import run_steps
from training.engine.optimise import Average, build_optimiser
from training.engine.run import FORMAT, RunFolder, load_checkpoint, load_weights
from training.errors import CheckpointInvalid
from training.networks.detector import FaceDetector
from training.progress import progress_bar

KIND = "face detector"


class DetectorTraining:
    """Network, moving average and optimiser at one step."""

    def __init__(self, recipe: DetectorRecipe) -> None:
        torch.manual_seed(recipe.seed)
        self.schedule = recipe
        self.step = 0
        self.network = FaceDetector().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = Average(self.network, recipe.average)
        self.optimiser = build_optimiser(self.network, recipe)
        self.weights = torch.tensor(astuple(recipe.weights))
        self.names = [part.name for part in fields(recipe.weights)]
        self._points: dict[int, Tensor] = {}

    @property
    def samples(self) -> int:
        """Views seen so far, to what the shares of the shapes say."""
        shapes = self.schedule.shapes
        mean = sum(shape.count * shape.share for shape in shapes) / sum(shape.share for shape in shapes)
        return round(self.step * mean)

    def losses(self, batch: DetectorBatch) -> Tensor:
        """(4,) of the network as it is, in the order of `names`."""
        # The loader's (n, s, s, 3) bytes are channels-last already; nothing is copied but the conversion.
        pictures = batch.pictures.permute(0, 3, 1, 2).float()
        if batch.size not in self._points:
            self._points[batch.size] = torch.from_numpy(cell_points(batch.size, batch.size))
        cells = flatten_grids(self.network(pictures))
        found = detection_losses(cells, self._points[batch.size], batch.owners, batch.scores, batch.faces)
        return torch.stack([getattr(found, name) for name in self.names])

    def parameters(self) -> Iterator[nn.Parameter]:
        """Of the network."""
        yield from self.network.parameters()

    def checkpoint(self) -> dict[str, Any]:
        """Everything needed to go on."""
        return {
            "format": FORMAT,
            "kind": KIND,
            "step": self.step,
            "recipe": asdict(self.schedule),
            "weights": self.network.state_dict(),
            "ema": self.average.values,
            "optimiser": self.optimiser.state_dict(),
        }

    def begin_as(self, path: Path) -> None:
        """Begin with the averaged weights of a checkpoint.

        Raises:
            CheckpointInvalid: If it is none of a face detector of this shape.
        """
        load_weights(self.network, _checkpoint(path)["ema"], path)
        self.average = Average(self.network, self.schedule.average)

    def restore(self, path: Path) -> None:
        """Go on from a checkpoint.

        Raises:
            CheckpointInvalid: If it is none of a face detector of this shape.
        """
        checkpoint = _checkpoint(path)
        load_weights(self.network, checkpoint["weights"], path)
        self.average.restore(checkpoint["ema"])
        self.optimiser.load_state_dict(checkpoint["optimiser"])
        self.step = checkpoint["step"]


def train_detector(
    recipe: DetectorRecipe, data: Path, run: RunFolder, *, resume: bool = False
) -> DetectorTraining:
    """Train to the recipe's last step, with a checkpoint every few minutes.

    Args:
        recipe: What to do.
        data: Folder with `detect/`, and, when the recipe pastes faces, `faces/` and `teacher/yunet.onnx`.
        run: Where checkpoints and metrics go.
        resume: Go on from the run's last checkpoint.

    Raises:
        LossNotFinite: The training diverged.
        RecipeInvalid: If the teacher is no detector.
        CheckpointInvalid: If there is nothing to resume, or it is of another network.
        CheckpointNotSaved: If the disk is full.
    """
    training = DetectorTraining(recipe)
    if resume:
        training.restore(run.last)
    elif recipe.start_from:
        training.begin_as(resolve_checkpoint(recipe.start_from))
    batches = open_batches(recipe, data, run, recipe.seed + training.step)
    keeper = Keeper(run, training, Pace(checkpoint_minutes=recipe.checkpoint_minutes))
    with progress_bar("train", shown=True) as report:
        run_steps(training, batches, keeper, report)
    return training


def open_batches(recipe: DetectorRecipe, data: Path, run: RunFolder, seed: int) -> Iterator[DetectorBatch]:
    """Batches of training views; records which pictures were held out and which could not be read."""
    cv2.setNumThreads(1)
    found = read_photos(data / "detect")
    train, held = split_photos(found.photos, recipe.held_out)
    run.record("photos", {"held_out": [photo.name for photo in held], "undecodable": found.undecodable})
    bank = open_bank(run.path / "bank.npz", data, recipe.bank, held, recipe.seed) if recipe.bank else None
    composer = Composer(train, bank, recipe.ranges, np.random.default_rng(seed))
    teacher = DetectorTeacher(data / recipe.teacher) if recipe.teacher else None
    return load_batches(DetectorViews(composer, recipe.shapes, seed), teacher)


def open_detector(path: Path) -> FaceDetector:
    """The averaged network of a checkpoint.

    Raises:
        CheckpointInvalid: If it is none of a face detector of this shape.
    """
    network = FaceDetector()
    load_weights(network, _checkpoint(path)["ema"], path)
    return network.eval()


def _checkpoint(path: Path) -> dict[str, Any]:
    checkpoint = load_checkpoint(path)
    if checkpoint.get("kind") != KIND:
        raise CheckpointInvalid(path, f"it is no checkpoint of a {KIND}")
    return checkpoint
