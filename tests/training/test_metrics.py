"""Verification and retrieval measures against brute force, scikit-learn and pytorch-metric-learning."""

from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pytorch_metric_learning.utils.accuracy_calculator import AccuracyCalculator
from sklearn.metrics import normalized_mutual_info_score, roc_auc_score, roc_curve

from embedding.errors import FmrNotSupported
from index.vectors import k_means
from training.evaluation.bootstrap import bootstrap
from training.evaluation.comparisons import compare_all, compare_listed
from training.evaluation.error_rates import (
    RateCurve,
    area_under_roc,
    best_threshold,
    equal_error_rate,
    error_rates,
    fold_accuracy,
    operating_point,
)
from training.evaluation.retrieval import (
    measure_clustering_nmi,
    measure_retrieval,
    normalized_mutual_information,
)

DISTANCES = st.lists(st.integers(0, 40).map(lambda n: n / 10), min_size=1, max_size=30)


def eer_of(mated: NDArray[np.float64], non_mated: NDArray[np.float64]) -> float:
    curve = RateCurve.of_distances(mated, non_mated)
    return equal_error_rate(curve.fmr, curve.fnmr)


@pytest.fixture
def scores() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Distances that overlap, with ties."""
    random = np.random.default_rng(5)
    return np.round(random.normal(0.9, 0.3, 400), 2), np.round(random.normal(1.9, 0.25, 3000), 2)


def points(
    identities: int = 20, samples: int = 300, dim: int = 16, spread: float = 1.0
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Unit vectors scattered around one centre for each identity."""
    random = np.random.default_rng(3)
    label = random.integers(identities, size=samples)
    raw = random.normal(size=(identities, dim))[label] + spread * random.normal(size=(samples, dim))
    return (raw / np.linalg.norm(raw, axis=1, keepdims=True)).astype(np.float32), label


def test_error_rates_count_what_matches() -> None:
    fmr, fnmr = error_rates(mated=[0.2, 0.4, 1.1], non_mated=[0.9, 1.0, 1.8, 2.1], threshold=1.0)

    assert (fmr, fnmr) == (2 / 4, 1 / 3)


@pytest.mark.parametrize(("mated", "non_mated", "rate"), [([], [1.0], "FNMR"), ([1.0], [], "FMR")])
def test_a_rate_over_nothing_is_an_error(mated: list[float], non_mated: list[float], rate: str) -> None:
    with pytest.raises(ValueError, match=f"{rate} is undefined"):
        error_rates(mated, non_mated, 1.0)
    with pytest.raises(ValueError, match=f"{rate} is undefined"):
        RateCurve.of_distances(mated, non_mated)


def test_a_distance_that_is_not_a_number_is_an_error() -> None:
    with pytest.raises(ValueError, match="finite"):
        RateCurve.of_distances([0.1, np.nan], [1.0])


@given(DISTANCES, DISTANCES)
def test_the_curve_gives_the_rates_of_every_threshold(mated: list[float], non_mated: list[float]) -> None:
    curve = RateCurve.of_distances(mated, non_mated)

    assert (curve.mated, curve.non_mated) == (len(mated), len(non_mated))
    for threshold, *rates in zip(curve.thresholds, curve.fmr, curve.fnmr, strict=True):
        assert rates == pytest.approx(error_rates(mated, non_mated, threshold), abs=1e-12)


