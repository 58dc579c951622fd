"""What a training learns from: faces, who is held out, the batch of each step, what a teacher says."""

import shlex
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from embedding.bundle import SHIPPED
from index.jobs.folders import TARGETS
from training.data.confusions import Confusion, read_confusions
from training.data.faces import SPLIT, FaceSet, Rows, Split, class_labels, read_faces, split_identities
from training.data.seen import Seen
from training.embedder.batches import AnchorNeighbours, Batch, BatchOrder, ByIdentity, EveryFace, Views, load
from training.embedder.distributed import Process
from training.embedder.divide import Divided
from training.embedder.hard_order import LookAlikeOrder
from training.embedder.objective import refuse_unusable_losses
from training.embedder.recipe import Recipe, Sampling, TeacherMode
from training.embedder.teacher import Incumbent, Teacher, TeacherMaps, compute_targets_once
from training.embedder.weights import describe_network
from training.engine.run import RunFolder
from training.errors import RecipeInvalid
from training.mining.pool import read_triplets
from training.networks.embedder import STEM_SIZE
from training.progress import progress_bar


@dataclass(frozen=True)
class Material:
    """Faces, who of them is trained on, and what a teacher says of them.

    Attributes:
        faces: All of the data.
        split: Who is held out.
        views: The batch of each step.
        classes: Identities trained on.
        teacher: Asked about each batch: its views, or, beside `cached`, only the mixes in it.
        cached: (len(faces), dim) what the teacher made of every face, where the recipe wants that.
        hints: Asked for the maps of each view, where the recipe wants them.
        confusions: People who are known to be confused; hard pairs of them are mined.
    """

    faces: FaceSet
    split: Split
    views: Views
    classes: int
    teacher: Teacher | None
    cached: Tensor | None
    hints: TeacherMaps | None = None
    confusions: Sequence[Confusion] = ()

    def batches(self, steps: range, loaders: int) -> Iterator[Batch]:
        """The batch of each step; a live teacher looks at the next one while this one is trained on.

        Args:
            steps: In their order.
            loaders: Processes that prepare faces ahead; 0 for none.
        """
        with ThreadPoolExecutor(1, "teacher") as pool:
            ahead: Future[Batch] | None = None
            for batch in load(self.views, steps, loaders):
                ready, ahead = ahead, pool.submit(self._ask_teacher, batch)
                if ready is not None:
                    yield ready.result()
            if ahead is not None:
                yield ahead.result()

    def _ask_teacher(self, batch: Batch) -> Batch:
        if self.teacher is None:
            return batch
        if self.hints is not None:
            batch = replace(batch, maps=tuple(map(torch.from_numpy, self.hints(batch.faces.numpy()))))
        if self.cached is None:
            return replace(batch, targets=torch.from_numpy(self.teacher(batch.faces.numpy())))
        targets = self.cached[batch.rows]
        for place, face in zip(batch.mixed, batch.unaltered, strict=True):
            targets[place] = torch.from_numpy(self.teacher.embed_both_sides(face[None].numpy())[0])
        return replace(batch, targets=targets)


def gather(
    recipe: Recipe,
    data: Path,
    run: RunFolder,
    process: Process,
    faces: FaceSet | None = None,
    incumbent: Path = SHIPPED,
) -> Material:
    """Reads the faces where none are given, holds identities out, asks the teacher, and records all of it.

    Args:
        recipe: Of the training.
        data: Where faces and teacher lie.
        run: Where it is recorded.
        process: This one.
        faces: Those to train on.
        incumbent: Bundle of the model in use, for a recipe whose teacher it is.

    Raises:
        TrainingError: If recipe and data do not go together.
    """
    if faces is None:
        faces = read_faces(data / "faces" if (data / "faces").is_dir() else data)
    split = _choose_split(recipe, faces, run)
    rows = split.training_rows(faces)
    labels = class_labels(faces, rows)
    classes = int(labels.max()) + 1
    refuse_unusable_losses(recipe, classes, run.path)
    if recipe.optimiser.batch % process.part.of:
        reason = f"{recipe.optimiser.batch} faces cannot be shared equally by {process.part.of} processes"
        raise RecipeInvalid(run.path, reason, "optimiser.batch")
    if process.writes:
        _record(run, recipe, faces, split, rows)
    views = Views(
        faces,
        labels,
        _build_order(recipe, rows, labels, run, data, faces),
        recipe.augmentation,
        seed=recipe.seed,
        mixed=recipe.teacher.mix,
        part=process.part,
    )
    teacher, cached = _open_teacher(recipe, data, faces, run, process, incumbent)
    confusions = read_confusions(data / recipe.mining.confusions) if recipe.mining.confusions else []
    hints = _open_hints(recipe, data)
    return Material(faces, split, views, classes, teacher, cached, hints, confusions)


