"""A recipe: every number of a training, in one TOML file; a key that does not exist is refused.

Recipes that come with the project lie in `training/recipes/` and are named without their suffix.
"""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from index.errors import suggest_nearest
from training.data.reading import reason_of
from training.embedder.augment import Augmentation
from training.embedder.class_tree import TreePart
from training.embedder.divide import DividePart
from training.embedder.tables import read_table
from training.engine.optimise import Method
from training.errors import RecipeInvalid
from training.mining.triplets import Mining
from training.networks.backbones import NetworkConfig

RECIPES = Path(__file__).parents[1] / "recipes"

T = TypeVar("T")


class TeacherMode(StrEnum):
    """Where the embedding that the student is to copy comes from."""

    NONE = "none"
    CACHED = "cached"
    """Of the unaltered picture, averaged with its mirror image: of a face once, of a mix as it comes."""
    LIVE = "live"
    """Of the very view that the student sees."""
    INCUMBENT = "incumbent"
    """As `cached`, of the model in use, as its bundle serves it: the network stays near it."""


class Sampling(StrEnum):
    """How the faces of a batch are chosen."""

    EVERY_FACE = "every_face"
    """Every face once per epoch, in random order."""
    BY_IDENTITY = "by_identity"
    """A few faces of each of a few identities, as losses on labels need them."""
    ANCHOR_NEIGHBOURS = "anchor_neighbours"
    """As `by_identity`, people beside those who are nearest to them by the class tree of `[tree]`."""
    DIVIDED = "divided"
    """As `by_identity`, of one of the clusters of `[divide]`."""


@dataclass(frozen=True)
class DataPart:
    """Which faces are trained on.

    Attributes:
        held_out: Share of the identities with at least two pictures that is kept for calibration and test.
        split_of: A run whose people held out are held out here too, so that both can be exported as one;
            empty to choose them by the seed, or as the run of `start_from` did.
        sampling: How a batch is chosen.
        faces_per_identity: With any sampling but `every_face`.
        loaders: Processes that prepare batches beside the training itself.
    """

    held_out: float = 0.1
    split_of: str = ""
    sampling: Sampling = Sampling.EVERY_FACE
    faces_per_identity: int = 4
    loaders: int = 1


@dataclass(frozen=True)
class TeacherPart:
    """The network whose embeddings are copied.

    Attributes:
        mode: Where its embeddings come from.
        path: Its ONNX file, 1 x 3 x 112 x 112 RGB; relative to the data folder.
        mean: Subtracted from its pixels.
        std: Divides what is left.
        mix: Share of the samples that show two faces; only a teacher can label them.
        hints: Layers of its ONNX, by name, whose maps the stages of a `dense` network are to be like, one for
            each stage. The teacher then looks at every view, and nothing is compiled.
        hint_weight: Of that loss in the sum.
    """

    mode: TeacherMode = TeacherMode.NONE
    path: str = "teacher/mobilefacenet.onnx"
    mean: tuple[float, float, float] = (123.675, 116.28, 103.53)
    std: tuple[float, float, float] = (58.395, 57.12, 57.375)
    mix: float = 0.0
    hints: tuple[str, ...] = ()
    hint_weight: float = 1.0


@dataclass(frozen=True)
class LossPart:
    """One term of the loss.

    Attributes:
        name: In `training.losses`.
        weight: Of the term in the sum.
        options: Of the loss.
        miner: What chooses among the pairs of a batch, by its name in `training.losses`; empty for all pairs.
        miner_options: Of the miner.
        memory: Embeddings of former batches that are paired with the present one; 0 for none.
    """

    name: str
    weight: float = 1.0
    options: dict[str, Any] = field(default_factory=dict)
    miner: str = ""
    miner_options: dict[str, Any] = field(default_factory=dict)
    memory: int = 0


@dataclass(frozen=True)
class OptimiserPart:
    """How weights are changed: a warm-up, then half a cosine down to a share of the rate.

    Attributes:
        samples: Faces to see in all; with `batch` it fixes the number of steps.
        batch: Faces per step, over all processes.
        method: AdamW, or gradient descent with momentum, which wants a much higher rate.
        average: Decay of the moving average of the weights, which is what is exported.
        forgets_start: Whether that average soon forgets the network it began with. A trained one may stay
            part of it, to the share of `average` ** steps, and keep what it could (arXiv:2109.01903).
        clip: Largest norm of the gradient.
    """

    samples: int
    batch: int = 64
    method: Method = Method.ADAMW
    learning_rate: float = 3e-3
    betas: tuple[float, float] = (0.9, 0.98)
    weight_decay: float = 0.02
    warm_up_steps: int = 200
    final_share: float = 0.02
    average: float = 0.999
    forgets_start: bool = True
    clip: float = 5.0

    @property
    def steps(self) -> int:
        """Steps of the whole training."""
        return self.samples // self.batch


