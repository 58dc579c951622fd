"""What several commands of the training share: their options, the people held out, the missing extra."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Protocol

import typer

if TYPE_CHECKING:
    from training.data.pictures import Pictures

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
Images = Annotated[
    Path,
    typer.Option(exists=True, help="IDENTITY/picture folders, a .tar of them, or shards with faces.csv."),
]
BundleFolder = Annotated[
    Path | None,
    typer.Option(exists=True, file_okay=False, help="By default the one that comes with Invigil."),
]
HeldOut = Annotated[
    Path | None,
    typer.Option("--held-out", exists=True, file_okay=False, help="Only the people a training run held out."),
]
Aligned = Annotated[bool, typer.Option("--aligned", help="The pictures are aligned 112×112 crops already.")]


class SubmitRetraining(Protocol):
    """Submits a retraining job and follows it."""

    def __call__(
        self, recipe: str, data: Sequence[Path], enrolled: bool, groups: Path | None, as_json: bool
    ) -> None:
        """Submit the job; `invigil train --job` describes the parameters."""


@dataclass(frozen=True)
class FromService:
    """What the program lends the commands of the training, as only the service may open the database."""

    submit_retraining: SubmitRetraining


def read_held_out_names(pictures: "Pictures", run: Path, part: str) -> list[str]:
    """The pictures of the people that a run held out to calibrate or to test."""
    from training.data.faces import SPLIT, Split

    split = Split.read(run / SPLIT)
    return pictures.of_people(frozenset(split.test if part == "test" else split.calibrate))


@contextmanager
def require_train_extra(command: str) -> Iterator[None]:
    """Imports that need the `[train]` extra.

    Raises:
        ExtraMissing: If it is not installed.
    """
    from training.errors import ExtraMissing

    try:
        yield
    except ModuleNotFoundError as error:
        raise ExtraMissing(command, error.name or "torch") from error
