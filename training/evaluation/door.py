"""Error rates at the door: whole pictures, the product's own detector and gates, enrolment and tries.

Each person's first pictures that pass the enrolment gate become templates, at most three and at most half of
the pictures. The others are tried: as they are, and as a webcam would have taken them. Pictures that fail the
check-in gate are turned away, which the kiosk says at once, and do not count as tries.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from embedding.embedder import Embedder
from embedding.errors import EmbeddingError
from embedding.faces import FacePolicy
from embedding.quality import Purpose
from training.data.altered import ALTERATIONS, Alteration, alter
from training.data.pictures import Pictures
from training.errors import NoComparisons
from training.evaluation.acquire import BATCH, Progress
from training.evaluation.transactions import (
    TEMPLATES,
    GallerySamples,
    Probes,
    TransactionRates,
    measure_transactions,
)

AS_IT_IS, WEBCAM = "as they are", "webcam"

POLICIES = {Purpose.ENROL: FacePolicy.EXACTLY_ONE, Purpose.CHECKIN: FacePolicy.CENTRAL}
"""What the service does with several faces by default."""


@dataclass(frozen=True)
class Gate:
    """What a gate did with the pictures it got.

    Attributes:
        shown: Number of pictures.
        turned_away: Reason → number of pictures, by the first reason of each.
    """

    shown: int
    turned_away: Mapping[str, int]

    @property
    def refused(self) -> int:
        """Pictures that did not pass."""
        return sum(self.turned_away.values())


@dataclass(frozen=True)
class Condition:
    """Tries under one condition.

    Attributes:
        name: Name of the condition.
        gate: Results of the check-in gate.
        rates: Rates of one try and of up to three, at each threshold.
    """

    name: str
    gate: Gate
    rates: Sequence[TransactionRates]


@dataclass(frozen=True)
class DoorFigures:
    """One collection at the door.

    Attributes:
        collection: Its name.
        people: People with two pictures or more.
        enrolled: Those of them with a template.
        templates: Number of templates.
        gate: Results of the enrolment gate.
        conditions: Pictures as they are, then altered ones.
    """

    collection: str
    people: int
    enrolled: int
    templates: int
    gate: Gate
    conditions: Sequence[Condition]


def measure_door(
    embedder: Embedder,
    pictures: Pictures,
    collection: str,
    thresholds: Sequence[tuple[float, float]],
    progress: Progress | None = None,
) -> DoorFigures:
    """Enrol and try everybody who has two pictures or more.

    Args:
        embedder: The bundle's embedder.
        pictures: Whole pictures, in one folder per person.
        collection: Name of the collection.
        thresholds: Pairs of FMR and d.
        progress: Called with the number of pictures done and the total.

    Raises:
        NoComparisons: If fewer than two people have two pictures, or nobody could be enrolled.
    """
    people = _group_people(pictures)
    if len(people) < 2:
        raise NoComparisons("non-mated", sum(map(len, people)), 0)
    door = _Door(embedder.with_face_policies(POLICIES), pictures, progress, total=sum(map(len, people)))
    gallery, gate, left = _enrol(door, people)
    if not len(gallery.owner):
        raise NoComparisons("mated", gate.shown, gate.refused)
    door.total += len(left) * (1 + len(ALTERATIONS))
    conditions = []
    for name, alteration in {AS_IT_IS: None, **ALTERATIONS}.items():
        probes, checked = _try(door, left, alteration)
        rates = measure_transactions(gallery, probes, len(people), thresholds)
        conditions.append(Condition(name, checked, rates))
    enrolled = len(np.unique(gallery.owner))
    return DoorFigures(collection, len(people), enrolled, len(gallery.owner), gate, conditions)


def _group_people(pictures: Pictures) -> list[list[str]]:
    """The pictures of each person with two or more, in order."""
    of_person: dict[str, list[str]] = {}
    for name in pictures.labelled:
        of_person.setdefault(pictures.identity[name], []).append(name)
    return [names for names in of_person.values() if len(names) > 1]


@dataclass
class _Door:
    """Processes pictures and reports progress."""

    embedder: Embedder
    pictures: Pictures
    progress: Progress | None
    total: int
    looked: int = 0

    def look(
        self, names: Sequence[str], purpose: Purpose, alteration: Alteration | None = None
    ) -> list[NDArray[np.float32] | str]:
        """The vector of each picture, or the reason it is turned away."""
        found: list[NDArray[np.float32] | str] = []
        for start in range(0, len(names), BATCH):
            batch = names[start : start + BATCH]
            contents = [self._content(name, alteration) for name in batch]
            for result in self.embedder.embed_many(contents, purpose):
                if isinstance(result, EmbeddingError):
                    found.append(result.code)
                elif not result.quality.acceptable:
                    found.append(result.quality.reasons[0])
                else:
                    found.append(result.template.vector)
            self.looked += len(batch)
            if self.progress:
                self.progress(self.looked, self.total)
        return found

    def _content(self, name: str, alteration: Alteration | None) -> bytes:
        content = self.pictures.read(name)
        return content if alteration is None else alter(content, alteration)


def _enrol(
    door: _Door, people: Sequence[Sequence[str]]
) -> tuple[GallerySamples, Gate, list[tuple[int, str]]]:
    """Templates, the gate's results, and (person, name) of the pictures left to try.

    Pictures that the enrolment gate turns away are also left to try: poor photographs occur at the door too.
    """
    vectors: list[NDArray[np.float32]] = []
    owner: list[int] = []
    left: list[tuple[int, str]] = []
    refused: Counter[str] = Counter()
    shown = 0
    names = [(person, name) for person, theirs in enumerate(people) for name in theirs]
    seen = door.look([name for _, name in names], Purpose.ENROL)
    taken: Counter[int] = Counter()
    for (person, name), found in zip(names, seen, strict=True):
        if taken[person] == min(TEMPLATES, len(people[person]) // 2):
            left.append((person, name))
            continue
        shown += 1
        if isinstance(found, str):
            refused[found] += 1
            left.append((person, name))
        else:
            taken[person] += 1
            vectors.append(found)
            owner.append(person)
    gallery = GallerySamples(_stack(vectors, door.embedder.dim), np.array(owner, np.int64))
    return gallery, Gate(shown, dict(refused.most_common())), left


def _try(door: _Door, left: Sequence[tuple[int, str]], alteration: Alteration | None) -> tuple[Probes, Gate]:
    """The pictures that pass the check-in gate, and the gate's results."""
    seen = door.look([name for _, name in left], Purpose.CHECKIN, alteration)
    passed = [
        (person, each) for (person, _), each in zip(left, seen, strict=True) if not isinstance(each, str)
    ]
    refused = Counter(each for each in seen if isinstance(each, str))
    vectors = _stack([vector for _, vector in passed], door.embedder.dim)
    probes = Probes(vectors, np.array([person for person, _ in passed], np.int64))
    return probes, Gate(len(left), dict(refused.most_common()))


def _stack(vectors: Sequence[NDArray[np.float32]], dim: int) -> NDArray[np.float32]:
    return np.stack(vectors) if vectors else np.empty((0, dim), np.float32)
