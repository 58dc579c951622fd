"""What small changes to a picture, computed against the network, do to decisions.

The attacker knows the network and the template that is compared with (white box), and changes every channel
of every pixel of an aligned face by at most ε: towards somebody else (impersonation) or away from the own
template (dodging). What counts is what serves: the changed picture, rounded to whole pixel values, through
the bundle in the precision that it serves in, at its thresholds.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from captum.robust import PGD
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from embedding.align import ALIGNED_SIZE
from training.data.altered import compress_jpeg, halve_and_enlarge
from training.data.faces import decode_crop
from training.data.pictures import Pictures, limit_per_person
from training.errors import NoComparisons, PicturesInvalid
from training.evaluation.acquire import Progress
from training.evaluation.attack_figures import (
    NOISE,
    NOTHING,
    PGD_ALONE,
    AttackChange,
    AttackOutcome,
    Thresholds,
)
from training.evaluation.shares import count_share

EPSILONS = (1, 2, 4, 8)
"""Largest changes, in steps of the 256 that a channel has."""
STEPS = 10
PEOPLE = 60
REACH = 2.5
"""All steps together, as a multiple of ε (Madry et al., "Towards Deep Learning Models Resistant to
Adversarial Attacks", ICLR 2018)."""
STRENGTH = 1e4
"""Of the loss: the library takes gradients below 1e-6 for none, and d moves little with one of 256 steps."""
BATCH = 16
QUALITY = 75
"""Of a JPEG on its way."""

Crops = NDArray[np.uint8]
"""(n, 112, 112, 3) RGB."""
Vectors = NDArray[np.float32]
Embed = Callable[[Crops], Vectors]
Views = Callable[[Tensor], Sequence[Tensor]]
"""(n, 112, 112, 3) → several views of the same faces, as many; their vectors are averaged."""


def view_unchanged(faces: Tensor) -> Sequence[Tensor]:
    """One view: the face itself."""
    return [faces]


@dataclass(frozen=True)
class AttackPairs:
    """A template and a try of each person, aligned crops, in the same order.

    Attributes:
        templates: (n, 112, 112, 3) uint8 RGB.
        tries: (n, 112, 112, 3) of other pictures of the same people.
    """

    templates: Crops
    tries: Crops

    @classmethod
    def of(cls, pictures: Pictures, names: Sequence[str], people: int) -> "AttackPairs":
        """Two pictures of each of some people, evenly chosen; the same ones each time.

        Args:
            pictures: Where the pictures lie.
            names: Which of them may be used.
            people: How many people, at most.

        Raises:
            NoComparisons: If fewer than two people have two pictures.
            PicturesInvalid: If a picture is not an aligned face.
        """
        of_person: dict[str, list[str]] = {}
        for name in limit_per_person(names, pictures.identity, 2):
            of_person.setdefault(pictures.identity[name], []).append(name)
        both = [theirs for _, theirs in sorted(of_person.items()) if len(theirs) == 2]
        if len(both) < 2:
            raise NoComparisons("non-mated", len(names), 0)
        chosen = [both[place] for place in np.unique(np.linspace(0, len(both) - 1, people, dtype=np.int64))]
        templates, tries = (
            np.stack([read_crop(pictures, name) for name in column]) for column in zip(*chosen, strict=True)
        )
        return cls(templates, tries)

    def __len__(self) -> int:
        return len(self.templates)


@dataclass(frozen=True)
class AttackedModel:
    """What is attacked, and what serves.

    Attributes:
        network: (n, 112, 112, 3) of 0..255 → (n, dim) of unit length, with gradients.
        embed: What serves; it judges the attack.
        views: What is looked at in place of the face, by both.
    """

    network: nn.Module
    embed: Embed
    views: Views = view_unchanged

    def vectors(self, crops: Crops) -> Vectors:
        """(n, dim) as served."""
        views = self.views(torch.from_numpy(crops).float())
        sums = sum(self.embed(view.round().clamp(0, 255).to(torch.uint8).numpy()) for view in views)
        return np.asarray(sums / np.linalg.norm(sums, axis=1, keepdims=True), np.float32)

    def forward(self, faces: Tensor) -> Tensor:
        """(n, dim) of unit length, with gradients."""
        views = self.views(faces)
        return functional.normalize(torch.stack([self.network(view) for view in views]).sum(0), dim=1)


def read_crop(pictures: Pictures, name: str) -> Crops:
    """The (112, 112, 3) crop of a picture that is aligned already.

    Raises:
        PicturesInvalid: If it is none.
    """
    crop = decode_crop(pictures.read(name))
    if crop is None or crop.shape != (ALIGNED_SIZE, ALIGNED_SIZE, 3):
        raise PicturesInvalid(name, f"it is not an aligned face of {ALIGNED_SIZE}x{ALIGNED_SIZE}")
    return crop


def perturb(
    forward: Callable[[Tensor], Tensor],
    crops: Crops,
    goals: Vectors,
    epsilon: int,
    *,
    away: bool = False,
    steps: int = STEPS,
    seed: int = 0,
) -> Crops:
    """Projected gradient descent on d, from a random point of the ball (Madry et al. 2018).

    Args:
        forward: (n, 112, 112, 3) of 0..255 → (n, dim), with gradients.
        crops: (n, 112, 112, 3) uint8 RGB.
        goals: (n, dim) templates to come near to.
        epsilon: The largest change of a channel, of 255.
        away: Go away from the goals instead.
        steps: Of `REACH` · ε / steps each.
        seed: Of the first point.

    Returns:
        (n, 112, 112, 3) uint8 RGB, none of which differs from its crop by more than ε anywhere.
    """

    def distance(vectors: Tensor, goal: Tensor) -> Tensor:
        return STRENGTH * (vectors - goal).square().sum(1)  # (n,)

    attack = PGD(forward, distance, lower_bound=0, upper_bound=255)
    found = []
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        # It asks for gradients of its own copies, and says so at every step.
        warnings.filterwarnings("ignore", message="Input Tensor 0 did not already require gradients")
        torch.manual_seed(seed)
        for first, last in pairwise([*range(0, len(crops), BATCH), len(crops)]):
            changed = attack.perturb(
                torch.from_numpy(crops[first:last]).float(),
                radius=epsilon,
                step_size=REACH * epsilon / steps,
                step_num=steps,
                target=torch.from_numpy(goals[first:last]),
                targeted=not away,
                random_start=True,
            )
            found.append(changed.round().to(torch.uint8).numpy())
    return np.concatenate(found)


def add_noise(crops: Crops, epsilon: int, seed: int = 0) -> Crops:
    """Every channel of every pixel brighter or darker by ε, at random."""
    signs = np.random.default_rng(seed).choice(np.array([-1, 1], np.int16), crops.shape)
    return np.asarray(np.clip(crops + epsilon * signs, 0, 255), np.uint8)


def leave_unchanged(crops: Crops) -> Crops:
    """No way at all: the picture arrives as it was made."""
    return crops


AFTERWARDS: Mapping[str, Callable[[Crops], Crops]] = {
    PGD_ALONE: leave_unchanged,
    f"PGD, then JPEG of quality {QUALITY}": lambda crops: np.stack(
        [compress_jpeg(crop, QUALITY) for crop in crops]
    ),
    "PGD, then half the size and back": lambda crops: np.stack([halve_and_enlarge(crop) for crop in crops]),
}
"""What happens to a changed picture on its way."""


@dataclass(frozen=True)
class AttackAttempts:
    """The distances of changed pictures.

    Attributes:
        towards: (n,) d to the next person's template, of pictures made to impersonate.
        own: (n,) d to the own template, of pictures made to dodge.
    """

    towards: Vectors
    own: Vectors

    def outcomes(self, thresholds: Thresholds) -> list[AttackOutcome]:
        """What they do at each threshold."""
        return [
            AttackOutcome(
                fmr,
                count_share(int((self.towards <= d).sum()), len(self.towards)),
                count_share(int((self.own > d).sum()), len(self.own)),
            )
            for fmr, d in thresholds
        ]


class Attack:
    """Attacks on one model, by the same people with the same chance each time.

    Args:
        model: What is attacked.
        pairs: Who attacks; each impersonates the next, the last one the first.
    """

    def __init__(self, model: AttackedModel, pairs: AttackPairs) -> None:
        self._model = model
        self._pairs = pairs
        self._served = model.vectors(pairs.templates)
        with torch.inference_mode():
            known = torch.cat([model.forward(part) for part in _split_crops(pairs.templates)]).numpy()
        self._known: Vectors = np.ascontiguousarray(known)

    def change(self, altered: Callable[[Crops], Crops]) -> AttackAttempts:
        """Changes that know nothing of the network."""
        changed = altered(self._pairs.tries)
        return self._compare(changed, changed)

    def pgd(self, epsilon: int, steps: int = STEPS) -> tuple[Crops, Crops]:
        """Tries that were made to impersonate, and to dodge."""
        forward, tries = self._model.forward, self._pairs.tries
        return (
            perturb(forward, tries, np.roll(self._known, -1, axis=0), epsilon, steps=steps),
            perturb(forward, tries, self._known, epsilon, away=True, steps=steps),
        )

    def judge(
        self, made: tuple[Crops, Crops], afterwards: Callable[[Crops], Crops] = leave_unchanged
    ) -> AttackAttempts:
        """What serves, about pictures that were changed and then went some way."""
        impersonating, dodging = made
        return self._compare(afterwards(impersonating), afterwards(dodging))

    def _compare(self, impersonating: Crops, dodging: Crops) -> AttackAttempts:
        others = np.roll(self._served, -1, axis=0)
        return AttackAttempts(
            _compute_distances(self._model.vectors(impersonating), others),
            _compute_distances(self._model.vectors(dodging), self._served),
        )


def attack_model(
    model: AttackedModel,
    pairs: AttackPairs,
    thresholds: Thresholds,
    *,
    epsilons: Sequence[int] = EPSILONS,
    steps: int = STEPS,
    progress: Progress | None = None,
) -> list[AttackChange]:
    """Everything that is measured of a model: pictures as they are, noise, PGD, and PGD after a way."""
    attack = Attack(model, pairs)
    changes = [AttackChange(NOTHING, 0, attack.change(leave_unchanged).outcomes(thresholds))]
    for epsilon in epsilons:
        noisy = attack.change(lambda crops, size=epsilon: add_noise(crops, size))  # type: ignore[misc]
        changes.append(AttackChange(NOISE, epsilon, noisy.outcomes(thresholds)))
    for done, epsilon in enumerate(epsilons, start=1):
        made = attack.pgd(epsilon, steps)
        for name, afterwards in AFTERWARDS.items():
            changes.append(AttackChange(name, epsilon, attack.judge(made, afterwards).outcomes(thresholds)))
        if progress:
            progress(done * len(pairs), len(epsilons) * len(pairs))
    return changes


def _compute_distances(vectors: Vectors, others: Vectors) -> Vectors:
    return np.asarray(np.square(vectors - others).sum(axis=1), np.float32)


def _split_crops(crops: Crops) -> list[Tensor]:
    return list(torch.split(torch.from_numpy(crops).float(), BATCH))
