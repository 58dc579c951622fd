"""Mining while a training runs: the whole set again every few epochs, with the network as it is by then."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

from training.acquire import Progress
from training.batches import Batch
from training.confusions import Confusion
from training.data import FaceSet, Rows
from training.hard_order import LookAlikes
from training.keeper import Keeper
from training.mined_set import MinedSet, mine_named
from training.mining import Mining
from training.pool import read_triplets
from training.progress import progress_bar
from training.review import POOL, write_mined
from training.validation import embed_faces

FOLDER = "mined"
"""In the run folder: the newest pool, and the review list."""


class Miner:
    """Yields the batches of a training; between them it mines, where the recipe wants that."""

    def __init__(self, keeper: Keeper) -> None:
        self.keeper = keeper
        self.recipe = keeper.training.recipe
        self.folder = keeper.run.path / FOLDER

    def batches(self, steps: range) -> Iterator[Batch]:
        """The batch of each step. Who takes the next one has finished the step before."""
        loaders = self.recipe.data.loaders
        order = self.keeper.material.views.order
        if not isinstance(order, LookAlikes):
            yield from self.keeper.material.batches(steps, loaders)
            return
        for begun, part in _rounds(steps, self._every(order)):
            self._renew(order, begun)
            # Loaders work ahead with the pool they were started with, so each round starts its own.
            yield from self.keeper.material.batches(part, loaders)

    def _every(self, order: LookAlikes) -> int:
        """Steps between two minings."""
        faces = int((order.labels >= 0).sum())
        return max(1, round(self.recipe.mining.every_epochs * faces / self.recipe.optimiser.batch))

    def _renew(self, order: LookAlikes, begun: int) -> None:
        """The pool of the round that began with a step; a resumed training finds it, or mines it again."""
        names = self.keeper.material.faces.names
        path = self._pool_of(begun)
        # A network that has learnt nothing yet has no opinion on who is like whom.
        begins = begun == 0 and (len(order.pool) > 0 or not self.recipe.start_from)
        missing = not begins and not path.is_file()
        self.keeper.process.wait()  # none may write the file before all have looked
        if missing:
            if self.keeper.training.step == begun:
                # What is mined depends on the weights: a resumed training must find the same ones.
                self.keeper.save()
            if self.keeper.process.writes:
                self._mine(order, begun)
            self.keeper.process.wait()
        if path.is_file():
            order.take(read_triplets(path, names))

    def _mine(self, order: LookAlikes, begun: int) -> None:
        faces, material = self.keeper.material.faces, self.keeper.material
        self.keeper.judge.load_state_dict(self.keeper.training.average.values)
        rows = np.flatnonzero(order.labels >= 0)
        with progress_bar("mine", shown=True, unit="pictures/s") as report:
            found = mine_faces(
                self.keeper.judge,
                faces,
                rows,
                self.recipe.mining,
                confusions=material.confusions,
                device=self.keeper.process.device,
                progress=report,
            )
        encoded = {faces.names[row]: faces.encoded[row] for row in rows}
        former = list(self.folder.glob(f"*-{POOL}"))
        write_mined(self.folder, found.mined, found.names, found.identities, encoded.__getitem__)
        (self.folder / POOL).replace(self._pool_of(begun))
        for old in former:
            old.unlink()
        self.keeper.run.log(
            step=begun,
            mined={"triplets": len(found.mined.triplets), "held_back": len(found.mined.suspects)},
        )

    def _pool_of(self, begun: int) -> Path:
        return self.folder / f"{begun:08d}-{POOL}"


def _rounds(steps: range, every: int) -> Iterator[tuple[int, range]]:
    """Steps in rounds that begin at multiples of `every`: where a round began, and what is left of it."""
    start = steps.start
    while start < steps.stop:
        begun = start // every * every
        end = min(begun + every, steps.stop)
        yield begun, range(start, end)
        start = end


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
    mined, unused = mine_named(vectors, identities, mining, confusions, progress)
    return MinedSet(mined, names, identities, [], unused)