def test_the_equal_error_rate_and_the_area_equal_scikit_learns(
    scores: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> None:
    mated, non_mated = scores
    truth = np.repeat([1, 0], [len(mated), len(non_mated)])
    score = -np.concatenate(scores)
    false, true, _ = roc_curve(truth, score, drop_intermediate=False)

    curve = RateCurve.of_distances(mated, non_mated)

    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if 1 - middle > np.interp(middle, false, true) else (low, middle)
    assert equal_error_rate(curve.fmr, curve.fnmr) == pytest.approx(low, abs=1e-9)
    assert area_under_roc(curve) == pytest.approx(roc_auc_score(truth, score), abs=1e-12)


@given(DISTANCES, DISTANCES)
def test_the_equal_error_rate_is_unchanged_by_any_ascending_map(
    mated: list[float], non_mated: list[float]
) -> None:
    same, different = np.array(mated), np.array(non_mated)

    assert eer_of(same**3 + 7, different**3 + 7) == pytest.approx(eer_of(same, different), abs=1e-12)


@given(DISTANCES, DISTANCES)
def test_the_area_is_the_chance_that_a_mated_comparison_is_nearer(
    mated: list[float], non_mated: list[float]
) -> None:
    wins = [(m < n) + 0.5 * (m == n) for m in mated for n in non_mated]

    area = area_under_roc(RateCurve.of_distances(mated, non_mated))

    assert area == pytest.approx(sum(wins) / len(wins), abs=1e-12)


@given(DISTANCES, DISTANCES, st.floats(0.11, 1))
def test_the_operating_point_has_the_least_fnmr_within_its_fmr(
    mated: list[float], non_mated: list[float], target: float
) -> None:
    non_mated = non_mated * 30
    candidates = [error_rates(mated, non_mated, t) for t in (-1, *mated, *non_mated)]

    point = operating_point(RateCurve.of_distances(mated, non_mated), target)

    assert point.fmr <= target * (1 + 1e-9)
    allowed = target * (1 + 1e-12)  # but for rounding: 3 / 30 is no more than 0.1
    assert point.fnmr == pytest.approx(min(fnmr for fmr, fnmr in candidates if fmr <= allowed), abs=1e-12)
    assert (point.fmr, point.fnmr) == pytest.approx(error_rates(mated, non_mated, point.threshold), abs=1e-12)


def test_fnmr_does_not_rise_with_the_fmr_allowed(
    scores: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> None:
    curve = RateCurve.of_distances(*scores)

    fnmr = [operating_point(curve, target).fnmr for target in (1e-3, 1e-2, 1e-1, 1)]

    assert fnmr == sorted(fnmr, reverse=True)
    assert fnmr[0] > fnmr[-1] == 0


def test_an_fmr_below_three_over_the_comparisons_is_refused(
    scores: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> None:
    curve = RateCurve.of_distances(*scores)

    assert operating_point(curve, 3 / 3000).target == 1e-3
    with pytest.raises(FmrNotSupported) as refusal:
        operating_point(curve, 0.9e-3)
    assert refusal.value.smallest == 1e-3


@given(st.lists(st.tuples(st.integers(0, 8), st.booleans()), min_size=1, max_size=20))
def test_the_best_threshold_gives_most_right_answers(pairs: list[tuple[int, bool]]) -> None:
    d, same = np.array([d for d, _ in pairs], float), np.array([same for _, same in pairs])

    def right(threshold: float) -> int:
        return int(((d <= threshold) == same).sum())

    assert right(best_threshold(d, same)) == max(map(right, [-1, *d]))


def test_fold_accuracy_chooses_each_threshold_on_the_other_folds() -> None:
    # In fold 0 the border lies at 1, in fold 1 at 2: each is judged with the other's border.
    d = np.array([0.5, 0.9, 1.1, 1.5, 1.4, 1.9, 2.1, 2.5])
    same = np.array([True, True, False, False] * 2)
    fold = np.repeat([0, 1], 4)

    accuracy = fold_accuracy(d, same, fold)

    assert (accuracy.mean, accuracy.deviation) == (0.5, 0.0)
    assert accuracy.threshold == pytest.approx((1.0 + 2.0) / 2)


def test_a_pair_that_was_not_acquired_is_a_wrong_answer() -> None:
    d = np.array([0.5, np.nan, 1.5, 1.7, 0.6, 0.8, 1.4, 1.8])
    same = np.array([True, True, False, False] * 2)

    accuracy = fold_accuracy(d, same, np.repeat([0, 1], 4))

    assert accuracy.mean == (3 / 4 + 4 / 4) / 2


def test_one_fold_cannot_choose_its_own_threshold() -> None:
    with pytest.raises(ValueError, match="no other folds"):
        fold_accuracy(np.array([0.1, 2.0]), np.array([True, False]), np.array([0, 0]))


def test_retrieval_equals_the_reference_calculator() -> None:
    vectors, label = points()
    calculator = AccuracyCalculator(
        include=("precision_at_1", "r_precision", "mean_average_precision_at_r"), k="max_bin_count"
    )
    reference = calculator.get_accuracy(torch.from_numpy(vectors), torch.from_numpy(label))

    measured = measure_retrieval(vectors, label)

    assert measured.precision_at_1 == pytest.approx(reference["precision_at_1"], abs=1e-9)
    assert measured.r_precision == pytest.approx(reference["r_precision"], abs=1e-9)
    assert measured.map_at_r == pytest.approx(reference["mean_average_precision_at_r"], abs=1e-9)


def test_retrieval_equals_brute_force() -> None:
    vectors, label = points(identities=12, samples=40)
    recall, precision, average = [], [], []
    for query in range(40):
        others = [i for i in range(40) if i != query]
        others.sort(key=lambda i: float(np.square(vectors[i] - vectors[query]).sum()))
        hits = [bool(label[i] == label[query]) for i in others]
        r = sum(hits)
        if r:
            recall.append(any(hits[:4]))
            precision.append(sum(hits[:r]) / r)
            average.append(sum(sum(hits[: i + 1]) / (i + 1) for i in range(r) if hits[i]) / r)

    measured = measure_retrieval(vectors, label)

    assert measured.queries == len(recall)
    assert measured.recall[4] == pytest.approx(np.mean(recall), abs=1e-12)
    assert measured.r_precision == pytest.approx(np.mean(precision), abs=1e-12)
    assert measured.map_at_r == pytest.approx(np.mean(average), abs=1e-12)


@settings(max_examples=30)
@given(st.integers(2, 12), st.integers(20, 60), st.floats(0.05, 3))
def test_the_laws_of_retrieval_hold(identities: int, samples: int, spread: float) -> None:
    vectors, label = points(identities, samples, spread=spread)
    turn, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(16, 16)))

    measured = measure_retrieval(vectors, label)

    assert measured.r_precision >= measured.map_at_r
    assert list(measured.recall.values()) == sorted(measured.recall.values())
    assert measured.recall[1] == measured.precision_at_1
    turned = measure_retrieval((vectors @ turn).astype(np.float32), label)
    assert turned.map_at_r == pytest.approx(measured.map_at_r, abs=1e-2)


def test_retrieval_without_any_second_sample_is_undefined() -> None:
    with pytest.raises(ValueError, match="two samples"):
        measure_retrieval(np.eye(4, dtype=np.float32), [0, 1, 2, 3])


def test_retrieval_of_one_identity_is_undefined() -> None:
    with pytest.raises(ValueError, match="second identity"):
        measure_retrieval(np.eye(4, dtype=np.float32), [7, 7, 7, 7])


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=40))
def test_mutual_information_equals_scikit_learns(pairs: list[tuple[int, int]]) -> None:
    a, b = [a for a, _ in pairs], [b for _, b in pairs]

    assert normalized_mutual_information(a, b) == pytest.approx(normalized_mutual_info_score(a, b), abs=1e-9)


