"""A checkpoint to ONNX, and to the bundle that the service loads.

The exported network takes uint8 RGB crops (n, 112, 112, 3) and gives unit vectors (n, dim): normalisation of
pixels and of length are inside.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from embedding.align import ALIGNED_SIZE
from embedding.bundle import SELF_TEST_CROP, Bundle, write_bundle
from embedding.image import ImageLimits, decode
from embedding.manifest import EmbedderRecord, Provenance
from embedding.networks import Precision, compile_embedder, reduced_precision
from training.augment import Augmentation, augment
from training.errors import ExportDiffers
from training.networks.embedder import BothSides
from training.run import load_checkpoint, load_network, network_config

OPSET = 18
VIEWS = 100
LARGEST_DIFFERENCE = 1e-3
LARGEST_DISTANCE_BF16 = 1e-2
"""In d; bfloat16 keeps eight bits of each number, so single components differ by more than in float32."""

Crops = NDArray[np.uint8]


@dataclass(frozen=True)
class Export:
    """An ONNX file that was compared with the network it came from.

    Attributes:
        path: Of the file.
        dim: Length of its vectors.
        difference: Largest |component| difference to torch over the crops, in float32.
        distance_bf16: Largest d to torch in bfloat16; None where the CPU does not compute in it.
    """

    path: Path
    dim: int
    difference: float
    distance_bf16: float | None


def export_onnx(
    checkpoint: Path, path: Path, crops: Crops | None = None, *, both_sides: bool = False
) -> Export:
    """Writes the averaged network of a checkpoint as ONNX and compares the two.

    Args:
        checkpoint: Of a training run.
        path: Of the ONNX file; it appears only once it is whole and right.
        crops: (k, 112, 112, 3) uint8 RGB to compare on; by default 100 views of our portrait.
        both_sides: Average each vector with that of the mirror image, at twice the time.

    Raises:
        CheckpointInvalid: If it is no checkpoint, or one of another network.
        ExportDiffers: If the file does not compute what the network does.
    """
    trained = load_network(checkpoint)
    network = BothSides(trained) if both_sides else trained
    dim = network_config(load_checkpoint(checkpoint)).dim
    crops = views_of_portrait() if crops is None else crops
    draft = path.with_name(f".{path.name}.draft")
    write_onnx(network, draft)
    try:
        export = _compared(network, draft, dim, crops)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return Export(path, dim, export.difference, export.distance_bf16)


def export_bundle(
    checkpoint: Path,
    detector: Path,
    folder: Path,
    name: str,
    *,
    both_sides: bool = False,
    provenance: Provenance | None = None,
) -> Bundle:
    """Makes a bundle of a checkpoint and a detector's ONNX; it has still to be calibrated.

    Raises:
        CheckpointInvalid, ExportDiffers: As `export_onnx`.
        BundleInvalid: If the detector is none.
    """
    onnx = folder.with_name(f".{folder.name}.embedder.onnx")
    onnx.parent.mkdir(parents=True, exist_ok=True)
    try:
        dim = export_onnx(checkpoint, onnx, both_sides=both_sides).dim
        return write_bundle(
            folder, name=name, detector=detector, embedder=onnx, dim=dim, provenance=provenance
        )
    finally:
        onnx.unlink(missing_ok=True)


def write_onnx(network: nn.Module, path: Path, example: torch.Tensor | None = None) -> None:
    """One file with the weights inside, for batches of any size.

    Args:
        network: Takes one tensor.
        path: Of the file.
        example: (2, …) what it takes; uint8 RGB crops by default.
    """
    if example is None:
        example = torch.zeros(2, ALIGNED_SIZE, ALIGNED_SIZE, 3, dtype=torch.uint8)
    with warnings.catch_warnings():
        # Torch's exporter calls a function that torch itself has deprecated.
        warnings.filterwarnings("ignore", category=FutureWarning)
        torch.onnx.export(
            network.eval(),
            (example,),
            path,
            input_names=["faces"],
            output_names=["vector"],
            dynamic_shapes=({0: torch.export.Dim("n")},),
            opset_version=OPSET,
            dynamo=True,
            external_data=False,
            verbose=False,
        )


def views_of_portrait() -> Crops:
    """100 different views of the one portrait with a free licence, (100, 112, 112, 3) uint8 RGB."""
    portrait = decode(SELF_TEST_CROP.read_bytes(), ImageLimits())
    random = np.random.default_rng(0)
    return np.stack([augment(portrait, Augmentation(), random) for _ in range(VIEWS)])


def _compared(network: nn.Module, onnx: Path, dim: int, crops: Crops) -> Export:
    with torch.inference_mode():
        wanted = network(torch.from_numpy(crops)).numpy()
    run = _runner(onnx, dim)
    difference = float(np.abs(run("f32")(crops) - wanted).max())
    if not difference <= LARGEST_DIFFERENCE:
        raise ExportDiffers(onnx, difference, LARGEST_DIFFERENCE)
    if not reduced_precision():
        return Export(onnx, dim, difference, None)
    distance = float(((run("bf16")(crops) - wanted) ** 2).sum(1).max())
    if not distance <= LARGEST_DISTANCE_BF16:
        raise ExportDiffers(onnx, distance, LARGEST_DISTANCE_BF16)
    return Export(onnx, dim, difference, distance)


def _runner(onnx: Path, dim: int) -> Callable[[Precision], Callable[[Crops], NDArray[np.float32]]]:
    content = onnx.read_bytes()
    record = EmbedderRecord(file="embedder.onnx", sha256="0" * 64, bytes=len(content), dim=dim)

    def compiled(precision: Precision) -> Callable[[Crops], NDArray[np.float32]]:
        network = compile_embedder(content, record, 1, precision)
        return lambda crops: network(crops)[0]

    return compiled
