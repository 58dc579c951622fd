"""train, evaluate, calibrate, export: training needs the `[train]` extra, and says so where it is missing."""

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from training.cli import people
from training.cli.attack import attack
from training.cli.detector import evaluate_detector, open_detector_file
from training.cli.explaining import evaluate_explanations
from training.cli.measure import measure
from training.cli.mining import mine, report
from training.cli.options import (
    Aligned,
    AsJson,
    BundleFolder,
    FromService,
    HeldOut,
    Images,
    read_held_out_names,
    require_train_extra,
)
from training.cli.whiten import whiten


def train(
    context: typer.Context,
    recipe: Annotated[
        str, typer.Argument(help="A recipe of the project by its name, or a TOML file.", show_default=False)
    ] = "",
    data: Annotated[
        list[Path] | None,
        typer.Option(exists=True, help="Faces: a folder, a .tar, or shards; by default ./data."),
    ] = None,
    run: Annotated[
        Path | None, typer.Option(file_okay=False, help="Where to write; by default runs/RECIPE.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint.")] = False,
    job: Annotated[
        bool, typer.Option("--job", help="Let a worker do it, up to a candidate model; follow it here.")
    ] = False,
    enrolled: Annotated[
        bool, typer.Option("--enrolled", help="With --job: also enrolled people who may be trained on.")
    ] = False,
    groups: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="With --job: CSV identity,group to compare within."),
    ] = None,
    reality_check: Annotated[
        bool, typer.Option("--reality-check", help="Compare losses on a small network instead.")
    ] = False,
    loss: Annotated[
        list[str] | None, typer.Option(help="With --reality-check: only these rows of the table.")
    ] = None,
    bundle: BundleFolder = None,
    as_json: AsJson = False,
) -> None:
    """Train a network by a recipe; several processes by torchrun."""
    if not recipe and not reality_check:
        raise typer.BadParameter("it is missing", param_hint="RECIPE")
    if job:
        lent = context.ensure_object(FromService)
        lent.submit_retraining(recipe, data or [], enrolled, groups, as_json)
        return
    if groups is not None:
        raise typer.BadParameter("only a job compares models: add --job", param_hint="--groups")
    faces, *more = data or [Path("data")]
    if more:
        raise typer.BadParameter("several places are joined by a job only: add --job")
    from training.progress import hide_bars

    folder = run or Path("runs") / Path(recipe).stem
    with require_train_extra("train"), hide_bars(as_json):
        if reality_check:
            from training.cli.reality_check import check_reality

            check_reality(faces, loss or [], as_json)
            return
        if is_of_detector(recipe):
            train_detector(recipe, faces, folder, resume)
            then = f"invigil evaluate-detector --detector {folder} --photos …"
        else:
            train_embedder(recipe, faces, folder, resume, bundle)
            then = f"invigil export {folder} --to …"
    if as_json:
        typer.echo(json.dumps({"recipe": recipe, "run": str(folder)}))
    else:
        typer.echo(f"Done: {folder}. Next: {then}")


def train_embedder(recipe: str, data: Path, folder: Path, resume: bool, incumbent: Path | None) -> None:
    """Train the embedding network; a recipe's incumbent is the shipped bundle unless another is named."""
    from embedding.bundle import SHIPPED
    from training.embedder.loop import train as train_network
    from training.embedder.recipe import open_recipe

    train_network(open_recipe(recipe), data, folder, resume=resume, incumbent=incumbent or SHIPPED)


def train_detector(recipe: str, data: Path, folder: Path, resume: bool) -> None:
    """Train the face detector."""
    from training.detection.recipe import open_detector_recipe
    from training.detection.train import train_detector as train_network
    from training.engine.run import RunFolder

    opened = open_detector_recipe(find_recipe_file(recipe))
    with RunFolder.open(folder, resume=resume) as run_folder:
        train_network(opened, data, run_folder, resume=resume)


def find_recipe_file(recipe: str) -> Path:
    """The file of a recipe that is named, or given as a path."""
    shipped = Path(__file__).parents[1] / "recipes" / f"{recipe}.toml"
    return shipped if shipped.is_file() else Path(recipe)


