"""Whether a map of a decision says more than chance: its curves against those of a random map, over pairs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from embedding.embedder import Embedder, Embedding
from embedding.errors import EmbeddingError
from embedding.explaining import CELLS, explain_by_occlusion, measure_fidelity
from embedding.quality import Purpose
from training.data.pairs import Pair
from training.errors import PairsInvalid
from training.evaluation.bootstrap import Interval, percentiles

REPLICATES = 2_000


@dataclass(frozen=True)
class ExplanationFigures:
    """What maps say of one kind of pair.

    Attributes:
        gap: Mean of deletion less insertion, in d; `chance` is that of random maps of the same pairs.
        interval: Of the difference, 95 % over pairs.
    """

    kind: str
    pairs: int
    gap: float
    chance: float
    interval: Interval

    @property
    def beats_chance(self) -> bool:
        """Whether the whole interval lies above 0: only then the maps are shown to anybody."""
        return self.interval[0] > 0


def measure_explanations(
    embedder: Embedder,
    images: Path,
    pairs: Sequence[Pair],
    most: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[ExplanationFigures]:
    """Occlusion maps against random ones, of mated and of non-mated pairs.

    Args:
        embedder: Of the bundle.
        images: The folder that the pairs' names lead from.
        pairs: Of which `most` of each kind are drawn; those without a template are left out.
        most: Of each kind.
        progress: ExplanationFigures after each pair.

    Raises:
        PairsInvalid: If no pair of a kind can be compared.
    """
    chance, told, done = np.random.default_rng(0), [], 0
    for kind, same in (("mated", True), ("non-mated", False)):
        mine = [pair for pair in pairs if pair.same is same]
        drawn = [mine[place] for place in chance.permutation(len(mine))[:most]]
        gaps = []
        for pair in drawn:
            done += 1
            progress(done, 2 * most)
            faces = embed_picture(embedder, images / pair.a), embed_picture(embedder, images / pair.b)
            if faces[0] is not None and faces[1] is not None:
                gaps.append(measure_gaps(embedder, faces[0], faces[1], chance))
        if not gaps:
            raise PairsInvalid(images, f"no {kind} pair can be compared")
        told.append(summarise(kind, np.array(gaps), chance))
    return told


def embed_picture(embedder: Embedder, path: Path) -> Embedding | None:
    """The face of a picture; None where there is none to compare."""
    try:
        return embedder.embed(path.read_bytes(), Purpose.VERIFY)
    except (EmbeddingError, OSError):
        return None


def measure_gaps(
    embedder: Embedder, a: Embedding, b: Embedding, chance: np.random.Generator
) -> tuple[float, float]:
    """The gap of the first face's map, and of a random map."""
    other = b.template.vector
    cells = explain_by_occlusion(embedder.embed_crops, a.crop, other)
    maps = cells, chance.random((CELLS, CELLS))
    ours, random = (measure_fidelity(embedder.embed_crops, a.crop, other, one).gap for one in maps)
    return ours, random


def summarise(kind: str, gaps: NDArray[np.float64], chance: np.random.Generator) -> ExplanationFigures:
    """(n, 2) gaps of maps and of random maps, with an interval over pairs (bootstrap)."""
    difference = gaps[:, 0] - gaps[:, 1]
    drawn = chance.integers(0, len(difference), (REPLICATES, len(difference)))
    means = gaps.mean(0)
    return ExplanationFigures(
        kind, len(gaps), float(means[0]), float(means[1]), percentiles(difference[drawn].mean(axis=1))
    )


def format_explanations(told: Sequence[ExplanationFigures]) -> str:
    """The table, as Markdown."""
    rows = [
        f"| occlusion, 7×7 | {one.kind} | {one.pairs} | {one.gap:.3f} | {one.chance:.3f} | "
        f"{one.gap - one.chance:.3f} ({one.interval[0]:.3f} … {one.interval[1]:.3f}) | "
        f"{'yes' if one.beats_chance else 'no'} |"
        for one in told
    ]
    head = "| Map | Pairs | Number | Gap | Random | Difference (95 % over pairs) | Beats chance |"
    return "\n".join([head, "|---|---|---|---|---|---|---|", *rows])
