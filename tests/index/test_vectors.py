"""Vectors in memory: exact answers, and readers that never see half a change."""

import threading
from pathlib import Path
from uuid import NAMESPACE_OID, uuid5

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from numpy.typing import NDArray

from embedding.template import Template, distance
from index.vectors import VectorIndex, compute_distances, find_pairs_within, k_nearest

DIM = 16


def unit_vectors(count: int, seed: int = 0, dim: int = DIM) -> NDArray[np.float32]:
    made = np.random.default_rng(seed).standard_normal((count, dim))
    unit: NDArray[np.float32] = (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)
    return unit


def numbered(first: int, count: int) -> NDArray[np.int64]:
    return np.arange(first, first + count, dtype=np.int64)


def ids_of(numbers: NDArray[np.int64]) -> NDArray[np.uint8]:
    """(n, 16): one id for each number, another for every other."""
    ids = b"".join(uuid5(NAMESPACE_OID, str(number)).bytes for number in numbers.tolist())
    return np.frombuffer(ids, np.uint8).reshape(-1, 16)


class VectorIndexBesideADictionary(RuleBasedStateMachine):
    """Whatever is added and removed in whatever order: the index answers as a plain dictionary does."""

    def __init__(self) -> None:
        super().__init__()
        self.index = VectorIndex(DIM, segment_rows=8)
        self.plain: dict[int, NDArray[np.float32]] = {}
        self.added = 0

    @rule(count=st.integers(0, 20), gap=st.integers(1, 3))
    def add(self, count: int, gap: int) -> None:
        numbers = numbered(self.added + gap, count)
        vectors = unit_vectors(count, seed=self.added)
        self.index.add(numbers, vectors, ids_of(numbers))
        self.plain |= dict(zip(numbers.tolist(), vectors, strict=True))
        self.added = max([self.added, *numbers.tolist()])

    @rule(numbers=st.lists(st.integers(0, 120), max_size=20))
    def remove(self, numbers: list[int]) -> None:
        removed = self.index.remove(np.array(numbers, np.int64))
        assert removed == len(set(numbers) & set(self.plain))
        for number in numbers:
            self.plain.pop(number, None)

    @rule(k=st.integers(1, 30), seed=st.integers(0, 1000))
    def search(self, k: int, seed: int) -> None:
        query = unit_vectors(1, seed)[0]
        expected = sorted((float(((v - query) ** 2).sum()), n) for n, v in self.plain.items())[:k]

        found = self.index.search(query, k)

        assert found.numbers.tolist() == [number for _, number in expected]
        assert found.d.tolist() == pytest.approx([d for d, _ in expected], abs=1e-5)

    @rule(numbers=st.lists(st.integers(0, 120), max_size=40))
    def take(self, numbers: list[int]) -> None:
        taken, vectors, ids = self.index.take(np.array(numbers, np.int64))
        assert taken.tolist() == sorted(set(numbers) & set(self.plain))
        assert all((vector == self.plain[n]).all() for n, vector in zip(taken.tolist(), vectors, strict=True))
        assert ids.tolist() == ids_of(taken).tolist()

    @invariant()
    def count(self) -> None:
        assert len(self.index) == len(self.plain)
        assert self.index.last_number == self.added


TestVectorIndexBesideADictionary = VectorIndexBesideADictionary.TestCase
TestVectorIndexBesideADictionary.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)


def test_numbers_must_ascend_and_vectors_must_fit() -> None:
    index = VectorIndex(DIM)
    index.add(numbered(5, 2), unit_vectors(2), ids_of(numbered(5, 2)))

    for numbers in ([6], [9, 8], [9, 9]):
        with pytest.raises(ValueError, match="ascend"):
            index.add(np.array(numbers, np.int64), unit_vectors(len(numbers)), ids_of(np.array(numbers)))
    with pytest.raises(ValueError, match="were expected"):
        index.add(numbered(9, 1), unit_vectors(1, dim=DIM + 1), ids_of(numbered(9, 1)))
    assert len(index) == 2


