"""Hard negatives of the whole set, mined again as the network moves."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from training.data.confusions import Confusion
from training.data.faces import FaceSet, Rows
from training.embedder.hard_order import LookAlikes
from training.embedder.labelled import Labelled
from training.embedder.validation import embed_faces
from training.evaluation.acquire import Progress
from training.mining.mined_set import MinedSet, mine_named
from training.mining.pool import read_triplets
from training.mining.review import POOL, write_mined
from training.mining.triplets import Mining
from training.progress import progress_bar


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
        self, every: int, order: LookAlikes, labelled: Labelled, confusions: Sequence[Confusion]
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
    mined, unused = mine_named(vectors, identities, mining, confusions, progress)
    return MinedSet(mined, names, identities, [], unused)
