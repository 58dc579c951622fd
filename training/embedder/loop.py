"""Train an embedding network: a recipe and faces in, a run folder out.

Several processes: torchrun --nproc-per-node 2 --no-python -- invigil train cpu --data …
"""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from embedding.bundle import SHIPPED
from training.data.faces import FaceSet
from training.embedder.checkpoints import EmbedderKeeper
from training.embedder.distributed import Process, join_processes
from training.embedder.limit import measure_limit
from training.embedder.material import gather
from training.embedder.recipe import Recipe
from training.embedder.renewal import Rounds
from training.embedder.state import Training
from training.engine.loop import run_steps
from training.engine.run import RunFolder, load_checkpoint
from training.networks.backbones import build_network
from training.progress import progress_bar


def train(
    recipe: Recipe,
    data: Path,
    folder: Path,
    *,
    resume: bool = False,
    faces: FaceSet | None = None,
    stop: Callable[[int, int], bool] | None = None,
    incumbent: Path = SHIPPED,
) -> RunFolder:
    """Trains until the recipe's samples are seen; `last.pt` and `best.pt` of the folder hold what came of it.

    Args:
        recipe: What to train, with every number.
        data: A folder or archive of aligned faces, or one with `faces/` and `teacher/` in it.
        folder: Where the run writes.
        resume: Go on from the folder's last checkpoint, on the same curve.
        faces: Those to train on, where they were read already; else they are read from `data`.
        stop: Asked after every step, with the steps done and those in all, whether to stop there.
        incumbent: Bundle of the model in use, for a recipe whose teacher it is.

    Raises:
        BundleError: If the recipe's teacher is the model in use, and its bundle cannot be opened.
        CheckpointInvalid: If the folder holds a training already, or none that could go on with these faces.
        CheckpointNotSaved: If the disk is full; the former checkpoint is whole.
        LossNotFinite: If the training diverges.
        TrainingStopped: If it was told to stop; the last checkpoint holds all of it.
        TrainingError: If recipe and data do not go together.
    """
    build_network(recipe.network)  # refuses one that cannot be trained, before anything is written
    with (
        join_processes(recipe.machine.threads) as process,
        RunFolder.open(folder, resume=resume) as run,
    ):
        material = gather(recipe, data, run, process, faces, incumbent)
        training = Training.begin(recipe, material, process)
        if resume:
            training.restore(load_checkpoint(run.last), run.last)
        training.share(process)
        keeper = EmbedderKeeper(run, training, material, process)
        rounds = Rounds(keeper)
        keeper.save()
        batches = rounds.batches(range(training.step, recipe.optimiser.steps))
        unit = f"of at most {_log_limit(training, process, run):.0f} images/s"
        with progress_bar("train", shown=process.writes, unit=unit) as report:
            run_steps(training, batches, keeper, report, stop)
        return run


def _log_limit(training: Training, process: Process, run: RunFolder) -> float:
    """Images a second that the machine's arithmetic allows, on record with what it follows from."""
    recipe = training.recipe
    cores = process.part.of * (recipe.machine.threads if process.device.type == "cpu" else 1)
    limit = measure_limit(recipe.network, process.device, bf16=recipe.machine.bf16, cores=cores)
    if process.writes:
        images = round(limit.images_per_second, 1)
        run.log(
            step=training.step, samples=training.samples, limit=asdict(limit) | {"images_per_second": images}
        )
    return limit.images_per_second
