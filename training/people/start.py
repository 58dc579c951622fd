"""What a training of made-up people begins with: faces, codes and judges."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from embedding.embedder import Embedder
from training.data.faces import Split
from training.engine.run import RunFolder
from training.people.linear import fit_codes
from training.people.loop import Judge, train_people
from training.people.material import Faces, read_people_faces
from training.people.recipe import PeopleRecipe

TEMPLATES = "templates.npy"
"""In a run folder: of the faces that were learned from."""


def begin_training(
    recipe: PeopleRecipe,
    data: Path,
    split: Split,
    judges: Sequence[tuple[Path, Path]],
    run: RunFolder,
) -> None:
    """Trains a decoder from the faces on.

    Args:
        recipe: Every number.
        data: Shards with `faces.csv`.
        split: Whom nothing is learned from.
        judges: Bundle and checkpoint of each embedder that judges; the first is the one that ships.
        run: Where everything goes.
    """
    (bundle, _), *others = judges
    faces = read_people_faces(data, split, recipe.choice, Embedder.open(bundle, threads=recipe.threads))
    np.save(run.path / TEMPLATES, faces.templates)
    codes = fit_codes(
        np.concatenate([faces.templates, faces.templates]), faces.small(), recipe.identity, recipe.capture
    )
    opened = [Judge(judges[0][1])]
    for other, checkpoint in others:
        templates = Embedder.open(other, threads=recipe.threads).embed_crops(faces.pixels)
        opened.append(Judge(checkpoint, torch.from_numpy(translation(faces, templates))))
    train_people(recipe, faces, codes, opened, run)


def translation(faces: Faces, templates: NDArray[np.float32]) -> NDArray[np.float32]:
    """(dim + 1, other dim) the least squares from the faces' templates to another embedder's."""
    known = np.concatenate([faces.templates, np.ones((len(templates), 1), np.float32)], axis=1)
    return np.asarray(np.linalg.lstsq(known, templates, rcond=None)[0], np.float32)
