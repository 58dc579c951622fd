"""The figures of a bundle: `figures.json` next to its manifest, the source for documents."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from embedding.bundle import Bundle
from embedding.files import write_file
from training.detection.evaluate import DetectorReport
from training.errors import FiguresInvalid
from training.evaluation.attack_figures import AttackFigures
from training.evaluation.door import DoorFigures
from training.evaluation.evaluation import Evaluation

FIGURES = "figures.json"


@dataclass(frozen=True)
class Speed:
    """Templates per second from crops, on all cores, by processor time.

    Attributes:
        alone: One crop in a call.
        by_eights: Eight crops in a call.
    """

    alone: float
    by_eights: float


@dataclass(frozen=True)
class BundleRow:
    """One of the bundles measured in the same run.

    Attributes:
        name: Its name in documents.
        model_id: Id of its model.
        calibrate: All pairs of the people whom thresholds are measured on, aligned crops.
        test: All pairs of the people held out for tests, aligned crops.
        photos: Listed pairs of whole photos, through the bundle's own detector.
        mated_d: Median d of the mated ones among those pairs.
        speed: Beside the other bundles, in turns.
    """

    name: str
    model_id: str
    calibrate: Evaluation
    test: Evaluation
    photos: Evaluation
    mated_d: float
    speed: Speed


@dataclass(frozen=True)
class DetectorFigures:
    """A detector on the pictures that its training held out.

    Attributes:
        name: What documents call it.
        score_threshold: Lowest score of a face.
        pictures: How many it looked at.
        report: What it found.
    """

    name: str
    score_threshold: float
    pictures: int
    report: DetectorReport


@dataclass(frozen=True)
class Figures:
    """The figures of a bundle.

    Attributes:
        calibration_id: Id of the calibration measured with them.
        processor: Model name of the processor.
        cores: Usable cores.
        bundles: The bundle itself, then those measured beside it.
        detectors: Its detector, then others.
        door: What it does at a door, for each collection of whole pictures.
        attack: What changed pictures do to it, where that was measured.
    """

    calibration_id: str
    processor: str
    cores: int
    bundles: Sequence[BundleRow]
    detectors: Sequence[DetectorFigures]
    door: Sequence[DoorFigures]
    attack: AttackFigures | None = None

    @property
    def own(self) -> BundleRow:
        """The bundle itself."""
        return self.bundles[0]

    def as_json(self) -> str:
        """For `figures.json` and for `--json`."""
        return json.dumps(TypeAdapter(Figures).dump_python(self, mode="json"), indent=1)

    def write(self, bundle: Path) -> None:
        """Into the folder of a bundle."""
        write_file(bundle / FIGURES, (self.as_json() + "\n").encode())


def figures_of(bundle: Bundle) -> Figures:
    """Read the figures of a bundle.

    Raises:
        FiguresInvalid: If there are none, or they belong to another model or calibration.
    """
    path = bundle.path / FIGURES
    try:
        figures = TypeAdapter(Figures).validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise FiguresInvalid(path, "there are no figures; `invigil measure --data` measures them") from error
    if figures.own.model_id != bundle.model_id:
        raise FiguresInvalid(path, f"these are figures of {figures.own.model_id}")
    if figures.calibration_id != bundle.calibration.id:
        raise FiguresInvalid(path, f"they were measured with {figures.calibration_id}")
    return figures
