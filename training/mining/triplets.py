"""Hard negatives across a whole set: pictures of other people about as near as the person's own.

Training has two stages: train, choose triplets with d(A, P) ≈ d(A, N), continue the training. The nearest of
them are mostly wrong labels, so a person reviews them first; and hard negatives alone can spoil a network, so
only part of each batch is hard (`training/embedder/hard_order.py`).

The search (`training/mining/neighbours.py`) takes nearly all the time; at most `per_identity` triplets of
each identity stay in memory.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from index.vectors import compute_distances
from training.errors import NothingToMine
from training.evaluation.comparisons import Indices, Pairs
from training.evaluation.evaluation import SUSPECT_D
from training.mining.neighbours import Neighbours, People, Progress, Vectors, nearest_others
from training.mining.pool import Distances, Mined, Triplets, find_hardest, mark_known


@dataclass(frozen=True)
class Mining:
    """How hard negatives are chosen and used: the `[mining]` table of a recipe.

    Attributes:
        every_epochs: How often the whole set is mined again as the network moves; 0: never.
        neighbours: Nearest pictures of other people that are looked at, for each picture.
        band: Largest |d(A, P) − d(A, N)|.
        per_pair: Triplets of one identity against one other, at most.
        per_identity: Triplets with one identity as the anchor, and as the negative, at most.
        held_back: Share of the pairs of identities, the nearest, that are held back as probable label noise;
            those nearer than `SUSPECT_D` always are.
        random: Share of the people in a batch who are drawn at random.
        known: Share of the hard pairs in a batch that are known confusions, where there are any.
        confusions: CSV `identity_a,identity_b,reason`, relative to the data folder; empty for none.
        pool: A mined list to begin with, as `invigil mine` writes it; empty to mine one.
    """

    every_epochs: float = 0.0
    neighbours: int = 32
    band: float = 0.2
    per_pair: int = 2
    per_identity: int = 20
    held_back: float = 0.01
    random: float = 0.5
    known: float = 0.25
    confusions: str = ""
    pool: str = ""


def mine(
    vectors: Vectors,
    identity: Indices,
    mining: Mining,
    *,
    confusions: Collection[tuple[int, int]] = (),
    progress: Progress | None = None,
) -> Mined:
    """Find triplets that are hard for the network that made the vectors.

    For each anchor and each near picture of another person, the positive is the picture whose d is nearest to
    d(A, N); if they differ by more than the band, there is no triplet.

    Args:
        vectors: (n, dim) of unit length.
        identity: (n,) a number for each picture; negative if unknown.
        mining: The settings.
        confusions: Pairs of identities that must be told apart: confirmed false matches, overrides,
            look-alikes. They are used at any distance and never held back.
        progress: Called after every block.

    Raises:
        NothingToMine: If there is one identity only, or none has two pictures.
    """
    people = People(identity)
    if people.count < 2 or people.alone == people.count:
        raise NothingToMine(people.count, len(people.rows))
    parts: list[Triplets] = []
    suspects: list[Pairs] = []
    unfinished = Triplets.empty()
    for block in nearest_others(vectors, people, mining.neighbours, progress):
        suspects.append(_find_suspects(block, identity))
        found = Triplets.join([unfinished, _mine_band(block, vectors, people, mining.band)])
        # The last identity may continue in the next block; its limits apply to both parts.
        going_on = identity[found.anchor] == identity[block.anchors[-1]]
        parts.append(_limit(found.where(~going_on), identity, mining))
        unfinished = found.where(going_on)
    parts.append(_limit(unfinished, identity, mining))
    known, unused = _mine_known(confusions, vectors, people, mining.per_pair)
    triplets, held_back = _hold_back(
        Triplets.join(parts), _concatenate(suspects), identity, mining.held_back, confusions
    )
    as_negative = find_hardest(identity[triplets.negative], triplets.d_negative, mining.per_identity)
    pool = Triplets.join([triplets.where(as_negative), known]).sort_hardest_first()
    return Mined(pool, held_back, people.alone, unused)


def _mine_band(block: Neighbours, vectors: Vectors, people: People, band: float) -> Triplets:
    positives, d_positive = np.full_like(block.others, -1), np.zeros_like(block.d)
    for place, anchor in enumerate(block.anchors):
        own = people.of(int(people.identity[anchor]))
        own = own[own != anchor]
        if len(own):
            positives[place], d_positive[place] = _choose_positives(int(anchor), block.d[place], own, vectors)
    there = (positives >= 0) & (block.others >= 0)
    rows, places = np.nonzero(there & (np.abs(d_positive - np.where(there, block.d, np.inf)) <= band))
    return _build_triplets(
        block.anchors[rows],
        positives[rows, places],
        block.others[rows, places],
        d_positive[rows, places],
        block.d[rows, places],
    )


def _choose_positives(anchor: int, d: Distances, own: Indices, vectors: Vectors) -> tuple[Indices, Distances]:
    """For each d(A, N), the picture of the same person whose d is nearest to it, and that d: (k,), (k,)."""
    d_own = compute_distances(vectors[anchor], vectors[own]).astype(np.float32)
    order = np.argsort(d_own, kind="stable")
    after = np.minimum(np.searchsorted(d_own[order], d), len(own) - 1)
    before = np.maximum(after - 1, 0)
    nearer = np.abs(d_own[order[before]] - d) <= np.abs(d_own[order[after]] - d)
    chosen = order[np.where(nearer, before, after)]
    return own[chosen], d_own[chosen]


def _build_triplets(
    anchor: Indices, positive: Indices, negative: Indices, d_positive: Distances, d_negative: Distances
) -> Triplets:
    """Triplets that are not known confusions."""
    return Triplets(anchor, positive, negative, d_positive, d_negative, np.zeros(len(anchor), np.bool_))


def _limit(triplets: Triplets, identity: Indices, mining: Mining) -> Triplets:
    """Keep the hardest triplets against each other identity, and of those the hardest of each identity."""
    triplets = triplets.sort_hardest_first()
    total = int(identity.max()) + 1
    pair = identity[triplets.anchor] * total + identity[triplets.negative]
    triplets = triplets.where(find_hardest(pair, triplets.d_negative, mining.per_pair))
    return triplets.where(find_hardest(identity[triplets.anchor], triplets.d_negative, mining.per_identity))


def _find_suspects(block: Neighbours, identity: Indices) -> Pairs:
    """Pairs nearer than two photographs of one person ever are; the nearest for each pair of identities."""
    rows, places = np.nonzero(block.d < SUSPECT_D)
    return _keep_nearest(
        Pairs.of(block.d[rows, places], block.anchors[rows], block.others[rows, places]), identity
    )


def _keep_nearest(pairs: Pairs, identity: Indices) -> Pairs:
    """The nearest of each pair of identities, as a < b."""
    first, second = np.minimum(pairs.a, pairs.b), np.maximum(pairs.a, pairs.b)
    order = np.lexsort((second, first, pairs.d))
    key = _number_pairs(identity[first], identity[second], identity)[order]
    nearest = np.zeros(len(pairs), np.bool_)
    nearest[np.unique(key, return_index=True)[1]] = True
    return Pairs(pairs.d[order][nearest], first[order][nearest], second[order][nearest])


def _number_pairs(a: Indices, b: Indices, identity: Indices) -> Indices:
    """One number for each pair of identities, whichever comes first."""
    total = int(identity.max()) + 1
    return np.asarray(np.minimum(a, b) * total + np.maximum(a, b))


def _concatenate(parts: Sequence[Pairs]) -> Pairs:
    none = np.empty(0, np.int64)
    parts = [Pairs(np.empty(0, np.float32), none, none), *parts]
    return Pairs(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("d", "a", "b")))


def _hold_back(
    triplets: Triplets,
    suspects: Pairs,
    identity: Indices,
    share: float,
    confusions: Collection[tuple[int, int]],
) -> tuple[Triplets, Pairs]:
    """Remove pairs of identities that are probably one person, and those known to be two."""
    told_apart = np.array(sorted(confusions), np.int64).reshape(-1, 2)
    apart = _number_pairs(told_apart[:, 0], told_apart[:, 1], identity)
    key = _number_pairs(identity[triplets.anchor], identity[triplets.negative], identity)
    # Known confusions return as their own triplets.
    triplets, key = triplets.where(~np.isin(key, apart)), key[~np.isin(key, apart)]
    suspects = suspects.where(
        ~np.isin(_number_pairs(identity[suspects.a], identity[suspects.b], identity), apart)
    )
    near = _keep_nearest(Pairs.of(triplets.d_negative, triplets.anchor, triplets.negative), identity)
    nearest = near.where(np.arange(len(near)) < int(share * len(near)))
    held_back = _keep_nearest(_concatenate([suspects, nearest]), identity)
    keys = _number_pairs(identity[held_back.a], identity[held_back.b], identity)
    return triplets.where(~np.isin(key, keys)), held_back


def _mine_known(
    confusions: Collection[tuple[int, int]], vectors: Vectors, people: People, per_pair: int
) -> tuple[Triplets, tuple[tuple[int, int], ...]]:
    """The hardest triplets of each known confusion, from either side; and the confusions without any."""
    found, unused = [], []
    for a, b in sorted(confusions):
        one, other = people.of(a), people.of(b)
        sides = [
            _mine_against(one, other, vectors, per_pair),
            _mine_against(other, one, vectors, per_pair),
        ]
        found += sides
        if not any(map(len, sides)):
            unused.append((a, b))
    return mark_known(Triplets.join(found)), tuple(unused)


def _mine_against(anchors: Indices, negatives: Indices, vectors: Vectors, most: int) -> Triplets:
    """The hardest triplets with anchors of one identity and negatives of another."""
    found = Triplets.empty()
    for anchor in anchors if len(anchors) > 1 and len(negatives) else ():
        d = compute_distances(vectors[anchor], vectors[negatives]).astype(np.float32)
        positives, d_positive = _choose_positives(int(anchor), d, anchors[anchors != anchor], vectors)
        more = _build_triplets(np.full(len(d), anchor), positives, negatives, d_positive, d)
        found = Triplets.join([found, more]).sort_hardest_first()
        found = found.where(np.arange(len(found)) < most)
    return found