@dataclass(frozen=True)
class MachinePart:
    """How the machine is used; it changes speed, not what is learned.

    Attributes:
        bf16: Compute in bfloat16 where it is safe (AMX or a GPU).
        compile: Let `torch.compile` fuse the network.
        threads: Of one process.
        checkpoint_minutes: At most so much work is lost by a fault.
        judge_minutes: Between two looks at the people held out, which take their time; at every checkpoint
            where it is shorter.
        log_steps: Steps between two lines of the metrics.
    """

    bf16: bool = False
    compile: bool = True
    threads: int = 1
    checkpoint_minutes: float = 3.0
    judge_minutes: float = 0.0
    log_steps: int = 50


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what a training yields, besides the data.

    Attributes:
        start_from: A checkpoint whose averaged weights are the beginning; empty for a fresh network.
        widen: `start_from` holds a narrower network: its weights keep their places in this one.
        freeze_norms: Keep the statistics of batch normalisations as `start_from` has them.
        whiten_start: In a retraining: first whiten `start_from` by the people that are trained on, with this
            smoothing (`invigil whiten`); 0 leaves it as it is.
    """

    optimiser: OptimiserPart
    losses: tuple[LossPart, ...]
    seed: int = 20261121
    start_from: str = ""
    widen: bool = False
    freeze_norms: bool = False
    whiten_start: float = 0.0
    network: NetworkConfig = field(default_factory=NetworkConfig)
    data: DataPart = field(default_factory=DataPart)
    augmentation: Augmentation = field(default_factory=Augmentation)
    teacher: TeacherPart = field(default_factory=TeacherPart)
    mining: Mining = field(default_factory=Mining)
    tree: TreePart = field(default_factory=TreePart)
    divide: DividePart = field(default_factory=DividePart)
    machine: MachinePart = field(default_factory=MachinePart)

    @property
    def learners(self) -> int:
        """Slices of the embedding that are trained apart; 1 where nothing is divided."""
        return self.divide.learners if self.data.sampling is Sampling.DIVIDED else 1


def open_recipe(name_or_path: str | Path) -> Recipe:
    """A recipe of the project by its name, or any by its path.

    Raises:
        RecipeInvalid: If there is none, it is no TOML, or it says something it may not say.
    """
    shipped = {path.stem: path for path in RECIPES.glob("*.toml")}
    path = shipped.get(str(name_or_path), Path(name_or_path))
    if not path.is_file():
        raise RecipeInvalid(path, f"there is no such recipe; {suggest_nearest(str(name_or_path), shipped)}")
    recipe = read_recipe(path, Recipe)
    refuse_contradictions(recipe, path)
    return recipe


def refuse_contradictions(recipe: Recipe, path: Path) -> None:
    """Refuses a recipe of which two parts do not go together.

    Raises:
        RecipeInvalid: Naming the first key that is wrong.
    """
    for key, reason in (*_find_contradictions(recipe), *_find_wrong_renewals(recipe)):
        raise RecipeInvalid(path, reason, key)


def _find_contradictions(recipe: Recipe) -> Iterator[tuple[str, str]]:
    batch, each = recipe.optimiser.batch, recipe.data.faces_per_identity
    if recipe.teacher.mix and recipe.teacher.mode is TeacherMode.NONE:
        yield "teacher.mix", "only a teacher can label a mix of two faces"
    if recipe.teacher.hints and recipe.teacher.mode not in (TeacherMode.CACHED, TeacherMode.LIVE):
        yield "teacher.hints", "only a teacher's own file has layers to be like"
    if recipe.teacher.hints and recipe.network.kind != "dense":
        yield "teacher.hints", "only a dense network has stages that can be like them"
    if recipe.teacher.hints and len(recipe.teacher.hints) != len(recipe.network.widths):
        yield "teacher.hints", f"the network has {len(recipe.network.widths)} stages, each needs a layer"
    if recipe.widen and not recipe.start_from:
        yield "widen", "there is nothing to widen without start_from"
    if recipe.whiten_start and not recipe.start_from:
        yield "whiten_start", "there is nothing to whiten without start_from"
    if not 0 <= recipe.whiten_start <= 1:
        yield "whiten_start", "a share from 0 to 1"
    if recipe.data.split_of and recipe.start_from:
        yield "data.split_of", "the run of start_from says who is held out"
    if recipe.optimiser.steps < 1:
        yield "optimiser.samples", "fewer samples than one batch"
    if recipe.data.sampling is not Sampling.EVERY_FACE and batch % each:
        yield "optimiser.batch", f"{batch} is no multiple of {each} faces per identity"


def _find_wrong_renewals(recipe: Recipe) -> Iterator[tuple[str, str]]:
    sampling, tree, divide = recipe.data.sampling, recipe.tree, recipe.divide
    renewed = [name for name in ("mining", "tree", "divide") if getattr(recipe, name).every_epochs > 0]
    needed = {Sampling.ANCHOR_NEIGHBOURS: "tree", Sampling.DIVIDED: "divide"}.get(sampling, "")
    if needed and needed not in renewed:
        yield f"{needed}.every_epochs", f"sampling '{sampling}' needs it: how often is it to be renewed?"
    if "mining" in renewed and sampling is not Sampling.BY_IDENTITY:
        yield "data.sampling", "hard negatives need batches by identity"
    if "divide" in renewed and sampling is not Sampling.DIVIDED:
        yield "data.sampling", "to divide and conquer, batches must be 'divided'"
    if len(renewed) > 1:
        yield f"{renewed[1]}.every_epochs", f"one thing is renewed in a training, here {renewed[0]}"
    people = recipe.optimiser.batch // recipe.data.faces_per_identity
    if sampling is Sampling.ANCHOR_NEIGHBOURS and (tree.together < 2 or people % tree.together):
        yield "tree.together", f"{people} people in a batch are not parted into groups of {tree.together}"
    if sampling is Sampling.DIVIDED and (divide.learners < 2 or recipe.network.dim % divide.learners):
        yield "divide.learners", f"{recipe.network.dim} numbers are not parted among {divide.learners}"
    if not 0 <= divide.together < 1:
        yield "divide.together", f"{divide.together} is no share below 1"


def read_recipe(path: Path, kind: type[T]) -> T:
    """A TOML file as a dataclass, its tables as the dataclasses within.

    Raises:
        RecipeInvalid: If it is no TOML, a key is unknown or missing, or a value has the wrong type.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RecipeInvalid(path, reason_of(error)) from error
    return read_table(table, kind, path)
