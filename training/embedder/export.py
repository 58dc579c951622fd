"""A checkpoint to ONNX, and to the bundle that the service loads.

The exported network takes uint8 RGB crops (n, 112, 112, 3) and gives unit vectors (n, dim): normalisation of
pixels and of length are inside.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from embedding.align import ALIGNED_SIZE
from embedding.bundle import SELF_TEST_CROP, Bundle, DetectorFile, write_bundle
from embedding.embedder import Embedder
from embedding.files import replace_file
from embedding.image import ImageLimits, decode
from embedding.manifest import EmbedderRecord, Provenance
from embedding.networks import Precision, compile_embedder, computes_in_bfloat16
from training.data.faces import SPLIT, Split
from training.embedder.augment import Augmentation, augment
from training.embedder.quantise import quantise
from training.embedder.weights import load_network
from training.errors import ExportDiffers, SplitInvalid
from training.networks.embedder import BothSides, FaceEmbedder, SideBySide

OPSET = 18
VIEWS = 100
LARGEST_DIFFERENCE = 1e-3
LARGEST_DISTANCE_BF16 = 1e-2
"""In d; bfloat16 keeps eight bits of each number, so single components differ by more than in float32."""
LARGEST_DISTANCE_INT8 = 2e-2
"""In d; what that costs at the door is measured like anything else, with the bundle that ships."""

Crops = NDArray[np.uint8]
Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class Export:
    """An ONNX file that was compared with the network it came from.

    Attributes:
        path: Of the file.
        dim: Length of its vectors.
        difference: Largest |component| difference to torch over the crops, in float32.
        distance_bf16: Largest d to torch in bfloat16; None where the CPU does not compute in it.
        distance_int8: Largest d of the file in eight bits to torch; None where it is in float32.
    """

    path: Path
    dim: int
    difference: float
    distance_bf16: float | None
    distance_int8: float | None = None


def export_onnx(
    checkpoint: Path,
    path: Path,
    *,
    beside: Sequence[Path] = (),
    both_sides: bool = False,
    ranges: Crops | None = None,
) -> Export:
    """Writes the averaged network of a checkpoint as ONNX and compares the two.

    Args:
        checkpoint: Of a training run.
        path: Of the ONNX file; it appears only once it is whole and right.
        beside: Checkpoints of other networks, whose vectors stand beside those of the first.
        both_sides: Average each vector with that of the mirror image, at twice the time.
        ranges: (k, 112, 112, 3) uint8 RGB crops of faces; with them the file computes in eight bits.

    Raises:
        CheckpointInvalid: If it is no checkpoint, or one of another network.
        ExportDiffers: If the file does not compute what the network does.
    """
    checkpoints = [checkpoint, *beside]
    network = _join_splits([load_network(each) for each in checkpoints], both_sides)
    crops = make_portrait_views()
    with torch.inference_mode():
        wanted = network(torch.from_numpy(crops)).numpy()
    dim = wanted.shape[1]
    with replace_file(path) as draft:
        write_onnx(network, draft)
        export = replace(_compare(draft, dim, crops, wanted), path=path)
        if ranges is not None:
            quantise(draft, draft, ranges)
            int8 = _run_onnx(draft, dim, "f32", crops)
            export = replace(export, distance_int8=_distance(int8, wanted, LARGEST_DISTANCE_INT8))
    return export


def export_bundle(
    checkpoint: Path,
    detector: DetectorFile,
    folder: Path,
    name: str,
    *,
    beside: Sequence[Path] = (),
    both_sides: bool = False,
    ranges: Crops | None = None,
    provenance: Provenance | None = None,
) -> Bundle:
    """Makes a bundle of a checkpoint and a detector's ONNX; it has still to be calibrated.

    Raises:
        CheckpointInvalid, ExportDiffers: As `export_onnx`.
        BundleInvalid: If the detector is none.
        SplitInvalid: If the runs of several networks hold different people out: the thresholds of the bundle
            could be measured on nobody.
    """
    if beside:
        _refuse_different_splits([each.parent for each in (checkpoint, *beside)])
    onnx = folder.with_name(f".{folder.name}.embedder.onnx")
    onnx.parent.mkdir(parents=True, exist_ok=True)
    try:
        dim = export_onnx(checkpoint, onnx, beside=beside, both_sides=both_sides, ranges=ranges).dim
        return write_bundle(
            folder, name=name, detector=detector, embedder=onnx, dim=dim, provenance=provenance
        )
    finally:
        onnx.unlink(missing_ok=True)


def _join_splits(networks: Sequence[FaceEmbedder], both_sides: bool) -> nn.Module:
    each = [BothSides(network) if both_sides else network for network in networks]
    return each[0] if len(each) == 1 else SideBySide(each)


def _refuse_different_splits(runs: Sequence[Path]) -> None:
    first, *others = [Split.read(run / SPLIT) for run in runs]
    for run, split in zip(runs[1:], others, strict=True):
        if (split.calibrate, split.test) != (first.calibrate, first.test):
            raise SplitInvalid(
                f"{run} holds other people out than {runs[0]}; "
                "the `data.split_of` of a recipe lets a run hold the same people out as another."
            )


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


def make_portrait_views() -> Crops:
    """100 different views of the one portrait with a free licence, (100, 112, 112, 3) uint8 RGB."""
    portrait = decode(SELF_TEST_CROP.read_bytes(), ImageLimits())
    random = np.random.default_rng(0)
    return np.stack([augment(portrait, Augmentation(), random) for _ in range(VIEWS)])


def build_served_network(checkpoint: Path, embedder: Embedder) -> nn.Module | None:
    """The network of a checkpoint as a bundle serves it, with the mirror image or without.

    None if the bundle was not made of the checkpoint: on average its vectors lie farther away than those of
    an export may.

    Raises:
        CheckpointInvalid: If it is no checkpoint.
    """
    network, crops = load_network(checkpoint), make_portrait_views()
    served = embedder.embed_crops(crops)
    ways: dict[float, nn.Module] = {}
    for each in (network, BothSides(network)):
        with torch.inference_mode():
            vectors = each(torch.from_numpy(crops)).numpy()
        if vectors.shape == served.shape:
            ways[float(((vectors - served) ** 2).sum(1).mean())] = each
    if not ways or min(ways) > LARGEST_DISTANCE_INT8:
        return None
    return ways[min(ways)].eval().requires_grad_(False)


def is_made_of(checkpoint: Path, embedder: Embedder) -> bool:
    """Whether a bundle was made of a checkpoint.

    Raises:
        CheckpointInvalid: If it is no checkpoint.
    """
    return build_served_network(checkpoint, embedder) is not None


def _compare(onnx: Path, dim: int, crops: Crops, wanted: Vectors) -> Export:
    difference = float(np.abs(_run_onnx(onnx, dim, "f32", crops) - wanted).max())
    if not difference <= LARGEST_DIFFERENCE:
        raise ExportDiffers(difference, LARGEST_DIFFERENCE)
    if not computes_in_bfloat16():
        return Export(onnx, dim, difference, None)
    bf16 = _run_onnx(onnx, dim, "bf16", crops)
    return Export(onnx, dim, difference, _distance(bf16, wanted, LARGEST_DISTANCE_BF16))


def _distance(vectors: Vectors, wanted: Vectors, largest: float) -> float:
    """The largest d between what a file computes and what it should.

    Raises:
        ExportDiffers: If that is too large.
    """
    distance = float(((vectors - wanted) ** 2).sum(1).max())
    if not distance <= largest:
        raise ExportDiffers(distance, largest)
    return distance


def _run_onnx(onnx: Path, dim: int, precision: Precision, crops: Crops) -> Vectors:
    content = onnx.read_bytes()
    record = EmbedderRecord(file="embedder.onnx", sha256="0" * 64, bytes=len(content), dim=dim)
    return compile_embedder(content, record, 1, precision)(crops)[0]
