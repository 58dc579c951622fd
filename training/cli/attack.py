"""attack: what small changes to a picture, made against the network, do to decisions."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from training.cli.measure import fill_documents
from training.cli.options import AsJson, require_train_extra

CHECKPOINTS = Path(__file__).parents[1] / "checkpoints"


def attack(
    target: Annotated[
        Path | None,
        typer.Argument(
            exists=True,
            file_okay=False,
            help="A bundle, whose figures are written, or a run; by default Invigil's bundle.",
            metavar="BUNDLE_OR_RUN",
            show_default=False,
        ),
    ] = None,
    data: Annotated[
        Path, typer.Option(exists=True, help="Aligned faces, or a folder with faces/ in it.")
    ] = Path("data"),
    run: Annotated[
        Path | None,
        typer.Option(
            exists=True, file_okay=False, help="The run of a bundle's network; by default Invigil's."
        ),
    ] = None,
    people: Annotated[int, typer.Option(min=2, help="People who attack, at most.")] = 60,
    steps: Annotated[int, typer.Option(min=1, help="Of each descent.")] = 10,
    epsilon: Annotated[
        list[int] | None, typer.Option(min=1, max=255, help="Largest changes, of 255; by default 1, 2, 4, 8.")
    ] = None,
    document: Annotated[
        list[Path] | None,
        typer.Option(exists=True, dir_okay=False, help="Written again, as the model card always is."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure impersonation and dodging by changed pictures, by noise, and after JPEG and resizing."""
    from embedding.bundle import MANIFEST, SHIPPED
    from training.data.pictures import open_pictures
    from training.progress import progress_bar
    from training.shipping.attack_tables import format_attack

    folder = SHIPPED if target is None else target
    with require_train_extra("attack"), progress_bar("attack", shown=not as_json, unit="faces/s") as told:
        from training.shipping.attack import AttackPlan, attack_bundle, attack_run

        plan = AttackPlan(
            open_pictures(data / "faces" if (data / "faces").is_dir() else data),
            people=people,
            steps=steps,
            **({"epsilons": tuple(epsilon)} if epsilon else {}),
            progress=told,
        )
        if (folder / MANIFEST).is_file():
            measured = attack_bundle(folder, CHECKPOINTS if run is None else run, plan)
            fill_documents(folder, document or [])
        else:
            measured = attack_run(folder, plan)
    typer.echo(json.dumps(asdict(measured), indent=1) if as_json else format_attack(measured))
