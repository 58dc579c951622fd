"""The network whose embeddings a student copies, run by OpenVINO."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from embedding.align import ALIGNED_SIZE
from embedding.embedder import Embedder
from embedding.files import replace_file
from embedding.layers import compile_maps
from embedding.manifest import EmbedderRecord, PixelInput
from embedding.networks import NetworkRefused, Precision, compile_embedder, computes_in_bfloat16
from training.data.faces import FaceSet
from training.embedder.recipe import TeacherPart
from training.errors import RecipeInvalid

BATCH = 16

Vectors = NDArray[np.float32]
Progress = Callable[[int, int], None]
"""Called with faces done and faces in all."""


def _read_teacher(part: TeacherPart, data: Path, dim: int) -> tuple[bytes, EmbedderRecord]:
    """The teacher's file, and what it takes and gives.

    Raises:
        RecipeInvalid: If there is none.
    """
    path = data / part.path
    if not path.is_file():
        raise RecipeInvalid(path, "there is no such teacher", "teacher.path")
    onnx = path.read_bytes()
    record = EmbedderRecord(
        file=path.name,
        sha256=hashlib.sha256(onnx).hexdigest(),
        bytes=len(onnx),
        dim=dim,
        input=PixelInput(layout="NCHW", channels="RGB", mean=part.mean, std=part.std),
        normalised=False,
    )
    return onnx, record


class Teacher:
    """(n, 112, 112, 3) uint8 RGB to (n, dim) unit vectors.

    Raises:
        RecipeInvalid: If the file is no such network.
    """

    def __init__(self, part: TeacherPart, data: Path, dim: int, threads: int) -> None:
        onnx, record = _read_teacher(part, data, dim)
        self.digest = record.sha256
        precision: Precision = "bf16" if computes_in_bfloat16() else "f32"
        try:
            self._network = compile_embedder(onnx, record, threads, precision)
        except NetworkRefused as error:
            raise RecipeInvalid(data / part.path, str(error), "teacher.path") from error

    def __call__(self, faces: NDArray[np.uint8]) -> Vectors:
        """Unit vectors of the faces as they are."""
        return self._network(faces)[0]

    def embed_both_sides(self, faces: NDArray[np.uint8]) -> Vectors:
        """Unit vectors of the faces and of their mirror images, averaged: nearer the person than either."""
        both = self(np.concatenate([faces, faces[:, :, ::-1]])).reshape(2, len(faces), -1)
        mean = both.mean(0)
        return np.asarray(mean / np.linalg.norm(mean, axis=1, keepdims=True), np.float32)


class TeacherMaps:
    """What some layers of the teacher make of faces as they are, for the student's stages to be like.

    Attributes:
        shapes: Channels and side of the map of each layer.

    Raises:
        RecipeInvalid: If there is no such teacher, or it has no such layer.
    """

    def __init__(self, part: TeacherPart, data: Path, dim: int, threads: int) -> None:
        onnx, record = _read_teacher(part, data, dim)
        try:
            self._network = compile_maps(onnx, record, threads, part.hints)
        except NetworkRefused as error:
            raise RecipeInvalid(data / part.path, str(error), "teacher.hints") from error
        maps = self(np.zeros((1, ALIGNED_SIZE, ALIGNED_SIZE, 3), np.uint8))
        self.shapes = tuple((one.shape[1], one.shape[2]) for one in maps)

    def __call__(self, faces: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        """(n, 112, 112, 3) uint8 RGB → (n, channels, side, side) of each layer."""
        return self._network(faces)


class Incumbent(Teacher):
    """The model in use as a teacher: its vectors as it serves them, in its own precision.

    Args:
        bundle: Its folder.
        dim: Length of the student's vectors.
        threads: Faces embedded at the same time.

    Raises:
        BundleError: If there is no such bundle, or it does not compute what it should.
        RecipeInvalid: If its vectors have another length than the student's.
    """

    def __init__(self, bundle: Path, dim: int, threads: int) -> None:
        embedder = Embedder.open(bundle, threads=threads)
        refuse_other_length(embedder, dim)
        self.digest = embedder.model_id.removeprefix("sha256:")
        self._embed = embedder.embed_crops

    def __call__(self, faces: NDArray[np.uint8]) -> Vectors:
        """Unit vectors of the faces."""
        return self._embed(faces)

    def embed_both_sides(self, faces: NDArray[np.uint8]) -> Vectors:
        """The same: whether mirror images count is the bundle's affair."""
        return self._embed(faces)


def refuse_other_length(incumbent: Embedder, dim: int) -> None:
    """Refuse targets that are longer or shorter than the vectors of the network that is trained.

    Raises:
        RecipeInvalid: If they are.
    """
    if incumbent.dim != dim:
        reason = f"the model in use has vectors of {incumbent.dim} numbers, which ones of {dim} cannot follow"
        raise RecipeInvalid("the recipe", reason, "network.dim")


def compute_targets_once(teacher: Teacher, faces: FaceSet, folder: Path, progress: Progress) -> Vectors:
    """(n, dim) what the teacher makes of every face, computed once for these faces and this teacher.

    Args:
        teacher: Asked only where nothing is stored yet.
        faces: In the order of the result.
        folder: Where results are stored, under the digests of both.
        progress: Told how far it is.
    """
    stored = find_targets_file(teacher, faces, folder)
    if not stored.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        targets = []
        for start in range(0, len(faces), BATCH):
            rows = range(start, min(start + BATCH, len(faces)))
            targets.append(teacher.embed_both_sides(faces.crops(rows)))
            progress(rows.stop, len(faces))
        with replace_file(stored) as draft, draft.open("wb") as file:
            np.save(file, np.concatenate(targets))
    return np.asarray(np.load(stored))


def find_targets_file(teacher: Teacher, faces: FaceSet, folder: Path) -> Path:
    """Where `compute_targets_once` stores what this teacher makes of these faces."""
    return folder / f"targets-{faces.digest[:16]}-{teacher.digest[:16]}.npy"
