"""Which of the people that a generator can draw are worth showing: seen well, and nobody's double."""

from collections.abc import Sequence
from itertools import starmap

import numpy as np

from embedding.embedder import Embedder
from embedding.people.generator import MadeUpPeople
from training.people.measure import Vectors, is_good, pair_distances, sit

CAPTURES = 8
GOOD_CAPTURES = 5
TRIED = 10
"""So many numbers are tried for each person wanted."""


def choose_people(people: MadeUpPeople, bundles: Sequence[Embedder], wanted: int) -> tuple[list[int], int]:
    """Numbers of people who can be enrolled, match themselves and nobody else; and how many were tried.

    Args:
        people: The generator.
        bundles: With calibrations, whose thresholds at 1e-4 say who matches; the first one looks.
        wanted: How many; fewer where ten times as many numbers do not yield them.
    """
    matches = [embedder.bundle.calibration.threshold(1e-4) for embedder in bundles]
    known = [np.empty((0, embedder.dim), np.float32) for embedder in bundles]
    chosen: list[int] = []
    for number in range(wanted * TRIED):
        if len(chosen) == wanted:
            return chosen, number
        sitting = sit(people, bundles[0], [number], CAPTURES)
        if sum(map(is_good, sitting.seen)) < GOOD_CAPTURES:
            continue
        own = [embedder.embed_crops(sitting.crops) for embedder in bundles]
        if all(starmap(is_apart, zip(own, known, matches, strict=True))):
            chosen.append(number)
            known = [np.concatenate(pair) for pair in zip(known, own, strict=True)]
    return chosen, wanted * TRIED


def is_apart(own: Vectors, others: Vectors, match: float) -> bool:
    """Whether all pictures of somebody match each other and none of anybody else."""
    mated, _ = pair_distances(own, np.zeros(len(own), np.int64))
    to_others = 2.0 - 2.0 * (own @ others.T)
    return bool(mated.max() <= match < to_others.min(initial=4.0))
