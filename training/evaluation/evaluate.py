"""Evaluate a bundle on a list of pairs, or on all pairs of a labelled set.

Runs on the base install: it needs only NumPy, and makes templates exactly as the service does.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from embedding.embedder import Embedder
from training.data.pairs import Pair, number_people
from training.data.pictures import PER_PERSON, Pictures, limit_per_person
from training.errors import NoComparisons
from training.evaluation.acquire import Acquired, Progress, acquire
from training.evaluation.bootstrap import Replicates, bootstrap
from training.evaluation.comparisons import (
    Comparisons,
    Indices,
    compare_all,
    compare_listed,
    draw_balanced_pairs,
)
from training.evaluation.error_rates import (
    Accuracy,
    RateCurve,
    Vector,
    area_under_roc,
    equal_error_rate,
    fold_accuracy,
    operating_point,
    smallest_supported_fmr,
)
from training.evaluation.evaluation import SUSPECT_D, AtFmr, Evaluation, Evidence, Rate
from training.evaluation.groups import GroupedSamples, measure_groups
from training.evaluation.retrieval import measure_clustering_nmi, measure_retrieval
from training.evaluation.transactions import (
    GallerySamples,
    Probes,
    TransactionRates,
    measure_transactions,
    split_in_order,
)

TARGETS = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5)
"""False match rates at which FNMR is reported, if the comparisons support them."""

SERVICE_FMRS = (1e-3, 1e-4)
"""The service's default rates for refer and match."""


def evaluate_pairs(
    embedder: Embedder,
    pictures: Pictures,
    pairs: Sequence[Pair],
    *,
    aligned: bool = False,
    progress: Progress | None = None,
) -> tuple[Evaluation, Evidence]:
    """Measure on a list of pairs.

    Raises:
        NoComparisons: If no mated, or no non-mated, pair has both pictures.
        PicturesInvalid: If a name in the list means several pictures.
    """
    found = {name: pictures.find(name) or name for pair in pairs for name in (pair.a, pair.b)}
    pairs = [Pair(found[pair.a], found[pair.b], pair.same, pair.fold) for pair in pairs]
    acquired = acquire(embedder, pictures, sorted(set(found.values())), aligned=aligned, progress=progress)
    labels = _match_labels(pictures, pairs)
    people = labels or {name: str(person) for name, person in number_people(pairs).items()}
    identity = _number_labels([people[name] for name in acquired.names])
    place = {name: index for index, name in enumerate(acquired.names)}
    # -1 stands for a picture that was not acquired.
    a, b = np.array([(place.get(pair.a, -1), place.get(pair.b, -1)) for pair in pairs]).T
    same = np.array([pair.same for pair in pairs])
    done = (a >= 0) & (b >= 0)
    d = np.full(len(pairs), np.nan)
    d[done] = np.square(acquired.vectors[a[done]] - acquired.vectors[b[done]]).sum(axis=1)
    comparisons = compare_listed(d[done].astype(np.float32), same[done], a[done], b[done], identity)
    _refuse_nothing(comparisons, acquired)
    accuracy = _measure_accuracy(d, same, np.array([pair.fold for pair in pairs]))
    return _build_evaluation(embedder, pictures, acquired, comparisons, accuracy, labelled=labels is not None)


