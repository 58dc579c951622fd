"""Mine labelled pictures: make their templates and search among them, with names instead of rows."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from embedding.embedder import Embedder
from training.data.confusions import Confusion, as_numbers
from training.data.pictures import Pictures
from training.evaluation.acquire import AcquireFailure, Progress, acquire
from training.evaluation.comparisons import Indices
from training.mining.neighbours import Vectors
from training.mining.pool import Mined
from training.mining.review import write_mined
from training.mining.triplets import Mining, mine


@dataclass(frozen=True)
class MinedSet:
    """The result of a mining, with the names of the pictures.

    Attributes:
        mined: Rows of `names`.
        names: (n) pictures that gave a template.
        identities: (n) of the people they show.
        failures: The other pictures.
        unused: Known confusions without any triplet.
    """

    mined: Mined
    names: Sequence[str]
    identities: Sequence[str]
    failures: Sequence[AcquireFailure]
    unused: Sequence[Confusion]

    def write(self, folder: Path, pictures: Pictures) -> None:
        """Write the training list, and the review list with its page."""
        write_mined(folder, self.mined, self.names, self.identities, pictures.read)


def mine_pictures(
    embedder: Embedder,
    pictures: Pictures,
    mining: Mining,
    *,
    without: Collection[str] = (),
    confusions: Sequence[Confusion] = (),
    aligned: bool = False,
    acquiring: Progress | None = None,
    searching: Progress | None = None,
) -> MinedSet:
    """Mine with a bundle's network.

    Args:
        embedder: Makes the templates.
        pictures: Only labelled ones are used.
        mining: The settings.
        without: Identities held out of training, of whom nothing may be learnt.
        confusions: People who must be told apart.
        aligned: The pictures are aligned crops already.
        acquiring: Reports pictures.
        searching: Reports anchors.

    Raises:
        NothingToMine: If there is one identity only, or none has two pictures.
    """
    left_out = frozenset(without)
    chosen = [name for name in pictures.labelled if pictures.identity[name] not in left_out]
    acquired = acquire(embedder, pictures, chosen, aligned=aligned, progress=acquiring)
    identities = [pictures.identity[name] for name in acquired.names]
    mined, unused = mine_by_name(acquired.vectors, identities, mining, confusions, searching)
    return MinedSet(mined, acquired.names, identities, acquired.failures, unused)


def mine_by_name(
    vectors: Vectors,
    identities: Sequence[str],
    mining: Mining,
    confusions: Sequence[Confusion] = (),
    progress: Progress | None = None,
) -> tuple[Mined, list[Confusion]]:
    """`mine` for people by name.

    Args:
        vectors: (n, dim) of unit length.
        identities: (n) of the people; "" if unknown.
        mining: The settings.
        confusions: People who must be told apart.
        progress: Reports anchors.

    Returns:
        The result, and the confusions without any triplet.
    """
    number = {name: i for i, name in enumerate(sorted(set(identities) - {""}))}
    identity: Indices = np.array([number.get(name, -1) for name in identities], np.int64)
    numbered = as_numbers(confusions, number)
    mined = mine(vectors, identity, mining, confusions=set(numbered), progress=progress)
    used = set(numbered) - set(mined.unused)
    unused = [each for each in confusions if (number.get(each.a), number.get(each.b)) not in used]
    return mined, unused
