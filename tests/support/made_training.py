"""Made people to train on, and recipes small enough for a test."""

import csv
import io
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from made_faces import crop_of, mosaic
from numpy.typing import NDArray

from training.embedder.recipe import Recipe
from training.embedder.tables import read_table

TINY_NETWORK = {"widths": [8, 8, 8], "depths": [1, 1, 1], "dim": 16, "head_channels": 4}


def people(
    count: int, pictures: int, seed: int = 0, crop: Callable[[NDArray[np.float64]], bytes] = crop_of
) -> dict[str, list[bytes]]:
    """Identity → pictures of the same coarse colours, each a little different."""
    random = np.random.default_rng(seed)
    made = {}
    for number in range(count):
        face = mosaic(random)
        made[f"person {number:02d}"] = [crop(face + random.normal(0, 8, face.shape)) for _ in range(pictures)]
    return made


def write_folders(folder: Path, faces: Mapping[str, list[bytes]]) -> Path:
    """identity/picture.png, as people keep such things."""
    for identity, pictures in faces.items():
        (folder / identity).mkdir(parents=True)
        for number, picture in enumerate(pictures):
            (folder / identity / f"{number}.png").write_bytes(picture)
    return folder


def write_shards(folder: Path, shards: Mapping[str, Mapping[str, tuple[str, bytes | None]]]) -> Path:
    """Tar shards and `faces.csv`.

    Args:
        folder: Made here.
        shards: Shard → file → identity and content; without content it is described but absent.
    """
    folder.mkdir()
    with (folder / "faces.csv").open("w", newline="") as described:
        table = csv.writer(described)
        table.writerow(("shard", "file", "identity"))
        for shard, files in shards.items():
            with tarfile.open(folder / shard, "w") as tar:
                for name, (identity, content) in files.items():
                    table.writerow((shard, name, identity))
                    if content is not None:
                        member = tarfile.TarInfo(name)
                        member.size = len(content)
                        tar.addfile(member, io.BytesIO(content))
    return folder


def tiny_recipe(losses: list[dict[str, Any]] | None = None, **parts: Any) -> Recipe:
    """Ten steps of eight faces through a network of a few thousand weights, uncompiled, in one process.

    Args:
        losses: By default one triplet loss on labels.
        parts: Tables of the recipe, each over the ones here.
    """
    table: dict[str, Any] = {
        "losses": losses or [{"name": "contrastive"}],
        "network": TINY_NETWORK,
        "optimiser": {"samples": 80, "batch": 8, "warm_up_steps": 2},
        "data": {"held_out": 0.5, "loaders": 0},
        "machine": {"compile": False, "log_steps": 1},
    }
    for name, part in parts.items():
        table[name] = {**table.get(name, {}), **part} if isinstance(part, dict) else part
    return read_table(table, Recipe, "tiny")