def test_clusters_of_well_parted_identities_agree_with_them() -> None:
    vectors, label = points(identities=4, spread=0.05)

    assert measure_clustering_nmi(vectors, label) > 0.85
    assert set(k_means(vectors, 4)) <= set(range(4))


def test_blockwise_comparisons_equal_a_double_loop() -> None:
    vectors, label = points(identities=300, samples=1500)
    d = [
        (float(np.square(vectors[i] - vectors[j]).sum()), label[i] == label[j])
        for i, j in combinations(range(0, 1500), 2)
        if i % 5 == 0 and j % 5 == 0
    ]
    expected = RateCurve.of_distances([v for v, same in d if same], [v for v, same in d if not same])

    measured = compare_all(vectors[::5], label[::5], close_limit=500)

    curve = measured.curve()
    assert (curve.mated, curve.non_mated) == (expected.mated, expected.non_mated)
    assert len(measured.close) <= 500 < measured.non_mated
    for target in (1e-3, 1e-2, 1e-1):
        assert operating_point(curve, target).fnmr == operating_point(expected, target).fnmr
        assert operating_point(curve, target).threshold == pytest.approx(
            operating_point(expected, target).threshold, abs=1e-4
        )
    assert equal_error_rate(curve.fmr, curve.fnmr) == pytest.approx(
        equal_error_rate(expected.fmr, expected.fnmr), abs=1e-4
    )


