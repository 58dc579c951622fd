"""The gate between a candidate and the model in use: measured on the same people, judged by intervals."""

import json
from collections.abc import Callable, Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_faces import CELLS, coarse_bundle, crop_of, made_faces, mosaic, pixels_of, write_folder

from embedding.embedder import Embedder
from embedding.errors import FmrNotSupported
from training.data.groups import find_groups
from training.data.pictures import Pictures, open_pictures
from training.errors import GroupsInvalid, NoComparisons
from training.evaluation.acquire import Acquired, AcquireFailure
from training.evaluation.bootstrap import bootstrap
from training.evaluation.comparisons import compare_all
from training.evaluation.error_rates import error_rates
from training.evaluation.gate import compare, compare_acquisition

pytestmark = pytest.mark.not_quick("compares models on hundreds of faces")

PEOPLE, SAMPLES = 40, 3

Opened = Callable[..., Embedder]


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory, shipped_bundle: Path) -> Opened:
    """A made model that sees so many cells."""
    folder = tmp_path_factory.mktemp("bundles")

    def opened_model(cells: int = CELLS, mean: float = 128.0) -> Embedder:
        place = folder / f"cells-{cells}-{mean:g}"
        coarse_bundle(place, shipped_bundle / "detector.onnx", cells, mean)
        return Embedder.open(place, threads=1)

    return opened_model


@pytest.fixture(scope="module")
def faces() -> dict[str, bytes]:
    return made_faces(PEOPLE, SAMPLES, spread=1.3)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory, faces: dict[str, bytes]) -> Pictures:
    return open_pictures(write_folder(tmp_path_factory.mktemp("faces"), faces))


@pytest.fixture(scope="module")
def worse(opened: Opened, pictures: Pictures) -> dict[str, Any]:
    """The record of a candidate that sees four cells where the incumbent sees 64."""
    return compare(opened(), opened(2), pictures, aligned=True).record


def test_a_model_is_not_worse_than_itself(opened: Opened, pictures: Pictures) -> None:
    model = opened()

    record = compare(model, model, pictures, aligned=True).record

    assert record["verdict"] == "not_worse"
    assert record["worse_in"] == []
    assert record["incumbent_id"] == record["candidate_id"] == model.model_id
    assert (record["identities"], record["pictures"]) == (PEOPLE, PEOPLE * SAMPLES)
    assert [rate["fmr"] for rate in record["rates"]] == [1e-2, 1e-3]
    assert record["not_supported"] == [1e-4, 1e-5]
    for rate in record["rates"]:
        assert rate["difference"] == {"fnmr": 0.0, "interval": [0.0, 0.0]}
        assert rate["incumbent"] == rate["candidate"]
    assert record["size"]["difference"] == 0
    assert record["attack"] == {"not_measured": "nothing but the bundles was at hand"}


def test_a_candidate_that_misses_more_is_worse_and_the_other_way_round_it_is_not(
    opened: Opened, pictures: Pictures, worse: dict[str, Any]
) -> None:
    better = compare(opened(2), opened(), pictures, aligned=True).record

    assert worse["verdict"] == "worse"
    assert "FNMR at FMR 0.01" in worse["worse_in"]
    assert worse["gained_in"] == []
    assert not any(rate["worse"] for rate in better["rates"])
    for one, other in zip(worse["rates"], better["rates"], strict=True):
        assert one["difference"]["fnmr"] == -other["difference"]["fnmr"] > 0
        assert one["difference"]["interval"] == pytest.approx(
            [-v for v in other["difference"]["interval"][::-1]]
        )


def test_the_record_is_plain_json_of_a_stable_shape(worse: dict[str, Any]) -> None:
    again = json.loads(json.dumps(worse, allow_nan=False))

    assert again == worse
    assert worse.keys() >= {
        "incumbent_id",
        "candidate_id",
        "rates",
        "groups",
        "speed",
        "size",
        "verdict",
        "worse_in",
        "gained_in",
        "identities",
        "pictures",
    }


