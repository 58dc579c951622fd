"""The schema of a model bundle's `manifest.json`: files with digests, network inputs, calibration."""

import hashlib
import json
from pathlib import PurePath
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, Field, PositiveInt

from embedding.calibration import Calibration, Record

FORMAT_VERSION: Literal[1] = 1

ALIGNMENT = "upright-look-160, arcface-112"
"""Version of the alignment (`embedding/align.py`); it changes whenever templates would."""


def _plain_name(name: str) -> str:
    if name in ("", ".", "..") or PurePath(name).name != name or "\\" in name:
        raise ValueError(f"{name!r} is not a plain file name")
    return name


Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Channels = tuple[float, float, float]
NonZero = Annotated[float, Field(gt=0)]


class FileRecord(Record):
    """One file of the bundle, next to the manifest."""

    file: Annotated[str, AfterValidator(_plain_name)]
    sha256: Sha256
    bytes: PositiveInt


class PixelInput(Record):
    """The pixel format that a network expects; the default is our own embedder's.

    Attributes:
        layout: Order of the axes.
        channels: Order of the colours.
        mean: Subtracted from values of 0..255, in the network's order of colours.
        std: Divisor after that.
    """

    layout: Literal["NHWC", "NCHW"] = "NHWC"
    channels: Literal["RGB", "BGR"] = "RGB"
    mean: Channels = (0.0, 0.0, 0.0)
    std: tuple[NonZero, NonZero, NonZero] = (1.0, 1.0, 1.0)


YUNET_INPUT = PixelInput(layout="NCHW", channels="BGR")
"""The input of the official YuNet file, and of ours, so that the two are interchangeable."""


class DetectorRecord(FileRecord):
    """The face detector, with YuNet's outputs."""

    input: PixelInput = YUNET_INPUT
    score_threshold: float = Field(default=0.7, gt=0, lt=1)


class EmbedderRecord(FileRecord):
    """The network that turns a crop into a template.

    Attributes:
        dim: Length of its vector.
        input: The pixel format it expects.
        normalised: Whether its vectors already have unit length.
    """

    dim: PositiveInt
    input: PixelInput = PixelInput()
    normalised: bool = True


class SelfTest(FileRecord):
    """A crop (PNG) and the vector that it must give on every machine."""

    vector: tuple[float, ...]


class Provenance(Record):
    """Where the networks come from, in words."""

    embedder: str = ""
    detector: str = ""
    data: str = ""
    licence: str = ""
    recipe: str = ""


class Manifest(Record):
    """The content of `manifest.json`."""

    format: Literal[1] = FORMAT_VERSION
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
    created: AwareDatetime
    detector: DetectorRecord
    embedder: EmbedderRecord
    self_test: SelfTest
    calibration: Calibration | None = None
    provenance: Provenance = Provenance()

    @property
    def files(self) -> tuple[FileRecord, ...]:
        """Every file except the manifest."""
        return self.detector, self.embedder, self.self_test

    @property
    def model_id(self) -> str:
        """`sha256:…` of what determines a template: networks and alignment, not the calibration."""
        content = {
            "alignment": ALIGNMENT,
            "detector": self.detector.model_dump(mode="json", exclude={"file", "bytes"}),
            "embedder": self.embedder.model_dump(mode="json", exclude={"file", "bytes"}),
        }
        return "sha256:" + hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
