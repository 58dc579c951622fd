"""A model bundle on disk: a folder with two ONNX networks, a self-test crop and `manifest.json`.

Nothing of a bundle is used before its digest was verified. `write_bundle` makes one, from a training run or
from other people's networks.
"""

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import numpy as np
from pydantic import ValidationError

from embedding.calibration import Calibration
from embedding.detector import compile_detector
from embedding.errors import BundleCorrupted, BundleInvalid, BundleNotFound
from embedding.files import write_file
from embedding.image import ImageLimits, decode
from embedding.manifest import (
    YUNET_INPUT,
    DetectorRecord,
    EmbedderRecord,
    FileRecord,
    Manifest,
    PixelInput,
    Provenance,
    SelfTest,
)
from embedding.networks import NetworkRefused, compile_embedder, unit_length
from embedding.template import Vector

SHIPPED = Path(__file__).parent / "bundles" / "invigil-2"
"""The bundle that comes with the project."""

MANIFEST = "manifest.json"

SELF_TEST_CROP = Path(__file__).parent / "bundles" / "self_test.png"
"""An aligned face (Eileen Collins, NASA, public domain) that every bundle is tested on at start."""


@dataclass(frozen=True)
class DetectorFile:
    """A face detector as a bundle is made with it: ONNX with the outputs of YuNet, for any multiples of 32.

    Attributes:
        path: Of the file.
        input: How it wants its pixels.
        score_threshold: What scores less is no face.
    """

    path: Path
    input: PixelInput = YUNET_INPUT
    score_threshold: float = 0.7


@dataclass(frozen=True)
class Bundle:
    """A bundle whose files were verified."""

    path: Path
    manifest: Manifest

    @classmethod
    def load(cls, path: Path) -> Self:
        """Reads the manifest and verifies every file against it.

        Raises:
            BundleNotFound: No manifest at this place.
            BundleCorrupted: A file is missing or differs from its digest, or the manifest is not JSON.
            BundleInvalid: The manifest says something it may not say; the message names the key.
        """
        bundle = cls(path, read_manifest(path))
        for record in bundle.manifest.files:
            bundle.read(record)
        return bundle

    @property
    def model_id(self) -> str:
        """`sha256:…`; templates of one id can be compared."""
        return self.manifest.model_id

    @property
    def dim(self) -> int:
        """Length of a template's vector."""
        return self.manifest.embedder.dim

    @property
    def detector(self) -> DetectorFile:
        """The detector, for another bundle."""
        record = self.manifest.detector
        return DetectorFile(self.path / record.file, record.input, record.score_threshold)

    @property
    def calibration(self) -> Calibration:
        """What distances mean for this model.

        Raises:
            BundleInvalid: If it was never calibrated; decisions are then impossible.
        """
        if self.manifest.calibration is None:
            raise BundleInvalid(self.path, "it has no calibration; `invigil calibrate` measures one")
        return self.manifest.calibration

    def read(self, record: FileRecord) -> bytes:
        """The content of one file, verified again: what is used is what was checked.

        Raises:
            BundleCorrupted: The file is missing or differs from its digest.
        """
        path = self.path / record.file
        try:
            content = path.read_bytes()
        except OSError as error:
            raise BundleCorrupted(path, error.strerror or "it cannot be read") from error
        if len(content) != record.bytes:
            raise BundleCorrupted(path, f"it has {len(content)} bytes instead of {record.bytes}")
        if hashlib.sha256(content).hexdigest() != record.sha256:
            raise BundleCorrupted(path, "its SHA-256 is not the one in the manifest")
        return content


def read_manifest(folder: Path) -> Manifest:
    """The manifest alone; raises as `Bundle.load` does."""
    path = folder / MANIFEST
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise BundleNotFound(folder) from error
    except ValueError as error:
        raise BundleCorrupted(path, "it is not JSON") from error
    with _refusing_invalid(path):
        return Manifest.model_validate(content)


@contextmanager
def _refusing_invalid(path: Path) -> Iterator[None]:
    """What a manifest may not say is told in one line.

    Raises:
        BundleInvalid: In place of a ValidationError.
    """
    try:
        yield
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the manifest"
        raise BundleInvalid(path, f"{place}: {first['msg']}") from error


