"""The whole path from bytes to a template, one picture or many, from one thread or many."""

import json
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from fixtures_pictures import Picture, blurred, encoded, jpeg, on_canvas, resized
from hypothesis import given, settings
from hypothesis import strategies as st

from embedding.align import align
from embedding.bundle import MANIFEST, SELF_TEST_CROP
from embedding.embedder import SELF_TEST_MAX_D, Embedder
from embedding.errors import (
    BundleCorrupted,
    BundleInvalid,
    DecodeFailed,
    EmbeddingError,
    FaceNotFound,
    ImageTooLarge,
    MultipleFaces,
    QualityRefused,
    UnsupportedMedia,
)
from embedding.image import ImageLimits, decode
from embedding.quality import ENROL, TEMPLATE, Purpose
from embedding.template import distance

ROOT = Path(__file__).resolve().parents[2]


def test_a_template_has_unit_length_and_names_its_model(embedder: Embedder, astronaut_jpeg: bytes) -> None:
    embedding = embedder.embed(astronaut_jpeg, Purpose.ENROL)

    vector = embedding.template.vector
    assert vector.shape == (embedder.dim,)
    assert vector.dtype == np.float32
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-4)
    assert embedding.template.model_id == embedder.model_id
    assert min(embedding.timings.decode_ms, embedding.timings.detect_ms, embedding.timings.embed_ms) > 0


def test_the_same_picture_gives_the_same_template(embedder: Embedder, astronaut_jpeg: bytes) -> None:
    first, second = (embedder.embed(astronaut_jpeg, Purpose.VERIFY).template for _ in range(2))

    assert distance(first, second) < 1e-9


@pytest.mark.parametrize(
    "guise",
    [
        "mirrored",
        "turned",
        "smaller",
        "larger",
        "closer",
        "darker",
        "brighter",
        "compressed",
        "grey",
        "webcam",
    ],
)
def test_the_same_person_in_another_guise_matches(
    guise: str, embedder: Embedder, astronaut_jpeg: bytes, astronaut_variants: Mapping[str, bytes]
) -> None:
    enrolled = embedder.embed(astronaut_jpeg, Purpose.ENROL).template

    probe = embedder.embed(astronaut_variants[guise], Purpose.VERIFY).template

    assert distance(enrolled, probe) <= embedder.bundle.calibration.threshold(1e-3)


def test_a_stranger_does_not_match(embedder: Embedder, astronaut_jpeg: bytes, stranger_jpeg: bytes) -> None:
    enrolled = embedder.embed(astronaut_jpeg, Purpose.ENROL).template

    probe = embedder.embed(stranger_jpeg, Purpose.VERIFY).template

    assert distance(enrolled, probe) > embedder.bundle.calibration.threshold(1e-2)


def test_a_picture_without_a_face_is_refused(
    embedder: Embedder, faceless_pictures: Mapping[str, bytes]
) -> None:
    for picture in faceless_pictures.values():
        with pytest.raises(FaceNotFound):
            embedder.embed(picture, Purpose.VERIFY)


def test_two_people_are_refused_with_their_count(embedder: Embedder, two_faces_jpeg: bytes) -> None:
    with pytest.raises(MultipleFaces) as refusal:
        embedder.embed(two_faces_jpeg, Purpose.VERIFY)

    assert refusal.value.count == 2


def test_somebody_far_in_the_background_does_not_count(embedder: Embedder, astronaut: Picture) -> None:
    near, far = resized(astronaut, 480, 480), resized(astronaut[:256, 100:356], 90, 90)
    scene = on_canvas(near, 640, 480)
    scene[50:140, 520:610] = far

    assert len(embedder.inspect(jpeg(scene), Purpose.VERIFY).faces) == 1
    embedder.embed(jpeg(scene), Purpose.VERIFY)


