"""Templates per second of several bundles, measured in turns, in processor time."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from embedding.bundle import SELF_TEST_CROP
from embedding.cores import count_usable_cores
from embedding.embedder import Embedder
from embedding.image import ImageLimits, Pixels, decode

ROUNDS = 5


def measure_speed(embedders: Sequence[Embedder], batch: int, seconds: float) -> list[float]:
    """From crop to template on all cores, one caller for each core; the median of five rounds.

    The rate is per processor time, as on idle cores: other load takes turns away but hardly slows the others.

    Args:
        embedders: They take turns, so that what still slows them slows all of them alike.
        batch: Crops in one call.
        seconds: Of each turn.
    """
    crops = np.repeat(decode(SELF_TEST_CROP.read_bytes(), ImageLimits())[None], batch, axis=0)
    rates = [[_rate(each, crops, seconds) for each in embedders] for _ in range(ROUNDS)]
    return [float(rate) for rate in np.median(rates, axis=0)]


def _rate(embedder: Embedder, crops: Pixels, seconds: float) -> float:
    def keep_calling() -> int:
        calls = 0
        while not calls or time.perf_counter() < end:
            embedder.embed_crops(crops)
            calls += 1
        return calls

    embedder.embed_crops(crops)  # the first call makes room
    spent, end = time.process_time(), time.perf_counter() + seconds
    threads = count_usable_cores()
    with ThreadPoolExecutor(threads) as pool:
        calls = sum(pool.map(lambda _: keep_calling(), range(threads)))
    return threads * calls * len(crops) / (time.process_time() - spent)
