"""Hard negatives: what is mined equals what plain loops find."""

from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from training.errors import NothingToMine, PoolInvalid
from training.evaluation.evaluation import SUSPECT_D
from training.mining import neighbours
from training.mining.neighbours import People, nearest_others
from training.mining.pool import Mined, read_triplets, write_triplets
from training.mining.triplets import Mining, mine

Triplet = tuple[int, int, int]


def made_set(
    identities: int, most: int, seed: int, *, spread: float = 0.7, unknown: int = 0
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """People of one to `most` templates around a centre of each, some of nobody known, all shuffled."""
    random = np.random.default_rng(seed)
    sizes = random.integers(1, most + 1, identities)
    sizes[0] = most
    identity = np.repeat(np.arange(identities), sizes)
    identity = np.append(identity, np.full(unknown, -1))
    centres = np.concatenate([random.normal(size=(identities, 12)), random.normal(size=(1, 12))])
    vectors = centres[identity] + spread * random.normal(size=(len(identity), 12))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    order = random.permutation(len(identity))
    return vectors[order].astype(np.float32), identity[order]


def unit_vectors(count: int, seed: int = 0) -> NDArray[np.float32]:
    vectors = np.random.default_rng(seed).normal(size=(count, 12))
    unit: NDArray[np.float32] = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return unit


def all_d(vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    wide = vectors.astype(np.float64)
    d: NDArray[np.float64] = np.square(wide[:, None] - wide[None]).sum(axis=2)
    return d


def mined_by_loops(vectors: NDArray[np.float32], identity: NDArray[np.int64], how: Mining) -> set[Triplet]:
    """The rule of `mine` in plain loops, for data without ties."""
    d = all_d(vectors)
    rows = [row for row in range(len(identity)) if identity[row] >= 0]
    against: dict[tuple[int, int], list[tuple[float, Triplet]]] = defaultdict(list)
    nearest: dict[tuple[int, int], float] = {}
    suspects = set()
    for a in rows:
        others = sorted((d[a, n], n) for n in rows if identity[n] != identity[a])[: how.neighbours]
        own = [p for p in rows if identity[p] == identity[a] and p != a]
        for d_n, n in others:
            if d_n < SUSPECT_D:
                suspects.add(frozenset((identity[a], identity[n])))
            gap, p = min(((abs(d[a, p] - d_n), p) for p in own), default=(9.0, -1))
            if gap <= how.band:
                against[identity[a], identity[n]].append((d_n, (a, p, n)))
    of_anchor: dict[int, list[tuple[float, Triplet]]] = defaultdict(list)
    for (a, _), found in against.items():
        of_anchor[a] += sorted(found)[: how.per_pair]
    kept = [each for found in of_anchor.values() for each in sorted(found)[: how.per_identity]]
    for d_n, (a, _, n) in kept:
        pair = (min(identity[a], identity[n]), max(identity[a], identity[n]))
        nearest[pair] = min(d_n, nearest.get(pair, 9.0))
    ranked = sorted(nearest, key=lambda pair: nearest[pair])
    suspects |= {frozenset(pair) for pair in ranked[: int(how.held_back * len(ranked))]}
    of_negative: dict[int, list[tuple[float, Triplet]]] = defaultdict(list)
    for d_n, triplet in kept:
        if frozenset((identity[triplet[0]], identity[triplet[2]])) not in suspects:
            of_negative[identity[triplet[2]]].append((d_n, triplet))
    return {t for found in of_negative.values() for _, t in sorted(found)[: how.per_identity]}


def triplets_of(mined: Mined) -> set[Triplet]:
    found = mined.triplets
    return {
        (int(a), int(p), int(n)) for a, p, n in zip(found.anchor, found.positive, found.negative, strict=True)
    }


@pytest.mark.parametrize("listed", [60, 1 << 20])
def test_the_nearest_of_other_people_are_those_of_a_plain_loop(
    listed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neighbours, "LISTED", listed)  # several blocks
    vectors, identity = made_set(25, 9, seed=1, unknown=7)
    d = all_d(vectors)
    told: list[tuple[int, int]] = []

    blocks = list(nearest_others(vectors, People(identity), 6, lambda *done: told.append(done)))

    assert (len(blocks) > 5) == (listed == 60)
    assert told[-1] == (len(identity) - 7,) * 2
    seen = np.concatenate([block.anchors for block in blocks])
    assert sorted(seen) == list(np.flatnonzero(identity >= 0))
    for block in blocks:
        for anchor, found_d, others in zip(block.anchors, block.d, block.others, strict=True):
            allowed = np.flatnonzero((identity >= 0) & (identity != identity[anchor]))
            expected = allowed[np.argsort(d[anchor, allowed], kind="stable")][:6]
            assert others.tolist() == expected.tolist()
            assert np.abs(found_d - d[anchor, expected]).max() < 1e-5


def test_where_there_are_fewer_others_than_asked_the_rest_is_empty() -> None:
    vectors = unit_vectors(5)
    identity = np.array([0, 0, 0, 0, 1])

    blocks = list(nearest_others(vectors, People(identity), 3))

    others = {
        int(a): o.tolist() for block in blocks for a, o in zip(block.anchors, block.others, strict=True)
    }
    assert others[0] == [4, -1, -1]
    assert sorted(others[4]) == [0, 1, 2] or -1 not in others[4]


def test_equal_distances_are_found_whichever_of_them_comes_first() -> None:
    vectors = np.repeat(unit_vectors(6), 4, axis=0)
    identity = np.arange(24) // 2  # each vector is that of two people, twice each

    blocks = list(nearest_others(vectors, People(identity), 2))

    for block in blocks:
        assert np.abs(block.d).max() < 1e-5
        assert (block.others // 4 == block.anchors[:, None] // 4).all()
        assert (identity[block.others] != identity[block.anchors][:, None]).all()


def test_every_positive_may_be_nearer_than_any_negative_and_none_is_lost() -> None:
    vectors, identity = made_set(6, 40, seed=2, spread=0.05)

    blocks = list(nearest_others(vectors, People(identity), 5))

    assert all((block.others >= 0).all() for block in blocks)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    identities=st.integers(2, 15),
    most=st.integers(2, 7),
    neighbours=st.integers(1, 12),
    band=st.sampled_from([0.05, 0.3, 4.0]),
    per_pair=st.integers(1, 3),
    per_identity=st.integers(1, 6),
    held_back=st.sampled_from([0.0, 0.2]),
)
def test_what_is_mined_is_what_plain_loops_mine(
    seed: int,
    identities: int,
    most: int,
    neighbours: int,
    band: float,
    per_pair: int,
    per_identity: int,
    held_back: float,
) -> None:
    vectors, identity = made_set(identities, most, seed, unknown=3)
    how = Mining(
        neighbours=neighbours,
        band=band,
        per_pair=per_pair,
        per_identity=per_identity,
        held_back=held_back,
    )

    mined = mine(vectors, identity, how)

    found = mined.triplets
    assert triplets_of(mined) == mined_by_loops(vectors, identity, how)
    assert (identity[found.anchor] == identity[found.positive]).all()
    assert (identity[found.anchor] != identity[found.negative]).all()
    assert (found.anchor != found.positive).all()
    assert (identity[found.negative] >= 0).all()
    d = all_d(vectors)
    assert np.allclose(found.d_positive, d[found.anchor, found.positive], atol=1e-5)
    assert np.allclose(found.d_negative, d[found.anchor, found.negative], atol=1e-5)
    assert (np.diff(found.d_negative) >= 0).all()


def test_it_does_not_matter_in_how_many_blocks_a_set_is_mined(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, identity = made_set(30, 12, seed=3)
    how = Mining(neighbours=8, per_identity=5)
    whole = mine(vectors, identity, how)

    monkeypatch.setattr(neighbours, "LISTED", 64)
    in_blocks = mine(vectors, identity, how)

    assert triplets_of(in_blocks) == triplets_of(whole)
    assert in_blocks.suspects.a.tolist() == whole.suspects.a.tolist()


def test_one_photograph_under_two_names_is_held_back_with_everything_between_the_two() -> None:
    vectors, identity = made_set(20, 4, seed=4)
    first, second = np.flatnonzero(identity == 3)[0], np.flatnonzero(identity == 8)[0]
    vectors[second] = vectors[first]

    mined = mine(vectors, identity, Mining(held_back=0.0, band=4.0))

    assert len(mined.suspects) == 1
    assert {int(mined.suspects.a[0]), int(mined.suspects.b[0])} == {int(first), int(second)}
    between = {(3, 8), (8, 3)}
    pairs = set(zip(identity[mined.triplets.anchor], identity[mined.triplets.negative], strict=True))
    assert not pairs & between


def test_known_confusions_are_in_the_pool_whatever_their_distance_and_are_never_held_back() -> None:
    vectors, identity = made_set(20, 4, seed=5, spread=0.2)
    sizes = np.bincount(identity)
    several = np.flatnonzero(sizes >= 2)
    far, near = (int(several[0]), int(several[1])), (int(several[2]), int(several[3]))
    vectors[np.flatnonzero(identity == near[1])[0]] = vectors[np.flatnonzero(identity == near[0])[0]]
    how = Mining(neighbours=1, band=0.0, per_pair=2)

    mined = mine(vectors, identity, how, confusions=[far, near, (int(several[0]), 99)])

    known = mined.triplets.where(mined.triplets.known)
    pairs = set(zip(identity[known.anchor].tolist(), identity[known.negative].tolist(), strict=True))
    assert pairs == {far, far[::-1], near, near[::-1]}
    assert len(known) == 8
    assert mined.unused == ((int(several[0]), 99),)
    assert len(mined.suspects) == 0
    d = all_d(vectors)
    for a, b in pairs:
        one, other = np.flatnonzero(identity == a), np.flatnonzero(identity == b)
        hardest = np.sort(known.d_negative[identity[known.anchor] == a])
        assert np.allclose(hardest, np.sort(d[np.ix_(one, other)].ravel())[:2], atol=1e-5)


@pytest.mark.parametrize(
    ("identity", "reason"),
    [([0, 0, 0, -1], "there is no second identity"), ([0, 1, 2, -1], "no identity has two pictures")],
)
def test_without_a_negative_or_a_positive_there_is_nothing_to_mine(identity: list[int], reason: str) -> None:
    with pytest.raises(NothingToMine, match=reason):
        mine(unit_vectors(4), np.array(identity), Mining())


def test_a_pool_is_kept_by_the_names_of_its_pictures(tmp_path: Path) -> None:
    vectors, identity = made_set(10, 4, seed=6)
    mined = mine(vectors, identity, Mining(band=4.0))
    names = [f"{who}/ä, {row}.png" for row, who in enumerate(identity)]

    write_triplets(tmp_path / "pool.csv", mined.triplets, names)
    again = read_triplets(tmp_path / "pool.csv", names)
    gone = int(mined.triplets.anchor[0])
    without = read_triplets(tmp_path / "pool.csv", [name for row, name in enumerate(names) if row != gone])

    assert again.anchor.tolist() == mined.triplets.anchor.tolist()
    assert again.negative.tolist() == mined.triplets.negative.tolist()
    assert np.allclose(again.d_positive, mined.triplets.d_positive, atol=1e-6)
    assert 0 < len(without) < len(again)
    with pytest.raises(PoolInvalid, match="none of its pictures"):
        read_triplets(tmp_path / "pool.csv", ["other.png"])
    (tmp_path / "pool.csv").write_text("hello\nworld\n")
    with pytest.raises(PoolInvalid, match="not a list of hard triplets"):
        read_triplets(tmp_path / "pool.csv", names)