@pytest.mark.parametrize(("share", "people"), [(0.62, 2), (0.36, 1)])
def test_a_second_face_counts_from_half_the_width_of_the_first(
    share: float, people: int, embedder: Embedder, astronaut: Picture
) -> None:
    near, side = resized(astronaut, 512, 512), round(512 * share)
    scene = on_canvas(near, 900, 520)
    scene[20 : 20 + side, 540 : 540 + side] = resized(astronaut, side, side)

    assert len(embedder.inspect(jpeg(scene), Purpose.VERIFY).faces) == people


@pytest.mark.parametrize("purpose", list(Purpose))
def test_a_face_of_15_pixels_is_refused_for_any_purpose(
    purpose: Purpose, embedder: Embedder, small_face_jpeg: bytes
) -> None:
    with pytest.raises((QualityRefused, FaceNotFound)) as refusal:
        embedder.embed(small_face_jpeg, purpose)

    assert refusal.value.code in ("face_too_small", "face_not_found")


def test_a_black_frame_has_no_face(embedder: Embedder, black_jpeg: bytes) -> None:
    with pytest.raises(FaceNotFound):
        embedder.embed(black_jpeg, Purpose.VERIFY)


def test_a_blurred_face_is_refused_at_enrolment_with_measures_and_limits(
    embedder: Embedder, astronaut: Picture
) -> None:
    with pytest.raises(QualityRefused) as refusal:
        embedder.embed(jpeg(blurred(astronaut, 4)), Purpose.ENROL)

    assert refusal.value.code == "low_sharpness"
    assert refusal.value.assessment.reasons[0] == "low_sharpness"
    assert refusal.value.assessment.measures["sharpness"] < ENROL.sharpness_min
    assert refusal.value.assessment.limits["sharpness_min"] == ENROL.sharpness_min


def test_a_blurred_face_only_lowers_quality_at_verification(embedder: Embedder, astronaut: Picture) -> None:
    embedding = embedder.embed(jpeg(blurred(astronaut, 5)), Purpose.VERIFY)

    assert not embedding.quality.acceptable
    assert "low_sharpness" in embedding.quality.reasons


def test_a_face_beyond_recognition_is_refused_at_verification_too(
    embedder: Embedder, astronaut: Picture
) -> None:
    with pytest.raises((QualityRefused, FaceNotFound)) as refusal:
        embedder.embed(jpeg((astronaut * 0.05).astype(np.uint8)), Purpose.VERIFY)

    if isinstance(refusal.value, QualityRefused):
        assert refusal.value.assessment.limits["luminance_mean_min"] == TEMPLATE.luminance_mean_min


def test_one_refusal_does_not_change_the_code_of_another(embedder: Embedder, astronaut: Picture) -> None:
    codes = []
    for picture in (jpeg(blurred(astronaut, 5)), jpeg((astronaut * 0.12).astype(np.uint8))):
        with pytest.raises(QualityRefused) as refusal:
            embedder.embed(picture, Purpose.ENROL)
        codes.append(refusal.value.code)

    assert codes == ["low_sharpness", "under_exposed"]


def test_a_mislabelled_picture_is_judged_by_its_bytes(embedder: Embedder, astronaut: Picture) -> None:
    with pytest.raises(UnsupportedMedia):
        embedder.embed(encoded(astronaut, "GIF"), Purpose.VERIFY)


def test_inspection_shows_faces_and_quality_without_a_template(
    embedder: Embedder, astronaut_jpeg: bytes, two_faces_jpeg: bytes, black_jpeg: bytes
) -> None:
    one, two, none = (
        embedder.inspect(picture, Purpose.ENROL) for picture in (astronaut_jpeg, two_faces_jpeg, black_jpeg)
    )

    assert (len(one.faces), len(two.faces), len(none.faces)) == (1, 2, 0)
    assert one.quality is not None
    assert one.quality.acceptable
    assert two.quality is None
    assert none.quality is None
    assert one.timings.embed_ms == 0


