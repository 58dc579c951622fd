"""Transactions of several templates and tries, and groups measured by themselves."""

from collections.abc import Mapping
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest
from made_faces import coarse_bundle, made_faces, write_folder
from numpy.typing import NDArray

from embedding.embedder import Embedder
from training.data.pictures import open_pictures
from training.evaluation.evaluate import evaluate_all
from training.evaluation.evaluation import Evaluation, format_evaluation
from training.evaluation.transactions import GallerySamples, Probes, measure_transactions, split_in_order

pytestmark = pytest.mark.not_quick("looks at hundreds of pictures")

DIM = 6

Floats = NDArray[np.float32]
Indices = NDArray[np.int64]


def random_samples(counts: list[int], seed: int = 0) -> tuple[Floats, Indices]:
    """(n, DIM) unit vectors around a centre for each person, and (n,) people, mixed up."""
    random = np.random.default_rng(seed)
    owner = random.permutation(np.repeat(np.arange(len(counts)), counts))
    centres = random.standard_normal((len(counts), DIM))
    vectors = centres[owner] + 0.9 * random.standard_normal((len(owner), DIM))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), owner


def looped_rates(
    vectors: Floats, owner: Indices, people: int, threshold: float, tries: int
) -> tuple[float, float]:
    """FNMR and FMR by loops over people, transactions, tries and templates."""
    templates: dict[int, list[Floats]] = {}
    visits: list[tuple[int, list[Floats]]] = []
    for person in range(people):
        own = [vector for vector, who in zip(vectors, owner, strict=True) if who == person]
        enrolled = min(3, len(own) // 2)
        templates[person] = own[:enrolled]
        left = own[enrolled:]
        visits += [(person, left[start : start + tries]) for start in range(0, len(left), tries)]
    mated: list[bool] = []
    non_mated: list[bool] = []
    for person, made in visits:
        for other, theirs in templates.items():
            if theirs:
                d = min(float(((a - b) ** 2).sum()) for a in made for b in theirs)
                (mated if other == person else non_mated).append(d <= threshold)
    return 1 - float(np.mean(mated)), float(np.mean(non_mated))


def test_transactions_match_as_loops_over_tries_and_templates_say() -> None:
    counts = [1, 2, 3, 4, 7, 11, 2, 5, 9, 1, 6, 8]
    vectors, owner = random_samples(counts)
    enrolled, tried = split_in_order(owner)

    found = measure_transactions(
        GallerySamples(vectors[enrolled], owner[enrolled]),
        Probes(vectors[tried], owner[tried]),
        len(counts),
        [(0.1, 0.7)],
    )

    assert [each.tries for each in found] == [1, 3]
    for rates in found:
        rejected, accepted = looped_rates(vectors, owner, len(counts), 0.7, rates.tries)
        assert rates.fnmr.value == pytest.approx(rejected)
        assert rates.fmr.value == pytest.approx(accepted)
        for share in (rates.fnmr, rates.fmr):
            assert share.value is not None
            assert share.interval is not None
            assert share.interval[0] <= share.value <= share.interval[1]
            assert share.interval[0] < share.interval[1]
    rejects = [each.fnmr.value or 0.0 for each in found]
    accepts = [each.fmr.value or 0.0 for each in found]
    assert 0 < rejects[1] < rejects[0]
    assert 0 < accepts[0] < accepts[1]


def test_who_has_one_picture_is_only_tried_against_others() -> None:
    owner = np.array([4, 0, 4, 1, 4, 0])

    enrolled, tried = split_in_order(owner)

    assert enrolled.tolist() == [1, 0]
    assert [(person, len(list(same))) for person, same in groupby(owner[tried].tolist())] == [
        (0, 1),
        (1, 1),
        (4, 2),
    ]


def test_a_rate_that_so_few_transactions_cannot_tell_is_not_told() -> None:
    vectors, owner = random_samples([2, 2, 2])
    enrolled, tried = split_in_order(owner)
    gallery, probes = GallerySamples(vectors[enrolled], owner[enrolled]), Probes(vectors[tried], owner[tried])

    (single, _) = measure_transactions(gallery, probes, 3, [(1e-3, 1.0)])
    (nobody, _) = measure_transactions(GallerySamples(vectors[:0], owner[:0]), probes, 3, [(1e-3, 1.0)])

    assert (single.fnmr.trials, single.fmr.trials) == (3, 6)
    assert single.fmr.value is None
    assert nobody.fnmr.value is nobody.fmr.value is None


@pytest.fixture(scope="module")
def grouped(tmp_path_factory: pytest.TempPathFactory, shipped_bundle: Path) -> Evaluation:
    """30 people whose pictures differ little, 25 whose pictures differ much and fail at times, and 5."""
    folder = tmp_path_factory.mktemp("grouped")
    alike, unlike = made_faces(35, 4, spread=0.5), made_faces(25, 4, spread=1.6, seed=9)
    faces: dict[str, bytes] = dict(alike)
    faces |= {f"q{name}": content for name, content in unlike.items()}
    for person in range(10):
        faces[f"qp{person:03}/3.png"] = b"\x89PNG cut off"
    pictures = open_pictures(write_folder(folder / "faces", faces))
    bundle = coarse_bundle(folder / "coarse", shipped_bundle / "detector.onnx")
    return evaluate_all(
        Embedder.open(bundle.path, threads=1), pictures, aligned=True, group_of=groups_by_letter(faces)
    )[0]


def groups_by_letter(faces: Mapping[str, bytes]) -> dict[str, str]:
    people = {name.split("/")[0] for name in faces}
    few = {f"p{person:03}" for person in range(5)}
    return {who: "few" if who in few else "unlike" if who.startswith("q") else "alike" for who in people}


def test_each_group_is_measured_by_itself_and_small_ones_are_left_out(grouped: Evaluation) -> None:
    alike, unlike = grouped.groups

    assert (alike.group, alike.identities, unlike.group, unlike.identities) == ("alike", 30, "unlike", 25)
    assert (alike.fta.value, unlike.fta.value) == (0, 10 / 100)
    assert unlike.fta.interval is not None
    assert 0 < unlike.fta.interval[0] < 0.1 < unlike.fta.interval[1]
    assert alike.mated == 30 * 6
    assert (alike.non_mated, unlike.mated) == (4 * 4 * 30 * 29 // 2, 15 * 6 + 10 * 3)
    assert alike.mated_shift is not None
    assert unlike.mated_shift is not None
    assert alike.mated_shift < 0 < unlike.mated_shift
    at = {each.at_fmr: each.fnmr for each in alike.rates}[1e-3]
    worse = {each.at_fmr: each.fnmr for each in unlike.rates}[1e-3]
    assert at is not None
    assert worse is not None
    assert at.value < worse.value
    assert grouped.groups_left_out is not None
    assert (grouped.groups_left_out.groups, grouped.groups_left_out.identities) == (1, 5)


def test_words_name_transactions_and_groups_and_no_small_group(grouped: Evaluation) -> None:
    words = format_evaluation(grouped)

    assert "one try, d <= " in words
    assert "up to 3 tries, d <= " in words
    assert "group 'alike': 30 people, FTA 0.0000" in words
    assert "'few'" not in words
    assert "1 groups of few people are left out, 5 people together" in words