def test_a_reader_sees_whole_vectors_whatever_a_writer_does() -> None:
    count = 3000
    vectors = unit_vectors(count)
    index = VectorIndex(DIM, segment_rows=256)
    index.add(numbered(1, 500), vectors[:500], ids_of(numbered(1, 500)))
    done = threading.Event()
    wrong: list[tuple[int, float, float]] = []

    def read() -> None:
        query = unit_vectors(1, seed=99)[0]
        while not done.is_set():
            found = index.search(query, 50)
            for number, d in zip(found.numbers.tolist(), found.d.tolist(), strict=True):
                expected = float(((vectors[number - 1] - query) ** 2).sum())
                if abs(d - expected) > 1e-4:
                    wrong.append((number, d, expected))

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for first in range(501, count + 1):
        index.add(numbered(first, 1), vectors[first - 1 : first], ids_of(numbered(first, 1)))
        index.remove(numbered(first - 480, 1))
    done.set()
    for reader in readers:
        reader.join()

    assert wrong == []
    assert len(index) == 500


def test_distances_are_those_of_the_template() -> None:
    vectors = unit_vectors(20)

    d = compute_distances(vectors[0], vectors)

    expected = [distance(Template(vectors[0], "m"), Template(vector, "m")) for vector in vectors]
    assert d.tolist() == pytest.approx(expected, abs=1e-12)


def test_the_bulk_search_equals_a_plain_loop_whatever_the_blocks(tmp_path: Path) -> None:
    base = np.lib.format.open_memmap(tmp_path / "base.npy", mode="w+", dtype=np.float32, shape=(150, DIM))
    base[:] = unit_vectors(150)
    queries = unit_vectors(33, seed=1)

    blocks = list(k_nearest(queries, base, 7, query_rows=10, base_rows=40))

    assert [start for start, _, _ in blocks] == [0, 10, 20, 30]
    d = np.concatenate([block for _, block, _ in blocks])
    rows = np.concatenate([block for _, _, block in blocks])
    for i, query in enumerate(queries):
        expected = sorted((float(((vector - query) ** 2).sum()), row) for row, vector in enumerate(base))[:7]
        assert rows[i].tolist() == [row for _, row in expected]
        assert d[i].tolist() == pytest.approx([distance for distance, _ in expected], abs=1e-5)


def test_the_bulk_search_says_where_there_was_nothing_more_to_find() -> None:
    ((_, d, rows),) = k_nearest(unit_vectors(1, seed=1), unit_vectors(2), 4)

    assert rows[0, 2:].tolist() == [-1, -1]
    assert np.isinf(d[0, 2:]).all()


def test_close_pairs_equal_a_plain_loop() -> None:
    vectors = unit_vectors(60, dim=3)

    pairs = list(find_pairs_within(vectors, 0.1, rows=7))

    expected = {
        (i, j): d
        for i in range(60)
        for j in range(i + 1, 60)
        if (d := float(((vectors[i].astype(np.float64) - vectors[j]) ** 2).sum())) <= 0.1
    }
    assert len(expected) > 10
    assert {(i, j): pytest.approx(d, abs=1e-9) for i, j, d in pairs} == expected
    assert len(pairs) == len(expected)


def test_no_number_of_a_removed_vector_stays_in_memory() -> None:
    vectors = unit_vectors(12, dim=128)
    index = VectorIndex(128, segment_rows=8)
    index.add(numbered(1, 12), vectors, ids_of(numbered(1, 12)))
    # What a reader that has begun still holds.
    views = [segment.vectors for segment in index._segments]

    index.remove(np.array([2, 5, 11]))

    held = np.concatenate([*views, *(segment.vectors for segment in index._segments)])
    for row in (1, 4, 10):
        assert not np.isin(vectors[row], held).any()
    for row in (0, 2, 3, 5, 6, 7, 8, 9, 11):
        assert (held == vectors[row]).all(axis=1).any()
