"""whiten: a last step on labels, without training."""

import json
from pathlib import Path
from typing import Annotated

import typer

from training.cli.options import AsJson, require_train_extra


def whiten(
    run: Annotated[
        Path, typer.Argument(exists=True, file_okay=False, help="A run of the embedding network.")
    ],
    to: Annotated[Path, typer.Option(file_okay=False, help="The folder of the new run.")],
    data: Annotated[
        Path, typer.Option(exists=True, help="Faces that it was trained on: a folder, a .tar, or shards.")
    ] = Path("data"),
    smoothing: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the measured covariance; 0 moves the origin alone.")
    ] = 0.3,
    as_json: AsJson = False,
) -> None:
    """Let directions count less in which pictures of one person differ; as fast as before."""
    with require_train_extra("whiten"):
        from training.data.faces import read_faces
        from training.embedder.whiten import whiten as make_run
        from training.engine.run import RunFolder
        from training.progress import progress_bar

        faces = read_faces(data / "faces" if (data / "faces").is_dir() else data)
        with progress_bar("whiten", shown=not as_json) as told:
            made = make_run(RunFolder(run), to, faces, told, smoothing)
    if as_json:
        typer.echo(json.dumps({"run": str(made.path)}))
    else:
        typer.echo(f"Done: {made.path}. Next: invigil export {made.path} --to …")
