"""mine, report: what a training learns from beside the pictures, and what came of it."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from training.cli.options import Aligned, AsJson, Images, read_held_out_names, require_train_extra

if TYPE_CHECKING:
    from training.data.confusions import Confusion
    from training.data.pictures import Pictures
    from training.mining.mined_set import MinedSet
    from training.mining.triplets import Mining


def mine(
    images: Images,
    to: Annotated[Path, typer.Option(file_okay=False, help="Where the list and the review page go.")],
    bundle: Annotated[
        Path | None,
        typer.Option(
            exists=True, file_okay=False, help="The network to mine with; by default RUN's, or ours."
        ),
    ] = None,
    run: Annotated[
        Path | None,
        typer.Option(
            exists=True, file_okay=False, help="A training run; the people it held out are left out."
        ),
    ] = None,
    known: Annotated[
        Path | None,
        typer.Option(
            exists=True, dir_okay=False, help="CSV: identity_a,identity_b,reason of known confusions."
        ),
    ] = None,
    neighbours: Annotated[int, typer.Option(min=1, help="Pictures of others looked at, for each.")] = 32,
    band: Annotated[float, typer.Option(min=0, max=4, help="Largest |d(A, P) - d(A, N)|.")] = 0.2,
    per_identity: Annotated[int, typer.Option(min=1, help="Triplets of one person, at most.")] = 20,
    held_back: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the nearest that is held back for review.")
    ] = 0.01,
    aligned: Aligned = False,
    as_json: AsJson = False,
) -> None:
    """Find hard negatives and probable label noise in a labelled set."""
    from training.data.confusions import read_confusions
    from training.data.pictures import open_pictures
    from training.mining.triplets import Mining

    how = Mining(neighbours=neighbours, band=band, per_identity=per_identity, held_back=held_back)
    confusions = read_confusions(known) if known else []
    pictures = open_pictures(images)
    if run is not None and bundle is None:
        found = _mine_with_run(run, images, how, confusions, shown=not as_json)
    else:
        found = _mine_with_bundle(bundle, run, pictures, how, confusions, aligned=aligned, shown=not as_json)
    found.write(to, pictures)
    facts: dict[str, Any] = {
        "pictures": len(found.names),
        "failures": len(found.failures),
        "triplets": len(found.mined.triplets),
        "known": int(found.mined.triplets.known.sum()),
        "held_back": len(found.mined.suspects),
        "alone": found.mined.alone,
        "unused": [[each.a, each.b] for each in found.unused],
    }
    typer.echo(json.dumps(facts, indent=2) if as_json else _format_facts(facts, to))


def report(
    run: Annotated[
        Path, typer.Argument(exists=True, file_okay=False, help="A run of the embedding network.")
    ],
    bundle: Annotated[Path, typer.Option(exists=True, file_okay=False, help="What was exported of it.")],
    images: Images,
    to: Annotated[Path, typer.Option(dir_okay=False, help="Where the page goes.")],
    incumbent: Annotated[
        Path | None,
        typer.Option(exists=True, file_okay=False, help="The model in use; by default the one we ship."),
    ] = None,
    everyone: Annotated[
        bool, typer.Option("--everyone", help="All people of IMAGES, not only those held out to test.")
    ] = False,
    groups: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="CSV: identity,group; both are compared in each too."),
    ] = None,
    aligned: Aligned = False,
    as_json: AsJson = False,
) -> None:
    """Compare a training's model with the one in use, and write a page to decide on."""
    from embedding.bundle import SHIPPED
    from embedding.embedder import Embedder
    from training.data.groups import find_groups
    from training.data.pictures import open_pictures
    from training.evaluation.gate import compare
    from training.progress import progress_bar

    with require_train_extra("report"):
        from training.embedder.report import write_run_report
        from training.engine.run import RunFolder

    pictures = open_pictures(images)
    names = pictures.labelled if everyone else read_held_out_names(pictures, run, "test")
    people, compared = ({pictures.identity[name] for name in some} for some in (pictures.labelled, names))
    group_of = find_groups(groups, people, compared) if groups else None
    with progress_bar("compare", shown=not as_json, unit="pictures/s") as told:
        comparison = compare(
            Embedder.open(incumbent or SHIPPED),
            Embedder.open(bundle),
            pictures,
            names,
            groups=group_of,
            aligned=aligned,
            progress=told,
        )
    write_run_report(to, RunFolder(run), comparison, pictures)
    record = comparison.record
    if as_json:
        typer.echo(json.dumps(record, indent=2))
    elif record["worse_in"]:
        typer.echo(f"{to}: worse in {', '.join(record['worse_in'])}.")
    else:
        typer.echo(f"{to}: not worse than the model in use.")


def _format_facts(facts: dict[str, Any], to: Path) -> str:
    lines = [
        f"{facts['pictures']:,} pictures: {facts['triplets']:,} hard triplets ({facts['known']:,} of known "
        f"confusions), {facts['alone']:,} people with one picture",
        f"{facts['held_back']:,} pairs of people held back as probable label noise: see {to / 'review.html'}",
    ]
    if facts["unused"]:
        lines.append(f"{len(facts['unused'])} known confusions are of people who are not here")
    return "\n".join(lines)


def _mine_with_bundle(
    bundle: Path | None,
    run: Path | None,
    pictures: "Pictures",
    how: "Mining",
    confusions: "list[Confusion]",
    *,
    aligned: bool,
    shown: bool,
) -> "MinedSet":
    from embedding.bundle import SHIPPED
    from embedding.embedder import Embedder
    from training.data.faces import SPLIT, Split
    from training.mining.mined_set import mine_pictures
    from training.progress import progress_bar

    with (
        progress_bar("acquire", shown=shown, unit="pictures/s") as acquiring,
        progress_bar("mine", shown=shown, unit="pictures/s") as searching,
    ):
        return mine_pictures(
            Embedder.open(bundle or SHIPPED),
            pictures,
            how,
            without=Split.read(run / SPLIT).held_out if run else (),
            confusions=confusions,
            aligned=aligned,
            acquiring=acquiring,
            searching=searching,
        )


def _mine_with_run(
    run: Path, images: Path, how: "Mining", confusions: "list[Confusion]", *, shown: bool
) -> "MinedSet":
    """With the run's own network, which takes aligned crops."""
    from training.data.faces import SPLIT, Split, read_faces
    from training.progress import progress_bar

    with require_train_extra("mine"):
        import torch

        from training.embedder.renewal import mine_faces
        from training.embedder.weights import load_network
        from training.engine.run import RunFolder

    network, faces = load_network(RunFolder(run).chosen), read_faces(images)
    rows = Split.read(run / SPLIT).training_rows(faces)
    with progress_bar("mine", shown=shown, unit="pictures/s") as told:
        return mine_faces(
            network, faces, rows, how, confusions=confusions, device=torch.device("cpu"), progress=told
        )
