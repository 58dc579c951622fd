"""Decide whether a candidate may replace the incumbent, on the same people, unseen by either.

Each model has its own thresholds at a false match rate; no distance of one is compared with one of the other.
For every interval the same people are drawn for both, so that the draw does not add noise to a difference.

The record is a plain dict, made for JSON:

    incumbent_id, candidate_id   model ids
    identities, pictures         people and pictures that both made templates of
    mated, non_mated             comparisons; left_out_identity_pairs stand for none of them
    rates          [{fmr, incumbent, candidate, difference, worse}] for each rate that is supported;
                   a side is {fnmr, interval, threshold, threshold_interval}, a difference {fnmr, interval}
    not_supported  rates that these comparisons are too few for
    groups         [{group, identities, mated, non_mated, rates: [{fmr, incumbent, candidate, difference,
                   worse: some of FNMR, FMR}]}]; a side and a difference are {fnmr, fnmr_interval, fmr,
                   fmr_interval}, all at the model's threshold for everybody, as it would be used; null where
                   a group is too small
    acquisition    {incumbent, candidate, difference, interval, worse} of the failure-to-acquire rate
    speed          {incumbent, candidate: crops per second, ratio, interval, worse}
    size           {incumbent, candidate: bytes, difference, worse}
    attack         {change, epsilon, fmr, people, incumbent, candidate, difference, interval, worse: some of
                   impersonated, dodged}, all but the first four by these kinds; {not_measured: why} where a
                   network is not at hand
    verdict        "not_worse" or "worse"
    worse_in       what it is worse in, in words
    gained_in      what it is better in: misses at a false match rate, or failure to acquire

Worse means that the whole 95 % interval of the difference is unfavourable, gained that it is favourable. With
many groups and rates, this happens by chance now and then: a person judges that and may override with a
reason.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from embedding.embedder import Embedder
from embedding.errors import FmrNotSupported
from training.data.pictures import PER_PERSON, Pictures, limit_per_person
from training.errors import NoComparisons
from training.evaluation.acquire import Acquired, Progress, Vector, acquire
from training.evaluation.bootstrap import Interval, Replicates, bootstrap, percentiles
from training.evaluation.comparisons import CLOSE_LIMIT, Comparisons, Indices, compare_all
from training.evaluation.error_rates import operating_point, smallest_supported_fmr
from training.evaluation.evaluation import SUSPECT_D, Evidence
from training.evaluation.gate_cost import compare_size, compare_speed
from training.evaluation.gate_groups import compare_groups

FMRS = (1e-2, 1e-3, 1e-4, 1e-5)
"""False match rates at which misses are compared, if the comparisons support them."""

REPLICATES = 200
ATTACKED_AT = 1e-3

Record = dict[str, Any]
Attack = Callable[[float, tuple[float, float]], Record]
"""Called with a false match rate and both thresholds; returns the record of an attack on both."""

ATTACKS = {"impersonated": "impersonation", "dodged": "dodging"}
NOT_ATTACKED: Record = {"not_measured": "nothing but the bundles was at hand"}


@dataclass(frozen=True)
class Side:
    """One of the two models, and its results on the pictures.

    Attributes:
        embedder: The model.
        evidence: Templates of the pictures that both models took, and their comparisons.
        replicates: With other people drawn, the same for both.
    """

    embedder: Embedder
    evidence: Evidence
    replicates: Replicates


@dataclass(frozen=True)
class ModelComparison:
    """Both models, and the record of how they compare."""

    incumbent: Side
    candidate: Side
    record: Record

    def with_candidate(self, embedder: Embedder) -> "ModelComparison":
        """A copy with the candidate's current bundle, which is calibrated after the comparison."""
        return replace(self, candidate=replace(self.candidate, embedder=embedder))


