"""Train the face detector: recipe and photos to a run folder with checkpoints and metrics.

A run goes on from its last checkpoint. Views are drawn anew from there: the curve continues, but not with the
very same views.
"""

import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from index.job_places import beside_project
from training.detection.assign import cell_points
from training.detection.augment import Composer
from training.detection.bank import open_bank
from training.detection.batches import Batch, Views, loader
from training.detection.data import read_photos, split_photos
from training.detection.loss import Losses, detection_losses, flatten_grids
from training.detection.recipe import DetectorRecipe
from training.detection.teacher import Teacher
from training.embedder.optimise import Average, adamw, learning_rate
from training.embedder.run import FORMAT, RunFolder, load_checkpoint, save_checkpoint
from training.errors import CheckpointInvalid, LossNotFinite
from training.networks.detector import FaceDetector
from training.progress import progress_bar

KIND = "face detector"
LOG_STEPS = 50


class Training:
    """Network, moving average and optimiser at one step."""

    def __init__(self, recipe: DetectorRecipe) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe = recipe
        self.step = 0
        self.network = FaceDetector().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = Average(self.network, recipe.average)
        self.optimiser = adamw(self.network, recipe)
        self._points: dict[int, Tensor] = {}

    @property
    def rate(self) -> float:
        """The learning rate of the next step."""
        return learning_rate(self.recipe, self.step)

    def learn(self, batch: Batch) -> dict[str, float]:
        """One step; returns the parts of its loss.

        Raises:
            FloatingPointError: If the loss is not finite; the weights are as they were.
        """
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate
        losses = self.losses(batch)
        total = losses.total(self.recipe.weights)
        if not torch.isfinite(total):
            raise FloatingPointError
        self.optimiser.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.clip)
        self.optimiser.step()
        self.average.update(self.network, self.step)
        self.step += 1
        return losses.values()

    def losses(self, batch: Batch) -> Losses:
        """Of the network as it is."""
        # The loader's (n, s, s, 3) bytes are channels-last already; nothing is copied but the conversion.
        pictures = batch.pictures.permute(0, 3, 1, 2).float()
        if batch.size not in self._points:
            self._points[batch.size] = torch.from_numpy(cell_points(batch.size, batch.size))
        cells = flatten_grids(self.network(pictures))
        return detection_losses(cells, self._points[batch.size], batch.owners, batch.scores, batch.faces)

    def save(self, path: Path) -> None:
        """Raises CheckpointNotSaved when the disk is full; the former file stays whole."""
        checkpoint = {
            "format": FORMAT,
            "kind": KIND,
            "step": self.step,
            "recipe": asdict(self.recipe),
            "weights": self.network.state_dict(),
            "ema": self.average.values,
            "optimiser": self.optimiser.state_dict(),
        }
        save_checkpoint(path, checkpoint)

    def begin_as(self, path: Path) -> None:
        """Begin with the averaged weights of a checkpoint.

        Raises:
            CheckpointInvalid: If it is none of a face detector of this shape.
        """
        _put(self.network, _checkpoint(path)["ema"], path)
        self.average = Average(self.network, self.recipe.average)

    def resume(self, path: Path) -> None:
        """Go on from a checkpoint.

        Raises:
            CheckpointInvalid: If it is none of a face detector of this shape.
        """
        checkpoint = _checkpoint(path)
        _put(self.network, checkpoint["weights"], path)
        self.average.restore(checkpoint["ema"])
        self.optimiser.load_state_dict(checkpoint["optimiser"])
        self.step = checkpoint["step"]


def train_detector(recipe: DetectorRecipe, data: Path, run: RunFolder, *, resume: bool = False) -> Training:
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
    training = Training(recipe)
    if resume:
        training.resume(run.last)
    elif recipe.start_from:
        training.begin_as(beside_project(recipe.start_from))
    batches = open_batches(recipe, data, run, recipe.seed + training.step)
    saved = time.monotonic()
    losses: list[dict[str, float]] = []
    with progress_bar("train", shown=True, unit="steps/s") as report:
        while training.step < recipe.steps:
            try:
                losses.append(training.learn(next(batches)))
            except FloatingPointError as error:
                raise LossNotFinite(training.step + 1, run.last) from error
            if training.step % LOG_STEPS == 0:
                run.log(step=training.step, rate=training.rate, **_means(losses))
                losses.clear()
            if time.monotonic() - saved > 60 * recipe.checkpoint_minutes:
                training.save(run.last)
                saved = time.monotonic()
            report(training.step, recipe.steps)
    training.save(run.last)
    return training


def open_batches(recipe: DetectorRecipe, data: Path, run: RunFolder, seed: int) -> Iterator[Batch]:
    """Batches of training views; records which pictures were held out and which could not be read."""
    cv2.setNumThreads(1)
    found = read_photos(data / "detect")
    train, held = split_photos(found.photos, recipe.held_out)
    run.record("photos", {"held_out": [photo.name for photo in held], "undecodable": found.undecodable})
    bank = open_bank(run.path / "bank.npz", data, recipe.bank, held, recipe.seed) if recipe.bank else None
    composer = Composer(train, bank, recipe.ranges, np.random.default_rng(seed))
    teacher = Teacher(data / recipe.teacher) if recipe.teacher else None
    return loader(Views(composer, recipe.shapes, seed), teacher)


def open_detector(path: Path) -> FaceDetector:
    """The averaged network of a checkpoint.

    Raises:
        CheckpointInvalid: If it is none of a face detector of this shape.
    """
    network = FaceDetector()
    _put(network, _checkpoint(path)["ema"], path)
    return network.eval()


def _checkpoint(path: Path) -> dict[str, Any]:
    checkpoint = load_checkpoint(path)
    if checkpoint.get("kind") != KIND:
        raise CheckpointInvalid(path, f"it is no checkpoint of a {KIND}")
    return checkpoint


def _put(network: FaceDetector, weights: dict[str, Tensor], path: Path) -> None:
    wanted = {name: value.shape for name, value in network.state_dict().items()}
    if wanted != {name: value.shape for name, value in weights.items()}:
        raise CheckpointInvalid(path, "its face detector has another shape")
    network.load_state_dict(weights)


def _means(losses: list[dict[str, float]]) -> dict[str, float]:
    return {name: round(sum(part[name] for part in losses) / len(losses), 4) for name in losses[0]}