def test_many_pictures_give_what_each_gives_alone(
    embedder: Embedder, astronaut_variants: Mapping[str, bytes], two_faces_jpeg: bytes
) -> None:
    pictures = [*astronaut_variants.values(), two_faces_jpeg, b"", *astronaut_variants.values()]

    results = embedder.embed_many(pictures, Purpose.VERIFY)

    assert len(results) == len(pictures)
    for picture, result in zip(pictures, results, strict=True):
        if isinstance(result, EmbeddingError):
            with pytest.raises(type(result)):
                embedder.embed(picture, Purpose.VERIFY)
        else:
            assert distance(result.template, embedder.embed(picture, Purpose.VERIFY).template) < 1e-6
    assert isinstance(results[10], MultipleFaces)
    assert isinstance(results[11], DecodeFailed)


def test_no_pictures_give_no_results(embedder: Embedder) -> None:
    assert embedder.embed_many([], Purpose.VERIFY) == []
    assert embedder.embed_crops(np.zeros((0, 112, 112, 3), np.uint8)).shape == (0, embedder.dim)


def test_crops_of_a_batch_do_not_influence_each_other(embedder: Embedder, astronaut: Picture) -> None:
    random = np.random.default_rng(5)
    crops = random.integers(0, 256, (19, 112, 112, 3), np.uint8)
    crops[7] = decode(SELF_TEST_CROP.read_bytes(), ImageLimits())

    together = embedder.embed_crops(crops)

    alone = np.concatenate([embedder.embed_crops(crop[None]) for crop in crops])
    assert np.allclose(together, alone, atol=1e-4)
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-4)


def test_eight_threads_get_what_one_gets(embedder: Embedder, astronaut_variants: Mapping[str, bytes]) -> None:
    pictures = list(astronaut_variants.values()) * 3
    alone = [embedder.embed(picture, Purpose.VERIFY).template for picture in pictures]

    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda picture: embedder.embed(picture, Purpose.VERIFY).template, pictures))

    assert max(distance(a, b) for a, b in zip(alone, together, strict=True)) < 1e-9


def test_the_limits_of_an_embedder_hold(shipped_bundle: Path, astronaut_jpeg: bytes) -> None:
    strict = Embedder.open(shipped_bundle, ImageLimits(max_pixels=512 * 512 - 1), threads=1)

    with pytest.raises(ImageTooLarge):
        strict.embed(astronaut_jpeg, Purpose.VERIFY)


def test_the_pinned_vector_comes_out_of_every_path(embedder: Embedder) -> None:
    crop = decode(SELF_TEST_CROP.read_bytes(), ImageLimits())

    vector = embedder.embed_crops(crop[None])[0]

    pinned = np.array(embedder.bundle.manifest.self_test.vector)
    assert ((vector - pinned) ** 2).sum() < SELF_TEST_MAX_D


def test_every_thread_computes_alike_however_often_the_network_is_compiled(
    shipped_bundle: Path, embedder: Embedder
) -> None:
    crops = decode(SELF_TEST_CROP.read_bytes(), ImageLimits())[None]
    expected = embedder.embed_crops(crops)[0]

    for _ in range(10):
        opened = Embedder.open(shipped_bundle, threads=2)
        with ThreadPoolExecutor(2) as pool:
            vectors = [vector[0] for vector in pool.map(opened.embed_crops, [crops] * 6)]
        assert np.allclose(vectors, expected, atol=1e-5)


def test_eight_bits_serve_where_products_of_bytes_overflow(shipped_bundle: Path) -> None:
    # What a processor without VNNI does; arm64 ignores the setting and is exact anyway.
    script = """
import sys
from pathlib import Path
from embedding.bundle import SELF_TEST_CROP
from embedding.embedder import Embedder
from embedding.image import ImageLimits, decode
embedder = Embedder.open(Path(sys.argv[1]), threads=1)
print(*embedder.embed_crops(decode(SELF_TEST_CROP.read_bytes(), ImageLimits())[None])[0])
"""
    vectors = [
        np.array(
            subprocess.run(
                [sys.executable, "-c", script, str(shipped_bundle)],
                env={**os.environ, **limit}, capture_output=True, text=True, check=True, cwd=ROOT,
            ).stdout.split(),
            np.float32,
        )
        for limit in ({}, {"ONEDNN_MAX_CPU_ISA": "AVX2"})
    ]  # fmt: skip

    assert ((vectors[0] - vectors[1]) ** 2).sum() < SELF_TEST_MAX_D


