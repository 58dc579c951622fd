"""A checkpoint to ONNX: the file computes what the network does, and says so before anything uses it."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from made_training import people, tiny_recipe, write_folders

from embedding.bundle import Bundle
from embedding.embedder import Embedder
from training.embedder.export import export_bundle, export_onnx, make_portrait_views
from training.embedder.loop import train
from training.embedder.weights import describe_network
from training.engine.run import FORMAT, save_checkpoint
from training.errors import CheckpointInvalid, ExportDiffers, SplitInvalid
from training.networks.backbones import NetworkConfig, build_network
from training.networks.embedder import FaceEmbedder

pytestmark = pytest.mark.not_quick("exports")

TINY = tiny_recipe().network


def checkpoint_of(config: NetworkConfig, path: Path) -> FaceEmbedder:
    """Saves an untrained network whose normalisations have seen something, as a training would."""
    torch.manual_seed(0)
    network = build_network(config)
    for _ in range(3):
        network(torch.from_numpy(make_portrait_views()[:16]))
    save_checkpoint(
        path, {"format": FORMAT, "network": describe_network(config), "ema": network.state_dict()}
    )
    return network.eval()


@pytest.mark.slow("exports networks of full size")
@pytest.mark.parametrize(
    "config",
    [TINY, NetworkConfig(kind="vit", widths=(32,), depths=(1,), dim=16)],
    ids=lambda config: config.kind,
)
def test_the_file_equals_the_network_on_a_hundred_views(tmp_path: Path, config: NetworkConfig) -> None:
    checkpoint_of(config, tmp_path / "last.pt")

    export = export_onnx(tmp_path / "last.pt", tmp_path / "network.onnx")

    assert export.dim == 16
    assert export.difference < 1e-3
    assert export.distance_bf16 is None or export.distance_bf16 < 1e-2
    assert [file.name for file in tmp_path.glob("*onnx*")] == ["network.onnx"]


def test_the_views_of_the_portrait_are_a_hundred_different_ones() -> None:
    views = make_portrait_views()

    assert views.shape == (100, 112, 112, 3)
    assert len({view.tobytes() for view in views}) == 100


@pytest.mark.slow("exports networks of full size")
def test_a_file_of_both_sides_gives_a_face_and_its_mirror_image_one_vector(tmp_path: Path) -> None:
    checkpoint_of(TINY, tmp_path / "last.pt")
    export_onnx(tmp_path / "last.pt", tmp_path / "network.onnx", both_sides=True)
    crops = make_portrait_views()[:5]

    session = onnxruntime.InferenceSession(tmp_path / "network.onnx")
    (vectors,) = session.run(None, {"faces": crops})
    (mirrored,) = session.run(None, {"faces": np.ascontiguousarray(crops[:, :, ::-1])})

    assert vectors.shape == (5, 16)
    assert np.abs(np.linalg.norm(vectors, axis=1) - 1).max() < 1e-5
    assert np.abs(vectors - mirrored).max() < 1e-5


@pytest.mark.slow("quantises a network over many pictures")
def test_a_file_in_eight_bits_is_smaller_and_stays_near_the_network(tmp_path: Path) -> None:
    checkpoint_of(
        NetworkConfig(widths=(32, 32, 32), depths=(1, 1, 1), dim=16, head_channels=4), tmp_path / "last.pt"
    )
    whole = export_onnx(tmp_path / "last.pt", tmp_path / "whole.onnx", both_sides=True)

    eight = export_onnx(
        tmp_path / "last.pt", tmp_path / "eight.onnx", both_sides=True, ranges=make_portrait_views()[::2]
    )

    assert whole.distance_int8 is None
    assert eight.distance_int8 is not None
    assert 0 < eight.distance_int8 < 2e-2
    assert eight.path.stat().st_size < whole.path.stat().st_size


@pytest.mark.slow("quantises a network over many pictures")
def test_a_file_in_eight_bits_whose_ranges_are_of_something_else_is_refused(tmp_path: Path) -> None:
    checkpoint_of(
        NetworkConfig(widths=(32, 32, 32), depths=(1, 1, 1), dim=16, head_channels=4), tmp_path / "last.pt"
    )
    black = np.zeros((4, 112, 112, 3), np.uint8)

    with pytest.raises(ExportDiffers):
        export_onnx(tmp_path / "last.pt", tmp_path / "network.onnx", ranges=black)

    assert not list(tmp_path.glob("*onnx*"))


@pytest.mark.slow("exports networks of full size")
def test_a_file_of_several_networks_has_the_mean_of_their_distances(tmp_path: Path) -> None:
    other = NetworkConfig(widths=(8, 8, 16), depths=(1, 1, 1), dim=8, head_channels=4)
    networks = [checkpoint_of(TINY, tmp_path / "a.pt"), checkpoint_of(other, tmp_path / "b.pt")]
    crops = make_portrait_views()[:2]

    export = export_onnx(tmp_path / "a.pt", tmp_path / "network.onnx", beside=[tmp_path / "b.pt"])

    (vectors,) = onnxruntime.InferenceSession(export.path).run(None, {"faces": crops})
    with torch.inference_mode():
        alone = [network(torch.from_numpy(crops)).numpy() for network in networks]
    d = [float(np.square(each[0] - each[1]).sum()) for each in (vectors, *alone)]
    assert vectors.shape == (2, export.dim) == (2, 24)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)
    assert d[0] == pytest.approx((d[1] + d[2]) / 2, abs=1e-5)
    assert abs(d[1] - d[2]) > 1e-3


@pytest.mark.slow("exports networks of full size")
def test_runs_that_hold_the_same_people_out_become_one_bundle(tmp_path: Path, shipped_bundle: Path) -> None:
    faces, detector = write_folders(tmp_path / "faces", people(12, 4)), Bundle.load(shipped_bundle).detector
    first = train(tiny_recipe(), faces, tmp_path / "first")
    same = train(tiny_recipe(seed=2, data={"split_of": str(first.path)}), faces, tmp_path / "same")
    other = train(tiny_recipe(seed=3), faces, tmp_path / "other")

    bundle = export_bundle(first.chosen, detector, tmp_path / "joined", "joined", beside=[same.chosen])
    with pytest.raises(SplitInvalid, match=f"{other.path} holds other people out than {first.path}"):
        export_bundle(first.chosen, detector, tmp_path / "refused", "refused", beside=[other.chosen])

    assert Embedder.open(bundle.path).bundle.manifest.embedder.dim == 32
    assert not (tmp_path / "refused").exists()


def test_a_network_that_is_not_a_number_is_not_exported(tmp_path: Path) -> None:
    network = checkpoint_of(TINY, tmp_path / "sound.pt")
    broken = {
        name: value * torch.nan for name, value in network.state_dict().items() if value.is_floating_point()
    }
    content = {"format": FORMAT, "network": describe_network(TINY), "ema": network.state_dict() | broken}
    save_checkpoint(tmp_path / "broken.pt", content)

    with pytest.raises(ExportDiffers):
        export_onnx(tmp_path / "broken.pt", tmp_path / "network.onnx")

    assert not list(tmp_path.glob("*onnx*"))


def test_a_checkpoint_of_another_network_is_not_exported(tmp_path: Path) -> None:
    network = checkpoint_of(TINY, tmp_path / "sound.pt")
    wider = NetworkConfig(widths=(8, 8, 24), depths=(1, 1, 1), dim=16, head_channels=4)
    content = {"format": FORMAT, "network": describe_network(wider), "ema": network.state_dict()}
    save_checkpoint(tmp_path / "other.pt", content)

    with pytest.raises(CheckpointInvalid, match="another network"):
        export_onnx(tmp_path / "other.pt", tmp_path / "network.onnx")
