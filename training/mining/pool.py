"""Hard triplets as rows of a set: triplets to train on, and pairs for a person to review."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.data.csv_files import read_csv, write_csv
from training.data.reading import reason_of
from training.errors import PoolInvalid
from training.evaluation.comparisons import Indices, Pairs

COLUMNS = ("anchor", "positive", "negative", "d_positive", "d_negative", "known")

Distances = NDArray[np.float32]


@dataclass(frozen=True)
class Triplets:
    """Anchors, each with a picture of the same person and one of another.

    Attributes:
        anchor: (m,) rows.
        positive: (m,) rows, of the anchor's identity.
        negative: (m,) rows, of another identity.
        d_positive: (m,) d(A, P).
        d_negative: (m,) d(A, N).
        known: (m,) whether somebody confirmed that these two people are confused.
    """

    anchor: Indices
    positive: Indices
    negative: Indices
    d_positive: Distances
    d_negative: Distances
    known: NDArray[np.bool_]

    @classmethod
    def empty(cls) -> "Triplets":
        """No triplet."""
        rows, d = np.empty(0, np.int64), np.empty(0, np.float32)
        return cls(rows, rows, rows, d, d, np.empty(0, np.bool_))

    @classmethod
    def join(cls, parts: Sequence["Triplets"]) -> "Triplets":
        """All of several."""
        parts = [cls.empty(), *parts]
        return cls(
            *(np.concatenate([getattr(part, column.name) for part in parts]) for column in fields(cls))
        )

    def where(self, keep: NDArray[np.bool_] | Indices) -> "Triplets":
        """The triplets under a (m,) mask, or at the given places, in that order."""
        return Triplets(*(getattr(self, column.name)[keep] for column in fields(self)))

    def sort_hardest_first(self) -> "Triplets":
        """Sorted by d(A, N), ties by rows, so that the order is deterministic."""
        return self.where(np.lexsort((self.positive, self.negative, self.anchor, self.d_negative)))

    def __len__(self) -> int:
        return len(self.anchor)


@dataclass(frozen=True)
class Mined:
    """The result of a mining.

    Attributes:
        triplets: To train on, hardest first.
        suspects: Probable label noise, nearest first: one pair of pictures per pair of identities held back.
        alone: Identities with one picture, which cannot be anchors.
        unused: Known confusions without any triplet: an identity is missing, or both have one picture.
    """

    triplets: Triplets
    suspects: Pairs
    alone: int
    unused: tuple[tuple[int, int], ...] = ()


def write_triplets(path: Path, triplets: Triplets, names: Sequence[str]) -> None:
    """Write CSV with the names of the pictures: rows change when a set grows, names do not."""
    pictures = zip(triplets.anchor, triplets.positive, triplets.negative, strict=True)
    figures = zip(triplets.d_positive, triplets.d_negative, triplets.known, strict=True)
    rows = [
        [*(names[row] for row in triplet), f"{d_positive:.6f}", f"{d_negative:.6f}", int(known)]
        for triplet, (d_positive, d_negative, known) in zip(pictures, figures, strict=True)
    ]
    write_csv(path, COLUMNS, rows)


def read_triplets(path: Path, names: Sequence[str]) -> Triplets:
    """Read what `write_triplets` wrote; leaves out triplets with a missing picture.

    Raises:
        PoolInvalid: If it is not such a list, or all of its pictures are missing.
    """
    row_of = {name: row for row, name in enumerate(names)}
    try:
        lines = read_csv(path).rows
        here = [line for line in lines if all(line[column] in row_of for column in COLUMNS[:3])]
        if not here and lines:
            raise PoolInvalid(path, "none of its pictures is in the set")
        anchor, positive, negative = (
            np.array([row_of[line[column]] for line in here], np.int64) for column in COLUMNS[:3]
        )
        d_positive, d_negative = (
            np.array([line[column] for line in here], np.float32) for column in COLUMNS[3:5]
        )
        known = np.array([line["known"] == "1" for line in here], np.bool_)
        return Triplets(anchor, positive, negative, d_positive, d_negative, known)
    except (OSError, UnicodeDecodeError, csv.Error, KeyError, ValueError) as error:
        raise PoolInvalid(path, f"it is not a list of hard triplets ({reason_of(error)})") from error


def find_hardest(key: Indices, hardness: Distances, most: int) -> Indices:
    """Places of the `most` hardest (smallest) of each key, in their original order; ties by place."""
    order = np.lexsort((np.arange(len(key)), hardness, key))
    sorted_key = key[order]
    first = np.searchsorted(sorted_key, sorted_key)
    return np.sort(order[np.arange(len(key)) - first < most])


def mark_known(triplets: Triplets) -> Triplets:
    """The same triplets, marked as confirmed."""
    return replace(triplets, known=np.ones(len(triplets), np.bool_))
