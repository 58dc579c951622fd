"""Why a picture, a template or a bundle cannot be used.

    EmbeddingError
    ├── ImageError                 the bytes are not a picture we can use
    │   ├── ImageTooLarge          image_too_large     more bytes or pixels than the limit
    │   ├── UnsupportedMedia       unsupported_media   not JPEG, PNG, WebP, BMP or HEIC
    │   └── DecodeFailed           decode_failed       truncated or damaged
    ├── FaceError                  the picture holds no face we can use
    │   ├── FaceNotFound           face_not_found
    │   ├── MultipleFaces          multiple_faces      with their count
    │   └── QualityRefused         the first reason    with all reasons, measures and limits
    ├── ModelMismatch              model_mismatch      templates of two models cannot be compared
    ├── FmrNotSupported            fmr_not_supported   the calibration has too few comparisons for this rate
    ├── PeopleInvalid              people_invalid      the generator of made-up people cannot be used
    └── BundleError                the model bundle on disk cannot be used
        ├── BundleNotFound         bundle_not_found
        ├── BundleCorrupted        bundle_corrupted    a file differs from its digest
        └── BundleInvalid          bundle_invalid      the manifest or a network is not what it should be

Every class has a stable `code`; `service/problems.py` maps it to an HTTP status.
"""

from pathlib import Path
from typing import Literal

from embedding.quality import Assessment


class EmbeddingError(Exception):
    """Base of all errors of this package."""

    code: str = "internal"


class ImageError(EmbeddingError):
    """The bytes are not a picture we can use."""

    code = "decode_failed"


class ImageTooLarge(ImageError):
    """More bytes, pixels or scans than the limit; raised before decoding.

    Args:
        kind: The kind of picture that this limit is for, if not for all: `a progressive JPEG`.
    """

    code = "image_too_large"

    def __init__(
        self, actual: int, limit: int, unit: Literal["bytes", "pixels", "scans"], kind: str = ""
    ) -> None:
        whose = f" for {kind}" if kind else ""
        super().__init__(f"The picture has {actual:,} {unit}; the limit{whose} is {limit:,}.")
        self.actual = actual
        self.limit = limit
        self.unit = unit


class UnsupportedMedia(ImageError):
    """Not one of the formats we decode, judged by its bytes and never by its name."""

    code = "unsupported_media"

    def __init__(self, what: str = "not a JPEG, PNG, WebP or BMP picture, and no HEIC") -> None:
        super().__init__(f"The bytes are {what}.")


class DecodeFailed(ImageError):
    """A known format, but truncated or damaged."""

    code = "decode_failed"

    def __init__(self, reason: str) -> None:
        super().__init__(f"The picture cannot be decoded: {reason}.")
        self.reason = reason


class FaceError(EmbeddingError):
    """The picture has no face that a template can be made from."""

    code = "face_not_found"


class FaceNotFound(FaceError):
    """No face in the picture."""

    code = "face_not_found"

    def __init__(self) -> None:
        super().__init__("No face was found in the picture.")


class MultipleFaces(FaceError):
    """Several faces of similar size; it is not clear which one is meant."""

    code = "multiple_faces"

    def __init__(self, count: int) -> None:
        super().__init__(f"The picture shows {count} faces; exactly one is needed.")
        self.count = count


class QualityRefused(FaceError):
    """One face, but of too poor quality; `code` is the first of `assessment.reasons`."""

    code = "low_sharpness"

    def __init__(self, assessment: Assessment) -> None:
        reasons = ", ".join(assessment.reasons)
        super().__init__(f"The face is not good enough: {reasons}.")
        self.assessment = assessment
        self.code = assessment.reasons[0]


class ModelMismatch(EmbeddingError):
    """Two templates of different models; their distance means nothing."""

    code = "model_mismatch"

    def __init__(self, expected: str, actual: str) -> None:
        super().__init__(f"A template of model {actual} cannot be compared with model {expected}.")
        self.expected = expected
        self.actual = actual


class FmrNotSupported(EmbeddingError):
    """The calibration has too few comparisons for this false match rate (rule of three)."""

    code = "fmr_not_supported"

    def __init__(self, fmr: float, smallest: float, largest: float) -> None:
        super().__init__(
            f"A false match rate of {fmr:g} is not supported by this calibration; "
            f"it supports {smallest:.3g} to {largest:.3g}."
        )
        self.fmr = fmr
        self.smallest = smallest
        self.largest = largest


class PeopleInvalid(EmbeddingError):
    """The generator of made-up people is missing, damaged or of another version."""

    code = "people_invalid"

    def __init__(self, path: Path | str, reason: str) -> None:
        super().__init__(f"The generator of made-up people cannot be used: {path}: {reason}.")
        self.path = path
        self.reason = reason


class BundleError(EmbeddingError):
    """The model bundle cannot be used."""

    code = "bundle_invalid"


class BundleNotFound(BundleError):
    """There is no bundle at this place."""

    code = "bundle_not_found"

    def __init__(self, path: Path | str) -> None:
        super().__init__(f"There is no model bundle at {path}.")
        self.path = path


class BundleCorrupted(BundleError):
    """A file of the bundle does not match its digest."""

    code = "bundle_corrupted"

    def __init__(self, path: Path | str, reason: str) -> None:
        super().__init__(f"The model bundle is corrupted: {path}: {reason}.")
        self.path = path
        self.reason = reason


class BundleInvalid(BundleError):
    """The files match their digests, but the manifest or a network is not what it should be."""

    code = "bundle_invalid"

    def __init__(self, path: Path | str, reason: str) -> None:
        super().__init__(f"The model bundle is invalid: {path}: {reason}.")
        self.path = path
        self.reason = reason
