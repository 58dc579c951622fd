"""Batches in which people stand beside those they are confused with."""

from collections.abc import Iterator

import numpy as np
from numpy.random import Generator, default_rng

from training.data.faces import Rows
from training.embedder.batches import ByIdentity
from training.mining.pool import Triplets
from training.mining.triplets import Mining

TRIES = 4
"""Triplets drawn for each that is used: somebody may be in the batch already."""


class LookAlikeOrder:
    """A part of each batch are pairs of people who were mined; the others are drawn as `ByIdentity` does.

    Of a mined pair, both pictures of the anchor and the one of the other person are in the batch, so any loss
    on labels meets the triplet. Without a pool all are drawn at random.

    Args:
        plain: Draws the others.
        labels: Class of every face of the set, -1 where it is not trained on.
        mining: Which part is hard.
        seed: Of the choice.
    """

    def __init__(self, plain: ByIdentity, labels: Rows, mining: Mining, seed: int) -> None:
        self.plain = plain
        self.labels = labels
        self.mining = mining
        self.seed = seed
        self.members = {int(labels[group[0]]): group for group in plain.groups}
        self.pool = Triplets.empty()

    def take(self, pool: Triplets) -> None:
        """Uses a pool from the next batch on; what is not trained on is left out of it."""
        rows = np.stack([pool.anchor, pool.positive, pool.negative], axis=1)
        self.pool = pool.where(np.flatnonzero((self.labels[rows] >= 0).all(axis=1)))

    def rows_of(self, step: int) -> Rows:
        """(batch,) rows, the faces of one identity side by side."""
        random = default_rng((self.seed, step))
        people = dict(self._draw_look_alikes(random))
        for label in self._draw_others(random, self.plain.identities - len(people), people):
            people.setdefault(label, [])
        missing = self.plain.identities - len(people)
        again = [int(label) for label in random.choice(list(people), missing)]
        return np.concatenate([self._draw_faces(label, people[label], random) for label in [*people, *again]])

    def _draw_look_alikes(self, random: Generator) -> Iterator[tuple[int, list[int]]]:
        """Classes of the mined pairs, each with the faces that must be there."""
        pairs = round((1 - self.mining.random) * self.plain.identities / 2)
        taken: set[int] = set()
        for place in self._draw(random, TRIES * pairs):
            anchor, positive, negative = (
                int(rows[place]) for rows in (self.pool.anchor, self.pool.positive, self.pool.negative)
            )
            one, other = int(self.labels[anchor]), int(self.labels[negative])
            if len(taken) < 2 * pairs and not taken & {one, other}:
                taken |= {one, other}
                yield one, [anchor, positive]
                yield other, [negative]

    def _draw(self, random: Generator, count: int) -> Iterator[int]:
        """Places in the pool; known confusions are rare, so they have a share of their own."""
        kinds = [np.flatnonzero(self.pool.known), np.flatnonzero(~self.pool.known)]
        for _ in range(count if len(self.pool) else 0):
            known = random.random() < self.mining.known
            places = kinds[0 if known else 1]
            yield int(random.choice(places if len(places) else kinds[1 if known else 0]))

    def _draw_others(self, random: Generator, count: int, taken: dict[int, list[int]]) -> list[int]:
        groups = self.plain.groups
        drawn = random.choice(len(groups), min(len(groups), count + len(taken)), replace=False)
        labels = [int(self.labels[groups[i][0]]) for i in drawn]
        return [label for label in labels if label not in taken][:count]

    def _draw_faces(self, label: int, wanted: list[int], random: Generator) -> Rows:
        """The wanted faces of one class, and more of it; repeated where it has too few."""
        each = self.plain.each
        chosen = np.array(wanted[:each], np.int64)
        # Somebody with one picture is in no group, but may be the other person of a pair.
        rest = np.setdiff1d(self.members.get(label, chosen), chosen)
        more = random.permutation(rest)[: each - len(chosen)]
        chosen = np.concatenate([chosen, more])
        return np.concatenate([chosen, random.choice(chosen, each - len(chosen))])
