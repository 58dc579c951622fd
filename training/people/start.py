"""Set up a training of made-up people: faces, codes and judges."""

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
"""File in a run folder with the templates of the training faces."""


def begin_training(
    recipe: PeopleRecipe,
    data: Path,
    split: Split,
    judges: Sequence[tuple[Path, Path]],
    run: RunFolder,
) -> None:
    """Train a decoder, starting from the faces.

    Args:
        recipe: The recipe.
        data: Shards with `faces.csv`.
        split: The people held out.
        judges: Bundle and checkpoint of each judging embedder; the first is the shipped one.
        run: The run folder.
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
        opened.append(Judge(checkpoint, torch.from_numpy(fit_translation(faces, templates))))
    train_people(recipe, faces, codes, opened, run)


def fit_translation(faces: Faces, templates: NDArray[np.float32]) -> NDArray[np.float32]:
    """(dim + 1, other dim) the least squares from the faces' templates to another embedder's."""
    known = np.concatenate([faces.templates, np.ones((len(templates), 1), np.float32)], axis=1)
    return np.asarray(np.linalg.lstsq(known, templates, rcond=None)[0], np.float32)
