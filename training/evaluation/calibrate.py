"""Measure the threshold for each target false match rate, on people that the network never saw.

A threshold measured on people the network was trained on is far too lax: training pushed exactly these people
apart. So a calibration set is refused if one of its labels or pictures was in the training split.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from embedding.bundle import Bundle, add_calibration
from embedding.calibration import Calibration, CurvePoint, Target
from embedding.embedder import Embedder
from embedding.errors import FmrNotSupported
from training.data.pictures import PER_PERSON, Pictures, limit_per_person
from training.data.seen import Seen, digest
from training.errors import NoComparisons
from training.evaluation.acquire import AcquireFailure, Progress, acquire
from training.evaluation.bootstrap import Replicates, bootstrap
from training.evaluation.comparisons import CLOSE_LIMIT, Comparisons, Indices, Pairs, compare_all
from training.evaluation.error_rates import RULE_OF_THREE, RateCurve, smallest_supported_fmr
from training.evaluation.evaluation import SUSPECT_D

TARGETS = (1e-2, 1e-3, 1e-4, 1e-5)
"""False match rates at which thresholds are recorded with their intervals."""

CURVE_POINTS = 240
"""Points of the recorded curve, evenly spaced in log FMR."""


@dataclass(frozen=True)
class Suspect:
    """Two pictures of two identities that are the same photograph, or nearly.

    Attributes:
        a: Name of the first picture.
        b: Name of the second.
        d: Their distance.
    """

    a: str
    b: str
    d: float


@dataclass(frozen=True)
class Measurement:
    """A calibration, and what it leaves out.

    Attributes:
        calibration: The record.
        suspects: The comparisons because of which pairs of identities were left out, nearest first.
        failures: Pictures that gave no template.
    """

    calibration: Calibration
    suspects: Sequence[Suspect]
    failures: Sequence[AcquireFailure]


def calibrate(
    embedder: Embedder,
    pictures: Pictures,
    seen: Seen | None,
    *,
    data: str,
    names: Sequence[str] | None = None,
    per_person: int = PER_PERSON,
    targets: Sequence[float] = TARGETS,
    aligned: bool = False,
    progress: Progress | None = None,
) -> Measurement:
    """Measure thresholds on labelled pictures.

    Args:
        embedder: The bundle to calibrate.
        pictures: Where the pictures lie.
        seen: What the network was trained on; None if unknown, which the record will state.
        data: The pictures in words, for the record.
        names: Which pictures; all labelled ones by default.
        per_person: Pictures of one person that are used, at most.
        targets: False match rates to record a threshold for.
        aligned: The pictures are aligned crops already.
        progress: Told after every batch.

    Raises:
        IdentityTrained: If the network was trained on one of the labels.
        PictureTrained: If it was trained on one of the pictures.
        FmrNotSupported: If the set is too small for a target; names the smallest it supports.
        NoComparisons: If no person has two usable pictures.
    """
    chosen = pictures.labelled if names is None else list(names)
    people = {name: pictures.identity[name] for name in chosen}
    if seen is not None:
        seen.refuse(people, _digests(pictures, chosen))
    used = limit_per_person(chosen, people, per_person)
    # Checked before the work, and again after it, because pictures may fail.
    _refuse_too_few(_non_mated_of([people[name] for name in used]), targets)
    acquired = acquire(embedder, pictures, used, aligned=aligned, progress=progress)
    _, identity = np.unique([people[name] for name in acquired.names], return_inverse=True)
    comparisons, suspects = compare_without_suspects(acquired.vectors, identity, max(targets, default=0))
    if not len(comparisons.mated):
        raise NoComparisons("mated", len(used), len(acquired.failures))
    if len(used) < len(chosen):
        data += f" At most {per_person} pictures of a person; {len(chosen) - len(used)} pictures set aside."
    if seen is None:
        data += " Nothing tells whether the network was trained on them."
    calibration = calibration_of(comparisons, targets, data)
    named = [
        Suspect(acquired.names[a], acquired.names[b], float(d))
        for d, a, b in zip(suspects.d, suspects.a, suspects.b, strict=True)
    ]
    return Measurement(calibration, named, acquired.failures)


def calibrate_bundle(
    bundle: Path,
    pictures: Pictures,
    seen: Seen | None,
    *,
    data: str,
    names: Sequence[str] | None = None,
    targets: Sequence[float] = TARGETS,
    aligned: bool = False,
    progress: Progress | None = None,
) -> tuple[Bundle, Measurement]:
    """`calibrate`, and write the record into the bundle's manifest; its templates do not change."""
    measurement = calibrate(
        Embedder.open(bundle),
        pictures,
        seen,
        data=data,
        names=names,
        targets=targets,
        aligned=aligned,
        progress=progress,
    )
    return add_calibration(bundle, measurement.calibration), measurement