def evaluate_all(
    embedder: Embedder,
    pictures: Pictures,
    names: Sequence[str] | None = None,
    *,
    per_person: int = PER_PERSON,
    aligned: bool = False,
    group_of: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> tuple[Evaluation, Evidence]:
    """Measure on all pairs of labelled pictures, at most `per_person` of each.

    Args:
        embedder: The embedder to measure.
        pictures: The set.
        names: Names of those to use; all labelled ones by default.
        per_person: Most pictures of one person.
        aligned: They are aligned crops already.
        group_of: Identity → group, to measure each group separately as well.
        progress: Called after every batch.

    Raises:
        NoComparisons: If no person has two usable pictures, or there is one person only.
    """
    named = pictures.labelled if names is None else names
    chosen = limit_per_person(named, pictures.identity, per_person)
    acquired = acquire(embedder, pictures, chosen, aligned=aligned, progress=progress)
    identity = _number_labels([pictures.identity[name] for name in acquired.names])
    comparisons = compare_all(acquired.vectors, identity)
    _refuse_nothing(comparisons, acquired)
    a, b, fold = draw_balanced_pairs(comparisons)
    d = np.square(acquired.vectors[a] - acquired.vectors[b]).sum(axis=1).astype(np.float64)
    accuracy = _measure_accuracy(d, identity[a] == identity[b], fold)
    evaluation, evidence = _build_evaluation(
        embedder, pictures, acquired, comparisons, accuracy, labelled=True
    )
    thresholds = _choose_thresholds(embedder, evaluation)
    evaluation = replace(
        evaluation,
        set_aside=len(named) - len(chosen),
        transactions=_measure_transactions(acquired, identity, thresholds),
    )
    if group_of is None:
        return evaluation, evidence
    samples = GroupedSamples(
        [pictures.identity[name] for name in chosen],
        [pictures.identity[each.name] for each in acquired.failures],
        acquired.vectors,
        [pictures.identity[name] for name in acquired.names],
    )
    groups, left_out = measure_groups(samples, comparisons, group_of, thresholds)
    return replace(evaluation, groups=groups, groups_left_out=left_out), evidence


def _choose_thresholds(embedder: Embedder, evaluation: Evaluation) -> list[tuple[float, float]]:
    """FMR and d at the service's rates, from the bundle's calibration or else from this evaluation."""
    calibration = embedder.bundle.manifest.calibration
    if calibration is not None:
        return [(each.fmr, each.threshold) for each in calibration.targets if each.fmr in SERVICE_FMRS]
    return [
        (at.fmr, at.threshold.value)
        for at in evaluation.at_fmr
        if at.fmr in SERVICE_FMRS and at.threshold is not None
    ]


def _measure_transactions(
    acquired: Acquired, identity: Indices, thresholds: Sequence[tuple[float, float]]
) -> list[TransactionRates]:
    enrolled, tried = split_in_order(identity)
    return measure_transactions(
        GallerySamples(acquired.vectors[enrolled], identity[enrolled]),
        Probes(acquired.vectors[tried], identity[tried]),
        int(identity.max()) + 1,
        thresholds,
    )


def _match_labels(pictures: Pictures, pairs: Sequence[Pair]) -> dict[str, str] | None:
    """Name → identity, if the pictures are labelled in agreement with the pairs (as those of LFW are)."""
    labels = {name: pictures.identity.get(name, "") for pair in pairs for name in (pair.a, pair.b)}
    known = {name: label for name, label in labels.items() if name in pictures.identity}
    told = [pair for pair in pairs if pair.a in known and pair.b in known]
    agree = all((known[pair.a] == known[pair.b]) == pair.same for pair in told)
    return labels if agree and all(known.values()) else None


def _number_labels(labels: Sequence[str]) -> Indices:
    """(n,) 0 … identities - 1."""
    return np.unique(np.array(labels, dtype=str), return_inverse=True)[1].astype(np.int64)


def _refuse_nothing(comparisons: Comparisons, acquired: Acquired) -> None:
    total = len(acquired.names) + len(acquired.failures)
    if not len(comparisons.mated):
        raise NoComparisons("mated", total, len(acquired.failures))
    if not comparisons.non_mated:
        raise NoComparisons("non-mated", total, len(acquired.failures))


def _measure_accuracy(d: Vector, same: NDArray[np.bool_], fold: Indices) -> Accuracy | None:
    """None with a single fold, which has no others to choose its threshold on."""
    return fold_accuracy(d, same, fold) if len(np.unique(fold)) > 1 else None


def _build_evaluation(
    embedder: Embedder,
    pictures: Pictures,
    acquired: Acquired,
    comparisons: Comparisons,
    accuracy: Accuracy | None,
    *,
    labelled: bool,
) -> tuple[Evaluation, Evidence]:
    curve = comparisons.curve()
    replicates = bootstrap(comparisons)
    identity, vectors = comparisons.identity, acquired.vectors
    calibration = embedder.bundle.manifest.calibration
    evaluation = Evaluation(
        model_id=embedder.model_id,
        calibration_id=calibration.id if calibration else None,
        images=str(pictures.path),
        protocol="all pairs" if comparisons.is_all_pairs else "pairs",
        pictures=len(acquired.names) + len(acquired.failures),
        identities=len(comparisons.sizes),
        failures=acquired.failures,
        set_aside=0,
        several_faces=acquired.several_faces,
        mated=curve.mated,
        non_mated=curve.non_mated,
        accuracy=accuracy,
        eer=Rate(equal_error_rate(curve.fmr, curve.fnmr), replicates.eer()),
        auc=area_under_roc(curve),
        at_fmr=[_measure_rate(curve, replicates, target) for target in TARGETS],
        smallest_fmr=smallest_supported_fmr(curve.non_mated),
        retrieval=measure_retrieval(vectors, identity) if labelled else None,
        nmi=measure_clustering_nmi(vectors, identity) if labelled else None,
        suspects=int((comparisons.close.d < SUSPECT_D).sum()),
    )
    return evaluation, Evidence(acquired.names, vectors, identity, comparisons, curve)


def _measure_rate(curve: RateCurve, replicates: Replicates, target: float) -> AtFmr:
    if target < smallest_supported_fmr(curve.non_mated):
        return AtFmr(target, None, None)
    point = operating_point(curve, target)
    return AtFmr(
        target,
        Rate(point.fnmr, replicates.fnmr_at(target)),
        Rate(point.threshold, replicates.threshold_at(target)),
    )
