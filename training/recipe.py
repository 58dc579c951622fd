"""A recipe: every number of a training, in one TOML file; a key that does not exist is refused.

Recipes that come with the project lie in `training/recipes/` and are named without their suffix.
"""

import dataclasses
import tomllib
import types
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from training.augment import Augmentation
from training.errors import RecipeInvalid, nearest_of
from training.mining import Mining
from training.networks.backbones import NetworkConfig

RECIPES = Path(__file__).parent / "recipes"

T = TypeVar("T")


class TeacherMode(StrEnum):
    """Where the embedding that the student is to copy comes from."""

    NONE = "none"
    CACHED = "cached"
    """Computed once per face: the mean of the teacher's embeddings of the face and of its mirror image."""
    LIVE = "live"
    """Computed of the very view that the student sees, which may then mix two faces."""


class Sampling(StrEnum):
    """How the faces of a batch are chosen."""

    EVERY_FACE = "every_face"
    """Every face once per epoch, in random order."""
    BY_IDENTITY = "by_identity"
    """A few faces of each of a few identities, as losses on labels need them."""


@dataclass(frozen=True)
class DataPart:
    """Which faces are trained on.

    Attributes:
        held_out: Share of the identities with at least two pictures that is kept for calibration and test.
        sampling: How a batch is chosen.
        faces_per_identity: With sampling `by_identity`.
        loaders: Processes that prepare batches beside the training itself.
    """

    held_out: float = 0.1
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
        mix: Share of the samples that show two faces; only a live teacher can label them.
    """

    mode: TeacherMode = TeacherMode.NONE
    path: str = "teacher/mobilefacenet.onnx"
    mean: tuple[float, float, float] = (123.675, 116.28, 103.53)
    std: tuple[float, float, float] = (58.395, 57.12, 57.375)
    mix: float = 0.0


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
    """AdamW with warm-up, then half a cosine down to a share of the rate.

    Attributes:
        samples: Faces to see in all; with `batch` it fixes the number of steps.
        batch: Faces per step, over all processes.
        average: Decay of the moving average of the weights, which is what is exported.
        clip: Largest norm of the gradient.
    """

    samples: int
    batch: int = 64
    learning_rate: float = 3e-3
    betas: tuple[float, float] = (0.9, 0.98)
    weight_decay: float = 0.02
    warm_up_steps: int = 200
    final_share: float = 0.02
    average: float = 0.999
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
    """

    optimiser: OptimiserPart
    losses: tuple[LossPart, ...]
    seed: int = 20261121
    start_from: str = ""
    widen: bool = False
    freeze_norms: bool = False
    network: NetworkConfig = field(default_factory=NetworkConfig)
    data: DataPart = field(default_factory=DataPart)
    augmentation: Augmentation = field(default_factory=Augmentation)
    teacher: TeacherPart = field(default_factory=TeacherPart)
    mining: Mining = field(default_factory=Mining)
    machine: MachinePart = field(default_factory=MachinePart)


def open_recipe(name_or_path: str | Path) -> Recipe:
    """A recipe of the project by its name, or any by its path.

    Raises:
        RecipeInvalid: If there is none, it is no TOML, or it says something it may not say.
    """
    shipped = {path.stem: path for path in RECIPES.glob("*.toml")}
    path = shipped.get(str(name_or_path), Path(name_or_path))
    if not path.is_file():
        raise RecipeInvalid(path, f"there is no such recipe; {nearest_of(str(name_or_path), shipped)}")
    recipe = read_recipe(path, Recipe)
    if recipe.teacher.mix and recipe.teacher.mode is not TeacherMode.LIVE:
        raise RecipeInvalid(path, "only a live teacher can label a mix of two faces", "teacher.mix")
    if recipe.widen and not recipe.start_from:
        raise RecipeInvalid(path, "there is nothing to widen without start_from", "widen")
    if recipe.optimiser.steps < 1:
        raise RecipeInvalid(path, "fewer samples than one batch", "optimiser.samples")
    return recipe


def read_recipe(path: Path, kind: type[T]) -> T:
    """A TOML file as a dataclass, its tables as the dataclasses within.

    Raises:
        RecipeInvalid: If it is no TOML, a key is unknown or missing, or a value has the wrong type.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RecipeInvalid(path, f"it is not TOML ({error})") from error
    return recipe_of(table, kind, path)


def recipe_of(table: dict[str, Any], kind: type[T], path: Path | str) -> T:
    """A table as a dataclass; raises as `read_recipe` does, naming `path`."""
    return _Reader(path).dataclass(table, kind, "")


@dataclass(frozen=True)
class _Reader:
    path: Path | str

    def dataclass(self, table: dict[str, Any], kind: type[T], place: str) -> T:
        hints = get_type_hints(kind)
        fields = {part.name: part for part in dataclasses.fields(kind)}  # type: ignore[arg-type]
        for key in table:
            if key not in fields:
                raise RecipeInvalid(self.path, f"unknown key; {nearest_of(key, fields)}", place + key)
        for name, part in fields.items():
            if name not in table and part.default is part.default_factory is dataclasses.MISSING:
                raise RecipeInvalid(self.path, "this key is missing", place + name)
        return kind(**{key: self.value(value, hints[key], place + key) for key, value in table.items()})

    def value(self, value: Any, kind: Any, place: str) -> Any:
        if dataclasses.is_dataclass(kind) and isinstance(kind, type) and isinstance(value, dict):
            return self.dataclass(value, kind, place + ".")
        if get_origin(kind) is tuple and isinstance(value, list):
            return self.items(value, get_args(kind), place)
        if get_origin(kind) is dict and isinstance(value, dict):
            return value
        if isinstance(kind, type) and issubclass(kind, StrEnum):
            return self.choice(value, kind, place)
        if kind is float and type(value) in (int, float):
            return float(value)
        if isinstance(kind, type) and type(value) is kind:
            return value
        raise RecipeInvalid(self.path, f"{value!r} is no {_name_of(kind)}", place)

    def items(self, values: list[Any], kinds: tuple[Any, ...], place: str) -> tuple[Any, ...]:
        if kinds[-1] is Ellipsis:
            kinds = kinds[:1] * len(values)
        if len(values) != len(kinds):
            raise RecipeInvalid(self.path, f"{len(kinds)} values are needed, not {len(values)}", place)
        pairs = zip(values, kinds, strict=True)
        return tuple(self.value(value, kind, f"{place}[{i}]") for i, (value, kind) in enumerate(pairs))

    def choice(self, value: Any, kind: type[StrEnum], place: str) -> StrEnum:
        if value not in list(kind):
            raise RecipeInvalid(
                self.path, f"{value!r} is unknown; {nearest_of(str(value), map(str, kind))}", place
            )
        return kind(value)


def _name_of(kind: Any) -> str:
    return kind.__name__ if isinstance(kind, type) and not isinstance(kind, types.GenericAlias) else str(kind)