def distances_of(faces: Mapping[str, bytes], cells: int) -> tuple[list[str], np.ndarray[Any, Any]]:
    """Every name, and d of all pairs, by plain arithmetic on the pixels."""
    side = 112 // cells
    means = [
        pixels_of(content).astype(float).reshape(cells, side, cells, side, 3).mean(axis=(1, 3)).ravel() - 128
        for content in faces.values()
    ]
    unit = np.stack([mean / np.linalg.norm(mean) for mean in means])
    return list(faces), np.square(unit[:, None] - unit[None]).sum(axis=2)


def test_each_model_is_judged_at_its_own_threshold(worse: dict[str, Any], faces: Mapping[str, bytes]) -> None:
    for side, cells in (("incumbent", 8), ("candidate", 2)):
        names, d = distances_of(faces, cells)
        pairs = list(combinations(range(len(names)), 2))
        same = np.array([names[i].split("/")[0] == names[j].split("/")[0] for i, j in pairs])
        values = np.array([d[i, j] for i, j in pairs])
        for rate in worse["rates"]:
            found = rate[side]
            fmr, fnmr = error_rates(values[same], values[~same], found["threshold"] + 1e-6)
            assert rate["fmr"] * 0.9 < fmr <= rate["fmr"] + 1e-9
            assert found["fnmr"] == pytest.approx(fnmr, abs=1e-9)
            assert found["interval"][0] <= found["fnmr"] <= found["interval"][1]


def test_the_same_people_are_drawn_for_both_as_in_a_plain_loop(
    worse: dict[str, Any], faces: Mapping[str, bytes]
) -> None:
    names, _ = distances_of(faces, 8)
    people = np.array([int(name[1:4]) for name in names])
    first, second = np.triu_indices(len(names), k=1)
    one, other = people[first], people[second]
    same = one == other
    values = {cells: distances_of(faces, cells)[1][first, second] for cells in (8, 2)}
    random = np.random.default_rng(0)
    differences = []
    for _ in range(200):
        drawn = np.bincount(random.integers(PEOPLE, size=PEOPLE), minlength=PEOPLE)
        weight = np.where(same, drawn[one], drawn[one] * drawn[other])
        fnmr = {}
        for cells, d in values.items():
            order = np.argsort(d[~same], kind="stable")
            rates = np.cumsum(weight[~same][order]) / weight[~same].sum()
            threshold = d[~same][order][int(np.searchsorted(rates, 0.01, side="right")) - 1]
            fnmr[cells] = 1 - weight[same & (d <= threshold)].sum() / weight[same].sum()
        differences.append(fnmr[2] - fnmr[8])

    expected = np.percentile(differences, [2.5, 97.5])

    assert worse["rates"][0]["difference"]["interval"] == pytest.approx(expected, abs=0.03)


def test_a_group_that_a_candidate_serves_worse_is_named(opened: Opened, tmp_path: Path) -> None:
    """Of group `fine` only details tell people apart, which the candidate does not see."""
    random = np.random.default_rng(3)
    faces, groups = {}, {}
    for number in range(40):
        who, group = f"p{number:02}", ("plain", "fine")[number % 2]
        groups[who] = group
        face = mosaic(random)
        blocks = face.reshape(2, 4, 2, 4, 3).mean(axis=(1, 3)).repeat(4, 0).repeat(4, 1)
        face = 3 * blocks if group == "plain" else face - blocks
        for sample in range(4):
            faces[f"{who}/{sample}.png"] = crop_of(face + 0.6 * mosaic(random))
    pictures = open_pictures(write_folder(tmp_path, faces))

    record = compare(opened(8), opened(2), pictures, groups=groups, aligned=True).record

    of = {group["group"]: group for group in record["groups"]}
    assert {name: group["identities"] for name, group in of.items()} == {"plain": 20, "fine": 20}
    assert of["fine"]["mated"] == 20 * 6
    assert of["fine"]["non_mated"] == 190 * 16
    rates = {name: group["rates"][0] for name, group in of.items()}
    assert "FNMR" in rates["fine"]["worse"]
    assert "FNMR" not in rates["plain"]["worse"]
    assert "FNMR of group fine at FMR 0.01" in record["worse_in"]
    both = (rates["plain"]["candidate"]["fnmr"] + rates["fine"]["candidate"]["fnmr"]) / 2
    assert both == pytest.approx(record["rates"][0]["candidate"]["fnmr"])
    assert json.loads(json.dumps(record, allow_nan=False)) == record


