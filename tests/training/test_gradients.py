"""Maps by gradients: CAM adds up to what it explains, guided backpropagation passes back what is positive."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from embedding.embedder import Embedder
from training.cli.attack import CHECKPOINTS
from training.errors import CheckpointInvalid
from training.networks.embedder import DenseTrunk, FaceEmbedder
from training.shipping.gradients import GradientMaps, _Guided, gradient_methods

DIM = 16


@pytest.fixture(scope="module")
def network() -> FaceEmbedder:
    """A small network with weights drawn by chance."""
    torch.manual_seed(0)
    trunk = DenseTrunk((8, 8, 8), (1, 1, 1), dim=DIM, head_channels=4)
    for parameter in trunk.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return FaceEmbedder(trunk).eval()


@pytest.fixture(scope="module")
def crop() -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.random.default_rng(0).integers(0, 256, (112, 112, 3)).astype(np.uint8)


def test_the_places_of_cam_add_up_to_the_product_of_both_vectors(
    network: FaceEmbedder, crop: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]
) -> None:
    other = np.random.default_rng(1).normal(size=DIM).astype(np.float32)
    trunk = network.trunk
    assert isinstance(trunk, DenseTrunk)
    with torch.inference_mode():
        whole = trunk(network.pixels(torch.from_numpy(crop[None])))[0]
        nothing = trunk.project_norm(torch.zeros(1, DIM))[0]
    expected = float((whole - nothing) @ torch.from_numpy(other))

    assert abs(GradientMaps(network).cam(crop, other).sum() - expected) < 1e-3 * max(1, abs(expected))


def test_grad_cam_follows_the_mean_gradient_and_layer_cam_each_place_of_it(
    network: FaceEmbedder, crop: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]
) -> None:
    other = np.full(DIM, DIM**-0.5, np.float32)
    trunk = network.trunk
    assert isinstance(trunk, DenseTrunk)
    last = trunk.stage_maps(network.pixels(torch.from_numpy(crop[None])))[-1].detach().requires_grad_(True)
    vector = F.normalize(trunk.join_places(last), dim=1)
    (found,) = torch.autograd.grad(-(vector - torch.from_numpy(other)).square().sum(), last)
    maps, slopes = last.detach()[0].numpy(), found[0].numpy()
    by_mean, by_place = np.zeros((7, 7)), np.zeros((7, 7))
    for channel, slope in zip(maps, slopes, strict=True):
        by_mean += channel * slope.mean()
        by_place += channel * np.maximum(slope, 0)

    made = GradientMaps(network)

    np.testing.assert_allclose(made.grad_cam(crop, other), by_mean, rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(made.layer_cam(crop, other), by_place, rtol=1e-3, atol=1e-6)


def test_guided_backpropagation_passes_nothing_back_that_is_negative_or_was_cut_off() -> None:
    x = torch.tensor([-1.0, 2.0, 3.0], requires_grad=True)
    with _Guided():
        y = F.relu(x)

    (slopes,) = torch.autograd.grad((y * torch.tensor([1.0, -1.0, 0.5])).sum(), x)

    assert slopes.tolist() == [0.0, 0.0, 0.5]


def test_a_checkpoint_of_another_network_is_refused(embedder: Embedder) -> None:
    with pytest.raises(CheckpointInvalid):
        gradient_methods(CHECKPOINTS / "invigil-2-detector.pt", embedder)
    assert "CAM" in gradient_methods(CHECKPOINTS / "invigil-2-embedder.pt", embedder)