def write_bundle(
    folder: Path,
    *,
    name: str,
    detector: DetectorFile,
    embedder: Path,
    dim: int,
    embedder_input: PixelInput | None = None,
    normalised: bool = True,
    calibration: Calibration | None = None,
    provenance: Provenance | None = None,
) -> Bundle:
    """Makes a bundle of two ONNX files; the vector of its self-test is computed here, in float32.

    Args:
        folder: Where the bundle goes; an existing bundle there is replaced once the new one is whole.
        name: Lower case, as in `invigil-2`.
        detector: What finds the faces.
        embedder: ONNX, one 112×112 picture in, one vector out.
        dim: Length of the vector.
        embedder_input: How the embedder wants its pixels; None for our own, uint8 RGB NHWC.
        normalised: Whether the embedder's vectors already have unit length.
        calibration: Usually None: it is measured with the finished bundle, then `with_calibration` adds it.
        provenance: Data, terms and recipe.

    Raises:
        BundleInvalid: If a network is not what is said here.
    """
    with _replacing(folder) as draft, _refusing_invalid(folder):
        record = EmbedderRecord(
            **_copied(embedder, draft / "embedder.onnx"),
            dim=dim,
            input=embedder_input or PixelInput(),
            normalised=normalised,
        )
        manifest = Manifest(
            name=name,
            created=datetime.now(UTC).replace(microsecond=0),
            detector=DetectorRecord(
                **_copied(detector.path, draft / "detector.onnx"),
                input=detector.input,
                score_threshold=detector.score_threshold,
            ),
            embedder=record,
            self_test=SelfTest(
                **_copied(SELF_TEST_CROP, draft / "self_test.png"),
                vector=tuple(_pinned_vector(embedder, record).tolist()),
            ),
            calibration=calibration,
            provenance=provenance or Provenance(),
        )
        _check_detector(detector.path, manifest.detector)
        _write_manifest(draft, manifest)
    return Bundle.load(folder)


@contextmanager
def _replacing(folder: Path) -> Iterator[Path]:
    """An empty folder that takes the place of another, or leaves no trace where something is raised.

    Raises:
        BundleInvalid: If the other one holds anything but a bundle: it stays as it is.
    """
    folder = folder.resolve()
    if folder.is_dir() and any(folder.iterdir()) and not (folder / MANIFEST).is_file():
        raise BundleInvalid(folder, "there is something else in this folder, which is not replaced")
    draft = folder.with_name(f".{folder.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    try:
        yield draft
        put_in_place(draft, folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def put_in_place(draft: Path, folder: Path) -> None:
    """Give a finished folder its name; what had it before goes only once the new one stands there.

    Raises:
        OSError: If it cannot be done; then the former folder has its name again.
    """
    former = folder.with_name(f".{folder.name}.former")
    shutil.rmtree(former, ignore_errors=True)
    with suppress(FileNotFoundError):
        folder.rename(former)
    try:
        draft.rename(folder)
    except OSError:
        with suppress(FileNotFoundError):
            former.rename(folder)
        raise
    shutil.rmtree(former, ignore_errors=True)


def with_calibration(folder: Path, calibration: Calibration) -> Bundle:
    """Puts a calibration into an existing bundle; its templates and its `model_id` stay the same."""
    manifest = Bundle.load(folder).manifest.model_copy(update={"calibration": calibration})
    _write_manifest(folder, manifest)
    return Bundle.load(folder)


def _copied(source: Path, target: Path) -> Mapping[str, Any]:
    content = source.read_bytes()
    target.write_bytes(content)
    return {"file": target.name, "sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}


def _write_manifest(folder: Path, manifest: Manifest) -> None:
    write_file(folder / MANIFEST, (manifest.model_dump_json(indent=1) + "\n").encode())


def _pinned_vector(embedder: Path, record: EmbedderRecord) -> Vector:
    crop = decode(SELF_TEST_CROP.read_bytes(), ImageLimits())
    try:
        network = compile_embedder(embedder.read_bytes(), record, threads=1, precision="f32")
    except NetworkRefused as error:
        raise BundleInvalid(embedder, str(error)) from error
    vectors = network(crop[None])[0]
    if not unit_length(vectors):
        raise BundleInvalid(embedder, "its vectors do not have unit length; describe it as not normalised")
    return np.asarray(vectors[0])


def _check_detector(detector: Path, record: DetectorRecord) -> None:
    try:
        compile_detector(detector.read_bytes(), record.input, threads=1)
    except NetworkRefused as error:
        raise BundleInvalid(detector, str(error)) from error