def test_comparisons_of_left_out_identities_do_not_count() -> None:
    vectors, label = points(identities=5, samples=50)

    kept = compare_all(vectors, label, left_out=np.array([[3, 1]]))

    dropped = int((label == 1).sum() * (label == 3).sum())
    assert kept.non_mated == compare_all(vectors, label).non_mated - dropped
    assert kept.non_mated_left_out == dropped
    pairs = set(zip(label[kept.close.a], label[kept.close.b], strict=True))
    assert not pairs & {(1, 3), (3, 1)}


def test_a_bootstrap_replicate_equals_comparing_the_drawn_people_again() -> None:
    vectors, label = points(identities=6, samples=60)
    label = np.sort(label)
    replicates = bootstrap(compare_all(vectors, label), replicates=1, seed=4)
    drawn = np.random.default_rng(4).integers(6, size=6)

    samples = [(i, copy) for copy, identity in enumerate(drawn) for i in np.flatnonzero(label == identity)]
    mated, non_mated = [], []
    for (i, copy_i), (j, copy_j) in combinations(samples, 2):
        d = float(2 - 2 * np.float32(vectors[i] @ vectors[j]))
        if label[i] != label[j]:
            non_mated.append(d)
        elif copy_i == copy_j:
            mated.append(d)

    for k in range(1, len(replicates.thresholds), 37):
        threshold = replicates.thresholds[k] + 1e-6
        fmr, fnmr = error_rates(mated, non_mated, threshold)
        assert replicates.fmr[0, k] == pytest.approx(fmr, abs=2e-3)
        assert replicates.fnmr[0, k] == pytest.approx(fnmr, abs=2e-2)


def test_intervals_hold_the_measured_rates_and_narrow_with_more_people() -> None:
    def width(identities: int) -> float:
        vectors, label = points(identities, samples=identities * 8)
        comparisons = compare_all(vectors, label)
        curve = comparisons.curve()
        interval = bootstrap(comparisons).eer()
        assert interval is not None
        assert interval[0] <= equal_error_rate(curve.fmr, curve.fnmr) <= interval[1]
        return interval[1] - interval[0]

    assert width(160) < width(20)


def test_people_are_drawn_and_not_comparisons() -> None:
    # One person in ten is recognised by nobody: each of his comparisons fails with him.
    identity = np.repeat(np.arange(10), 8)
    a, b = np.array(list(combinations(range(80), 2))).T
    same = identity[a] == identity[b]
    d = np.where(same, np.where(identity[a] == 0, 3.0, 0.5), 2.0).astype(np.float32)

    interval = bootstrap(compare_listed(d, same, a, b, identity)).fnmr_at(0.5)

    assert interval is not None
    low, high = interval
    assert low == 0
    assert high >= 0.2


def test_an_interval_beyond_the_kept_comparisons_is_unknown_and_not_guessed() -> None:
    vectors, label = points()

    replicates = bootstrap(compare_all(vectors, label, close_limit=1000))

    assert replicates.fnmr_at(0.9) is None
    assert replicates.fnmr_at(0.005) is not None
