"""What holds a retraining to the model in use: its vectors, and its weights where they are at hand."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from torch import nn

from embedding.embedder import Embedder
from embedding.files import write_file
from index.jobs.folders import FOLDER
from index.jobs.jobs import Job
from index.jobs.places import SHIPPED as SHIPPED_CHECKPOINTS
from training.embedder.export import build_served_network, is_made_of
from training.embedder.recipe import Recipe, TeacherMode
from training.embedder.weights import network_config
from training.engine.run import RunFolder, load_checkpoint
from training.errors import CheckpointInvalid
from training.jobs.workshop import Workshop

FILE = "anchor.json"
"""In the folder of the job."""
PAGE = 100


@dataclass(frozen=True)
class ModelAnchor:
    """How a training is held to the model in use.

    Attributes:
        model_id: The model whose vectors are targets; empty where the recipe wants none.
        start: The checkpoint that the training starts from; empty for a fresh network.
        is_start_of_model: Whether that is the model's own checkpoint: its weights stay in the average.
    """

    model_id: str
    start: str
    is_start_of_model: bool

    def __str__(self) -> str:
        if not self.model_id:
            return "nothing holds the training to the model in use: the recipe's teacher is another"
        if self.is_start_of_model:
            return f"the anchor is the model in use, its vectors and its weights ({self.start})"
        origin = f"{self.start} is not its checkpoint" if self.start else "there is no checkpoint of it"
        return f"the anchor is the vectors of the model in use alone: {origin}"

    def apply_to(self, recipe: Recipe) -> Recipe:
        """The recipe that starts there; the average keeps no weights but the model's own."""
        recipe = replace(recipe, start_from=self.start)
        if not self.model_id or self.is_start_of_model:
            return recipe
        average = replace(recipe.optimiser, forgets_start=True)
        return replace(recipe, optimiser=average, freeze_norms=recipe.freeze_norms and bool(self.start))

    def write(self, folder: Path) -> None:
        """For the steps that follow: another model may be in use by then."""
        write_file(folder / FILE, (json.dumps(asdict(self), indent=1) + "\n").encode())

    @classmethod
    def read(cls, folder: Path) -> "ModelAnchor | None":
        """What `write` wrote; None where nothing was written yet."""
        file = folder / FILE
        return cls(**json.loads(file.read_text(encoding="utf-8"))) if file.is_file() else None


def find_anchor(shop: Workshop, recipe: Recipe, named: str) -> ModelAnchor:
    """The anchor of a recipe whose teacher is the model in use.

    Args:
        shop: Knows the model in use, and the job that made it.
        recipe: Says what to start from where nothing better is there.
        named: A checkpoint that was asked for; no other is looked for then.

    Raises:
        CheckpointInvalid: If the checkpoint that is asked for, or the recipe's, is none.
    """
    if recipe.teacher.mode is not TeacherMode.INCUMBENT:
        return ModelAnchor("", named or recipe.start_from, is_start_of_model=False)
    incumbent = shop.embedder()
    start = named
    if not named:
        own = (path for path in find_checkpoints(shop, incumbent.model_id) if is_of_network(path, recipe))
        start = str(next(own, recipe.start_from))
    return ModelAnchor(incumbent.model_id, start, bool(start) and is_made_of(Path(start), incumbent))


def find_network(shop: Workshop, embedder: Embedder, start: Path | None) -> nn.Module | None:
    """The network that a model serves; None where no checkpoint of it is at hand.

    Args:
        shop: Knows the jobs that made models.
        embedder: The model.
        start: A checkpoint that may be the model's.
    """
    known = sorted(SHIPPED_CHECKPOINTS.glob("*-embedder.pt"))
    for path in [*find_checkpoints(shop, embedder.model_id), *([start] if start else []), *known]:
        try:
            network = build_served_network(path, embedder)
        except CheckpointInvalid:
            continue
        if network is not None:
            return network
    return None


def find_checkpoints(shop: Workshop, model_id: str) -> Iterator[Path]:
    """Checkpoints of the jobs that made a model, where they are still on this machine."""
    for job in list_jobs(shop):
        if job.kind == "retrain" and (job.result or {}).get("model_id") == model_id:
            chosen = RunFolder(shop.data_dir / FOLDER / str(job.id) / "run").chosen
            if chosen.is_file():
                yield chosen


def list_jobs(shop: Workshop) -> Iterator[Job]:
    """All jobs of the installation, the latest first."""
    page = shop.jobs.page(PAGE)
    while page:
        yield from page
        page = shop.jobs.page(PAGE, before=page[-1].id)


def is_of_network(checkpoint: Path, recipe: Recipe) -> bool:
    """Whether it can be read, and holds the network that the recipe trains."""
    try:
        return network_config(load_checkpoint(checkpoint), checkpoint) == recipe.network
    except CheckpointInvalid:
        return False
