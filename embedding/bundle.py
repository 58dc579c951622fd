"""A model bundle on disk: a folder with two ONNX networks, a self-test crop and `manifest.json`.

No file of a bundle is used before its digest is verified. `write_bundle` makes a bundle from a training run
or from third-party networks.
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
from embedding.networks import NetworkRefused, compile_embedder, has_unit_length
from embedding.template import Vector

SHIPPED = Path(__file__).parent / "bundles" / "invigil-2"
"""The bundle that comes with the project."""

MANIFEST = "manifest.json"

SELF_TEST_CROP = Path(__file__).parent / "bundles" / "self_test.png"
"""An aligned face (Eileen Collins, NASA, public domain) that every bundle is tested on at start."""


@dataclass(frozen=True)
class DetectorFile:
    """The face detector for a new bundle: ONNX with YuNet's outputs, for sides of any multiple of 32.

    Attributes:
        path: The ONNX file.
        input: The pixel format it expects.
        score_threshold: Lowest score of a face, 0..1.
    """

    path: Path
    input: PixelInput = YUNET_INPUT
    score_threshold: float = 0.7


@dataclass(frozen=True)
class Bundle:
    """A bundle whose files have been verified."""

    path: Path
    manifest: Manifest

    @classmethod
    def load(cls, path: Path) -> Self:
        """Reads the manifest and verifies every file against it.

        Raises:
            BundleNotFound: If the folder has no manifest.
            BundleCorrupted: If a file is missing or differs from its digest, or the manifest is not JSON.
            BundleInvalid: If a value in the manifest is not allowed; the message names the key.
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
        """The detector, to build another bundle with."""
        record = self.manifest.detector
        return DetectorFile(self.path / record.file, record.input, record.score_threshold)

    @property
    def calibration(self) -> Calibration:
        """What this model's distances mean.

        Raises:
            BundleInvalid: If the bundle has no calibration; no decision is possible without one.
        """
        if self.manifest.calibration is None:
            raise BundleInvalid(self.path, "it has no calibration; `invigil calibrate` measures one")
        return self.manifest.calibration

    def read(self, record: FileRecord) -> bytes:
        """The content of one file, verified again, so that the bytes used are the bytes checked.

        Raises:
            BundleCorrupted: If the file is missing or differs from its digest.
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
    """The manifest alone; raises the same errors as `Bundle.load`."""
    path = folder / MANIFEST
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise BundleNotFound(folder) from error
    except ValueError as error:
        raise BundleCorrupted(path, "it is not JSON") from error
    with _translate_validation_error(path):
        return Manifest.model_validate(content)


@contextmanager
def _translate_validation_error(path: Path) -> Iterator[None]:
    """Report the first validation error in one line.

    Raises:
        BundleInvalid: Instead of a ValidationError.
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
    """Makes a bundle from two ONNX files and computes the vector of its self-test, in float32.

    Args:
        folder: Where to write the bundle; a bundle already there is replaced once the new one is complete.
        name: Lower case, as in `invigil-2`.
        detector: The face detector.
        embedder: ONNX, one 112×112 picture in, one vector out.
        dim: Length of the vector.
        embedder_input: The pixel format the embedder expects; None for our own, uint8 RGB NHWC.
        normalised: Whether the embedder's vectors already have unit length.
        calibration: Usually None: measure it with the finished bundle, then add it with `add_calibration`.
        provenance: Data, terms and recipe.

    Raises:
        BundleInvalid: If a network does not match this description.
    """
    with _replace_folder(folder) as draft, _translate_validation_error(folder):
        record = EmbedderRecord(
            **_copy_file(embedder, draft / "embedder.onnx"),
            dim=dim,
            input=embedder_input or PixelInput(),
            normalised=normalised,
        )
        manifest = Manifest(
            name=name,
            created=datetime.now(UTC).replace(microsecond=0),
            detector=DetectorRecord(
                **_copy_file(detector.path, draft / "detector.onnx"),
                input=detector.input,
                score_threshold=detector.score_threshold,
            ),
            embedder=record,
            self_test=SelfTest(
                **_copy_file(SELF_TEST_CROP, draft / "self_test.png"),
                vector=tuple(_compute_pinned_vector(embedder, record).tolist()),
            ),
            calibration=calibration,
            provenance=provenance or Provenance(),
        )
        _check_detector(detector.path, manifest.detector)
        _write_manifest(draft, manifest)
    return Bundle.load(folder)


@contextmanager
def _replace_folder(folder: Path) -> Iterator[Path]:
    """Yield an empty folder that replaces `folder` on success and is removed on failure.

    Raises:
        BundleInvalid: If `folder` holds anything but a bundle; it is left untouched.
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
    """Move a finished folder into place; the previous one is deleted only once the new one is there.

    Raises:
        OSError: If the move fails; the previous folder is then back in place.
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


def add_calibration(folder: Path, calibration: Calibration) -> Bundle:
    """Adds a calibration to an existing bundle; its templates and `model_id` do not change."""
    manifest = Bundle.load(folder).manifest.model_copy(update={"calibration": calibration})
    _write_manifest(folder, manifest)
    return Bundle.load(folder)


def _copy_file(source: Path, target: Path) -> Mapping[str, Any]:
    content = source.read_bytes()
    target.write_bytes(content)
    return {"file": target.name, "sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}


def _write_manifest(folder: Path, manifest: Manifest) -> None:
    write_file(folder / MANIFEST, (manifest.model_dump_json(indent=1) + "\n").encode())


def _compute_pinned_vector(embedder: Path, record: EmbedderRecord) -> Vector:
    crop = decode(SELF_TEST_CROP.read_bytes(), ImageLimits())
    try:
        network = compile_embedder(embedder.read_bytes(), record, threads=1, precision="f32")
    except NetworkRefused as error:
        raise BundleInvalid(embedder, str(error)) from error
    vectors = network(crop[None])[0]
    if not has_unit_length(vectors):
        raise BundleInvalid(embedder, "its vectors do not have unit length; describe it as not normalised")
    return np.asarray(vectors[0])


def _check_detector(detector: Path, record: DetectorRecord) -> None:
    try:
        compile_detector(detector.read_bytes(), record.input, threads=1)
    except NetworkRefused as error:
        raise BundleInvalid(detector, str(error)) from error
