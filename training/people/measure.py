"""Measure whether made-up people can replace real ones: detected, told apart, and copies of nobody."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from embedding.embedder import Embedder, Embedding
from embedding.people.generator import MadeUpPeople
from embedding.people.photograph import encode_jpeg, photograph
from embedding.quality import LIMITS, Measures, Purpose, assess
from training.evaluation.error_rates import error_rates

Vectors = NDArray[np.float32]
Distances = NDArray[np.float64]

UPRIGHT_DEGREES = 20.0


@dataclass(frozen=True)
class Verdict:
    """One judge's results at one of its thresholds."""

    judge: str
    at_fmr: float
    threshold: float
    fnmr: float
    fmr: float
    mated: int
    non_mated: int


@dataclass(frozen=True)
class Nearness:
    """How near the nearest training face is: a copy of it would be at 0."""

    whose: str
    median: float
    smallest: float
    pictures: int


@dataclass(frozen=True)
class PeopleReport:
    """Everything that was measured of a generator.

    Attributes:
        pictures: Number drawn: people times captures.
        found_upright: Share in which the detector finds one face, upright.
        good_to_enrol: Share that the quality limits of an enrolment let through.
        verdicts: Of each judge.
        nearness: Of made-up people and of real strangers.
    """

    people: int
    pictures: int
    found_upright: float
    good_to_enrol: float
    verdicts: tuple[Verdict, ...]
    nearness: tuple[Nearness, ...]


@dataclass(frozen=True)
class Photographs:
    """Photographs of made-up people as the product sees them.

    Attributes:
        drawn: Number of photographs.
        seen: The embeddings of those that gave a template.
        of: (len(seen),) the person each shows.
    """

    drawn: int
    seen: list[Embedding]
    of: NDArray[np.int64]

    @property
    def crops(self) -> NDArray[np.uint8]:
        """(n, 112, 112, 3) as the product aligned them."""
        return np.stack([one.crop for one in self.seen])


def photograph_people(
    people: MadeUpPeople, embedder: Embedder, numbers: Sequence[int], captures: int
) -> Photographs:
    """Draw photographs of everybody and embed them with the product."""
    seen: list[Embedding] = []
    of: list[int] = []
    for number in numbers:
        crops = people.draw(people.person(number), people.captures(number, captures))
        pictures = [encode_jpeg(photograph(crop, number)) for crop in crops]
        found = [one for one in embedder.embed_many(pictures, Purpose.VERIFY) if isinstance(one, Embedding)]
        seen += found
        of += [number] * len(found)
    return Photographs(len(numbers) * captures, seen, np.array(of))


def measure_people(
    people: MadeUpPeople,
    embedder: Embedder,
    judges: Mapping[str, tuple[Embedder, Sequence[float]]],
    numbers: Sequence[int],
    captures: int = 8,
    training: Vectors | None = None,
    strangers: Vectors | None = None,
) -> PeopleReport:
    """Measure everything about a generator.

    Args:
        people: The generator.
        embedder: The product's embedder, whose detector and quality limits are used.
        judges: By name a calibrated embedder and the false match rates whose thresholds it judges at.
        numbers: Of the people.
        captures: Photographs of each.
        training: (n, dim) the embedder's templates of the faces that were learned from.
        strangers: (m, dim) its templates of real people who were not.
    """
    sitting = photograph_people(people, embedder, numbers, captures)
    own = np.stack([one.template.vector for one in sitting.seen])
    compared = {"made-up people": own} | ({} if strangers is None else {"real strangers": strangers})
    return PeopleReport(
        len(numbers),
        sitting.drawn,
        sum(map(is_upright, sitting.seen)) / sitting.drawn,
        sum(map(is_good, sitting.seen)) / sitting.drawn,
        tuple(verdict for name, judge in judges.items() for verdict in judge_pairs(name, *judge, sitting)),
        () if training is None else tuple(measure_nearness(*one, training) for one in compared.items()),
    )


def judge_pairs(name: str, judge: Embedder, rates: Sequence[float], sitting: Photographs) -> list[Verdict]:
    """A judge's error rates over all pairs."""
    mated, non_mated = compute_pair_distances(judge.embed_crops(sitting.crops), sitting.of)
    calibration = judge.bundle.calibration
    verdicts = []
    for rate in rates:
        threshold = calibration.threshold(rate)
        fmr, fnmr = error_rates(mated, non_mated, threshold)
        verdicts.append(Verdict(name, rate, threshold, fnmr, fmr, len(mated), len(non_mated)))
    return verdicts


def compute_pair_distances(vectors: Vectors, of: NDArray[np.int64]) -> tuple[Distances, Distances]:
    """d of all pairs of one person, and of all pairs of two."""
    d = 2.0 - 2.0 * (vectors.astype(np.float64) @ vectors.T.astype(np.float64))
    above = np.triu(np.ones(d.shape, bool), 1)
    same = of[:, None] == of[None, :]
    return d[above & same], d[above & ~same]


def measure_nearness(whose: str, vectors: Vectors, training: Vectors) -> Nearness:
    """The distance of each template to the nearest training template."""
    nearest = np.concatenate(
        [2.0 - 2.0 * (part @ training.T).max(1) for part in np.array_split(vectors, len(vectors) // 512 + 1)]
    )
    return Nearness(whose, float(np.median(nearest)), float(nearest.min()), len(vectors))


def is_upright(one: Embedding) -> bool:
    """Whether the face was found upright."""
    return abs(one.quality.measures["head_pose_roll"]) <= UPRIGHT_DEGREES


def is_good(one: Embedding) -> bool:
    """Whether the picture is good enough for an enrolment."""
    measures = one.quality.measures
    return assess(Measures(**measures), LIMITS[Purpose.ENROL]).acceptable