def is_of_detector(recipe: str) -> bool:
    """Whether a recipe trains the detector: only there do views have shapes."""
    try:
        return "shapes" in tomllib.loads(find_recipe_file(recipe).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        # The embedding network's reader says what is wrong with it.
        return False


def evaluate(
    images: Images,
    pairs: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="LFW's pairs.txt, or CSV: path_a,path_b,same."),
    ] = None,
    bundle: BundleFolder = None,
    held_out: HeldOut = None,
    groups: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="CSV: identity,group; each is measured by itself too, from 20 people on.",
        ),
    ] = None,
    aligned: Aligned = False,
    report: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Write a page with curves and the hardest pairs.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure a bundle on a list of pairs, or on all pairs of a labelled set."""
    from embedding.bundle import SHIPPED
    from embedding.embedder import Embedder
    from training.data.groups import find_groups
    from training.data.pairs import read_pairs
    from training.data.pictures import open_pictures
    from training.evaluation.evaluate import evaluate_all, evaluate_pairs
    from training.evaluation.evaluation import format_evaluation
    from training.progress import progress_bar
    from training.reports.evaluation import write_report

    if pairs is not None and groups is not None:
        raise typer.BadParameter("groups are of labelled people, not of listed pairs", param_hint="--groups")
    embedder = Embedder.open(bundle or SHIPPED)
    pictures = open_pictures(images)
    names = None if held_out is None else read_held_out_names(pictures, held_out, "test")
    group_of = None
    if groups is not None:
        measured = pictures.labelled if names is None else names
        everybody, people = (
            {pictures.identity[name] for name in some} for some in (pictures.labelled, measured)
        )
        group_of = find_groups(groups, everybody, people)
    with progress_bar("evaluate", shown=not as_json, unit="pictures/s") as told:
        if pairs is not None:
            evaluation, evidence = evaluate_pairs(
                embedder, pictures, read_pairs(pairs), aligned=aligned, progress=told
            )
        else:
            evaluation, evidence = evaluate_all(
                embedder, pictures, names, aligned=aligned, group_of=group_of, progress=told
            )
    if report is not None:
        write_report(report, evaluation, evidence, pictures)
    typer.echo(json.dumps(evaluation.as_json(), indent=2) if as_json else format_evaluation(evaluation))


def calibrate(
    images: Images,
    bundle: Annotated[Path, typer.Option(exists=True, file_okay=False, help="The bundle to calibrate.")],
    data: Annotated[str, typer.Option(help="The pictures in words, for the record.")],
    run: Annotated[
        list[Path] | None,
        typer.Option(
            exists=True,
            file_okay=False,
            help="The training run of the bundle's network, of each; without one nothing tells whom it saw.",
        ),
    ] = None,
    everyone: Annotated[
        bool, typer.Option("--everyone", help="All people of IMAGES, not only those the run held out.")
    ] = False,
    fmr: Annotated[list[float] | None, typer.Option(help="Targets; by default 1e-2 to 1e-5.")] = None,
    aligned: Aligned = False,
    as_json: AsJson = False,
) -> None:
    """Measure thresholds on people the network never saw, and write them into its bundle."""
    from training.data.pictures import open_pictures
    from training.data.seen import Seen
    from training.evaluation.calibrate import TARGETS, calibrate_bundle
    from training.progress import progress_bar

    if not run and not everyone:
        raise typer.BadParameter("without a run, nobody is held out: give --everyone", param_hint="--run")
    pictures = open_pictures(images)
    with progress_bar("calibrate", shown=not as_json, unit="pictures/s") as told:
        calibrated, measured = calibrate_bundle(
            bundle,
            pictures,
            Seen.join(Seen.read(each) for each in run) if run else None,
            data=data,
            names=read_held_out_names(pictures, run[0], "calibrate") if run and not everyone else None,
            targets=tuple(fmr) if fmr else TARGETS,
            aligned=aligned,
            progress=told,
        )
    record = calibrated.calibration
    if as_json:
        facts = record.model_dump(mode="json", exclude={"curve"})
        typer.echo(json.dumps(facts | {"failures": len(measured.failures)}, indent=2))
        return
    typer.echo(
        f"{record.id}: {record.identities:,} people, {record.non_mated:,} non-mated comparisons, "
        f"{len(measured.failures)} pictures without a template, {len(measured.suspects)} suspected labels."
    )
    for target in record.targets:
        typer.echo(f"FMR {target.fmr:g}: d <= {target.threshold:.4f}, FNMR {target.fnmr:.4f}")


def export(
    run: Annotated[
        list[Path],
        typer.Argument(
            exists=True,
            file_okay=False,
            help="A run of the embedding network; of several, templates are joined.",
        ),
    ],
    to: Annotated[Path, typer.Option(file_okay=False, help="The bundle's folder; one there is replaced.")],
    detector: Annotated[
        Path | None,
        typer.Option(
            exists=True, help="A detector's ONNX file or run; by default the one of Invigil's bundle."
        ),
    ] = None,
    score_threshold: Annotated[
        float | None,
        typer.Option(
            min=0.01, max=0.99, help="What scores less is no face; by default as in Invigil's bundle."
        ),
    ] = None,
    name: Annotated[str | None, typer.Option(help="By default that of the folder.")] = None,
    both_sides: Annotated[
        bool, typer.Option("--both-sides", help="Average with the mirror image: nearer, at twice the time.")
    ] = False,
    int8: Annotated[
        Path | None,
        typer.Option(
            exists=True, help="Compute in eight bits: aligned crops, as for training, to measure ranges on."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a bundle of a training run, or of several side by side, checked against torch."""
    with require_train_extra("export"):
        from training.data.faces import SPLIT, Split, read_faces
        from training.embedder.export import export_bundle
        from training.embedder.quantise import choose_crops
        from training.engine.run import RunFolder

        checkpoint, *beside = [RunFolder(each).chosen for each in run]
        shown = None if int8 is None else choose_crops(read_faces(int8), Split.read(run[0] / SPLIT))
        with open_detector_file(detector, score_threshold) as found:
            bundle = export_bundle(
                checkpoint,
                found,
                to,
                name or to.resolve().name.lower(),
                beside=beside,
                both_sides=both_sides,
                ranges=shown,
            )
    if as_json:
        typer.echo(json.dumps({"path": str(bundle.path), "model_id": bundle.model_id, "dim": bundle.dim}))
    else:
        typer.echo(f"{bundle.path}: {bundle.model_id}. Next: invigil calibrate --bundle {bundle.path} …")


COMMANDS: tuple[Callable[..., None], ...] = (
    train,
    mine,
    evaluate,
    evaluate_detector,
    calibrate,
    whiten,
    export,
    measure,
    attack,
    evaluate_explanations,
    report,
    *people.COMMANDS,
)