def test_the_service_path_and_the_training_path_agree(
    embedder: Embedder, astronaut: Picture, astronaut_jpeg: bytes
) -> None:
    embedding = embedder.embed(astronaut_jpeg, Purpose.VERIFY)

    crop = align(decode(astronaut_jpeg, ImageLimits()), embedding.face.landmarks)

    assert np.allclose(embedder.embed_crops(crop[None])[0], embedding.template.vector, atol=1e-5)


def test_a_signal_is_survived_after_an_embedder_was_dropped_in_another_thread(shipped_bundle: Path) -> None:
    script = """
import os, signal, sys, threading
from pathlib import Path
from embedding.embedder import SELF_TEST_MAX_D, Embedder
opened = [Embedder.open(Path(sys.argv[1]), threads=1)]
dropping = threading.Thread(target=opened.clear)
dropping.start()
dropping.join()
signal.signal(signal.SIGUSR1, lambda *_: print("handled"))
os.kill(os.getpid(), signal.SIGUSR1)
"""
    command = [sys.executable, "-c", script, str(shipped_bundle)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert (ended.returncode, ended.stdout) == (0, "handled\n")


def test_a_machine_that_computes_another_vector_refuses_to_start(
    shipped_bundle: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = Path(shutil.copytree(shipped_bundle, tmp_path / "bundle"))
    content = json.loads((folder / MANIFEST).read_text())
    content["self_test"]["vector"] = [-value for value in content["self_test"]["vector"]]
    (folder / MANIFEST).write_text(json.dumps(content))

    with caplog.at_level(logging.WARNING), pytest.raises(BundleInvalid, match="self-test") as refusal:
        Embedder.open(folder, threads=1)

    assert "\n" not in str(refusal.value)
    assert "self_test_differs precision=f32" in caplog.text


def test_a_corrupted_bundle_refuses_to_start(shipped_bundle: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(shipped_bundle, tmp_path / "bundle"))
    with (folder / "embedder.onnx").open("r+b") as file:
        file.write(b"xx")

    with pytest.raises(BundleCorrupted):
        Embedder.open(folder)


@settings(max_examples=60)
@given(
    place=st.floats(0, 1, exclude_max=True), noise=st.binary(min_size=1, max_size=40), cut=st.floats(0.2, 1)
)
def test_damaged_pictures_only_ever_raise_our_own_errors(
    place: float, noise: bytes, cut: float, embedder: Embedder, astronaut_jpeg: bytes
) -> None:
    damaged = bytearray(astronaut_jpeg[: int(len(astronaut_jpeg) * cut)])
    start = int(len(damaged) * place)
    damaged[start : start + len(noise)] = noise

    try:
        embedding = embedder.embed(bytes(damaged), Purpose.VERIFY)
    except EmbeddingError:
        return

    assert np.isfinite(embedding.template.vector).all()


@settings(max_examples=30)
@given(
    height=st.integers(1, 700), width=st.integers(1, 700), seed=st.integers(0, 9), spread=st.integers(1, 255)
)
def test_pictures_of_noise_only_ever_raise_our_own_errors(
    height: int, width: int, seed: int, spread: int, embedder: Embedder
) -> None:
    noise = np.random.default_rng(seed).integers(0, spread, (height, width, 3), np.uint8, endpoint=True)

    with pytest.raises(EmbeddingError):
        embedder.embed(encoded(noise, "BMP"), Purpose.VERIFY)
