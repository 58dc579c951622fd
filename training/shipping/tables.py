"""The tables of documents, written from the figures of a bundle.

A document marks where a table goes; the text between the marks is replaced:

    <!-- measured: speed -->
    …
    <!-- end -->
"""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from embedding.bundle import Bundle
from training.detection.evaluate import DetectorReport, SizeRow
from training.errors import FiguresInvalid
from training.evaluation.bootstrap import Interval
from training.evaluation.evaluation import AtFmr, Evaluation, Rate
from training.shipping.attack_tables import attack, attacks
from training.shipping.door_tables import door, door_conditions
from training.shipping.figures import DetectorFigures, Figures
from training.shipping.markdown import MATCH_FMR, REFER_FMR, format_fmr, format_percent, format_table

PLACE = re.compile(r"(<!-- measured: (?P<name>[a-z ]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def fill_document(path: Path, bundle: Bundle, figures: Figures) -> None:
    """Write a bundle's figures into the places that a document marks.

    Raises:
        FiguresInvalid: If it marks none, or one for a table that is not known.
    """
    text = path.read_text(encoding="utf-8")
    if not PLACE.search(text):
        raise FiguresInvalid(path, "it marks no place for figures")
    unknown = {place["name"] for place in PLACE.finditer(text)} - TABLES.keys()
    if unknown:
        raise FiguresInvalid(path, f"there is no table {min(unknown)!r}; known: {', '.join(sorted(TABLES))}")
    path.write_text(fill_text(text, bundle, figures), encoding="utf-8")


def fill_text(text: str, bundle: Bundle, figures: Figures) -> str:
    """A document's text with a bundle's figures in the places that it marks."""
    return PLACE.sub(lambda place: f"{place[1]}{TABLES[place['name']](bundle, figures)}\n{place[3]}", text)


def summary(bundle: Bundle, figures: Figures) -> str:
    """The most important figures."""
    own, detector = figures.own, figures.detectors[0]
    calibration = bundle.calibration
    return format_table(
        ("What", "Measured"),
        ("LFW View 1, photo to decision", _photo_rates(own.photos)),
        *(
            (
                f"FNMR at FMR {format_fmr(fmr)}, {own.test.identities} people held out, hard pictures",
                _fnmr(own.test, fmr),
            )
            for fmr in (REFER_FMR, MATCH_FMR)
        ),
        ("Detector: recall of faces ≥ 30 px", _format_found(detector)),
        (
            "Thresholds, and what they rest on",
            f"{calibration.identities} people, {calibration.non_mated:,} non-mated comparisons",
        ),
        ("Crop → template", _templates(figures)),
    )


def answer(bundle: Bundle, figures: Figures) -> str:
    """The service's answer about an ordinary mated pair, shortened."""
    d = round(figures.own.mated_d, 3)
    calibration = bundle.calibration
    parts = {
        "decision": "match" if d <= calibration.threshold(MATCH_FMR) else "refer",
        "d": d,
        "threshold": {
            name: round(calibration.threshold(fmr), 3)
            for name, fmr in (("match", MATCH_FMR), ("refer", REFER_FMR))
        },
        "fmr": {"match": MATCH_FMR, "refer": REFER_FMR, "at_d": calibration.fmr_at(d)},
        "probe_quality": {"acceptable": True, "reasons": []},
        "calibration": calibration.model_dump(include={"id", "non_mated", "identities"}),
    }
    lines = [f'"{name}": {json.dumps(part)}' for name, part in parts.items()]
    return "```json\n{" + ",\n ".join([", ".join(lines[:2]), *lines[2:]]) + "}\n```"


def files(bundle: Bundle, _: Figures) -> str:
    """The network files."""
    manifest = bundle.manifest
    return format_table(
        ("", "embedder", "detector"),
        (
            "File",
            *(f"`{each.file}`, {each.bytes:,} bytes" for each in (manifest.embedder, manifest.detector)),
        ),
        ("SHA-256", *(f"`{each.sha256[:16]}…`" for each in (manifest.embedder, manifest.detector))),
    )


def calibration(bundle: Bundle, _: Figures) -> str:
    """Thresholds, and what they rest on."""
    record = bundle.calibration
    intro = (
        f"`{record.id}`: {record.identities} people that no training saw, {record.mated:,} mated and "
        f"{record.non_mated:,} non-mated comparisons of aligned faces."
    )
    rows = [
        (format_fmr(each.fmr), f"{each.threshold:.4f}", format_percent(each.fnmr, each.fnmr_interval))
        for each in record.targets
    ]
    return f"{intro}\n\n" + format_table(("FMR", "Threshold (d ≤)", "FNMR"), *rows)


def rates(bundle: Bundle, figures: Figures) -> str:
    """Thresholds, and FNMR of the people that they come from and of those held out for tests."""
    record, test = bundle.calibration, figures.own.test
    rows = [
        (
            format_fmr(each.fmr),
            f"{each.threshold:.3f}",
            format_percent(each.fnmr, each.fnmr_interval),
            _fnmr(test, each.fmr),
        )
        for each in record.targets
        if each.fmr in {at.fmr for at in test.at_fmr}
    ]
    header = (
        "FMR",
        "Threshold (d ≤)",
        f"FNMR, {record.identities} people, {record.non_mated:,} non-mated comparisons",
        f"FNMR, {test.identities} others, {test.non_mated:,}",
    )
    return format_table(header, *rows)


def held_out(_: Bundle, figures: Figures) -> str:
    """Error rates on the people held out for tests."""
    test = figures.own.test
    intro = (
        f"{test.identities} people, {test.mated:,} mated and {test.non_mated:,} non-mated comparisons: "
        f"equal error rate {_rate(test.eer)}{_retrieval(test)}."
    )
    rows = [(format_fmr(at.fmr), _threshold(at), _fnmr(test, at.fmr)) for at in test.at_fmr]
    return f"{intro}\n\n" + format_table(("FMR", "Threshold", "FNMR"), *rows)


def photos(_: Bundle, figures: Figures) -> str:
    """Error rates on LFW View 1."""
    measured = figures.own.photos
    at = [
        f"FNMR at FMR {format_fmr(each.fmr)} {_fnmr(measured, each.fmr)}"
        for each in measured.at_fmr
        if each.fnmr is not None and each.fmr <= 1e-2
    ]
    return (
        f"{'; '.join([_photo_rates(measured), *at])}. "
        f"{measured.several_faces} pictures show several faces, of which the central one was taken. "
        f"Half of the mated pairs lie within d = {figures.own.mated_d:.3f}. "
        f"With {measured.non_mated:,} non-mated pairs no rate below {measured.smallest_fmr:g} can be stated."
    )


def beside(_: Bundle, figures: Figures) -> str:
    """The bundle and others that were measured in the same run."""
    own = figures.own.speed
    rows = [
        (
            row.name,
            *(f"{_share(row.calibrate, fmr)} / {_share(row.test, fmr)}" for fmr in (REFER_FMR, MATCH_FMR)),
            f"{100 * row.photos.accuracy.mean:.1f} %" if row.photos.accuracy else "",
            f"{row.speed.alone / own.alone:.2f} / {row.speed.by_eights / own.by_eights:.2f}",
        )
        for row in figures.bundles
    ]
    return format_table(
        (
            "Bundle",
            "FNMR at FMR 1e-3, calibration / tests",
            "at 1e-4",
            "LFW View 1",
            "Templates a second, one by one / by eights, as a share",
        ),
        *rows,
    )


def detector(_: Bundle, figures: Figures) -> str:
    """What the detector finds, by size of the face."""
    own, *others = figures.detectors
    report = own.report
    intro = f"{own.pictures} pictures, at a score of {own.score_threshold:g}: {_format_found(own)}."
    told = [
        f"{each.name}, in the same run at a score of {each.score_threshold:g}: {_format_found(each)}."
        for each in others
    ]
    sizes = [(f"{row.sizes[0]}–{row.sizes[1]}", row) for row in report.rows]
    rows = [
        (
            name,
            str(row.faces),
            _format_optional(row.recall, row.recall_interval),
            _format_optional(*_landmarks(row)),
        )
        for name, row in [*sizes, (f"≥ {report.large.sizes[0]}", report.large)]
    ]
    header = ("Size (px)", "Faces", "Recall at overlap 0.5", "Landmark error / inter-eye distance, median")
    return "\n\n".join([" ".join([intro, *told]), format_table(header, *rows)])


def finds(_: Bundle, figures: Figures) -> str:
    """The detector's recall of faces that are large enough."""
    own = figures.detectors[0]
    return f"recall of faces ≥ {own.report.large.sizes[0]} px {_format_found(own)}."


def speed(_: Bundle, figures: Figures) -> str:
    """Templates per second, and the processor."""
    return f"{_templates(figures)} ({figures.processor})."


TABLES: Mapping[str, Callable[[Bundle, Figures], str]] = {
    "summary": summary,
    "door": door,
    "door conditions": door_conditions,
    "answer": answer,
    "files": files,
    "calibration": calibration,
    "rates": rates,
    "held out": held_out,
    "photos": photos,
    "beside": beside,
    "detector": detector,
    "finds": finds,
    "speed": speed,
    "attack": attack,
    "attacks": attacks,
}


def _photo_rates(measured: Evaluation) -> str:
    accuracy = measured.accuracy
    right = f"accuracy {100 * accuracy.mean:.1f} % ± {100 * accuracy.deviation:.1f}, " if accuracy else ""
    failed = f"failure to acquire {len(measured.failures)} of {measured.pictures:,}"
    return f"{right}equal error rate {_rate(measured.eer)}, {failed}"


def _templates(figures: Figures) -> str:
    own = figures.own.speed
    return (
        f"{own.alone:.0f} a second one by one, {own.by_eights:.0f} by eights, "
        f"on {figures.cores} cores by their processor time"
    )


def _retrieval(measured: Evaluation) -> str:
    found = measured.retrieval
    if found is None:
        return ""
    return f", P@1 {format_percent(found.precision_at_1)}, MAP@R {format_percent(found.map_at_r)}"


def _format_found(figures: DetectorFigures) -> str:
    report = figures.report
    large = _format_optional(report.large.recall, report.large.recall_interval)
    return f"{large} at {_format_false(report)} false faces in 100 pictures without one"


def _format_false(report: DetectorReport) -> str:
    low, high = report.false_interval or (0.0, 0.0)
    return "no" if report.false_per_100 is None else f"{report.false_per_100:.1f} ({low:.1f} to {high:.1f})"


def _landmarks(row: SizeRow) -> tuple[float | None, Interval | None]:
    return row.landmark_error, row.landmark_interval


def _find_rate(measured: Evaluation, fmr: float) -> AtFmr:
    return next(at for at in measured.at_fmr if at.fmr == fmr)


def _fnmr(measured: Evaluation, fmr: float) -> str:
    rate = _find_rate(measured, fmr).fnmr
    return "too few comparisons to tell" if rate is None else _rate(rate)


def _share(measured: Evaluation, fmr: float) -> str:
    rate = _find_rate(measured, fmr).fnmr
    return "–" if rate is None else format_percent(rate.value)


def _threshold(at: AtFmr) -> str:
    return "" if at.threshold is None else f"{at.threshold.value:.3f}"


def _rate(rate: Rate) -> str:
    return format_percent(rate.value, rate.interval)


def _format_optional(share: float | None, interval: Interval | None) -> str:
    return "" if share is None else format_percent(share, interval)
