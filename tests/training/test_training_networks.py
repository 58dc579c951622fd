"""The networks: their sizes against published tables, their shapes, their attention against plain loops."""

import math

import pytest
import torch
from torch import Tensor, nn
from torchvision.models import ResNet
from torchvision.models.resnet import BasicBlock, Bottleneck

from training.errors import NetworkInvalid
from training.networks.backbones import NetworkConfig, build_network
from training.networks.cbam import CBAM
from training.networks.classifiers import add_cbam, stride_in_first_convolution
from training.networks.embedder import BothSides, DenseTrunk, FaceEmbedder
from training.networks.vit import EncoderBlock

FACES = torch.randint(0, 256, (3, 112, 112, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def multiply_adds(network: nn.Module, *shape: int) -> int:
    """Of all convolutions and linear layers, for one input."""
    total = 0

    def count(module: nn.Module, _: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal total
        assert isinstance(module, nn.Conv2d | nn.Linear)
        total += output[0].numel() * module.weight[0].numel()

    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(count)
    with torch.inference_mode():
        network.eval()(torch.zeros(1, *shape))
    return total


@pytest.mark.parametrize("kind", ["vit_b_16", "maxvit_t", "inception_v3", "googlenet"])
def test_a_network_that_takes_no_faces_of_this_size_is_refused_in_one_line(kind: str) -> None:
    with (
        torch.device("meta"),
        pytest.raises(NetworkInvalid, match=f"^{kind} (takes no faces|gives something)") as no,
    ):
        build_network(NetworkConfig(kind=kind))

    assert "\n" not in str(no.value)


@pytest.mark.parametrize(
    "kind",
    [
        "resnet18",
        "efficientnet_b0",
        "convnext_tiny",
        "alexnet",
        "vgg11",
        "swin_t",
        "swin_v2_t",
        "densenet121",
    ],
)
def test_a_network_of_torchvision_that_takes_faces_is_built(kind: str) -> None:
    with torch.device("meta"):
        network = build_network(NetworkConfig(kind=kind, dim=96))
        vectors = network(torch.zeros(2, 112, 112, 3, dtype=torch.uint8))

    assert vectors.shape == (2, 96)


# CBAM (Woo et al. 2018), table 4: millions of parameters and GFLOPs, which are multiply-adds.
@pytest.mark.parametrize(
    ("block", "depths", "groups", "with_cbam", "parameters", "gmacs"),
    [
        (BasicBlock, [2, 2, 2, 2], 1, False, "11.69", "1.814"),
        (BasicBlock, [2, 2, 2, 2], 1, True, "11.78", "1.815"),
        (BasicBlock, [3, 4, 6, 3], 1, False, "21.80", "3.664"),
        (BasicBlock, [3, 4, 6, 3], 1, True, "21.96", "3.665"),
        (Bottleneck, [3, 4, 6, 3], 1, False, "25.56", "3.858"),
        (Bottleneck, [3, 4, 6, 3], 1, True, "28.09", "3.864"),
        (Bottleneck, [3, 4, 23, 3], 1, False, "44.55", "7.570"),
        (Bottleneck, [3, 4, 23, 3], 1, True, "49.33", "7.581"),
        (Bottleneck, [3, 4, 6, 3], 32, False, "25.03", "3.768"),
        (Bottleneck, [3, 4, 6, 3], 32, True, "27.56", "3.774"),
    ],
)
def test_a_resnet_with_attention_has_the_size_that_the_paper_prints(
    block: type[BasicBlock | Bottleneck],
    depths: list[int],
    groups: int,
    with_cbam: bool,
    parameters: str,
    gmacs: str,
) -> None:
    network = ResNet(block, depths, groups=groups, width_per_group=4 if groups > 1 else 64)
    stride_in_first_convolution(network)
    if with_cbam:
        add_cbam(network, 4)

    assert f"{sum(p.numel() for p in network.parameters()) / 1e6:.2f}" == parameters
    assert f"{multiply_adds(network, 3, 224, 224) / 1e9:.3f}" == gmacs


@pytest.mark.parametrize(
    ("widths", "parameters", "mmacs"),
    [((64, 128, 256), "3.5", "402"), ((48, 96, 192), "2.2", "230"), ((32, 64, 128), "1.2", "106")],
)
def test_the_dense_network_has_the_size_that_is_documented(
    widths: tuple[int, ...], parameters: str, mmacs: str
) -> None:
    trunk = DenseTrunk(widths)

    assert f"{sum(p.numel() for p in trunk.parameters()) / 1e6:.1f}" == parameters
    assert f"{multiply_adds(trunk, 3, 112, 112) / 1e6:.0f}" == mmacs


def test_channel_attention_comes_first_and_then_spatial_attention() -> None:
    torch.manual_seed(0)
    block = CBAM(channels=4, reduction=2).eval()
    x = torch.randn(1, 4, 5, 5)

    first, _, second = block.mlp
    scaled = torch.zeros_like(x)
    for c in range(4):
        pooled = [
            torch.stack([x[0, k].mean() for k in range(4)]),
            torch.stack([x[0, k].max() for k in range(4)]),
        ]
        what = sum(second(first(each).clamp(min=0))[c] for each in pooled)
        scaled[0, c] = x[0, c] / (1 + torch.exp(-what))
    expected = torch.zeros_like(x)
    for row in range(5):
        for column in range(5):
            where = torch.zeros(())
            for i in range(7):
                for k in range(7):
                    r, c = row + i - 3, column + k - 3
                    if 0 <= r < 5 and 0 <= c < 5:
                        place = scaled[0, :, r, c]
                        where += block.spatial.weight[0, 0, i, k] * place.mean()
                        where += block.spatial.weight[0, 1, i, k] * place.max()
            where = where / math.sqrt(1 + block.spatial_norm.eps)
            expected[0, :, row, column] = scaled[0, :, row, column] / (1 + torch.exp(-where))

    assert torch.allclose(block(x), expected, atol=1e-6)


def test_each_head_attends_by_the_softmax_of_scaled_products() -> None:
    torch.manual_seed(0)
    block = EncoderBlock(64)
    x = torch.randn(1, 5, 64)
    q, k, v = block.queries_keys_values(x)[0].split(64, dim=1)  # (5, 64) each

    heads = []
    for head in (slice(0, 32), slice(32, 64)):
        products = q[:, head] @ k[:, head].T / math.sqrt(32)
        heads.append(torch.softmax(products, dim=1) @ v[:, head])
    expected = block.joined(torch.cat(heads, dim=1))

    assert torch.allclose(block.attend(x)[0], expected, atol=1e-6)


@pytest.mark.parametrize(
    "config",
    [
        NetworkConfig(widths=(8, 16, 24), depths=(1, 2, 1), dim=32, cbam_stages=2),
        NetworkConfig(kind="vit", widths=(64,), depths=(2,), dim=32),
        NetworkConfig(kind="resnet18", dim=32, cbam_stages=4),
        NetworkConfig(kind="mobilenet_v3_small", dim=32),
    ],
    ids=lambda config: config.kind,
)
def test_every_network_takes_bytes_and_yields_unit_vectors(config: NetworkConfig) -> None:
    network = build_network(config)

    vectors = network(FACES)

    assert vectors.shape == (3, 32)
    assert torch.allclose(vectors.norm(dim=1), torch.ones(3), atol=1e-6)


def test_a_resnet_carries_attention_only_in_its_last_stages() -> None:
    network = build_network(NetworkConfig(kind="resnet18", cbam_stages=2))

    found = {name.split(".")[1] for name, module in network.named_modules() if isinstance(module, CBAM)}

    assert found == {"layer3", "layer4"}


def test_both_sides_of_a_face_give_the_same_vector() -> None:
    torch.manual_seed(0)
    network = BothSides(FaceEmbedder(DenseTrunk((8, 8, 8), (1, 1, 1), 16))).eval()

    assert torch.allclose(network(FACES), network(FACES.flip(2)), atol=1e-6)
