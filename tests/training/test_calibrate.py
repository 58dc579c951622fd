"""Thresholds for false match rates: what they hold for, and what they are refused for."""

from pathlib import Path

import numpy as np
import pytest
from made_faces import coarse_bundle, crop_of, made_faces, mosaic, pixels_of, write_folder

from embedding.bundle import Bundle
from embedding.embedder import Embedder
from embedding.errors import FmrNotSupported
from training.data.pictures import open_pictures
from training.data.seen import Seen
from training.errors import IdentityTrained, NoComparisons, PictureTrained
from training.evaluation.bootstrap import bootstrap
from training.evaluation.calibrate import Measurement, calibrate, calibrate_bundle
from training.evaluation.comparisons import compare_all
from training.evaluation.error_rates import error_rates

NOTHING_SEEN = Seen()


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory, shipped_bundle: Path) -> Bundle:
    return coarse_bundle(tmp_path_factory.mktemp("bundles") / "coarse", shipped_bundle / "detector.onnx")


@pytest.fixture(scope="module")
def coarse(bundle: Bundle) -> Embedder:
    return Embedder.open(bundle.path, threads=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("faces"), made_faces(identities=60, samples=3))


def measured(coarse: Embedder, folder: Path, seen: Seen = NOTHING_SEEN) -> Measurement:
    return calibrate(
        coarse, open_pictures(folder), seen, data="Made faces.", targets=(0.1, 1e-3), aligned=True
    )


def test_a_threshold_lets_its_share_of_strangers_through(coarse: Embedder, folder: Path) -> None:
    pictures = open_pictures(folder)
    vectors = np.stack(
        [coarse.embed_crops(pixels_of(pictures.read(name))[None])[0] for name in pictures.labelled]
    ).astype(np.float64)
    people = [pictures.identity[name] for name in pictures.labelled]
    mated: list[float] = []
    non_mated: list[float] = []
    for i in range(180):
        for j in range(i):
            d = float(np.square(vectors[i] - vectors[j]).sum())
            (mated if people[i] == people[j] else non_mated).append(d)

    calibration = measured(coarse, folder).calibration

    assert (calibration.identities, calibration.mated, calibration.non_mated) == (60, 180, 15930)
    for target in calibration.targets:
        fmr, fnmr = error_rates(mated, non_mated, target.threshold)
        assert fmr == pytest.approx(target.fmr, abs=1.5 / 15930)
        assert fnmr == pytest.approx(target.fnmr, abs=1.5 / 180)
        assert calibration.fmr_at(target.threshold) == pytest.approx(target.fmr, rel=1e-6)
        assert target.threshold_interval[0] <= target.threshold <= target.threshold_interval[1]


def test_the_curve_reaches_from_three_comparisons_to_all_and_no_farther(
    coarse: Embedder, folder: Path
) -> None:
    calibration = measured(coarse, folder).calibration

    assert calibration.smallest_fmr == pytest.approx(3 / 15930)
    assert calibration.fmr_at(4.0) == 1.0
    assert calibration.fmr_at(calibration.curve[0].d - 0.01) is None
    with pytest.raises(FmrNotSupported):
        calibration.threshold(1e-4)


def test_the_record_goes_into_the_bundle_without_changing_its_templates(bundle: Bundle, folder: Path) -> None:
    before = bundle.model_id

    calibrated, measurement = calibrate_bundle(
        bundle.path, open_pictures(folder), NOTHING_SEEN, data="Made faces.", targets=(1e-2,), aligned=True
    )

    assert calibrated.model_id == before
    assert calibrated.calibration == measurement.calibration
    assert Bundle.load(bundle.path).calibration.id == measurement.calibration.id


