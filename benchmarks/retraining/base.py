"""The data of the base: the whole set without the people of the site and whoever looks like one of them."""

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.retraining.people import choose_people
from index.jobs.folders import TARGETS
from training.data.faces import SPLIT, FaceSet, Rows, Split, read_faces
from training.data.pictures import DESCRIPTION
from training.embedder.recipe import open_recipe
from training.embedder.teacher import Teacher, compute_targets_once, find_targets_file
from training.progress import progress_bar

RECIPE = "retraining_base"
HELD_OUT = Path("training/checkpoints")
"""The run whose people held out stay held out."""

NEAR = 0.45
"""Cosine of the teacher's vectors from which an unlabelled face may show somebody who must stay unseen."""

BLOCK = 2048


def write_base(data: Path, work: Path) -> str:
    """Lay out `work`/base for `invigil train retraining_base`: links to the shards, a shorter faces.csv.

    What the teacher makes of the faces is kept in `work`, for the training to find.

    Returns:
        What was left out, in words.

    Raises:
        TrainingError: If the data or the teacher cannot be read.
    """
    recipe, split = open_recipe(RECIPE), Split.read(HELD_OUT / SPLIT)
    faces = read_faces(data / "faces")
    people = choose_people(faces, split)
    teacher = Teacher(recipe.teacher, data, recipe.network.dim, recipe.machine.threads)
    with progress_bar("teacher", shown=True) as report:
        vectors = compute_targets_once(teacher, faces, work / TARGETS, report)
    unseen = np.array([name in people.of_site | split.held_out for name in faces.identities])
    unlabelled = np.array([not name for name in faces.identities])
    near = np.zeros(len(faces), np.bool_)
    near[unlabelled] = nearest_cosine(vectors[unlabelled], vectors[unseen]) > NEAR
    of_site = np.array([name in people.of_site for name in faces.identities])
    kept = np.flatnonzero(~(of_site | near))
    link_shards(data, work / "base", {faces.names[row] for row in kept})
    np.save(find_targets_file(teacher, rows_of(faces, kept), work / TARGETS), vectors[kept])
    return (
        f"{len(kept):,} of {len(faces):,} faces; left out: {of_site.sum():,} of {len(people.of_site)} "
        f"people of the site, {near.sum():,} unlabelled ones near them or near somebody held out"
    )


def nearest_cosine(vectors: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n,) the largest cosine of each of (n, dim) unit vectors with any of (m, dim) others."""
    parts = [
        (vectors[start : start + BLOCK] @ others.T).max(axis=1) for start in range(0, len(vectors), BLOCK)
    ]
    return np.concatenate(parts)


def rows_of(faces: FaceSet, rows: Rows) -> FaceSet:
    """Some of the faces, in their order."""
    return FaceSet(
        [faces.names[row] for row in rows],
        [faces.identities[row] for row in rows],
        [faces.encoded[row] for row in rows],
        {},
    )


def link_shards(data: Path, to: Path, kept: set[str]) -> None:
    """Describe some faces of a set, in its order; no picture is copied."""
    (to / "faces").mkdir(parents=True, exist_ok=True)
    with (data / "faces" / DESCRIPTION).open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        fields = list(reader.fieldnames or [])
        rows = [row for row in reader if f"{row['shard']}/{row['file']}" in kept]
    with (to / "faces" / DESCRIPTION).open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fields)
        writer.writeheader()
        writer.writerows(rows)
    for shard in sorted({row["shard"] for row in rows}):
        link(data / "faces" / shard, to / "faces" / shard)
    link(data / "teacher", to / "teacher")


def link(to: Path, at: Path) -> None:
    """A link, in place of a former one."""
    at.unlink(missing_ok=True)
    at.symlink_to(to.resolve())
