"""What the experiments train on: a share of the faces, and everybody who is held out for calibration."""

from pathlib import Path

import numpy as np

from benchmarks.retraining.base import HELD_OUT, link_shards
from training.data.faces import SPLIT, Split
from training.data.pictures import open_pictures

SEED = 20261210
SHARE = 1 / 6
"""Of the people, and of the faces without a name: a teacher has to look at each of them once."""


def lay_out_faces(data: Path, to: Path) -> Path:
    """Links to the shards and a shorter faces.csv; nothing is done where it is there already.

    Raises:
        TrainingError: If the data or the split cannot be read.
    """
    if not (to / "faces" / "faces.csv").is_file():
        link_shards(data, to, choose_faces(data))
    return to


def choose_faces(data: Path) -> set[str]:
    """Names of the faces: people with all of their pictures, and none who is held out for tests."""
    split = Split.read(HELD_OUT / SPLIT)
    identities = open_pictures(data / "faces").identity
    random = np.random.default_rng(SEED)
    people = sorted({identity for identity in identities.values() if identity} - split.held_out)
    chosen = {name for name, drawn in zip(people, random.random(len(people)), strict=True) if drawn < SHARE}
    chosen |= set(split.calibrate)
    nameless = [name for name, identity in identities.items() if not identity]
    drawn = random.random(len(nameless)) < SHARE
    known = {name for name, identity in identities.items() if identity in chosen}
    return known | {name for name, kept in zip(nameless, drawn, strict=True) if kept}
