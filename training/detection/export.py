"""The detector as an ONNX file in YuNet's layout."""

import warnings
from copy import deepcopy
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from embedding.yunet import DETECTOR_OUTPUTS
from training.networks.detector import FaceDetector, YuNetLayout


def export_detector(network: FaceDetector, path: Path) -> None:
    """Write `network` for any batch and any multiples of 32; batch norms are folded away first."""
    layout = YuNetLayout(fold_batch_norms(network)).eval()
    sizes = {name: {0: "n", 1: f"cells_{name.split('_')[1]}"} for name in DETECTOR_OUTPUTS}
    with warnings.catch_warnings():
        # The older exporter is deprecated in torch, but the newer one takes half a minute and replaces a
        # plain upsampling by arithmetic on sizes.
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            layout,
            (torch.zeros(1, 3, 320, 320),),
            str(path),
            input_names=["input"],
            output_names=list(DETECTOR_OUTPUTS),
            dynamic_axes={"input": {0: "n", 2: "height", 3: "width"}} | sizes,
            opset_version=13,
            dynamo=False,
        )


class ScaleShift(nn.Module):
    """A trained batch norm as scale and shift, which runtimes fuse into the convolution before it.

    Folding it into the convolution shared by all strides would store those weights three times.
    """

    def __init__(self, norm: nn.BatchNorm2d) -> None:
        super().__init__()
        learned = norm.state_dict()
        scale = learned["weight"] / torch.sqrt(learned["running_var"] + norm.eps)
        self.register_buffer("scale", scale[:, None, None])
        self.register_buffer("shift", (learned["bias"] - learned["running_mean"] * scale)[:, None, None])

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, h, w) → the same shape."""
        return x * self.scale + self.shift  # type: ignore[operator]


def fold_batch_norms(network: FaceDetector) -> FaceDetector:
    """A copy whose convolutions hold the scale and shift of the batch norm after them."""
    folded = deepcopy(network).eval()
    folded.norms = nn.ModuleList(
        ScaleShift(norm) for norm in network.norms if isinstance(norm, nn.BatchNorm2d)
    )
    for sequence in folded.modules():
        if not isinstance(sequence, nn.Sequential):
            continue
        for index in range(len(sequence) - 1):
            first, second = sequence[index], sequence[index + 1]
            if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d):
                sequence[index] = fuse_conv_bn_eval(first, second)
                sequence[index + 1] = nn.Identity()
    return folded
