"""What is minimised: a weighted sum of losses on the embeddings of a batch."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from training.embedder.distributed import join_batch
from training.embedder.divide import DividedLoss
from training.embedder.recipe import LossPart, Recipe, Sampling, TeacherMode, refuse_contradictions
from training.errors import RecipeInvalid
from training.losses.hierarchical import HierarchicalTriplet
from training.losses.hints import Hints
from training.losses.registry import build_loss, build_mined_loss, loss_kind
from training.networks.embedder import FaceEmbedder


class Objective(nn.Module):
    """The network and its losses as one module, so that proxies are trained and shared like weights.

    Args:
        network: Trained.
        parts: The terms.
        classes: Identities trained on.
        dim: Length of the embedding.
        learners: Of divide and conquer; 1 where nothing is divided.
        hints: The loss on the maps of the network's stages; its convolutions are trained with it.
    """

    def __init__(
        self,
        network: FaceEmbedder,
        parts: Sequence[LossPart],
        classes: int,
        dim: int,
        learners: int = 1,
        hints: Hints | None = None,
    ) -> None:
        super().__init__()
        self.network = network
        self.parts = tuple(parts)
        self.losses = nn.ModuleList(build_part_loss(part, classes, dim, learners) for part in parts)
        self.hints = hints

    def forward(
        self, faces: Tensor, labels: Tensor, targets: Tensor | None, maps: Sequence[Tensor] = ()
    ) -> Tensor:
        """Each term, unweighted; of the joined batch of all processes, each of which gives its part.

        Args:
            faces: (b, 112, 112, 3) uint8 RGB.
            labels: (b,) class, -1 where it has none: losses on labels do not see such faces.
            targets: (b, dim) of the teacher, where a loss wants them.
            maps: (b, channels, side, side) of the teacher for each stage, where there are hints.

        Returns:
            (terms,) in the order of the recipe; the hints last.
        """
        if self.hints is None:
            embeddings, of_maps = join_batch(self.network(faces)), []  # (b, dim)
        else:
            own, stages = self.network.embed_with_maps(faces)
            # Each place is judged by itself, so the mean over processes is the mean over the joined batch.
            embeddings, of_maps = join_batch(own), [self.hints(stages, maps)]
        labels, targets = join_batch(labels), None if targets is None else join_batch(targets)
        known = labels >= 0
        terms = []
        for part, loss in zip(self.parts, self.losses, strict=True):
            against = loss_kind(part.name).against
            if not against.needs_labels:
                terms.append(loss(embeddings, targets))
            elif not known.any():
                terms.append(embeddings.sum() * 0)
            elif targets is not None and against.needs_teacher:
                terms.append(loss(embeddings[known], labels[known], targets[known]))
            else:
                terms.append(loss(embeddings[known], labels[known]))
        return torch.stack([*terms, *of_maps])

    @property
    def has_proxies(self) -> bool:
        """Whether a loss has parameters, which a batch without labels leaves without a gradient."""
        return any(True for _ in self.losses.parameters())


def build_part_loss(part: LossPart, classes: int, dim: int, learners: int = 1) -> nn.Module:
    """The loss of a recipe's part, with its miner and its memory; divided among learners where it can be.

    Raises:
        TrainingError: If there is none of its name, or it has no such option.
    """
    whole = _build_undivided(part, classes, dim)
    if learners == 1 or loss_kind(part.name).against.needs_teacher:
        return whole
    slices = [_build_undivided(part, classes, dim // learners) for _ in range(learners)]
    return DividedLoss(whole, slices, classes)


def _build_undivided(part: LossPart, classes: int, dim: int) -> nn.Module:
    sizes = loss_kind(part.name).sizes(classes, dim)
    if not part.miner and not part.memory:
        return build_loss(part.name, **sizes, **part.options)
    return build_mined_loss(
        part.name,
        **{"dim": dim, **sizes},
        miner=part.miner,
        miner_options=part.miner_options,
        memory=part.memory,
        **part.options,
    )


def refuse_unusable_losses(recipe: Recipe, classes: int, path: Path) -> None:
    """Refuses a recipe that contradicts itself, or whose losses want what is not there.

    Raises:
        RecipeInvalid: Naming the loss, or the key.
        UnknownLoss: If there is no loss of a name.
    """
    refuse_contradictions(recipe, path)
    if not recipe.losses:
        raise RecipeInvalid(path, "there is no loss", "losses")
    for part in recipe.losses:
        against = loss_kind(part.name).against
        if against.needs_teacher and recipe.teacher.mode is TeacherMode.NONE:
            raise RecipeInvalid(path, f"{part.name} needs a teacher", "teacher.mode")
        if not against.needs_labels:
            continue
        if 0 < part.memory < recipe.optimiser.batch:
            reason = f"a memory of {part.memory} holds no whole batch of {recipe.optimiser.batch}"
            raise RecipeInvalid(path, reason, "losses")
        if classes < 2:
            raise RecipeInvalid(path, f"{part.name} needs two identities, there are {classes}", "losses")
    _refuse_idle_renewals(recipe, classes, path)


def _refuse_idle_renewals(recipe: Recipe, classes: int, path: Path) -> None:
    kinds = {part.name: loss_kind(part.name) for part in recipe.losses}
    hierarchical = [name for name, kind in kinds.items() if kind.build is HierarchicalTriplet]
    if hierarchical and not recipe.tree.every_epochs:
        raise RecipeInvalid(path, f"{hierarchical[0]} needs a class tree", "tree.every_epochs")
    if (
        recipe.tree.every_epochs
        and not hierarchical
        and recipe.data.sampling is not Sampling.ANCHOR_NEIGHBOURS
    ):
        raise RecipeInvalid(path, "no loss and no sampling uses a class tree", "tree.every_epochs")
    if recipe.learners > 1 and all(kind.against.needs_teacher for kind in kinds.values()):
        raise RecipeInvalid(path, "none is on labels, and no other can be divided", "losses")
    if recipe.learners > classes:
        raise RecipeInvalid(path, f"there are {classes} identities only", "divide.learners")