def test_a_group_too_small_for_a_rate_has_none(opened: Opened, pictures: Pictures) -> None:
    groups = {"p000": "few", "p001": "few"}

    record = compare(opened(), opened(2), pictures, groups=groups, aligned=True).record

    (few,) = record["groups"]
    assert few["identities"] == 2
    assert few["rates"][1]["incumbent"]["fmr"] is None
    assert few["rates"][1]["incumbent"]["fnmr"] is not None
    assert few["rates"][1]["incumbent"]["fnmr_interval"] is None
    assert few["rates"][1]["worse"] == []


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("identity,sex\nperson 00,f\n", "its first line has 2 columns and not the two identity,group"),
        ("", "its first line has 0 columns and not the two identity,group"),
        (
            "identity,group\nperson 00,a\nsomebody,b\n",
            "1 of its 2 identities are not in the data, the first in line 3",
        ),
        ("identity,group\nperson 00,a\nperson 01,a\n", "its 2 identities are of one group only; two"),
        ("identity,group\n", "its 0 identities are of no group; two"),
        ("identity,group\nperson 00,a\nperson 01,b\nperson 00,b\n", "line 4 puts an identity into a second"),
        ("identity,group\nperson 00,a\nperson 01,\n", "line 3 lacks a group"),
        ("identity,group\nperson 00,a\n,b\n", "line 3 lacks an identity"),
        ("identity,group\nperson 00,a,b\n", "line 2 has more than two fields"),
        (b"\xff\xfe\x00", r"it is not a list of identity,group \("),
    ],
)
def test_a_list_of_groups_that_cannot_be_used_is_refused(
    tmp_path: Path, content: str | bytes, complaint: str
) -> None:
    path = tmp_path / "groups.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    people = ["person 00", "person 01", "person 02"]

    with pytest.raises(GroupsInvalid, match=complaint) as refused:
        find_groups(path, people, people)

    assert str(refused.value).startswith(f"{path}: ")
    assert "\n" not in str(refused.value)


def test_groups_are_read_as_spreadsheets_write_them(tmp_path: Path) -> None:
    path = tmp_path / "groups.csv"
    path.write_bytes(b'\xef\xbb\xbfgroup , identity\r\n"18, or 19", ann \r\n20,bob\r\n20,cy\r\n')

    found = find_groups(path, ["ann", "bob", "cy", "dee"], ["ann", "bob", "dee"])

    assert found == {"ann": "18, or 19", "bob": "20"}


def test_a_candidate_to_which_all_faces_look_alike_is_worse(opened: Opened, pictures: Pictures) -> None:
    blind = opened(1, -4000.0)

    comparison = compare(opened(), blind, pictures, aligned=True)

    assert comparison.candidate.evidence.comparisons.mated.d.max() < 0.1
    assert comparison.record["left_out_identity_pairs"] == 0
    assert "FNMR at FMR 0.01" in comparison.record["worse_in"]


def test_two_identities_that_share_a_photograph_are_not_compared(opened: Opened, tmp_path: Path) -> None:
    faces = made_faces(20, 4)
    faces["p001/9.png"] = faces["p002/0.png"]
    pictures = open_pictures(write_folder(tmp_path, faces))

    record = compare(opened(), opened(4), pictures, aligned=True).record

    assert record["left_out_identity_pairs"] == 1
    assert record["non_mated"] == 190 * 16 + 19 * 4 - 4 * 5


