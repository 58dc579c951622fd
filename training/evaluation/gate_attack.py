"""Compare two models under the same attack: the same people, the same steps, each by its own network."""

from typing import Any

import numpy as np

from training.evaluation.attack import Attack, AttackedModel, AttackPairs
from training.evaluation.bootstrap import percentiles

EPSILON = 2
"""Where an attack on the shipped network succeeds about half the time, so that a difference shows."""
PEOPLE = 24
STEPS = 7
REPLICATES = 200

Record = dict[str, Any]
KINDS = ("impersonated", "dodged")


def attack_both(
    models: tuple[AttackedModel, AttackedModel],
    pairs: AttackPairs,
    fmr: float,
    thresholds: tuple[float, float],
) -> Record:
    """The record of an attack on the incumbent and on the candidate.

    Args:
        models: Incumbent and candidate.
        pairs: Of people that neither was trained on.
        fmr: The thresholds promise this.
        thresholds: In d, of each model.
    """
    succeeded = [_attack_people(model, pairs, at) for model, at in zip(models, thresholds, strict=True)]
    old, new = ({kind: float(found[kind].mean()) for kind in KINDS} for found in succeeded)
    random = np.random.default_rng(0)
    drawn = random.integers(len(pairs), size=(REPLICATES, len(pairs)))
    intervals = {
        kind: list(percentiles((succeeded[1][kind] - succeeded[0][kind])[drawn].mean(axis=1)))
        for kind in KINDS
    }
    return {
        "change": "PGD",
        "epsilon": EPSILON,
        "fmr": fmr,
        "people": len(pairs),
        "incumbent": old,
        "candidate": new,
        "difference": {kind: new[kind] - old[kind] for kind in KINDS},
        "interval": intervals,
        "worse": [kind for kind in KINDS if intervals[kind][0] > 0],
    }


def _attack_people(
    model: AttackedModel, pairs: AttackPairs, threshold: float
) -> dict[str, np.ndarray[Any, Any]]:
    """Kind → (n,) 1.0 for each person whose attack succeeded."""
    attack = Attack(model, pairs)
    attempts = attack.judge(attack.pgd(EPSILON, STEPS))
    return {
        "impersonated": (attempts.towards <= threshold).astype(np.float64),
        "dodged": (attempts.own > threshold).astype(np.float64),
    }