def _digests(pictures: Pictures, names: Sequence[str]) -> dict[str, str]:
    """Name → digest; an unreadable picture is skipped here, and fails later, where failures are counted."""
    digests = {}
    for name in names:
        try:
            digests[name] = digest(pictures.read(name))
        except OSError:
            continue
    return digests


def _non_mated_of(labels: Sequence[str]) -> int:
    """Pairs of pictures with different labels."""
    _, sizes = np.unique(labels, return_counts=True)
    return int((sizes.sum() ** 2 - np.square(sizes).sum()) // 2)


def _refuse_too_few(non_mated: int, targets: Sequence[float]) -> None:
    smallest = smallest_supported_fmr(non_mated) if non_mated else 1.0
    for target in targets:
        if target < smallest:
            raise FmrNotSupported(target, smallest, 1.0)


def compare_without_suspects(
    vectors: np.ndarray[tuple[int, int], np.dtype[np.float32]], identity: Indices, largest_fmr: float
) -> tuple[Comparisons, Pairs]:
    """All comparisons except those between two identities that share a photograph.

    The rule: if any picture of A is nearer than SUSPECT_D to any of B, then A and B are one person under two
    labels, or one of them has a picture of the other. No comparison between A and B is then certainly
    non-mated, so all are left out. Only this rule leaves out comparisons, and the record counts them.
    """
    # Every comparison up to three times the largest rate is kept, so that replicates reach that rate too.
    limit = max(CLOSE_LIMIT, math.ceil(3 * largest_fmr * _non_mated_of([str(i) for i in identity])))
    comparisons = compare_all(vectors, identity, close_limit=limit)
    suspects = comparisons.close.where(comparisons.close.d < SUSPECT_D)
    if not len(suspects):
        return comparisons, suspects
    shared = np.sort(np.stack([identity[suspects.a], identity[suspects.b]], axis=1), axis=1)
    return compare_all(vectors, identity, np.unique(shared, axis=0), close_limit=limit), suspects


def calibration_of(comparisons: Comparisons, targets: Sequence[float], data: str) -> Calibration:
    """The record of comparisons.

    Raises:
        FmrNotSupported: If they are too few for a target.
    """
    _refuse_too_few(comparisons.non_mated, targets)
    curve = comparisons.curve()
    replicates = bootstrap(comparisons)
    record = Calibration.new(
        created=datetime.now(UTC).replace(microsecond=0),
        data=data + _describe_rule(comparisons),
        identities=len(comparisons.sizes),
        mated=curve.mated,
        non_mated=curve.non_mated,
        curve=_choose_points(curve, targets),
        targets=(),
        left_out_identity_pairs=len(comparisons.left_out),
        left_out_non_mated=comparisons.non_mated_left_out,
    )
    content = {name: getattr(record, name) for name in Calibration.model_fields if name != "id"}
    return Calibration.new(
        **{**content, "targets": [_build_target(record, curve, replicates, t) for t in targets]}
    )


def _describe_rule(comparisons: Comparisons) -> str:
    if not len(comparisons.left_out):
        return ""
    return f" Identities with pictures nearer than d = {SUSPECT_D} to each other are not compared."


def _choose_points(curve: RateCurve, targets: Sequence[float]) -> list[CurvePoint]:
    """Points on the curve: the last thresholds of chosen counts, from three comparisons to all.

    They include both neighbours of every target, so that interpolation between them gives the target's rate.
    """
    total = curve.non_mated
    counts = np.geomspace(RULE_OF_THREE, total, CURVE_POINTS).round()
    wanted = np.append(
        counts, [count for t in targets for count in (math.floor(t * total), math.ceil(t * total))]
    )
    at = np.searchsorted(curve.non_mated_matches, np.unique(wanted.clip(RULE_OF_THREE, total)))
    # If a count does not occur (equal distances, or a bin), the next one is used.
    matches = np.unique(curve.non_mated_matches[at])
    first = np.searchsorted(curve.non_mated_matches, matches)
    return [
        CurvePoint(d=max(0.0, float(d)), fmr=float(fmr))
        for d, fmr in zip(curve.thresholds[first], curve.fmr[first], strict=True)
    ]


def _build_target(record: Calibration, curve: RateCurve, replicates: Replicates, fmr: float) -> Target:
    threshold = record.threshold(fmr)
    interval = replicates.threshold_at(fmr)
    if interval is None:
        raise FmrNotSupported(fmr, record.smallest_fmr, float(replicates.fmr[:, -1].min()))
    at = int(np.searchsorted(curve.thresholds, threshold, side="right")) - 1
    return Target(
        fmr=fmr,
        threshold=threshold,
        threshold_interval=(max(0.0, interval[0]), interval[1]),
        fnmr=float(curve.fnmr[at]),
        fnmr_interval=replicates.fnmr_at(fmr),
    )
