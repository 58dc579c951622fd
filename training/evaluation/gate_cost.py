"""Compare the cost of two models: templates per second, measured in the same run, and bytes on disk."""

import time
from typing import Any

import numpy as np

from embedding.bundle import SELF_TEST_CROP
from embedding.embedder import Embedder
from embedding.image import ImageLimits, Pixels, decode
from training.evaluation.bootstrap import percentiles

CROPS = 32
ROUNDS = 9

SPEED_SLACK = 0.05
"""Two builds of one network differ by this much, because of where their weights are in memory."""
SIZE_SLACK = 0.01
"""Two exports of one network differ by some bytes, in names and in the manifest."""


def compare_speed(incumbent: Embedder, candidate: Embedder) -> dict[str, Any]:
    """Crops per second of both, measured in turns, so that other load slows both equally.

    Worse: the whole interval of the ratio over rounds lies below 1 − `SPEED_SLACK`.
    """
    crops = np.repeat(decode(SELF_TEST_CROP.read_bytes(), ImageLimits())[None], CROPS, axis=0)
    for embedder in (incumbent, candidate):
        _time_crops(embedder, crops)  # the first call makes room
    taken = np.array([[_time_crops(each, crops) for each in (incumbent, candidate)] for _ in range(ROUNDS)])
    ratio = percentiles(taken[:, 0] / taken[:, 1])
    old, new = (CROPS / float(np.median(column)) for column in taken.T)
    return {
        "incumbent": old,
        "candidate": new,
        "ratio": new / old,
        "interval": list(ratio),
        "worse": ratio[1] < 1 - SPEED_SLACK,
    }


def _time_crops(embedder: Embedder, crops: Pixels) -> float:
    started = time.perf_counter()
    embedder.embed_crops(crops)
    return time.perf_counter() - started


def compare_size(incumbent: Embedder, candidate: Embedder) -> dict[str, Any]:
    """Bytes of both bundles' networks; worse: more than `SIZE_SLACK` larger."""
    old, new = (sum(record.bytes for record in each.bundle.manifest.files) for each in (incumbent, candidate))
    return {
        "incumbent": old,
        "candidate": new,
        "difference": new - old,
        "worse": new > old * (1 + SIZE_SLACK),
    }
