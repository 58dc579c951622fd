"""Measure everything that a bundle promises: thresholds, error rates, detections, speed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from embedding.bundle import Bundle, DetectorFile, add_calibration
from embedding.calibration import Calibration
from embedding.cores import count_usable_cores, read_processor_name
from embedding.detector import THOROUGH, Detector, compile_detector
from embedding.embedder import Embedder
from embedding.errors import BundleInvalid
from training.data.faces import SPLIT, Split
from training.data.pairs import Pair, read_pairs
from training.data.pictures import Pictures, open_pictures
from training.data.seen import Seen
from training.detection.data import Photo, read_photos, split_photos
from training.detection.evaluate import evaluate_detector
from training.detection.recipe import open_detector_recipe
from training.errors import FiguresInvalid
from training.evaluation.acquire import Progress
from training.evaluation.attack_figures import AttackFigures
from training.evaluation.calibrate import TARGETS, calibrate
from training.evaluation.door import measure_door
from training.evaluation.evaluate import SERVICE_FMRS, evaluate_all, evaluate_pairs
from training.evaluation.evaluation import Evaluation
from training.shipping.figures import BundleRow, DetectorFigures, Figures, Speed, figures_of
from training.shipping.speed import measure_speed

FACES = "faces"
DETECTION = "detect"
PHOTOS = "eval/lfw_view1_test_deepfunneled.tar"
PAIRS = "eval/pairsDevTest.txt"
ORL = "eval/orl.tar"
"""Inside the data folder: labelled crops, photos for the detector, LFW's photos, its list of pairs, ORL."""

EIGHT = 8


@dataclass(frozen=True)
class Material:
    """The data that a bundle is measured on.

    Attributes:
        data: The folder with `faces/`, `detect/` and `eval/`.
        run: Says whom the network saw and who is held out.
    """

    data: Path
    run: Path

    @cached_property
    def crops(self) -> Pictures:
        """Aligned crops with labels."""
        return open_pictures(self.data / FACES)

    @cached_property
    def photos(self) -> Pictures:
        """Whole photos."""
        return open_pictures(self.data / PHOTOS)

    @cached_property
    def pairs(self) -> list[Pair]:
        """Of those photos."""
        return list(read_pairs(self.data / PAIRS))

    @property
    def collections(self) -> dict[str, Pictures]:
        """Name → whole photos of people, as a door meets them; ORL where it is there."""
        orl = self.data / ORL
        return {"LFW View 1": self.photos, **({"ORL": open_pictures(orl)} if orl.is_file() else {})}

    @cached_property
    def detection(self) -> list[Photo]:
        """Photos that the detector's training held out."""
        return list(
            split_photos(read_photos(self.data / DETECTION).photos, open_detector_recipe().held_out)[1]
        )

    @cached_property
    def calibrate(self) -> list[str]:
        """Crops of the people held out for thresholds."""
        return self.crops.of_people(frozenset(Split.read(self.run / SPLIT).calibrate))

    @cached_property
    def test(self) -> list[str]:
        """Crops of the people held out for tests."""
        return self.crops.of_people(frozenset(Split.read(self.run / SPLIT).test))


def measure_bundle(
    folder: Path,
    material: Material,
    *,
    people: str,
    beside: Mapping[str, Path],
    detectors: Mapping[str, DetectorFile],
    targets: Sequence[float] = TARGETS,
    seconds: float = 1.0,
    progress: Progress | None = None,
) -> Figures:
    """Calibrate a bundle, measure it together with others, and write both records into its folder.

    Writes nothing before everything is measured.

    Args:
        folder: Of the bundle.
        material: What it is measured on.
        people: The pictures of the calibration in words.
        beside: Name → folder of each other bundle.
        detectors: Name → each other detector.
        targets: False match rates to record a threshold for.
        seconds: Of each turn in which speed is measured.
        progress: Told about each part.

    Raises:
        TrainedOn, FmrNotSupported, NoComparisons: As `calibrate`.
    """
    bundle = Bundle.load(folder)
    embedders = {
        bundle.manifest.name: Embedder.open(folder),
        **{name: Embedder.open(path) for name, path in beside.items()},
    }
    measured = calibrate(
        embedders[bundle.manifest.name],
        material.crops,
        Seen.read(material.run),
        data=people,
        names=material.calibrate,
        targets=targets,
        aligned=True,
        progress=progress,
    ).calibration
    calibration = _keep_if_same(bundle.manifest.calibration, measured)
    rows = [_row(name, each, material, progress) for name, each in embedders.items()]
    looked = [
        _run_detector(name, each, material.detection)
        for name, each in {bundle.manifest.name: bundle.detector, **detectors}.items()
    ]
    at_service = [(each.fmr, each.threshold) for each in calibration.targets if each.fmr in SERVICE_FMRS]
    door = [
        measure_door(embedders[bundle.manifest.name], pictures, name, at_service, progress)
        for name, pictures in material.collections.items()
    ]
    alone, by_eights = (measure_speed(list(embedders.values()), batch, seconds) for batch in (1, EIGHT))
    figures = Figures(
        calibration_id=calibration.id,
        processor=read_processor_name(),
        cores=count_usable_cores(),
        bundles=[
            replace(row, speed=Speed(*speed)) for row, *speed in zip(rows, alone, by_eights, strict=True)
        ],
        detectors=looked,
        door=door,
        attack=_keep_attack(bundle, calibration),
    )
    add_calibration(folder, calibration)
    figures.write(folder)
    return figures


def _keep_attack(bundle: Bundle, calibration: Calibration) -> AttackFigures | None:
    """What `invigil attack` measured, as long as thresholds are what they were."""
    try:
        former = figures_of(bundle)
    except (FiguresInvalid, BundleInvalid):
        return None
    return former.attack if former.calibration_id == calibration.id else None


def _keep_if_same(before: Calibration | None, measured: Calibration) -> Calibration:
    """Keep the previous record if the result is the same, so that decisions that name it stay valid."""
    apart = {"id", "created"}
    if before is not None and before.model_dump(exclude=apart) == measured.model_dump(exclude=apart):
        return before
    return measured


def _row(name: str, embedder: Embedder, material: Material, progress: Progress | None) -> BundleRow:
    calibrated, tested = (
        evaluate_all(embedder, material.crops, names, aligned=True, progress=progress)[0]
        for names in (material.calibrate, material.test)
    )
    photos, evidence = evaluate_pairs(embedder, material.photos, material.pairs, progress=progress)
    return BundleRow(
        name=name,
        model_id=embedder.model_id,
        calibrate=_remove_paths(calibrated),
        test=_remove_paths(tested),
        photos=_remove_paths(photos),
        mated_d=float(np.median(evidence.comparisons.mated.d)),
        speed=Speed(0.0, 0.0),
    )


def _remove_paths(evaluation: Evaluation) -> Evaluation:
    """Remove paths, which mean nothing on another machine."""
    failures = [replace(each, detail=each.code) for each in evaluation.failures]
    return replace(evaluation, images="", failures=failures)


def _run_detector(name: str, file: DetectorFile, photos: Sequence[Photo]) -> DetectorFigures:
    network = compile_detector(file.path.read_bytes(), file.input, threads=1)
    detector = Detector(network, file.score_threshold)
    report = evaluate_detector(photos, lambda image: detector.look(image, THOROUGH))
    return DetectorFigures(name, file.score_threshold, len(photos), report)
