"""evaluate-detector: what a detector finds, misses and imagines on pictures that its training held out."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from training.detection.evaluate import DetectorReport, SizeRow


def evaluate_detector(
    photos: Annotated[
        Path, typer.Option(exists=True, file_okay=False, help="images.csv, faces.csv, uncertain.csv, shards.")
    ],
    detector: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="ONNX in YuNet's layout; by default the bundle's."),
    ] = None,
    score_threshold: Annotated[
        float | None, typer.Option(min=0.01, max=0.99, help="By default the bundle's.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document and nothing else.")
    ] = False,
) -> None:
    """Measure a face detector on the pictures that the shipped recipe holds out, scaled to 640 pixels."""
    from embedding.bundle import SHIPPED, read_manifest
    from embedding.detector import THOROUGH, Detector
    from embedding.manifest import YUNET_INPUT
    from embedding.networks import compile_detector
    from training.detection.data import read_photos, split_photos
    from training.detection.evaluate import evaluate_detector as evaluate
    from training.detection.recipe import open_detector_recipe

    record = read_manifest(SHIPPED).detector if detector is None or score_threshold is None else None
    onnx = detector or SHIPPED / record.file  # type: ignore[union-attr]
    layout = YUNET_INPUT if detector or record is None else record.input
    network = compile_detector(onnx.read_bytes(), layout, threads=1)
    threshold = score_threshold or record.score_threshold  # type: ignore[union-attr]
    finder = Detector(network, threshold)
    recipe = open_detector_recipe()
    _, held = split_photos(read_photos(photos).photos, recipe.held_out)
    report = evaluate(held, lambda image: finder.look(image, THOROUGH))
    if as_json:
        typer.echo(json.dumps({"score_threshold": threshold, **asdict(report)}, indent=2))
        return
    typer.echo(f"{onnx.name} at score {threshold:g}, {len(held)} held-out pictures\n{told(report)}")


def told(report: "DetectorReport") -> str:
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