def test_an_attack_is_made_at_the_thresholds_of_each_model_and_its_outcome_counts(
    opened: Opened, pictures: Pictures
) -> None:
    asked: list[tuple[float, tuple[float, float]]] = []

    def attack(fmr: float, thresholds: tuple[float, float]) -> dict[str, Any]:
        asked.append((fmr, thresholds))
        return {"worse": ["dodged"]}

    record = compare(opened(), opened(), pictures, aligned=True, attack=attack).record

    rate = record["rates"][1]
    assert asked == [(1e-3, (rate["incumbent"]["threshold"], rate["candidate"]["threshold"]))]
    assert record["worse_in"] == ["dodging by changed pictures"]
    assert record["verdict"] == "worse"


def test_a_slower_and_larger_candidate_is_worse_in_both(
    opened: Opened, pictures: Pictures, shipped_bundle: Path
) -> None:
    record = compare(opened(), Embedder.open(shipped_bundle, threads=1), pictures, aligned=True).record

    assert {"speed", "size"} <= set(record["worse_in"])
    assert record["speed"]["candidate"] < record["speed"]["incumbent"]
    files = [file for file in shipped_bundle.iterdir() if file.suffix in (".onnx", ".png")]
    assert record["size"]["candidate"] == sum(file.stat().st_size for file in files)


def test_a_candidate_that_acquires_fewer_pictures_is_worse() -> None:
    names = [f"{person}/{sample}" for person in range(30) for sample in range(3)]
    identity = {name: name.split("/")[0] for name in names}

    def acquired(without: int) -> Acquired:
        failed = [name for i, name in enumerate(names) if i % 10 < without]
        taken = [name for name in names if name not in failed]
        failures = [AcquireFailure(name, "face_not_found", "") for name in failed]
        return Acquired(taken, np.zeros((len(taken), 2), np.float32), failures, 0)

    fewer = compare_acquisition(names, identity, (acquired(1), acquired(4)))
    more = compare_acquisition(names, identity, (acquired(4), acquired(1)))

    assert (fewer["incumbent"], fewer["candidate"]) == (pytest.approx(0.1), pytest.approx(0.4))
    assert fewer["difference"] == pytest.approx(0.3)
    assert fewer["worse"]
    assert not more["worse"]


def test_what_could_support_no_rate_decides_nothing(opened: Opened, tmp_path: Path) -> None:
    few = open_pictures(write_folder(tmp_path / "few", made_faces(4, 2)))
    one = open_pictures(write_folder(tmp_path / "one", made_faces(1, 5)))
    alone = open_pictures(write_folder(tmp_path / "alone", made_faces(5, 1)))
    broken = open_pictures(write_folder(tmp_path / "broken", {"a/1.png": b"?", "b/1.png": b"?"}))

    with pytest.raises(FmrNotSupported, match=r"0\.01 is not supported"):
        compare(opened(), opened(2), few, aligned=True)
    for pictures, kind in ((one, "non-mated"), (alone, "mated"), (broken, "mated")):
        with pytest.raises(NoComparisons, match=f"no {kind} comparison"):
            compare(opened(), opened(2), pictures, aligned=True)


def test_counting_within_everybody_is_counting() -> None:
    random = np.random.default_rng(5)
    vectors = random.normal(size=(60, 8))
    unit = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    comparisons = compare_all(unit, np.arange(60) // 3)

    plain = bootstrap(comparisons, 20)
    within = bootstrap(comparisons, 20, within=np.ones(20, np.bool_))
    nobody = bootstrap(comparisons, 20, within=np.zeros(20, np.bool_))

    assert (within.fmr == plain.fmr).all()
    assert (within.fnmr == plain.fnmr).all()
    assert np.isnan(nobody.fnmr).all()