def test_a_threshold_holds_on_other_people_within_its_interval(coarse: Embedder, tmp_path: Path) -> None:
    calibration = measured(coarse, write_folder(tmp_path / "a", made_faces(80, 3, seed=1))).calibration
    others = open_pictures(write_folder(tmp_path / "b", made_faces(80, 3, seed=2)))
    vectors = coarse.embed_crops(np.stack([pixels_of(others.read(name)) for name in others.labelled]))
    identity = np.repeat(np.arange(80), 3)

    fresh = bootstrap(compare_all(vectors, identity))

    for target in calibration.targets:
        interval = fresh.fmr_at(target.threshold)
        assert interval is not None
        assert interval[0] <= target.fmr <= interval[1]


def test_a_set_too_small_for_a_rate_says_the_smallest_it_supports(coarse: Embedder, folder: Path) -> None:
    with pytest.raises(FmrNotSupported) as refusal:
        calibrate(coarse, open_pictures(folder), NOTHING_SEEN, data="", targets=(1e-2, 1e-5), aligned=True)

    assert refusal.value.fmr == 1e-5
    assert refusal.value.smallest == pytest.approx(3 / 15930)


def test_identities_of_the_training_split_are_refused_by_label(coarse: Embedder, folder: Path) -> None:
    seen = Seen(identities=frozenset({"p007", "p011", "somebody"}))

    with pytest.raises(IdentityTrained, match="2 identities of this set: p007, p011"):
        measured(coarse, folder, seen)


def test_a_trained_picture_is_refused_by_its_digest_under_any_label(coarse: Embedder, tmp_path: Path) -> None:
    faces = made_faces(60, 3)
    seen = Seen.of(["another name", ""], [faces["p004/1.png"]])

    with pytest.raises(PictureTrained, match="1 pictures of this set: p004/1"):
        measured(coarse, write_folder(tmp_path, faces), seen)


def test_what_was_seen_is_read_back_from_the_run_folder(tmp_path: Path) -> None:
    seen = Seen.of(["p1", "p2", ""], [b"one", b"two"])

    seen.write(tmp_path)

    assert Seen.read(tmp_path) == seen
    assert seen.identities == {"p1", "p2"}


def test_one_photograph_under_two_labels_parts_no_strangers(coarse: Embedder, tmp_path: Path) -> None:
    faces = made_faces(60, 3)
    clean = measured(coarse, write_folder(tmp_path / "clean", faces)).calibration
    # p000 carries two names: each has one of her photographs, nearly the same.
    face = mosaic(np.random.default_rng(9))
    faces |= {"p000/9.png": crop_of(face), "p001/9.png": crop_of(face + 1)}

    measurement = measured(coarse, write_folder(tmp_path / "noisy", faces))

    (suspect,) = measurement.suspects
    assert {suspect.a, suspect.b} == {"p000/9.png", "p001/9.png"}
    record = measurement.calibration
    assert (record.left_out_identity_pairs, record.left_out_non_mated) == (1, 4 * 4)
    assert record.non_mated == (182**2 - 58 * 9 - 2 * 16) // 2 - 16
    assert "nearer than d = 0.1" in record.data
    assert record.threshold(1e-3) == pytest.approx(clean.threshold(1e-3), abs=0.05)


def test_a_picture_that_gives_no_template_is_named(coarse: Embedder, tmp_path: Path) -> None:
    faces = made_faces(60, 3) | {"p000/broken.png": b"not a picture"}

    (failure,) = measured(coarse, write_folder(tmp_path, faces)).failures

    assert (failure.name, failure.code) == ("p000/broken.png", "unsupported_media")


def test_pictures_beyond_the_limit_of_a_person_are_set_aside_and_told(coarse: Embedder, folder: Path) -> None:
    calibration = calibrate(
        coarse, open_pictures(folder), NOTHING_SEEN, data="Made.", per_person=2, targets=(0.1,), aligned=True
    ).calibration

    assert (calibration.mated, calibration.non_mated) == (60, 60 * 59 * 2)
    assert calibration.data == "Made. At most 2 pictures of a person; 60 pictures set aside."


def test_people_with_one_picture_each_have_no_mated_comparison(coarse: Embedder, tmp_path: Path) -> None:
    folder = write_folder(tmp_path, made_faces(120, 1))

    with pytest.raises(NoComparisons, match="no mated comparison"):
        measured(coarse, folder)
