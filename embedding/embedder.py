"""The whole path: a picture, or many, becomes a template."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from threading import BoundedSemaphore
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from embedding.align import align
from embedding.bundle import Bundle
from embedding.cores import count_usable_cores
from embedding.detector import Detector, Face, compile_detector, lighten
from embedding.errors import BundleInvalid, EmbeddingError, FaceNotFound, MultipleFaces, QualityRefused
from embedding.faces import FacePolicy, faces_that_count
from embedding.image import ImageLimits, Pixels, decode
from embedding.measures import measure
from embedding.motion import Movement, measure_movement
from embedding.networks import (
    Network,
    NetworkRefused,
    Precision,
    compile_embedder,
    computes_in_bfloat16,
)
from embedding.quality import LIMITS, TEMPLATE, Assessment, Measures, Purpose, assess
from embedding.template import Template, Vector
from embedding.turns import resolve_turns

log = logging.getLogger(__name__)

SELF_TEST_MAX_D = 1e-2
"""Largest d between the self-test and its pinned vector at which a precision, or a machine, is trusted."""

DEFAULT_LIMITS = ImageLimits()

BATCH = 8
"""Crops per batch in bulk work."""


Source = bytes | Callable[[], bytes]
"""A picture, or a function that reads it when its turn comes, so that only those in work are in memory."""


@dataclass(frozen=True)
class Timings:
    """Milliseconds of each part; the quality check counts as detection."""

    decode_ms: float
    detect_ms: float
    embed_ms: float


@dataclass(frozen=True)
class Embedding:
    """The result for one picture; `crop` is the network's input, (112, 112, 3) RGB."""

    template: Template
    face: Face
    quality: Assessment
    timings: Timings
    crop: Pixels


@dataclass(frozen=True)
class Inspection:
    """What a picture shows, without a template.

    Attributes:
        faces: The face that is meant, or all that count if that is not clear, widest first.
        quality: Of that one face; None if there are none or several.
    """

    faces: list[Face]
    quality: Assessment | None
    timings: Timings


@dataclass(frozen=True)
class _Sighting:
    """The one face of a picture, ready for the network."""

    face: Face
    crop: Pixels
    quality: Assessment
    decode_ms: float
    detect_ms: float


