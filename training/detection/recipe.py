"""Every number of a detector's training; the shipped one is `training/recipes/detector.toml`."""

from dataclasses import dataclass, field
from pathlib import Path

from training.embedder.recipe import RECIPES, read_recipe
from training.errors import RecipeInvalid

DETECTOR_RECIPE = RECIPES / "detector.toml"


@dataclass(frozen=True)
class Shape:
    """How large views are, how many make a batch, and how often a batch has this shape."""

    size: int
    count: int
    share: float


@dataclass(frozen=True)
class Ranges:
    """How far views vary. Sizes are √(w·h) of a face in pixels of the view.

    Attributes:
        smallest: Smaller faces are neither face nor background.
        chosen_from: The smallest size that a photo is scaled to show its face in.
        turned: Share of the faces turned by up to 45° either way; the others are tilted a little.
        largest_share: Of the view's side; a face that fills it is cut a little.
        enlarge: Photos are enlarged at most so much; beyond it, unlabelled tiny faces would become plain.
        visible: A face of which less is seen is neither face nor background.
        mosaic: Share of the views that join four photos.
        faceless: Share of the views that start without a face.
        paste: Share of the views with faces that get a pasted one; `paste_on_faceless` of those without.
        decoy: Share of the pasted patches that show no face, so that the blend's edge alone means nothing.
    """

    smallest: float = 14.0
    chosen_from: float = 16.0
    largest_share: float = 1.1
    turned: float = 0.15
    enlarge: float = 2.8
    visible: float = 0.6
    mosaic: float = 0.2
    faceless: float = 0.22
    paste: float = 0.3
    paste_on_faceless: float = 0.7
    decoy: float = 0.3


@dataclass(frozen=True)
class Weights:
    """Of the four parts of the loss in their sum."""

    cls: float = 1.0
    obj: float = 1.0
    box: float = 2.0
    landmarks: float = 4.0


@dataclass(frozen=True)
class DetectorRecipe:
    """Everything that decides what a training yields, besides the data.

    Attributes:
        steps: Of the whole training; half a cosine leads the learning rate down to `final_share` of its top.
        held_out: Share of the pictures, of every source, that only the evaluation sees.
        teacher: A detector in YuNet's layout, relative to the data folder, whose score of every cell is
            learned; empty for none.
        start_from: A checkpoint whose averaged weights the training begins with; empty for none.
        bank: Aligned crops to draw faces to paste from; 0 pastes none.
        average: Decay of the moving average of the weights, which is what is exported.
        clip: Largest norm of the gradient.
    """

    steps: int
    shapes: tuple[Shape, ...]
    learning_rate: float = 2e-3
    betas: tuple[float, float] = (0.9, 0.98)
    weight_decay: float = 0.01
    warm_up_steps: int = 200
    final_share: float = 0.01
    average: float = 0.999
    clip: float = 5.0
    seed: int = 20261121
    held_out: float = 0.2
    teacher: str = ""
    start_from: str = ""
    bank: int = 6000
    ranges: Ranges = field(default_factory=Ranges)
    weights: Weights = field(default_factory=Weights)
    checkpoint_minutes: float = 2.0


def open_detector_recipe(path: Path = DETECTOR_RECIPE) -> DetectorRecipe:
    """The shipped recipe, or another.

    Raises:
        RecipeInvalid: If it cannot be read, or a view's side is no multiple of 32.
    """
    recipe = read_recipe(path, DetectorRecipe)
    if not recipe.shapes:
        raise RecipeInvalid(path, "there is no shape", "shapes")
    for index, shape in enumerate(recipe.shapes):
        if shape.size % 32 or shape.size <= 0 or shape.count <= 0:
            raise RecipeInvalid(path, "a size is a multiple of 32, and a count positive", f"shapes[{index}]")
    return recipe
