"""What attacks do to a bundle or a run, and what would lower that at inference."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from embedding.embedder import Embedder
from training.data.faces import SPLIT, Split
from training.data.pictures import Pictures, limit_per_person
from training.embedder.export import build_served_network
from training.embedder.weights import load_network
from training.engine.run import RunFolder
from training.errors import CheckpointInvalid
from training.evaluation.acquire import Progress
from training.evaluation.attack import (
    BATCH,
    EPSILONS,
    PEOPLE,
    STEPS,
    Attack,
    AttackedModel,
    AttackPairs,
    Crops,
    Embed,
    Vectors,
    Views,
    attack_model,
    read_crop,
    view_unchanged,
)
from training.evaluation.attack_figures import (
    PGD_ALONE,
    AttackChange,
    AttackFigures,
    Thresholds,
    Way,
    WayRate,
)
from training.evaluation.bootstrap import bootstrap
from training.evaluation.comparisons import Indices, compare_all
from training.evaluation.error_rates import operating_point
from training.evaluation.evaluate import SERVICE_FMRS
from training.networks.embedder import BothSides
from training.shipping.figures import figures_of

EPSILON = 2
"""At which ways of looking are compared."""
PICTURES = 10
"""Of a person, at most, for the rates of a way of looking."""
SHIFT = 2
"""Pixels by which crops are moved."""


def smooth(faces: Tensor) -> Sequence[Tensor]:
    """Each pixel averaged with its neighbours, by 1, 2, 1 over 4 each way."""
    weights = torch.tensor([1.0, 2.0, 1.0]) / 4
    kernel = torch.outer(weights, weights).expand(3, 1, 3, 3)
    padded = functional.pad(faces.permute(0, 3, 1, 2), (1, 1, 1, 1), mode="replicate")
    return [functional.conv2d(padded, kernel, groups=3).permute(0, 2, 3, 1)]


def move(faces: Tensor) -> Sequence[Tensor]:
    """The face, and twice the face moved along a diagonal."""
    size = faces.shape[1]
    planes = functional.pad(faces.permute(0, 3, 1, 2), (SHIFT,) * 4, mode="replicate")
    return [
        planes[:, :, start : start + size, start : start + size].permute(0, 2, 3, 1)
        for start in (SHIFT, 0, 2 * SHIFT)
    ]


WAYS: Mapping[str, Views] = {
    "as it is": view_unchanged,
    "smoothed": smooth,
    f"three crops, {SHIFT} pixels apart": move,
}


@dataclass(frozen=True)
class HeldOut:
    """Crops of some people.

    Attributes:
        crops: (n, 112, 112, 3) uint8 RGB.
        identity: (n,) of whom.
    """

    crops: Crops
    identity: Indices

    @classmethod
    def of(cls, pictures: Pictures, names: Sequence[str]) -> "HeldOut":
        """A few pictures of everybody."""
        chosen = limit_per_person(names, pictures.identity, PICTURES)
        identity = np.unique([pictures.identity[name] for name in chosen], return_inverse=True)[1]
        return cls(np.stack([read_crop(pictures, name) for name in chosen]), identity.astype(np.int64))


@dataclass(frozen=True)
class AttackPlan:
    """What an attack works with.

    Attributes:
        pictures: Aligned crops.
        people: Who attack, at most.
        steps: Of each descent.
        epsilons: Largest changes of a channel, of 255.
        fmrs: At which ways of looking are compared; the people to calibrate must support them.
        progress: Called with the number of attacks done and the total.
    """

    pictures: Pictures
    people: int = PEOPLE
    steps: int = STEPS
    epsilons: Sequence[int] = EPSILONS
    fmrs: Sequence[float] = SERVICE_FMRS
    progress: Progress | None = None


def attack_bundle(folder: Path, run: Path, plan: AttackPlan) -> AttackFigures:
    """Attack a bundle through its float network, at its own thresholds, and write that into its figures.

    Raises:
        CheckpointInvalid: If the bundle was not made of a checkpoint of the run.
        FiguresInvalid: If nothing else was measured of it yet.
    """
    embedder = Embedder.open(folder)
    figures = figures_of(embedder.bundle)
    targets = embedder.bundle.calibration.targets
    measured = measure_attack(
        _network_of(run, embedder),
        embedder.embed_crops,
        Split.read(run / SPLIT),
        plan,
        [(each.fmr, each.threshold) for each in targets if each.fmr in plan.fmrs],
    )
    replace(figures, attack=measured).write(folder)
    return measured


def attack_run(run: Path, plan: AttackPlan) -> AttackFigures:
    """Attack the network of a run as it would be exported, with the mirror image.

    It is judged in float32, at thresholds of the people whom the run held out to calibrate.

    Raises:
        CheckpointInvalid: If there is no network in it.
    """
    network = BothSides(load_network(RunFolder(run).chosen)).eval().requires_grad_(False)

    @torch.inference_mode()
    def embed(crops: Crops) -> Vectors:
        parts = torch.split(torch.from_numpy(crops), BATCH)
        return np.concatenate([network(part).numpy() for part in parts])

    return measure_attack(network, embed, Split.read(run / SPLIT), plan)


def _network_of(run: Path, embedder: Embedder) -> nn.Module:
    chosen = RunFolder(run).chosen
    for checkpoint in [chosen] if chosen.is_file() else sorted(run.glob("*-embedder.pt")):
        network = build_served_network(checkpoint, embedder)
        if network is not None:
            return network
    raise CheckpointInvalid(run, f"{embedder.bundle.path} was not made of a checkpoint in it")


def measure_attack(
    network: nn.Module, embed: Embed, split: Split, plan: AttackPlan, thresholds: Thresholds = ()
) -> AttackFigures:
    """Attack what serves, and compare ways of looking.

    Args:
        network: The network as it is exported, in float32.
        embed: What serves.
        split: Whom the network never saw; thresholds of ways of looking come from those to calibrate, and
            those to test attack.
        plan: What to do.
        thresholds: Of what serves; by default as measured on the people to calibrate.

    Raises:
        NoComparisons: If fewer than two people have two pictures.
        FmrNotSupported: If there are too few people to calibrate.
        PicturesInvalid: If a picture is not an aligned face.
    """
    calibrate, test = (plan.pictures.of_people(frozenset(part)) for part in (split.calibrate, split.test))
    pairs = AttackPairs.of(plan.pictures, test, plan.people)
    parts = HeldOut.of(plan.pictures, calibrate), HeldOut.of(plan.pictures, test)
    ways, plain = [], thresholds
    for name, views in WAYS.items():
        model = AttackedModel(network, embed, views)
        own, rates = _rates(model, *parts, plan.fmrs)
        plain = plain or own
        attack = Attack(model, pairs)
        attempts = attack.judge(attack.pgd(EPSILON, plan.steps))
        looks = len(views(torch.zeros(1, *pairs.tries.shape[1:])))
        ways.append(Way(name, looks, rates, AttackChange(PGD_ALONE, EPSILON, attempts.outcomes(own))))
    changes = attack_model(
        AttackedModel(network, embed),
        pairs,
        plain,
        epsilons=plan.epsilons,
        steps=plan.steps,
        progress=plan.progress,
    )
    return AttackFigures(len(pairs), plan.steps, changes, ways)


def _rates(
    model: AttackedModel, calibrate: HeldOut, test: HeldOut, fmrs: Sequence[float]
) -> tuple[Thresholds, list[WayRate]]:
    """Thresholds by the people to calibrate, and FNMR of the others at them."""
    known = compare_all(model.vectors(calibrate.crops), calibrate.identity).curve()
    comparisons = compare_all(model.vectors(test.crops), test.identity)
    replicates = bootstrap(comparisons)
    thresholds = [(fmr, operating_point(known, fmr).threshold) for fmr in fmrs]
    return thresholds, [
        WayRate(fmr, float((comparisons.mated.d > d).mean()), replicates.fnmr_beyond(d))
        for fmr, d in thresholds
    ]
