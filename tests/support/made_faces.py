"""Made "faces", and a network whose answer can be worked out: the direction of a coarse picture."""

import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper
from PIL import Image

from embedding.bundle import SELF_TEST_CROP, Bundle, DetectorFile, write_bundle
from embedding.manifest import PixelInput

CELLS = 8
DIM = CELLS * CELLS * 3


def coarse_bundle(folder: Path, detector: Path, cells: int = CELLS, mean: float = 128.0) -> Bundle:
    """A bundle whose network averages 14×14 pixels: a crop → 192 numbers around 128, made unit length.

    With fewer cells it sees less; with a lower mean all faces look alike.
    """
    side, dim = 112 // cells, cells * cells * 3
    pool = helper.make_node(
        "AveragePool", ["face"], ["cells"], kernel_shape=[side, side], strides=[side, side]
    )
    flat = helper.make_node("Flatten", ["cells"], ["vector"])
    face = helper.make_tensor_value_info("face", TensorProto.FLOAT, [1, 3, 112, 112])
    vector = helper.make_tensor_value_info("vector", TensorProto.FLOAT, [1, dim])
    graph = helper.make_graph([pool, flat], "coarse", [face], [vector])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    network = folder.with_suffix(".onnx")
    onnx.save(model, network)
    takes = PixelInput(layout="NCHW", mean=(mean, mean, mean))
    return write_bundle(
        folder,
        name="coarse",
        detector=DetectorFile(detector),
        embedder=network,
        dim=dim,
        embedder_input=takes,
        normalised=False,
    )


def mosaic(random: np.random.Generator) -> NDArray[np.float64]:
    """(8, 8, 3) around 0: whom a made face shows."""
    return random.normal(0, 30, (CELLS, CELLS, 3))


def crop_of(cells: NDArray[np.float64], ground: NDArray[np.float64] | float = 128.0) -> bytes:
    """(112, 112, 3) PNG whose 14×14 squares have these values around a ground."""
    pixels = ground + cells.repeat(14, 0).repeat(14, 1)
    stream = io.BytesIO()
    Image.fromarray(np.clip(np.round(pixels), 0, 255).astype(np.uint8)).save(stream, "PNG")
    return stream.getvalue()


def crop_over_portrait(cells: NDArray[np.float64]) -> bytes:
    """The same over half of a portrait: to a network that knows faces, squares alone look all alike."""
    return crop_of(cells, (pixels_of(SELF_TEST_CROP.read_bytes()) + 128.0) / 2)


def pixels_of(content: bytes) -> NDArray[np.uint8]:
    """The (112, 112, 3) pixels of a crop."""
    return np.asarray(Image.open(io.BytesIO(content)))


def made_faces(identities: int, samples: int, spread: float = 0.9, seed: int = 0) -> dict[str, bytes]:
    """`p007/2.png` → crop. With noise of `spread` mosaics, mated d is near 2 · spread² / (1 + spread²)."""
    random = np.random.default_rng(seed)
    faces = {}
    for person in range(identities):
        face = mosaic(random)
        for sample in range(samples):
            faces[f"p{person:03}/{sample}.png"] = crop_of(face + spread * mosaic(random))
    return faces


def write_folder(folder: Path, faces: Mapping[str, bytes]) -> Path:
    """As a labelled folder."""
    for name, content in faces.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def write_tar(path: Path, faces: Mapping[str, bytes], mode: str = "w") -> Path:
    """As a tar archive."""
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
        for name, content in faces.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path
