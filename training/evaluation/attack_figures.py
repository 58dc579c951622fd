"""What attacks on a network did, as figures; without torch, because documents are written from them."""

from collections.abc import Sequence
from dataclasses import dataclass

from training.evaluation.bootstrap import Interval
from training.evaluation.transactions import Share

NOTHING, NOISE, PGD_ALONE = "nothing", "noise", "PGD"

Thresholds = Sequence[tuple[float, float]]
"""Pairs of FMR and d."""


@dataclass(frozen=True)
class AttackOutcome:
    """What changes to pictures did to decisions at one threshold.

    Attributes:
        at_fmr: What the threshold promises.
        impersonated: People who matched the next person's template.
        dodged: People who did not match their own.
    """

    at_fmr: float
    impersonated: Share
    dodged: Share


@dataclass(frozen=True)
class AttackChange:
    """One way of changing pictures.

    Attributes:
        name: In words.
        epsilon: The largest change of a channel, of 255.
        outcomes: At each threshold.
    """

    name: str
    epsilon: int
    outcomes: Sequence[AttackOutcome]


@dataclass(frozen=True)
class WayRate:
    """What a way of looking costs: FNMR of people held out for tests, at its own threshold for an FMR."""

    fmr: float
    fnmr: float
    interval: Interval | None


@dataclass(frozen=True)
class Way:
    """A way of looking at faces, attacked by somebody who knows it.

    Attributes:
        name: In words.
        looks: How often the network is asked about a face.
        rates: What it costs.
        change: What PGD does to it, at its own thresholds.
    """

    name: str
    looks: int
    rates: Sequence[WayRate]
    change: AttackChange


@dataclass(frozen=True)
class AttackFigures:
    """Attacks on a network.

    Attributes:
        people: Held out for tests; each attacks once.
        steps: Of each descent.
        changes: What was done to the pictures.
        ways: Ways of looking; the first is the one that serves.
    """

    people: int
    steps: int
    changes: Sequence[AttackChange]
    ways: Sequence[Way]
