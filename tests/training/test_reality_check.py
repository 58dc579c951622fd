"""The comparison of losses: its folds, its baseline, and that every method of the table trains."""

import json
from pathlib import Path

import numpy as np
import pytest
from made_training import people, write_folders

from training.cli.reality_check import HEADINGS, check_reality, format_cells, format_row
from training.data.pictures import Pictures, open_pictures
from training.errors import SplitInvalid, UnknownLoss
from training.reality_check.check import (
    METHODS,
    RAW_PIXELS,
    Method,
    Protocol,
    embed_all,
    reality_check,
    score,
)
from training.reality_check.thumbnails import Thumbnails, raw_pixels, unit

ORL = Path(__file__).parents[3] / "shared" / "data" / "eval" / "orl.tar"
QUICK = Protocol(seeds=2, steps=6, identities=4, each=2, dim=8, renewals=3)


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
    assert [row["name"] for row in told["rows"]] == [RAW_PIXELS, "contrastive"]
    assert all(len(fold) == QUICK.seeds for fold in told["rows"][1]["folds"])
    assert told["protocol"]["steps"] == QUICK.steps


def test_a_name_with_a_comma_is_told_from_two_names() -> None:
    known = {method.name for method in METHODS}

    refusal = str(UnknownLoss("nothing like it", known))

    assert "'triplet, semi-hard'" in refusal


@pytest.mark.slow("trains a network for each loss")
@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_every_method_of_the_table_trains(pictures: Pictures, method: Method) -> None:
    baseline, row = reality_check(pictures, [method], QUICK)

    assert (baseline.name, row.name) == (RAW_PIXELS, method.name)
    assert [len(fold) for fold in row.singles] == [2, 2]
    assert all(np.isfinite(each.map_at_r) for fold in row.singles for each in fold)
    assert len(format_row(format_cells(row))) == len(format_row(HEADINGS))


def test_joined_networks_have_the_mean_of_their_distances() -> None:
    a, b = (unit(np.random.default_rng(seed).normal(size=(5, 8))) for seed in range(2))
    joined = embed_all([a, b])

    def d(x: np.ndarray) -> float:
        return float(np.square(x[0] - x[3]).sum())

    assert d(joined) == pytest.approx((d(a) + d(b)) / 2, abs=1e-6)


@pytest.mark.skipif(not ORL.is_file(), reason=f"{ORL} is not there")
def test_raw_pixels_reach_what_they_reached_elsewhere() -> None:
    """P@1 98.50, RP 70.94, MAP@R 68.30, EER 10.78 %, TAR 62.56 and 36.11 %, of thumbnails made elsewhere."""
    _, (_, unseen) = Thumbnails.of(open_pictures(ORL)).folds(2)

    found = score(raw_pixels(unseen), unseen.labels)

    assert found.p_at_1 == pytest.approx(98.5, abs=1e-6)
    assert found.r_precision == pytest.approx(70.94, abs=0.2)
    assert found.map_at_r == pytest.approx(68.30, abs=0.2)
    assert found.eer == pytest.approx(10.78, abs=0.3)
