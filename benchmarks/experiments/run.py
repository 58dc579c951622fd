"""Train by the recipe of an experiment, once, and keep what it makes of the people held out."""

import json
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.experiments.changes import recipe_of
from training.data.faces import SPLIT, FaceSet, Split, read_faces
from training.embedder.loop import train
from training.embedder.validation import embed_faces
from training.embedder.weights import load_network
from training.engine.run import RunFolder, load_checkpoint
from training.evaluation.comparisons import Comparisons, compare_all

VECTORS = "held_out.npz"
ROW = "row.json"


@dataclass(frozen=True)
class Outcome:
    """What an experiment yielded.

    Attributes:
        comparisons: Of the people held out for calibration.
        samples: Faces seen.
        seconds: Of one core's time.
    """

    comparisons: Comparisons
    samples: int
    seconds: float


def run_experiment(name: str, data: Path, folder: Path) -> None:
    """Train and judge; a run that is done is not repeated, one that was cut off goes on.

    Args:
        name: Of the experiment.
        data: What `lay_out_faces` made.
        folder: Of its run.

    Raises:
        TrainingError: If recipe and data do not go together, or the training diverges.
    """
    if (folder / ROW).is_file():
        return
    recipe, faces = recipe_of(name, folder.parent), read_faces(data / "faces")
    begun, run = time.process_time(), RunFolder(folder)
    try:
        train(recipe, data, folder, resume=run.last.is_file(), faces=faces)
    finally:
        seconds = _add_seconds(folder, time.process_time() - begun)
    _keep_vectors(run, faces)
    row = {"samples": load_checkpoint(run.last)["samples"], "seconds": round(seconds)}
    (folder / ROW).write_text(json.dumps(row), encoding="utf-8")


def _add_seconds(folder: Path, more: float) -> float:
    """All of its processor's time up to now, over interruptions that let it say so."""
    path = folder / "seconds.txt"
    former = float(path.read_text(encoding="utf-8")) if path.is_file() else 0.0
    if folder.is_dir():
        path.write_text(f"{former + more}", encoding="utf-8")
    return former + more


def _keep_vectors(run: RunFolder, faces: FaceSet) -> None:
    """What the averaged weights make of everybody held out for calibration."""
    people = set(Split.read(run.path / SPLIT).calibrate)
    rows = np.flatnonzero([identity in people for identity in faces.identities])
    _, numbers = np.unique([faces.identities[row] for row in rows], return_inverse=True)
    vectors = embed_faces(load_network(run.last), faces, rows, torch.device("cpu"))
    np.savez(run.path / VECTORS, vectors=vectors, identity=numbers.astype(np.int64))


def read_outcome(folder: Path) -> Outcome | None:
    """What a finished run yielded; None of one that is not there or not finished."""
    if not (folder / ROW).is_file():
        return None
    row = json.loads((folder / ROW).read_text(encoding="utf-8"))
    with np.load(folder / VECTORS) as kept:
        vectors: NDArray[np.float32] = kept["vectors"]
        comparisons = compare_all(vectors, kept["identity"])
    return Outcome(comparisons, row["samples"], row["seconds"])
