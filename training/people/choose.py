"""Choose made-up people to show: those that the product sees well and that resemble nobody else."""

from collections.abc import Sequence
from itertools import starmap

import numpy as np

from embedding.embedder import Embedder
from embedding.people.generator import MadeUpPeople
from training.people.measure import Vectors, compute_pair_distances, is_good, photograph_people

CAPTURES = 8
GOOD_CAPTURES = 5
TRIED = 10
"""Most numbers tried per requested person."""


def choose_people(people: MadeUpPeople, bundles: Sequence[Embedder], wanted: int) -> tuple[list[int], int]:
    """Numbers of people who can be enrolled and match only themselves; and how many were tried.

    Args:
        people: The generator.
        bundles: Calibrated bundles, which match at their thresholds for 1e-4; the first one also detects.
        wanted: How many; fewer if ten times as many numbers do not yield them.
    """
    matches = [embedder.bundle.calibration.threshold(1e-4) for embedder in bundles]
    known = [np.empty((0, embedder.dim), np.float32) for embedder in bundles]
    chosen: list[int] = []
    for number in range(wanted * TRIED):
        if len(chosen) == wanted:
            return chosen, number
        sitting = photograph_people(people, bundles[0], [number], CAPTURES)
        if sum(map(is_good, sitting.seen)) < GOOD_CAPTURES:
            continue
        own = [embedder.embed_crops(sitting.crops) for embedder in bundles]
        if all(starmap(is_apart, zip(own, known, matches, strict=True))):
            chosen.append(number)
            known = [np.concatenate(pair) for pair in zip(known, own, strict=True)]
    return chosen, wanted * TRIED


def is_apart(own: Vectors, others: Vectors, match: float) -> bool:
    """Whether all pictures of a person match each other and nobody else's."""
    mated, _ = compute_pair_distances(own, np.zeros(len(own), np.int64))
    to_others = 2.0 - 2.0 * (own @ others.T)
    return bool(mated.max() <= match < to_others.min(initial=4.0))
