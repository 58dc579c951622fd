"""A bundle on disk: verified, described, made, calibrated; other people's networks folded in."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fixtures_pictures import Picture
from made_bundles import foreign_embedder
from numpy.typing import NDArray

from embedding.bundle import (
    MANIFEST,
    SELF_TEST_CROP,
    Bundle,
    DetectorFile,
    add_calibration,
    put_in_place,
    write_bundle,
)
from embedding.embedder import Embedder
from embedding.errors import BundleCorrupted, BundleInvalid, BundleNotFound
from embedding.image import ImageLimits, decode
from embedding.manifest import EmbedderRecord, PixelInput
from embedding.networks import compile_embedder

IMAGENET = PixelInput(layout="NCHW", mean=(123.675, 116.28, 103.53), std=(58.395, 57.12, 57.375))


@pytest.fixture
def copy(shipped_bundle: Path, tmp_path: Path) -> Path:
    """A bundle that a test may spoil."""
    return Path(shutil.copytree(shipped_bundle, tmp_path / "bundle"))


def edit_manifest(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    content = json.loads((folder / MANIFEST).read_text())
    change(content)
    (folder / MANIFEST).write_text(json.dumps(content))


def vectors_by_hand(crops: Picture, weights: NDArray[np.float32], pixels: PixelInput) -> NDArray[np.float64]:
    """What the foreign network makes of RGB crops when a person prepares them."""
    values = crops[..., ::-1] if pixels.channels == "BGR" else crops
    prepared = (values.astype(np.float64) - pixels.mean) / pixels.std
    blocks = prepared.reshape(len(crops), 8, 14, 8, 14, 3).mean(axis=(2, 4))
    vectors = blocks.reshape(len(crops), -1) @ weights.astype(np.float64)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def test_a_whole_bundle_loads(shipped_bundle: Path) -> None:
    bundle = Bundle.load(shipped_bundle)

    assert bundle.model_id.startswith("sha256:")
    assert len(bundle.manifest.self_test.vector) == bundle.dim
    assert bundle.calibration.threshold(1e-3) > bundle.calibration.threshold(1e-2) / 4


def test_no_bundle_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(BundleNotFound, match="nowhere"):
        Bundle.load(tmp_path / "nowhere")


@pytest.mark.parametrize("record", ["detector", "embedder", "self_test"])
def test_one_changed_byte_in_any_file_is_noticed(record: str, copy: Path) -> None:
    path = copy / json.loads((copy / MANIFEST).read_text())[record]["file"]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)

    with pytest.raises(BundleCorrupted, match=path.name) as refusal:
        Bundle.load(copy)

    assert "\n" not in str(refusal.value)


def test_a_missing_or_short_file_is_noticed(copy: Path) -> None:
    path = copy / "embedder.onnx"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(BundleCorrupted, match="bytes instead of"):
        Bundle.load(copy)

    path.unlink()
    with pytest.raises(BundleCorrupted, match=r"embedder\.onnx"):
        Bundle.load(copy)


def test_a_file_changed_after_loading_is_noticed_when_it_is_read(copy: Path) -> None:
    bundle = Bundle.load(copy)
    (copy / "embedder.onnx").write_bytes(b"other")

    with pytest.raises(BundleCorrupted):
        bundle.read(bundle.manifest.embedder)


def test_a_torn_manifest_is_corrupted(copy: Path) -> None:
    (copy / MANIFEST).write_text((copy / MANIFEST).read_text()[:-20])

    with pytest.raises(BundleCorrupted, match="not JSON"):
        Bundle.load(copy)


def test_an_unknown_key_is_named(copy: Path) -> None:
    edit_manifest(copy, lambda content: content["embedder"].update(flavour="sweet"))

    with pytest.raises(BundleInvalid, match=r"embedder\.flavour"):
        Bundle.load(copy)


def test_a_later_format_is_refused(copy: Path) -> None:
    edit_manifest(copy, lambda content: content.update(format=2))

    with pytest.raises(BundleInvalid, match="format"):
        Bundle.load(copy)


@pytest.mark.parametrize("name", ["../outside.onnx", "/etc/passwd", "a/b.onnx", "..", ""])
def test_a_manifest_cannot_reach_outside_its_folder(name: str, copy: Path) -> None:
    edit_manifest(copy, lambda content: content["embedder"].update(file=name))

    with pytest.raises(BundleInvalid, match=r"embedder\.file"):
        Bundle.load(copy)


def test_a_bundle_without_calibration_loads_but_decides_nothing(copy: Path) -> None:
    edit_manifest(copy, lambda content: content.update(calibration=None))

    bundle = Bundle.load(copy)

    with pytest.raises(BundleInvalid, match="no calibration"):
        _ = bundle.calibration


def test_a_calibration_changes_thresholds_and_not_the_model(copy: Path) -> None:
    before = Bundle.load(copy)
    other = before.calibration.model_copy(update={"id": "cal-other"})

    after = add_calibration(copy, other)

    assert after.calibration.id == "cal-other"
    assert after.model_id == before.model_id


def test_whatever_changes_templates_changes_the_model_id(shipped_bundle: Path) -> None:
    manifest = Bundle.load(shipped_bundle).manifest
    embedder, detector = manifest.embedder, manifest.detector

    ids = {
        manifest.model_copy(update=change).model_id
        for change in (
            {},
            {"embedder": embedder.model_copy(update={"sha256": "0" * 64})},
            {"embedder": embedder.model_copy(update={"input": PixelInput(mean=(1, 2, 3))})},
            {"detector": detector.model_copy(update={"sha256": "0" * 64})},
            {"detector": detector.model_copy(update={"score_threshold": 0.123})},
        )
    }

    assert len(ids) == 5


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("channels", ["RGB", "BGR"])
@pytest.mark.parametrize("dim", [16, 512])
def test_other_peoples_normalisation_is_folded_in(
    layout: Any, channels: Any, dim: int, tmp_path: Path
) -> None:
    weights = foreign_embedder(tmp_path / "foreign.onnx", layout, dim)
    pixels = PixelInput(layout=layout, channels=channels, mean=(120, 110, 100), std=(60, 58, 56))
    record = EmbedderRecord(file="x", sha256="0" * 64, bytes=1, dim=dim, input=pixels, normalised=False)
    crops = np.random.default_rng(0).integers(0, 256, (3, 112, 112, 3), np.uint8)
    crops[0, :56] = 250  # random crops alone would all look alike

    network = compile_embedder((tmp_path / "foreign.onnx").read_bytes(), record, threads=1, precision="f32")

    vectors = network(crops)[0]
    assert vectors.shape == (3, dim)
    assert np.allclose(vectors, vectors_by_hand(crops, weights, pixels), atol=1e-4)


def test_a_network_of_batch_one_takes_larger_batches(tmp_path: Path) -> None:
    foreign_embedder(tmp_path / "foreign.onnx", "NCHW", 16, batch=1)
    record = EmbedderRecord(
        file="x", sha256="0" * 64, bytes=1, dim=16, input=PixelInput(layout="NCHW"), normalised=False
    )
    crops = np.random.default_rng(0).integers(0, 256, (5, 112, 112, 3), np.uint8)

    network = compile_embedder((tmp_path / "foreign.onnx").read_bytes(), record, threads=1, precision="f32")

    together = network(crops)[0]
    alone = np.concatenate([network(crop[None])[0] for crop in crops])
    assert np.allclose(together, alone, atol=1e-5)


def test_a_bundle_of_other_peoples_network_makes_templates(
    shipped_bundle: Path, tmp_path: Path, astronaut_jpeg: bytes
) -> None:
    from embedding.quality import Purpose

    weights = foreign_embedder(tmp_path / "foreign.onnx", "NCHW", 32)
    pixels = PixelInput(layout="NCHW", channels="BGR", mean=(127.5, 127.5, 127.5), std=(128, 128, 128))

    written = write_bundle(
        tmp_path / "foreign",
        name="foreign",
        detector=DetectorFile(shipped_bundle / "detector.onnx"),
        embedder=tmp_path / "foreign.onnx",
        dim=32,
        embedder_input=pixels,
        normalised=False,
    )

    crop = decode(SELF_TEST_CROP.read_bytes(), ImageLimits())
    assert np.allclose(
        written.manifest.self_test.vector, vectors_by_hand(crop[None], weights, pixels)[0], atol=1e-4
    )
    embedding = Embedder.open(tmp_path / "foreign", threads=1).embed(astronaut_jpeg, Purpose.ENROL)
    assert embedding.template.vector.shape == (32,)
    assert embedding.template.model_id == written.model_id


def test_writing_a_bundle_replaces_the_former_one_whole(shipped_bundle: Path, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    for dim in (16, 24):
        foreign_embedder(tmp_path / "foreign.onnx", "NCHW", dim)
        write_bundle(
            folder,
            name="mine",
            detector=DetectorFile(shipped_bundle / "detector.onnx"),
            embedder=tmp_path / "foreign.onnx",
            dim=dim,
            embedder_input=PixelInput(layout="NCHW"),
            normalised=False,
        )

    assert Bundle.load(folder).dim == 24
    assert {path.name for path in tmp_path.iterdir()} == {"mine", "foreign.onnx"}


def wrong(folder: Path, shipped: Path, **changes: Any) -> None:
    foreign_embedder(folder / "foreign.onnx", "NCHW", 16)
    described: dict[str, Any] = {
        "detector": DetectorFile(shipped / "detector.onnx"),
        "embedder": folder / "foreign.onnx",
        "dim": 16,
        "embedder_input": PixelInput(layout="NCHW"),
        "normalised": False,
    }
    write_bundle(folder / "wrong", name="wrong", **(described | changes))


def test_what_a_manifest_says_of_a_network_is_checked(shipped_bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(BundleInvalid, match="16 numbers, not 128"):
        wrong(tmp_path, shipped_bundle, dim=128)
    with pytest.raises(BundleInvalid, match="unit length"):
        wrong(tmp_path, shipped_bundle, normalised=True)
    with pytest.raises(BundleInvalid, match="lacks the outputs"):
        wrong(tmp_path, shipped_bundle, detector=DetectorFile(tmp_path / "foreign.onnx"))
    with pytest.raises(BundleInvalid):
        wrong(tmp_path, shipped_bundle, embedder_input=PixelInput(layout="NHWC"))

    assert [path.name for path in tmp_path.iterdir()] == ["foreign.onnx"]


def test_bytes_that_are_no_network_are_refused(shipped_bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "text.onnx").write_bytes(b"not a network")

    with pytest.raises(BundleInvalid, match="not an ONNX network"):
        wrong(tmp_path, shipped_bundle, embedder=tmp_path / "text.onnx")


def test_a_public_mobilefacenet_drops_in(shared_data: Path, shipped_bundle: Path, tmp_path: Path) -> None:
    import onnxruntime

    onnx_file = shared_data / "teacher" / "mobilefacenet.onnx"
    written = write_bundle(
        tmp_path / "mobilefacenet",
        name="mobilefacenet",
        detector=DetectorFile(shipped_bundle / "detector.onnx"),
        embedder=onnx_file,
        dim=128,
        embedder_input=IMAGENET,
        normalised=False,
    )

    crop = decode(SELF_TEST_CROP.read_bytes(), ImageLimits())
    prepared = ((crop - np.array(IMAGENET.mean)) / IMAGENET.std).transpose(2, 0, 1)[None].astype(np.float32)
    raw = onnxruntime.InferenceSession(str(onnx_file)).run(None, {"input0": prepared})[0][0]
    assert np.allclose(written.manifest.self_test.vector, raw / np.linalg.norm(raw), atol=1e-4)


def test_the_readme_shows_an_answer_of_the_shipped_bundle(shipped_bundle: Path) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    start = readme.index('{"decision"')
    shown = json.loads(readme[start : readme.index("\n```", start)])
    calibration = Bundle.load(shipped_bundle).calibration

    assert shown["calibration"] == {
        "id": calibration.id,
        "non_mated": calibration.non_mated,
        "identities": calibration.identities,
    }
    for name in ("match", "refer"):
        assert shown["threshold"][name] == round(calibration.threshold(shown["fmr"][name]), 3)


def test_a_bundle_that_cannot_be_replaced_keeps_its_name_and_its_files(copy: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        put_in_place(tmp_path / "no draft", copy)

    assert Bundle.load(copy).path == copy
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bundle"]


def test_a_bundle_in_place_of_another_leaves_nothing_of_it(copy: Path, tmp_path: Path) -> None:
    (copy / "old.txt").write_text("old")
    draft = Path(shutil.copytree(copy, tmp_path / "draft", ignore=shutil.ignore_patterns("old.txt")))

    put_in_place(draft, copy)

    assert not (copy / "old.txt").exists()
    assert Bundle.load(copy).path == copy
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bundle"]
