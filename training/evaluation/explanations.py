"""Whether a map of a decision says more than chance: its curves against those of a random map, over pairs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from embedding.embedder import Embedder, Embedding
from embedding.errors import EmbeddingError
from embedding.explaining import CELLS, Map, explain_by_occlusion, measure_fidelity
from embedding.image import Pixels
from embedding.quality import Purpose
from embedding.score_cam import ScoreCam
from embedding.template import Vector
from training.data.pairs import Pair
from training.errors import PairsInvalid
from training.evaluation.bootstrap import Interval, percentiles

REPLICATES = 2_000
OFFERED = frozenset({"occlusion"})
"""The methods that `invigil explain` and the page of a case show: those that beat chance on both kinds."""

Explain = Callable[[Pixels, Vector], Map]
"""A (112, 112, 3) crop and the vector of the other face → what each of 7×7 cells brings."""


@dataclass(frozen=True)
class ExplanationFigures:
    """What maps say of one kind of pair.

    Attributes:
        method: How the maps are made.
        gap: Mean of deletion less insertion, in d; `chance` is that of random maps of the same pairs.
        interval: Of the difference, 95 % over pairs.
    """

    method: str
    kind: str
    pairs: int
    gap: float
    chance: float
    interval: Interval

    @property
    def beats_chance(self) -> bool:
        """Whether the whole interval lies above 0: only then the maps are shown to anybody."""
        return self.interval[0] > 0


def methods_of(embedder: Embedder) -> dict[str, Explain]:
    """The methods that need nothing but the bundle.

    Raises:
        BundleInvalid: If its network has no convolution.
    """
    embed = embedder.embed_crops
    return {
        "occlusion": lambda crop, other: explain_by_occlusion(embed, crop, other),
        "Score-CAM": ScoreCam(embedder.bundle, embed),
    }


def measure_explanations(
    embedder: Embedder,
    methods: Mapping[str, Explain],
    images: Path,
    pairs: Sequence[Pair],
    most: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[ExplanationFigures]:
    """Maps of each method against random ones, of mated and of non-mated pairs.

    Args:
        embedder: Of the bundle; its d is what a map has to foretell.
        methods: By name.
        images: The folder that the pairs' names lead from.
        pairs: Of which `most` of each kind are drawn; those without a template are left out.
        most: Of each kind.
        progress: Told after each pair.

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
                gaps.append(measure_gaps(embedder, methods, faces[0], faces[1], chance))
        if not gaps:
            raise PairsInvalid(images, f"no {kind} pair can be compared")
        told.extend(summarise(kind, list(methods), np.array(gaps), chance))
    return sorted(told, key=lambda one: list(methods).index(one.method))


def embed_picture(embedder: Embedder, path: Path) -> Embedding | None:
    """The face of a picture; None where there is none to compare."""
    try:
        return embedder.embed(path.read_bytes(), Purpose.VERIFY)
    except (EmbeddingError, OSError):
        return None


def measure_gaps(
    embedder: Embedder,
    methods: Mapping[str, Explain],
    a: Embedding,
    b: Embedding,
    chance: np.random.Generator,
) -> list[float]:
    """The gap of the first face's map by each method, and last of a random map."""
    other = b.template.vector
    maps = *(explain(a.crop, other) for explain in methods.values()), chance.random((CELLS, CELLS))
    return [measure_fidelity(embedder.embed_crops, a.crop, other, one).gap for one in maps]


def summarise(
    kind: str, methods: Sequence[str], gaps: NDArray[np.float64], chance: np.random.Generator
) -> list[ExplanationFigures]:
    """(n, methods + 1) gaps, the last of random maps; each with an interval over pairs (bootstrap)."""
    drawn = chance.integers(0, len(gaps), (REPLICATES, len(gaps)))
    random = gaps[:, -1]
    return [
        ExplanationFigures(
            method,
            kind,
            len(gaps),
            float(ours.mean()),
            float(random.mean()),
            percentiles((ours - random)[drawn].mean(axis=1)),
        )
        for method, ours in zip(methods, gaps.T, strict=False)
    ]


def format_explanations(told: Sequence[ExplanationFigures]) -> str:
    """The table, as Markdown."""
    rows = [
        f"| {one.method} | {one.kind} | {one.pairs} | {one.gap:.3f} | {one.chance:.3f} | "
        f"{one.gap - one.chance:.3f} ({one.interval[0]:.3f} … {one.interval[1]:.3f}) | "
        f"{'yes' if one.beats_chance else 'no'} |"
        for one in told
    ]
    head = "| Map, 7×7 | Pairs | Number | Gap | Random | Difference (95 % over pairs) | Beats chance |"
    return "\n".join([head, "|---|---|---|---|---|---|---|", *rows])