def compare(
    incumbent: Embedder,
    candidate: Embedder,
    pictures: Pictures,
    names: Sequence[str] | None = None,
    *,
    groups: Mapping[str, str] | None = None,
    aligned: bool = False,
    attack: Attack | None = None,
    progress: Progress | None = None,
) -> ModelComparison:
    """Measure both on the same labelled pictures.

    Args:
        incumbent: The active model.
        candidate: The model that may replace it.
        pictures: Where the pictures lie.
        names: Which of them: of people that neither was trained on; all labelled ones by default.
        groups: Identity → group, such as an age band, where it is known.
        aligned: The pictures are aligned crops already.
        attack: Attacks both.
        progress: Counts pictures, each of which is processed twice.

    Raises:
        NoComparisons: If no person has two usable pictures, or there is one person only.
        FmrNotSupported: If the comparisons support none of `FMRS`.
    """
    chosen = limit_per_person(pictures.labelled if names is None else names, pictures.identity, PER_PERSON)
    acquired = _acquire_both(incumbent, candidate, pictures, chosen, aligned, progress)
    sides = _build_sides((incumbent, candidate), acquired, pictures)
    rates = [_compare_rates(sides, fmr) for fmr in FMRS if fmr >= _find_smallest_fmr(sides[0])]
    old, new = sides
    comparisons = old.evidence.comparisons
    people = sorted({pictures.identity[name] for name in old.evidence.names})
    record: Record = {
        "incumbent_id": incumbent.model_id,
        "candidate_id": candidate.model_id,
        "identities": len(comparisons.sizes),
        "pictures": len(old.evidence.names),
        "mated": len(comparisons.mated),
        "non_mated": comparisons.non_mated,
        "left_out_identity_pairs": len(comparisons.left_out),
        "rates": rates,
        "not_supported": [fmr for fmr in FMRS if fmr < _find_smallest_fmr(old)],
        "groups": compare_groups(
            (old.evidence.comparisons, new.evidence.comparisons),
            (old.replicates, new.replicates),
            [(groups or {}).get(person, "") for person in people],
            {rate["fmr"]: (rate["incumbent"]["threshold"], rate["candidate"]["threshold"]) for rate in rates},
        ),
        "acquisition": compare_acquisition(chosen, pictures.identity, acquired),
        "speed": compare_speed(incumbent, candidate),
        "size": compare_size(incumbent, candidate),
        "attack": _record_attack(attack, rates),
    }
    worse_in = _list_worse(record)
    record |= {
        "verdict": "worse" if worse_in else "not_worse",
        "worse_in": worse_in,
        "gained_in": _list_gains(record),
    }
    return ModelComparison(old, new, record)


def _record_attack(attack: Attack | None, rates: Sequence[Record]) -> Record:
    """The attack at the rate at which a person is asked, or at the next larger one that is supported."""
    if attack is None:
        return NOT_ATTACKED
    at = min((rate for rate in rates if rate["fmr"] >= ATTACKED_AT), key=lambda rate: float(rate["fmr"]))
    return attack(at["fmr"], (at["incumbent"]["threshold"], at["candidate"]["threshold"]))


def _acquire_both(
    incumbent: Embedder,
    candidate: Embedder,
    pictures: Pictures,
    chosen: Sequence[str],
    aligned: bool,
    progress: Progress | None,
) -> tuple[Acquired, Acquired]:
    told = progress or (lambda done, total: None)
    return (
        acquire(
            incumbent,
            pictures,
            chosen,
            aligned=aligned,
            progress=lambda done, total: told(done, 2 * total),
        ),
        acquire(
            candidate,
            pictures,
            chosen,
            aligned=aligned,
            progress=lambda done, total: told(total + done, 2 * total),
        ),
    )


def _build_sides(
    embedders: tuple[Embedder, Embedder], acquired: tuple[Acquired, Acquired], pictures: Pictures
) -> tuple[Side, Side]:
    """The comparisons of the pictures that both models accepted."""
    both = set(acquired[0].names) & set(acquired[1].names)
    names = [name for name in acquired[0].names if name in both]
    identity = np.unique([pictures.identity[name] for name in names], return_inverse=True)[1].astype(np.int64)
    vectors = [each.vectors[[name in both for name in each.names]] for each in acquired]
    left_out = _find_left_out(vectors[0], identity)
    sides = []
    for embedder, templates in zip(embedders, vectors, strict=True):
        comparisons = compare_all(templates, identity, left_out, _choose_limit(identity))
        _refuse_too_few(comparisons, acquired)
        evidence = Evidence(names, templates, identity, comparisons, comparisons.curve())
        sides.append(Side(embedder, evidence, bootstrap(comparisons, REPLICATES)))
    return sides[0], sides[1]


def _find_left_out(vectors: Vector, identity: Indices) -> Indices:
    """Pairs of identities that share a photograph, (l, 2), as the incumbent sees it.

    Only the incumbent decides: otherwise a candidate to which all faces look the same would hide its errors.
    """
    near = compare_all(vectors, identity).close
    near = near.where(near.d < SUSPECT_D)
    return np.unique(np.sort(np.stack([identity[near.a], identity[near.b]], axis=1), axis=1), axis=0)


