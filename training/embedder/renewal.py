"""What a training makes anew every few epochs, of the whole set, with the network as it is by then.

The steps between two such moments are a round. What was made for a round lies in a file of the run folder:
all processes take it from there, and so does a training that was killed and goes on.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn

from embedding.files import replace_file
from training.data.confusions import Confusion
from training.data.faces import FaceSet, Rows
from training.embedder.batches import Batch
from training.embedder.checkpoints import EmbedderKeeper
from training.embedder.class_tree import RenewedTree
from training.embedder.divide import Divided, RenewedClusters
from training.embedder.hard_order import LookAlikeOrder
from training.embedder.validation import Labelled, embed_faces
from training.errors import RecipeInvalid
from training.evaluation.acquire import Progress
from training.mining.mined_set import MinedSet, mine_by_name
from training.mining.pool import read_triplets
from training.mining.review import POOL, write_mined
from training.mining.triplets import Mining
from training.progress import progress_bar


class Renewal(Protocol):
    """One kind of what is made anew.

    Attributes:
        every: Steps of a round.
        file: Where it lies in the run folder; the step that its round began with is put before the name.
        given: Whether the first round has one already.
    """

    every: int
    file: str
    given: bool

    def make(self, network: nn.Module, begun: int, file: Path) -> dict[str, Any]:
        """Makes it and writes it.

        Args:
            network: With the averaged weights.
            begun: The step that its round begins with.
            file: Written; its folder is there.

        Returns:
            What the metrics say of it.
        """

    def take(self, file: Path) -> None:
        """Uses what a file holds from the next batch on."""


class Rounds:
    """Yields the batches of a training; before each round it renews what the recipe wants renewed."""

    def __init__(self, keeper: EmbedderKeeper) -> None:
        self.keeper = keeper
        self.renewal = build_renewal(keeper)

    def batches(self, steps: range) -> Iterator[Batch]:
        """The batch of each step. Who takes the next one has finished the step before."""
        material, loaders = self.keeper.material, self.keeper.training.recipe.data.loaders
        if self.renewal is None:
            yield from material.batches(steps, loaders)
            return
        for begun, part in _split_rounds(steps, self.renewal.every):
            self._begin(self.renewal, begun)
            # Loaders work ahead with what they were started with, so each round starts its own.
            yield from material.batches(part, loaders)

    def _begin(self, renewal: Renewal, begun: int) -> None:
        """Takes what the round that began with a step uses: a resumed training finds it, or makes it."""
        place = self.keeper.run.path / renewal.file
        file = place.with_name(f"{begun:08d}-{place.name}")
        # A network that has learnt nothing yet has no opinion on who is like whom.
        without = begun == 0 and (renewal.given or not self.keeper.training.recipe.start_from)
        missing = not without and not file.is_file()
        self.keeper.process.wait()  # none may write the file before all have looked
        if missing:
            if self.keeper.training.step == begun:
                # What is made depends on the weights: a resumed training must find the same ones.
                self.keeper.save()
            if self.keeper.process.writes:
                self._make(renewal, begun, file)
            self.keeper.process.wait()
        if file.is_file():
            renewal.take(file)

    def _make(self, renewal: Renewal, begun: int, file: Path) -> None:
        file.parent.mkdir(exist_ok=True)
        former = list(file.parent.glob(f"*-{Path(renewal.file).name}"))
        with replace_file(file) as draft:
            made = renewal.make(self.keeper.build_averaged_network(), begun, draft)
        for old in former:
            old.unlink()
        self.keeper.run.log(step=begun, **made)


def build_renewal(keeper: EmbedderKeeper) -> Renewal | None:
    """What the recipe wants renewed; None where that is nothing.

    Raises:
        RecipeInvalid: If rounds are so long that nothing would ever be divided.
    """
    recipe, material = keeper.training.recipe, keeper.material
    order, labels = material.views.order, material.views.labels
    losses = keeper.training.objective.losses
    rows = np.flatnonzero(labels >= 0)
    labelled = Labelled(material.faces, rows, labels[rows], keeper.process.device)

    def steps(every_epochs: float) -> int:
        return max(1, round(every_epochs * len(rows) / recipe.optimiser.batch))

    if isinstance(order, LookAlikeOrder):
        return MinedPool(steps(recipe.mining.every_epochs), order, labelled, material.confusions)
    if isinstance(order, Divided):
        every = steps(recipe.divide.every_epochs)
        conquers_from = recipe.divide.find_conquer_step(every, recipe.optimiser.steps)
        if conquers_from <= (0 if recipe.start_from else every):
            reason = f"a round has {every} of {recipe.optimiser.steps} steps: nothing would ever be divided"
            raise RecipeInvalid(keeper.run.path, reason, "divide.every_epochs")
        return RenewedClusters(every, recipe.divide.learners, conquers_from, labelled, order, losses)
    if recipe.tree.every_epochs:
        return RenewedTree(steps(recipe.tree.every_epochs), recipe.tree, labelled, order, losses)
    return None


def _split_rounds(steps: range, every: int) -> Iterator[tuple[int, range]]:
    """Steps in rounds that begin at multiples of `every`: where a round began, and what is left of it."""
    start = steps.start
    while start < steps.stop:
        begun = start // every * every
        end = min(begun + every, steps.stop)
        yield begun, range(start, end)
        start = end


class MinedPool:
    """The renewal of the pool that batches of look-alikes are drawn from; the review list lies beside it.

    Args:
        every: Steps of a round.
        order: Draws the batches, by the mining of its recipe.
        labelled: Mined.
        confusions: People who must be told apart.
    """

    file = f"mined/{POOL}"

    def __init__(
        self, every: int, order: LookAlikeOrder, labelled: Labelled, confusions: Sequence[Confusion]
    ) -> None:
        self.every = every
        self.order = order
        self.labelled = labelled
        self.confusions = confusions
        self.given = len(order.pool) > 0

    def make(self, network: nn.Module, begun: int, file: Path) -> dict[str, Any]:
        """Mines, and writes the pool.

        Raises:
            NothingToMine: If there is one identity only, or none has two pictures.
        """
        faces, rows, device = self.labelled.faces, self.labelled.rows, self.labelled.device
        how = self.order.mining
        with progress_bar("mine", shown=True, unit="pictures/s") as report:
            found = mine_faces(
                network, faces, rows, how, confusions=self.confusions, device=device, progress=report
            )
        encoded = {faces.names[row]: faces.encoded[row] for row in rows}
        write_mined(file.parent, found.mined, found.names, found.identities, encoded.__getitem__)
        (file.parent / POOL).replace(file)
        return {"mined": {"triplets": len(found.mined.triplets), "held_back": len(found.mined.suspects)}}

    def take(self, file: Path) -> None:
        """Draws from a pool that was written."""
        self.order.take(read_triplets(file, self.labelled.faces.names))


def mine_faces(
    network: nn.Module,
    faces: FaceSet,
    rows: Rows,
    mining: Mining,
    *,
    confusions: Sequence[Confusion] = (),
    device: torch.device,
    progress: Progress | None = None,
) -> MinedSet:
    """Mine some faces of a set with a network.

    Raises:
        NothingToMine: If there is one identity only, or none has two pictures.
    """
    vectors = embed_faces(network, faces, rows, device)
    names, identities = [faces.names[row] for row in rows], [faces.identities[row] for row in rows]
    mined, unused = mine_by_name(vectors, identities, mining, confusions, progress)
    return MinedSet(mined, names, identities, [], unused)
