"""train-people, export-people, measure-people: faces of people who do not exist."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from training.cli.options import AsJson, BundleFolder, require_train_extra

if TYPE_CHECKING:
    from embedding.embedder import Embedder
    from training.people.measure import PeopleReport, Vectors


def train_people(
    data: Annotated[Path, typer.Option(exists=True, file_okay=False, help="Shards with faces.csv.")],
    split: Annotated[
        Path, typer.Option(exists=True, dir_okay=False, help="split.json: whom nothing is learned from.")
    ],
    judge: Annotated[
        list[Path],
        typer.Option(exists=True, dir_okay=False, help="Checkpoint of the embedder; of several, in turn."),
    ],
    bundle: Annotated[
        list[Path], typer.Option(exists=True, file_okay=False, help="The bundle of each judge.")
    ],
    run: Annotated[Path, typer.Option(file_okay=False, help="Where to write.")] = Path("runs/people"),
    recipe: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="By default Invigil's own.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint.")] = False,
) -> None:
    """Train a generator of faces of people who do not exist."""
    if len(judge) != len(bundle):
        raise typer.BadParameter("every --judge needs its --bundle, in the same order")
    with require_train_extra("train-people"):
        from training.data.faces import Split
        from training.engine.run import RunFolder
        from training.people.recipe import PEOPLE_RECIPE, open_people_recipe
        from training.people.start import begin_training

        opened = open_people_recipe(recipe or PEOPLE_RECIPE)
        folder = RunFolder.create(run, resume=resume)
        begin_training(opened, data, Split.read(split), list(zip(bundle, judge, strict=True)), folder)
    typer.echo(f"Done: {run}. Next: invigil export-people {run} --to …")


def export_people(
    run: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="Of train-people.")],
    to: Annotated[Path, typer.Option(file_okay=False, help="The generator's folder.")],
    data: Annotated[str, typer.Option(help="The faces in words, for the record.")] = "",
    bundle: Annotated[
        list[Path] | None,
        typer.Option(exists=True, file_okay=False, help="Who must see them well; by default Invigil's own."),
    ] = None,
    choose: Annotated[int, typer.Option(min=0, help="People to choose for demonstrations.")] = 60,
) -> None:
    """Make a generator's file of a training run, and choose people that the bundle sees well."""
    with require_train_extra("export-people"):
        from embedding.bundle import SHIPPED
        from embedding.embedder import Embedder
        from training.engine.run import RunFolder, load_checkpoint
        from training.people.choose import choose_people
        from training.people.export import export_people as export
        from training.people.export import write_manifest

        people = export(load_checkpoint(RunFolder(run).last), to, to.resolve().name.lower(), {"data": data})
        chosen, tried = choose_people(people, [Embedder.open(one) for one in bundle or [SHIPPED]], choose)
        write_manifest(to, people.manifest.model_copy(update={"people": tuple(chosen)}))
    typer.echo(
        f"{to}: {people.manifest.decoder.bytes:,} bytes, {len(chosen)} people chosen of {tried} drawn. "
        f"Next: invigil measure-people --people {to}"
    )


def measure_people(
    people: Annotated[
        Path | None, typer.Option(exists=True, file_okay=False, help="By default the one that ships.")
    ] = None,
    bundle: BundleFolder = None,
    judge: Annotated[
        list[Path] | None,
        typer.Option(
            exists=True, file_okay=False, help="Another calibrated bundle that judges, at a rate of 1e-3."
        ),
    ] = None,
    run: Annotated[
        Path | None,
        typer.Option(exists=True, file_okay=False, help="Of train-people: how near the nearest face is."),
    ] = None,
    strangers: Annotated[
        Path | None,
        typer.Option(exists=True, help="Real people held out, whose nearest face is told beside it."),
    ] = None,
    split: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="split.json: who of STRANGERS is that.")
    ] = None,
    count: Annotated[int, typer.Option(min=2, help="People that are measured.")] = 60,
    chosen: Annotated[
        bool, typer.Option("--chosen", help="Those chosen for demonstrations, not the first that come.")
    ] = False,
    captures: Annotated[int, typer.Option(min=2, help="Photographs of each.")] = 8,
    as_json: AsJson = False,
) -> None:
    """Measure made-up people: found upright, one matched, two told apart, nobody copied."""
    from embedding.bundle import SHIPPED
    from embedding.embedder import Embedder
    from embedding.people.generator import SHIPPED_PEOPLE, MadeUpPeople
    from training.people.measure import measure_people as measure

    generator = MadeUpPeople.open(people or SHIPPED_PEOPLE)
    embedder = Embedder.open(bundle or SHIPPED)
    judges: dict[str, tuple[Embedder, Sequence[float]]] = {
        embedder.bundle.manifest.name: (embedder, (1e-3, 1e-4))
    }
    for path in judge or []:
        other = Embedder.open(path)
        judges[other.bundle.manifest.name] = (other, (1e-3,))
    training = None if run is None else read_run_templates(run)
    real = None if strangers is None or split is None else embed_test_people(embedder, strangers, split)
    numbers = generator.manifest.people if chosen else range(count)
    report = measure(generator, embedder, judges, numbers[:count], captures, training, real)
    typer.echo(json.dumps(asdict(report), indent=2) if as_json else format_report(report))


def read_run_templates(run: Path) -> "Vectors":
    """Of the faces that a run has learned from."""
    import numpy as np

    templates: Vectors = np.load(run / "templates.npy")
    return templates


def embed_test_people(embedder: "Embedder", faces: Path, split: Path) -> "Vectors":
    """Of the people whom a split holds out for tests, at most five pictures of each."""
    import numpy as np

    from training.data.faces import Split, decode_crop
    from training.data.pictures import limit_per_person, open_pictures

    pictures = open_pictures(faces)
    held = pictures.of_people(frozenset(Split.read(split).test))
    crops = [decode_crop(pictures.read(name)) for name in limit_per_person(held, pictures.identity, 5)]
    return embedder.embed_crops(np.stack([crop for crop in crops if crop is not None]))


def format_report(report: "PeopleReport") -> str:
    """The report as the card holds it."""
    lines = [
        f"{report.people} people, {report.pictures} pictures: found upright {report.found_upright:.1%}, "
        f"good enough to enrol {report.good_to_enrol:.1%}",
        "",
        "| Judge | Threshold (of FMR) | One person not matched | Two people matched |",
        "| --- | --- | --- | --- |",
    ]
    lines += [
        f"| {one.judge} | {one.threshold:.3f} ({one.at_fmr:g}) | {one.fnmr:.2%} of {one.mated:,} | "
        f"{one.fmr:.2%} of {one.non_mated:,} |"
        for one in report.verdicts
    ]
    lines += [""] * bool(report.nearness)
    lines += [
        f"Nearest training face of {one.whose}: d = {one.median:.2f} at the median, {one.smallest:.2f} at "
        f"the smallest, {one.pictures:,} pictures"
        for one in report.nearness
    ]
    return "\n".join(lines)


COMMANDS: tuple[Callable[..., None], ...] = (train_people, export_people, measure_people)
