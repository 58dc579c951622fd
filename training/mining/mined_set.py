"""Mining of labelled pictures: their templates, then the search among them, with names instead of rows."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from embedding.embedder import Embedder
from training.data.confusions import Confusion, as_numbers
from training.data.pictures import Pictures
from training.evaluation.acquire import Failure, Progress, acquire
from training.evaluation.comparisons import Indices
from training.mining.neighbours import Vectors
from training.mining.pool import Mined
from training.mining.review import write_mined
from training.mining.triplets import Mining, mine


@dataclass(frozen=True)
class MinedSet:
    """What was mined, with the names of the pictures.

    Attributes:
        mined: Rows of `names`.
        names: (n) pictures that gave a template.
        identities: (n) whom they show.
        failures: The other pictures.
        unused: Known confusions that nothing could be made of.
    """

    mined: Mined
    names: Sequence[str]
    identities: Sequence[str]
    failures: Sequence[Failure]
    unused: Sequence[Confusion]

    def write(self, folder: Path, pictures: Pictures) -> None:
        """The list to train on, and the review list with its page."""
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
    """Mine with the network of a bundle.

    Args:
        embedder: What makes the templates.
        pictures: Labelled ones are used.
        mining: How to choose.
        without: Identities that are held out of training: nothing may be learnt of them.
        confusions: People who must be told apart.
        aligned: The pictures are aligned crops already.
        acquiring: Told of pictures.
        searching: Told of anchors.

    Raises:
        NothingToMine: If there is one identity only, or none has two pictures.
    """
    left_out = frozenset(without)
    chosen = [name for name in pictures.labelled if pictures.identity[name] not in left_out]
    acquired = acquire(embedder, pictures, chosen, aligned=aligned, progress=acquiring)
    identities = [pictures.identity[name] for name in acquired.names]
    mined, unused = mine_named(acquired.vectors, identities, mining, confusions, searching)
    return MinedSet(mined, acquired.names, identities, acquired.failures, unused)


def mine_named(
    vectors: Vectors,
    identities: Sequence[str],
    mining: Mining,
    confusions: Sequence[Confusion] = (),
    progress: Progress | None = None,
) -> tuple[Mined, list[Confusion]]:
    """As `mine`, of people by their names.

    Args:
        vectors: (n, dim) of unit length.
        identities: (n) whom they show; "" where nobody knows.
        mining: How to choose.
        confusions: People who must be told apart.
        progress: Told of anchors.

    Returns:
        What was mined, and the confusions that nothing could be made of.
    """
    number = {name: i for i, name in enumerate(sorted(set(identities) - {""}))}
    identity: Indices = np.array([number.get(name, -1) for name in identities], np.int64)
    numbered = as_numbers(confusions, number)
    mined = mine(vectors, identity, mining, confusions=set(numbered), progress=progress)
    used = set(numbered) - set(mined.unused)
    unused = [each for each in confusions if (number.get(each.a), number.get(each.b)) not in used]
    return mined, unused
