"""evaluate-detector: what a detector finds, misses and imagines on pictures that its training held out."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from embedding.bundle import DetectorFile
    from training.detection.evaluate import DetectorReport, SizeRow


def evaluate_detector(
    photos: Annotated[
        Path, typer.Option(exists=True, file_okay=False, help="images.csv, faces.csv, uncertain.csv, shards.")
    ],
    detector: Annotated[
        Path | None,
        typer.Option(exists=True, help="ONNX in YuNet's layout, or a run; by default the bundle's."),
    ] = None,
    score_threshold: Annotated[
        float | None, typer.Option(min=0.01, max=0.99, help="By default the bundle's.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document and nothing else.")
    ] = False,
) -> None:
    """Measure a face detector on the pictures that the shipped recipe holds out, scaled to 640 pixels."""
    from embedding.detector import THOROUGH, Detector, compile_detector
    from training.detection.data import read_photos, split_photos
    from training.detection.evaluate import evaluate_detector as evaluate
    from training.detection.recipe import open_detector_recipe

    with open_detector_file(detector, score_threshold) as used:
        name, threshold = used.path.name, used.score_threshold
        finder = Detector(compile_detector(used.path.read_bytes(), used.input, threads=1), threshold)
    recipe = open_detector_recipe()
    _, held = split_photos(read_photos(photos).photos, recipe.held_out)
    report = evaluate(held, lambda image: finder.look(image, THOROUGH))
    if as_json:
        typer.echo(json.dumps({"score_threshold": threshold, **asdict(report)}, indent=2))
        return
    typer.echo(f"{name} at score {threshold:g}, {len(held)} held-out pictures\n{format_report(report)}")


@contextmanager
def open_detector_file(source: Path | None, score_threshold: float | None) -> Iterator["DetectorFile"]:
    """A detector: of the bundle that ships, a file in YuNet's layout, or made of a training run."""
    from embedding.bundle import SHIPPED, Bundle, DetectorFile

    shipped = Bundle.load(SHIPPED).detector
    threshold = score_threshold or shipped.score_threshold
    if source is None:
        yield replace(shipped, score_threshold=threshold)
    elif source.is_file():
        yield DetectorFile(source, score_threshold=threshold)
    else:
        from training.detection.export import export_detector
        from training.detection.train import open_detector
        from training.engine.run import RunFolder

        with TemporaryDirectory() as scratch:
            onnx = Path(scratch) / "detector.onnx"
            export_detector(open_detector(RunFolder(source).chosen), onnx)
            yield DetectorFile(onnx, score_threshold=threshold)


def format_report(report: "DetectorReport") -> str:
    """The figures for people, one range of sizes on a line; intervals are 95 %."""
    lines = ["size (px)   faces  recall at overlap 0.5      landmark error / inter-eye distance, median"]
    lines += [_row(f"{row.sizes[0]}-{row.sizes[1]}", row) for row in report.rows]
    lines.append(_row(f">= {report.large.sizes[0]}", report.large))
    if report.false_interval is not None:
        low, high = report.false_interval
        lines.append(
            f"{report.false_per_100:.2f} false faces in 100 pictures without one "
            f"({low:.2f} to {high:.2f}; {report.false_faces} in {report.faceless})"
        )
    return "\n".join(lines)


def _row(name: str, row: "SizeRow") -> str:
    if row.recall is None or row.recall_interval is None:
        return f"{name:<10} {row.faces:>6}"
    text = f"{name:<10} {row.faces:>6}  {row.recall:.4f} ({_interval(row.recall_interval)})"
    if row.landmark_error is None or row.landmark_interval is None:
        return text
    return f"{text}   {row.landmark_error:.4f} ({_interval(row.landmark_interval)})"


def _interval(interval: tuple[float, float]) -> str:
    return f"{interval[0]:.4f} to {interval[1]:.4f}"
