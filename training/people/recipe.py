"""The recipe of made-up people: every number of the training."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from training.embedder.recipe import RECIPES, read_recipe

PEOPLE_RECIPE = RECIPES / "people.toml"


@dataclass(frozen=True)
class Weights:
    """Weights of the terms of the loss.

    Attributes:
        pixels: Differences from the photograph, at three sizes.
        view: Differences of what the judge's first stage sees.
        identity: 1 - cosine between the judge's template and the wanted one.
        apart: How much more alike two pictures are than the people they should show.
        critic: The critic's score.
    """

    pixels: float = 1.0
    view: float = 0.5
    identity: float = 2.5
    apart: float = 2.0
    critic: float = 0.06


@dataclass(frozen=True)
class Choice:
    """Which faces to learn from.

    Attributes:
        width_px: A face in its picture is at least so wide.
        border: Share of the crop that lies outside its picture, at most.
        border_of: The same for one source.
        weight_of: How often faces of a source are drawn, by the beginning of its name; 1 where none is given.
        without: Sources, by the beginning of their names.
    """

    width_px: float = 64.0
    border: float = 0.1
    border_of: dict[str, float] = field(default_factory=dict)
    weight_of: dict[str, float] = field(default_factory=dict)
    without: tuple[str, ...] = ()

    def takes(self, row: Mapping[str, str]) -> bool:
        """Whether to learn from a line of `faces.csv`; grey faces would make grey people."""
        source = row["source"]
        return (
            row["grey"] == "0"
            and not source.startswith(self.without)
            and float(row["face_width_px"] or 0) >= self.width_px
            and float(row["border_fraction"]) <= self.border_of.get(source, self.border)
        )

    def weight(self, row: Mapping[str, str]) -> float:
        """How often a face is drawn."""
        return next(
            (weight for start, weight in self.weight_of.items() if row["source"].startswith(start)), 1.0
        )


@dataclass(frozen=True)
class PeopleRecipe:
    """What to train, and for how long.

    Attributes:
        identity: Length of the identity code.
        capture: Length of the capture code.
        widths: Channels of the decoder at 7, 14, 28 and 56 pixels a side.
        steps: Batches in all.
        batch: Photographs of one.
        others: Pictures of other codes per batch, once recognition counts.
        recognised_from: Share of the steps after which the judge counts.
        sharp_from: Share of the steps after which the critic counts.
        capture_spread: Deviation of the capture codes that are drawn.
        identity_spread: Deviation of the identity codes that the finished generator draws.
    """

    seed: int
    steps: int
    identity: int = 64
    capture: int = 40
    widths: tuple[int, ...] = (96, 96, 64, 32)
    batch: int = 10
    others: int = 6
    learning_rate: float = 1.5e-3
    warm_up_steps: int = 60
    recognised_from: float = 0.04
    sharp_from: float = 0.25
    capture_spread: float = 0.8
    identity_spread: float = 1.25
    bf16: bool = True
    threads: int = 2
    log_steps: int = 20
    checkpoint_minutes: float = 3.0
    weights: Weights = field(default_factory=Weights)
    choice: Choice = field(default_factory=Choice)


def open_people_recipe(path: Path = PEOPLE_RECIPE) -> PeopleRecipe:
    """Read a recipe.

    Raises:
        RecipeInvalid: If it cannot be read, or has unknown names.
    """
    return read_recipe(path, PeopleRecipe)
