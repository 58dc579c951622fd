"""The comparison of losses: its folds, its baseline, and that every method of the table trains."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_training import people, write_folders

from embedding.embedder import Embedder
from training.cli.reality_check import HEADINGS, check_reality, format_cells, format_row
from training.data.pictures import Pictures, open_pictures
from training.errors import SplitInvalid, UnknownLoss
from training.reality_check.check import (
    METHODS,
    RAW_PIXELS,
    SHIPPED_NETWORK,
    Method,
    Protocol,
    embed,
    embed_all,
    reality_check,
    score,
    train_method,
    tune,
)
from training.reality_check.thumbnails import Thumbnails, embed_raw_pixels, normalise

ORL = Path(__file__).parents[3] / "shared" / "data" / "eval" / "orl.tar"
QUICK = Protocol(seeds=2, steps=6, identities=4, each=2, dim=8, renewals=3, grid=(1e-3,))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Pictures:
    """Twelve made people with four pictures each."""
    return open_pictures(write_folders(tmp_path_factory.mktemp("people") / "faces", people(12, 4)))


def test_every_fold_is_of_other_people_and_together_they_are_everybody(pictures: Pictures) -> None:
    faces = Thumbnails.of(pictures)

    folds = faces.folds(3)

    assert [len(np.unique(unseen.labels)) for _, unseen in folds] == [4, 4, 4]
    assert [len(seen.labels) + len(unseen.labels) for seen, unseen in folds] == [48, 48, 48]
    assert np.array_equal(np.concatenate([unseen.pixels for _, unseen in folds]), faces.pixels)
    with pytest.raises(SplitInvalid, match="12 people cannot be parted into 7 folds"):
        faces.folds(7)


def test_the_table_is_one_json_document_where_that_is_asked_for(
    pictures: Pictures, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("training.reality_check.check.Protocol", lambda: QUICK)

    check_reality(pictures.path, ["contrastive"], as_json=True)

    told = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in told["rows"]] == [RAW_PIXELS, SHIPPED_NETWORK, "contrastive"]
    assert all(len(fold) == QUICK.seeds for fold in told["rows"][2]["folds"])
    assert told["rows"][2]["learning_rates"] == [1e-3, 1e-3]
    assert told["rows"][1]["folds"][0][0]["recall"].keys() == {"1", "2", "4", "8"}
    assert told["protocol"]["steps"] == QUICK.steps


def test_a_name_with_a_comma_is_told_from_two_names() -> None:
    known = {method.name for method in METHODS}

    refusal = str(UnknownLoss("nothing like it", known))

    assert "'triplet, semi-hard'" in refusal


def test_the_grid_is_tried_on_people_who_are_neither_trained_on_nor_measured(pictures: Pictures) -> None:
    (seen, unseen), _ = Thumbnails.of(pictures).folds(2)

    known, unknown = seen.split_people(0.25)

    assert [len(np.unique(part.labels)) for part in (known, unknown)] == [4, 2]
    assert np.array_equal(np.concatenate([known.pixels, unknown.pixels]), seen.pixels)
    assert unknown.labels.min() == 0
    measured = {picture.tobytes() for picture in unseen.pixels}
    assert not measured & {picture.tobytes() for picture in seen.pixels}
    with pytest.raises(SplitInvalid, match="3 people cannot be parted"):
        seen.where(seen.labels < 3).split_people(0.25)


def test_every_method_has_the_rate_of_the_same_grid_that_is_best_on_those_people(pictures: Pictures) -> None:
    """A rate of almost 0 leaves a network as it was drawn, which here is worse than one that has learnt."""
    protocol = replace(QUICK, steps=30, grid=(1e-9, 3e-3))
    method = next(method for method in METHODS if method.name == "triplet")
    seen, _ = Thumbnails.of(pictures).folds(2)[0]
    known, unknown = seen.split_people(protocol.validation)
    reached = {
        rate: score(embed(train_method(method, known, protocol, 0, rate), unknown), unknown.labels).map_at_r
        for rate in protocol.grid
    }

    chosen = tune(method, seen, protocol)

    assert reached[chosen] == max(reached.values())
    assert tune(method, seen, replace(protocol, grid=protocol.grid[::-1])) == chosen


def test_a_random_network_is_neither_tuned_nor_trained(pictures: Pictures) -> None:
    method = next(method for method in METHODS if method.part is None)
    seen, _ = Thumbnails.of(pictures).folds(2)[0]

    first = embed(train_method(method, seen, QUICK, 0, 1e-3), seen)
    again = embed(train_method(method, seen, replace(QUICK, steps=99), 0, 3.0), seen)
    other = embed(train_method(method, seen, QUICK, 1, 1e-3), seen)

    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_what_copies_a_teacher_is_left_out_where_there_is_none(pictures: Pictures) -> None:
    (method,) = [method for method in METHODS if method.is_taught]

    rows = reality_check(pictures, [method], QUICK)

    assert [row.name for row in rows] == [RAW_PIXELS]


@pytest.mark.slow("trains a network for each loss")
@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_every_method_of_the_table_trains(pictures: Pictures, method: Method, shipped_bundle: Path) -> None:
    baseline, shipped, row = reality_check(
        pictures, [method], QUICK, shipped=Embedder.open(shipped_bundle, threads=1)
    )

    assert (baseline.name, shipped.name, row.name) == (RAW_PIXELS, SHIPPED_NETWORK, method.name)
    assert [len(fold) for fold in row.singles] == [2, 2]
    assert all(np.isfinite(each.map_at_r) for fold in row.singles for each in fold)
    assert len(format_row(format_cells(row))) == len(format_row(HEADINGS))


def test_joined_networks_have_the_mean_of_their_distances() -> None:
    a, b = (normalise(np.random.default_rng(seed).normal(size=(5, 8))) for seed in range(2))
    joined = embed_all([a, b])

    def d(x: np.ndarray) -> float:
        return float(np.square(x[0] - x[3]).sum())

    assert d(joined) == pytest.approx((d(a) + d(b)) / 2, abs=1e-6)


@pytest.mark.skipif(not ORL.is_file(), reason=f"{ORL} is not there")
def test_raw_pixels_reach_what_they_reached_elsewhere() -> None:
    """P@1 98.50, RP 70.94, MAP@R 68.30, EER 10.78 %, TAR 62.56 and 36.11 %, of thumbnails made elsewhere."""
    _, (_, unseen) = Thumbnails.of(open_pictures(ORL)).folds(2)

    found = score(embed_raw_pixels(unseen), unseen.labels)

    assert found.recall[0] == pytest.approx(98.5, abs=1e-6)
    assert found.r_precision == pytest.approx(70.94, abs=0.2)
    assert found.map_at_r == pytest.approx(68.30, abs=0.2)
    assert found.eer == pytest.approx(10.78, abs=0.3)
