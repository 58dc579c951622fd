"""evaluate-explanations: whether the maps of `invigil explain` say more than chance."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from training.cli.options import AsJson, require_train_extra


def evaluate_explanations(
    images: Annotated[Path, typer.Option(exists=True, file_okay=False, help="The pictures.")],
    pairs: Annotated[
        Path, typer.Option(exists=True, dir_okay=False, help="LFW's pairs.txt, or CSV path_a,path_b,same.")
    ],
    bundle: Annotated[
        Path | None, typer.Option(exists=True, file_okay=False, help="By default Invigil's.")
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            exists=True, dir_okay=False, help="What the bundle was made of: methods with gradients, too."
        ),
    ] = None,
    most: Annotated[int, typer.Option(min=2, help="Pairs of each kind.")] = 24,
    as_json: AsJson = False,
) -> None:
    """Test the maps that explain decisions by their own prediction, against random maps.

    With the cells of a face taken away in a map's order d must rise earlier than in a random order, and with
    them put back fall earlier. Exit status 1 where a method that is offered does not beat chance beyond the
    interval over pairs.
    """
    from embedding.bundle import SHIPPED
    from embedding.embedder import Embedder
    from embedding.faces import FacePolicy
    from embedding.quality import Purpose
    from training.data.pairs import read_pairs
    from training.progress import progress_bar

    with (
        require_train_extra("evaluate-explanations"),
        progress_bar("explanations", shown=not as_json, unit="pairs/s") as told,
    ):
        from training.evaluation.explanations import (
            OFFERED,
            format_explanations,
            measure_explanations,
            methods_of,
        )

        opened = Embedder.open(SHIPPED if bundle is None else bundle)
        embedder = opened.with_face_policies({Purpose.VERIFY: FacePolicy.CENTRAL})
        methods = dict(methods_of(embedder))
        if checkpoint is not None:
            from training.shipping.gradients import gradient_methods

            methods |= gradient_methods(checkpoint, embedder)
        found = measure_explanations(embedder, methods, images, read_pairs(pairs), most, told)
    typer.echo(
        json.dumps([asdict(one) for one in found], indent=1) if as_json else format_explanations(found)
    )
    if not all(one.beats_chance for one in found if one.method in OFFERED):
        raise typer.Exit(1)
