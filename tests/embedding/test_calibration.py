"""What a distance means: thresholds and rates on a calibration's curve."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from embedding.calibration import Calibration, CurvePoint, Target
from embedding.errors import FmrNotSupported

CURVE = [(0.8, 1e-5), (1.0, 1e-4), (1.3, 1e-2), (2.0, 1.0)]


def calibration(
    curve: list[tuple[float, float]] = CURVE, *, non_mated: int = 400_000, targets: tuple[Target, ...] = ()
) -> Calibration:
    return Calibration.new(
        created=datetime(2026, 3, 1, tzinfo=UTC),
        data="made",
        identities=900,
        mated=5000,
        non_mated=non_mated,
        curve=[CurvePoint(d=d, fmr=fmr) for d, fmr in curve],
        targets=targets,
    )


@pytest.mark.parametrize(("d", "fmr"), CURVE)
def test_the_points_of_the_curve_are_hit(d: float, fmr: float) -> None:
    assert calibration().threshold(fmr) == pytest.approx(d)
    assert calibration().fmr_at(d) == pytest.approx(fmr)


def test_between_two_points_the_logarithm_of_the_rate_is_linear() -> None:
    # Halfway between 1e-4 and 1e-2 in the logarithm is 1e-3; in the rate itself it would be 5e-3.
    assert calibration().threshold(1e-3) == pytest.approx(1.15)
    assert calibration().fmr_at(1.15) == pytest.approx(1e-3)


@given(fmr=st.floats(1e-5, 1.0))
def test_the_threshold_of_a_rate_has_that_rate(fmr: float) -> None:
    measured = calibration()

    assert measured.fmr_at(measured.threshold(fmr)) == pytest.approx(fmr, rel=1e-6)


@given(a=st.floats(1e-5, 1.0), b=st.floats(1e-5, 1.0))
def test_a_smaller_rate_never_has_a_larger_threshold(a: float, b: float) -> None:
    low, high = sorted((a, b))

    assert calibration().threshold(low) <= calibration().threshold(high)


def test_a_rate_beyond_the_data_is_refused_with_the_smallest_that_is_supported() -> None:
    with pytest.raises(FmrNotSupported, match="1e-06") as refusal:
        calibration().threshold(1e-6)

    assert refusal.value.smallest == 1e-5


def test_nearer_than_the_data_reach_no_rate_is_claimed() -> None:
    assert calibration().fmr_at(0.79) is None


def test_farther_than_every_stranger_the_rate_is_one() -> None:
    assert calibration().fmr_at(3.1) == 1.0


def test_farther_than_a_curve_that_ends_early_no_rate_is_claimed() -> None:
    assert calibration(CURVE[:3]).fmr_at(1.31) is None


def test_a_curve_may_not_claim_more_than_its_comparisons_show() -> None:
    with pytest.raises(ValidationError, match="do not support"):
        calibration(non_mated=299_000)


@pytest.mark.parametrize(
    "curve", [[(1.0, 0.1), (0.9, 0.2)], [(0.9, 0.2), (1.0, 0.1)], [(0.9, 0.1), (1.0, 0.1)]]
)
def test_a_curve_that_does_not_ascend_is_refused(curve: list[tuple[float, float]]) -> None:
    with pytest.raises(ValidationError, match="ascend"):
        calibration(curve)


def test_a_target_off_the_curve_is_refused() -> None:
    target = Target(fmr=1e-3, threshold=1.2, threshold_interval=(1.1, 1.3), fnmr=0.02)

    with pytest.raises(ValidationError, match="on the curve"):
        calibration(targets=(target,))


def test_the_id_names_the_content() -> None:
    assert calibration().id == calibration().id
    assert calibration().id != calibration(non_mated=500_000).id