def _choose_limit(identity: Indices) -> int:
    """How many comparisons to keep one by one, so that every replicate reaches the largest rate."""
    sizes = np.bincount(identity)
    non_mated = int(sizes.sum() ** 2 - np.square(sizes).sum()) // 2
    return max(CLOSE_LIMIT, math.ceil(3 * max(FMRS) * non_mated))


def _refuse_too_few(comparisons: Comparisons, acquired: tuple[Acquired, Acquired]) -> None:
    failed = max(len(each.failures) for each in acquired)
    total = len(acquired[0].names) + len(acquired[0].failures)
    if not len(comparisons.mated):
        raise NoComparisons("mated", total, failed)
    if not comparisons.non_mated:
        raise NoComparisons("non-mated", total, failed)
    smallest = smallest_supported_fmr(comparisons.non_mated)
    if smallest > max(FMRS):
        raise FmrNotSupported(max(FMRS), smallest, 1.0)


def _find_smallest_fmr(side: Side) -> float:
    return smallest_supported_fmr(side.evidence.comparisons.non_mated)


def _compare_rates(sides: tuple[Side, Side], fmr: float) -> Record:
    """FNMR of both at one false match rate, and the difference: candidate less incumbent."""
    old, new = (_record_side(side, fmr) for side in sides)
    values = [side.replicates.fnmr_values(fmr) for side in sides]
    interval = None if values[0] is None or values[1] is None else percentiles(values[1] - values[0])
    return {
        "fmr": fmr,
        "incumbent": old,
        "candidate": new,
        "difference": {"fnmr": new["fnmr"] - old["fnmr"], "interval": list_interval(interval)},
        "worse": interval is not None and interval[0] > 0,
    }


def _record_side(side: Side, fmr: float) -> Record:
    point = operating_point(side.evidence.curve, fmr)
    return {
        "fnmr": point.fnmr,
        "interval": list_interval(side.replicates.fnmr_at(fmr)),
        "threshold": point.threshold,
        "threshold_interval": list_interval(side.replicates.threshold_at(fmr)),
    }


def list_interval(interval: Interval | None) -> list[float] | None:
    """An interval as JSON has it."""
    return None if interval is None else list(interval)


def compare_acquisition(
    chosen: Sequence[str], identity_of: Mapping[str, str], acquired: tuple[Acquired, Acquired]
) -> Record:
    """Failure-to-acquire rates of both, with people drawn as for the other rates.

    Args:
        chosen: Pictures that were asked for.
        identity_of: Whom they show.
        acquired: By the incumbent, and by the candidate.
    """
    identity = np.unique([identity_of[name] for name in chosen], return_inverse=True)[1]
    taken = [set(each.names) for each in acquired]
    failed = [np.array([name not in names for name in chosen], np.float64) for names in taken]
    sizes = np.bincount(identity)
    change = np.bincount(identity, weights=failed[1] - failed[0])
    random = np.random.default_rng(0)
    drawn = random.integers(len(sizes), size=(REPLICATES, len(sizes)))
    interval = percentiles(change[drawn].sum(axis=1) / sizes[drawn].sum(axis=1))
    old, new = (float(each.mean()) for each in failed)
    return {
        "incumbent": old,
        "candidate": new,
        "difference": new - old,
        "interval": list_interval(interval),
        "worse": interval[0] > 0,
    }


def _list_gains(record: Record) -> list[str]:
    """What the candidate is better in; slightly faster or smaller is no reason to change the model."""
    differences = {f"FNMR at FMR {rate['fmr']:g}": rate["difference"]["interval"] for rate in record["rates"]}
    differences["failure to acquire"] = record["acquisition"]["interval"]
    return [what for what, interval in differences.items() if interval is not None and interval[1] < 0]


def _list_worse(record: Record) -> list[str]:
    """What the candidate is worse in, in words."""
    found = [f"FNMR at FMR {rate['fmr']:g}" for rate in record["rates"] if rate["worse"]]
    for group in record["groups"]:
        found += [
            f"{what} of group {group['group']} at FMR {rate['fmr']:g}"
            for rate in group["rates"]
            for what in rate["worse"]
        ]
    if record["acquisition"]["worse"]:
        found.append("failure to acquire")
    found += [f"{ATTACKS[what]} by changed pictures" for what in record["attack"].get("worse", [])]
    return found + [what for what in ("speed", "size") if record[what]["worse"]]