def _choose_split(recipe: Recipe, faces: FaceSet, run: RunFolder) -> Split:
    """That of the run, or of the run this one starts from: what was held out once stays held out."""
    if recipe.data.split_of:
        return Split.read(Path(recipe.data.split_of) / SPLIT)
    origins = [run.path] + ([Path(recipe.start_from).parent] if recipe.start_from else [])
    for origin in origins:
        if (origin / SPLIT).is_file():
            return Split.read(origin / SPLIT)
    return split_identities(faces, recipe.data.held_out, recipe.seed)


def _build_order(
    recipe: Recipe, rows: Rows, labels: Rows, run: RunFolder, data: Path, faces: FaceSet
) -> BatchOrder:
    sampling, batch, seed = recipe.data.sampling, recipe.optimiser.batch, recipe.seed
    if sampling is Sampling.EVERY_FACE:
        return EveryFace(rows, batch, seed)
    plain = ByIdentity(rows, labels, batch, recipe.data.faces_per_identity, seed)
    if not plain.groups:
        raise RecipeInvalid(run.path, "nobody who is trained on has two pictures", "data.sampling")
    if sampling is Sampling.ANCHOR_NEIGHBOURS:
        return AnchorNeighbours(plain, labels, recipe.tree.together, seed)
    if sampling is Sampling.DIVIDED:
        return Divided(plain, labels)
    if not recipe.mining.every_epochs:
        return plain
    order = LookAlikeOrder(plain, labels, recipe.mining, seed)
    if recipe.mining.pool:
        order.take(read_triplets(data / recipe.mining.pool, faces.names))
    return order


def _open_teacher(
    recipe: Recipe, data: Path, faces: FaceSet, run: RunFolder, process: Process, incumbent: Path
) -> tuple[Teacher | None, Tensor | None]:
    dim, threads = recipe.network.dim, recipe.machine.threads
    if recipe.teacher.mode is TeacherMode.NONE:
        return None, None
    if recipe.teacher.mode is TeacherMode.INCUMBENT:
        teacher: Teacher = Incumbent(incumbent, dim, threads)
    else:
        teacher = Teacher(recipe.teacher, data, dim, threads)
    if recipe.teacher.mode is TeacherMode.LIVE:
        return teacher, None
    # Beside the run, not in it: the next run on the same faces finds them.
    folder = run.path.parent / TARGETS
    with progress_bar("teacher", shown=process.writes) as report:
        if process.writes:
            compute_targets_once(teacher, faces, folder, report)
        process.wait()
        return teacher, torch.from_numpy(compute_targets_once(teacher, faces, folder, report))


def _open_hints(recipe: Recipe, data: Path) -> TeacherMaps | None:
    """The teacher's layers, each as large as the stage that is to be like it."""
    if not recipe.teacher.hints:
        return None
    maps = TeacherMaps(recipe.teacher, data, recipe.network.dim, recipe.machine.threads)
    for stage, (layer, (_, side)) in enumerate(zip(recipe.teacher.hints, maps.shapes, strict=True)):
        if side != STEM_SIZE >> stage:
            reason = f"{layer!r} has {side}×{side} places, stage {stage + 1} {STEM_SIZE >> stage} each way"
            raise RecipeInvalid(data / recipe.teacher.path, reason, "teacher.hints")
    return maps


def _record(run: RunFolder, recipe: Recipe, faces: FaceSet, split: Split, rows: Rows) -> None:
    split.write(run.path / SPLIT)
    Seen.of((faces.identities[row] for row in rows), (faces.encoded[row] for row in rows)).write(run.path)
    run.record(
        "run",
        {
            "recipe": asdict(recipe),
            "network": describe_network(recipe.network),
            "data": {"digest": faces.digest, "faces": len(faces), "trained_on": len(rows)},
            "skipped": faces.skipped,
            "command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        },
    )
