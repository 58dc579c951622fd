"""measure: all figures of a bundle in one run, and the documents that quote them."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from training.cli.options import AsJson

if TYPE_CHECKING:
    from embedding.bundle import Bundle
    from training.shipping.figures import Figures

MODEL_CARD = "MODEL_CARD.md"


def measure(
    bundle: Annotated[
        Path | None, typer.Option(exists=True, file_okay=False, help="By default the one of Invigil.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            file_okay=False,
            help="faces/, detect/ and eval/ to measure on; without it only documents are written.",
        ),
    ] = None,
    run: Annotated[
        Path | None,
        typer.Option(exists=True, file_okay=False, help="seen.json and split.json of the bundle's network."),
    ] = None,
    people: Annotated[
        str, typer.Option(help="The people held out in words, for the record of the calibration.")
    ] = "People whom no training saw, aligned crops.",
    beside: Annotated[
        list[str] | None, typer.Option(help="NAME=FOLDER of another bundle to measure in the same run.")
    ] = None,
    detector: Annotated[
        list[str] | None, typer.Option(help="NAME=FILE of another detector (ONNX in YuNet's layout).")
    ] = None,
    document: Annotated[
        list[Path] | None,
        typer.Option(exists=True, dir_okay=False, help="Written again, as the model card always is."),
    ] = None,
    curve: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Draw the curve of its training into this SVG file.")
    ] = None,
    fmr: Annotated[list[float] | None, typer.Option(help="Targets; by default 1e-2 to 1e-5.")] = None,
    seconds: Annotated[float, typer.Option(min=0, help="Of each turn in which speed is measured.")] = 1.0,
    as_json: AsJson = False,
) -> None:
    """Calibrate a bundle, measure it, and write the figures into its folder and into documents."""
    from embedding.bundle import SHIPPED
    from training.shipping.tables import TABLES

    folder = bundle or SHIPPED
    if data is not None:
        if run is None:
            raise typer.BadParameter("it says who was held out", param_hint="--run")
        _measure(
            folder,
            data,
            run,
            people=people,
            beside=parse_named(beside, "--beside"),
            detectors=parse_named(detector, "--detector"),
            fmrs=fmr,
            seconds=seconds,
            shown=not as_json,
        )
    measured, figures = fill_documents(folder, document or [])
    if curve is not None:
        from training.shipping.curve import draw_curve

        draw_curve(folder, curve)
    typer.echo(figures.as_json() if as_json else TABLES["summary"](measured, figures))


def _measure(
    folder: Path,
    data: Path,
    run: Path,
    *,
    people: str,
    beside: dict[str, Path],
    detectors: dict[str, Path],
    fmrs: list[float] | None,
    seconds: float,
    shown: bool,
) -> None:
    """Measure a bundle and its neighbours, and write the figures into the bundle's folder."""
    from embedding.bundle import DetectorFile
    from training.evaluation.calibrate import TARGETS
    from training.progress import progress_bar
    from training.shipping.measure import Material, measure_bundle

    with progress_bar("measure", shown=shown, unit="pictures/s") as told:
        measure_bundle(
            folder,
            Material(data, run),
            people=people,
            beside=beside,
            detectors={name: DetectorFile(path) for name, path in detectors.items()},
            targets=tuple(fmrs) if fmrs else TARGETS,
            seconds=seconds,
            progress=told,
        )


def fill_documents(folder: Path, documents: Sequence[Path]) -> tuple["Bundle", "Figures"]:
    """Write a bundle's figures into its card and into documents."""
    from embedding.bundle import Bundle
    from training.shipping.figures import figures_of
    from training.shipping.tables import fill_document

    bundle = Bundle.load(folder)
    figures = figures_of(bundle)
    card = folder / MODEL_CARD
    for path in [*([card] if card.is_file() else []), *documents]:
        fill_document(path, bundle, figures)
    return bundle, figures


def parse_named(options: list[str] | None, hint: str) -> dict[str, Path]:
    """Name → path of options NAME=PATH."""
    found = {}
    for option in options or []:
        name, equals, path = option.rpartition("=")
        if not equals or not Path(path).exists():
            raise typer.BadParameter(f"{option!r} is not NAME=PATH of something that exists", param_hint=hint)
        found[name] = Path(path)
    return found