class Embedder:
    """Turns pictures into templates with one bundle. Thread-safe; load it once."""

    def __init__(
        self, bundle: Bundle, detector: Detector, network: Network, limits: ImageLimits, threads: int
    ) -> None:
        self.bundle = bundle
        self._detector = detector
        self._network = network
        self._limits = limits
        self._threads = threads
        self._places = BoundedSemaphore(threads)
        self._policies: Mapping[Purpose, FacePolicy] = {}

    @classmethod
    def open(cls, path: Path, limits: ImageLimits = DEFAULT_LIMITS, threads: int | None = None) -> Self:
        """Verifies the bundle, compiles its networks and runs its self-test.

        Args:
            path: The bundle's folder.
            limits: Largest pictures that are decoded.
            threads: Pictures processed at the same time; one per core by default.

        Raises:
            BundleError: If the bundle is missing, corrupted or fails its self-test.
        """
        # Pictures are processed in parallel; splitting one picture's small operations across cores costs
        # time.
        cv2.setNumThreads(1)
        bundle = Bundle.load(path)
        threads = threads or count_usable_cores()
        record = bundle.manifest.detector
        try:
            detector = compile_detector(bundle.read(record), record.input, threads)
            network = _compile_and_test(bundle, threads)
        except NetworkRefused as error:
            raise BundleInvalid(path, str(error)) from error
        return cls(bundle, Detector(detector, record.score_threshold), network, limits, threads)

    def with_face_policies(self, policies: Mapping[Purpose, FacePolicy]) -> Self:
        """A copy with these policies for several faces; a purpose without one refuses them."""
        other = copy(self)
        other._policies = policies
        return other

    @property
    def model_id(self) -> str:
        """Id of the model, part of every template."""
        return self.bundle.model_id

    @property
    def dim(self) -> int:
        """Length of a template's vector."""
        return self.bundle.dim

    def embed(self, picture: bytes, purpose: Purpose) -> Embedding:
        """The template of the one face in a picture, or of the one that is meant.

        Enrolment refuses a face of poor quality. Verification only reports its quality, unless it is so poor
        that a template would mean nothing.

        Raises:
            ImageError: If the bytes are not a picture within the limits.
            FaceError: If there is no face, it is not clear which one is meant, or its quality is too poor.
        """
        sighting = self._see(picture, purpose)
        start = time.perf_counter()
        vectors = self.embed_crops(sighting.crop[None])
        return self._build_embedding(sighting, vectors[0], _ms_since(start))

    def embed_many(self, pictures: Sequence[Source], purpose: Purpose) -> list[Embedding | EmbeddingError]:
        """`embed` for many pictures, on all threads; for a picture that fails, the list has its error.

        Across all concurrent calls, no more pictures than threads are read and decoded at once.
        """

        def see(picture: Source) -> _Sighting | EmbeddingError:
            try:
                with self._places:
                    return self._see(picture if isinstance(picture, bytes) else picture(), purpose)
            except EmbeddingError as error:
                return error

        with ThreadPoolExecutor(self._threads) as pool:
            seen = list(pool.map(see, pictures))
        sightings = [item for item in seen if isinstance(item, _Sighting)]
        if not sightings:
            return [item for item in seen if isinstance(item, EmbeddingError)]
        start = time.perf_counter()
        vectors = iter(self.embed_crops(np.stack([sighting.crop for sighting in sightings])))
        each_ms = _ms_since(start) / len(sightings)
        return [
            item if isinstance(item, EmbeddingError) else self._build_embedding(item, next(vectors), each_ms)
            for item in seen
        ]

    def inspect(self, picture: bytes, purpose: Purpose) -> Inspection:
        """Faces and quality without a template; fast enough for live guidance.

        Raises:
            ImageError: If the bytes are not a picture within the limits.
        """
        start = time.perf_counter()
        image = decode(picture, self._limits)
        decode_ms = _ms_since(start)
        start = time.perf_counter()
        faces = self._find_faces(image, purpose)
        quality = None
        if len(faces) == 1:
            crop = align(image, faces[0].landmarks)
            quality = assess(measure(faces[0], crop, image.shape[:2]), LIMITS[purpose])
        return Inspection(faces, quality, Timings(decode_ms, _ms_since(start), 0.0))

    def measure_movement(self, frames: Sequence[Pixels]) -> Movement:
        """How the face in frames of one camera moved; see `embedding.motion`."""
        return measure_movement(frames, self._detector.detect)

    def embed_crops(self, crops: NDArray[np.uint8]) -> Vector:
        """(n, 112, 112, 3) uint8 RGB aligned crops → (n, dim) float32 of unit length."""
        # Whole batches, then one by one: the network is compiled only for these two sizes.
        whole = len(crops) - len(crops) % BATCH
        starts = [*range(0, whole, BATCH), *range(whole, len(crops) + 1)]
        parts = [self._network(crops[a:b])[0] for a, b in pairwise(starts)]
        return np.concatenate(parts) if parts else np.empty((0, self.dim), np.float32)

    def _see(self, picture: bytes, purpose: Purpose) -> _Sighting:
        start = time.perf_counter()
        image = decode(picture, self._limits)
        decode_ms = _ms_since(start)
        start = time.perf_counter()
        faces = self._find_faces(image, purpose)
        if not faces:
            raise FaceNotFound
        if len(faces) > 1:
            raise MultipleFaces(len(faces))
        crop = align(image, faces[0].landmarks)
        quality = _assess_or_refuse(measure(faces[0], crop, image.shape[:2]), purpose)
        return _Sighting(faces[0], crop, quality, decode_ms, _ms_since(start))

    def _find_faces(self, image: Pixels, purpose: Purpose) -> list[Face]:
        """The faces that count, each after a close look and the right way up, ready to be aligned."""
        policy = self._policies.get(purpose, FacePolicy.EXACTLY_ONE)
        faces = self._detector.detect(image)
        if not faces and (lighter := lighten(image)) is not image:
            image, faces = lighter, self._detector.detect(lighter)
        counted = faces_that_count(faces, image.shape[1], policy)
        closely = [self._detector.look_closely(image, face) for face in counted]
        return faces_that_count(resolve_turns(self._detector, image, closely), image.shape[1], policy)

    def _build_embedding(self, sighting: _Sighting, vector: Vector, embed_ms: float) -> Embedding:
        timings = Timings(sighting.decode_ms, sighting.detect_ms, embed_ms)
        template = Template(vector, self.model_id)
        return Embedding(template, sighting.face, sighting.quality, timings, sighting.crop)


def _assess_or_refuse(measures: Measures, purpose: Purpose) -> Assessment:
    """The assessment for a purpose.

    Raises:
        QualityRefused: If the face is not good enough for it.
    """
    quality = assess(measures, LIMITS[purpose])
    if purpose is Purpose.ENROL and not quality.acceptable:
        raise QualityRefused(quality)
    least = assess(measures, TEMPLATE)
    if not least.acceptable:
        raise QualityRefused(least)
    return quality


def _compile_and_test(bundle: Bundle, threads: int) -> Network:
    """The embedder in the fastest precision whose self-test agrees with the pinned vector.

    Raises:
        BundleInvalid: If float32 disagrees too: this machine's templates would match nobody.
    """
    record = bundle.manifest.embedder
    onnx = bundle.read(record)
    crop = decode(bundle.read(bundle.manifest.self_test), DEFAULT_LIMITS)
    pinned = np.array(bundle.manifest.self_test.vector, np.float32)
    precisions: tuple[Precision, ...] = ("bf16", "f32") if computes_in_bfloat16() else ("f32",)
    for precision in precisions:
        network = compile_embedder(onnx, record, threads, precision)
        d = float(((network(crop[None])[0][0] - pinned) ** 2).sum())
        if d <= SELF_TEST_MAX_D:
            log.info("embedder_ready precision=%s self_test_d=%.2g", precision, d)
            return network
        log.warning("self_test_differs precision=%s d=%.2g", precision, d)
    raise BundleInvalid(bundle.path, f"its self-test lies d = {d:.2g} from the pinned vector")


def _ms_since(start: float) -> float:
    return (time.perf_counter() - start) * 1000
