"""The page of a training: one file, with everything that a promotion is decided on."""

import json
import re
from html import escape
from pathlib import Path

import pytest
from fixtures_cli import CommandLine
from made_faces import coarse_bundle
from made_training import people, tiny_recipe, write_folders

from embedding.embedder import Embedder
from training.data.faces import SPLIT, Split
from training.data.pictures import Pictures, open_pictures
from training.embedder.loop import train
from training.embedder.report import draw_training_charts, format_recipe, write_run_report
from training.engine.run import RunFolder
from training.evaluation.gate import ModelComparison, compare

pytestmark = pytest.mark.not_quick("trains, and draws a page")


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixteen made people with six pictures each, one of them under two names."""
    made = people(16, 6, seed=2)
    made["person 05"].append(made["person 04"][0])
    return write_folders(tmp_path_factory.mktemp("data") / "faces", made)


@pytest.fixture(scope="module")
def pictures(faces: Path) -> Pictures:
    return open_pictures(faces)


@pytest.fixture(scope="module")
def run(faces: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    recipe = tiny_recipe(
        optimiser={"samples": 160},
        data={"sampling": "by_identity", "faces_per_identity": 2},
        mining={"every_epochs": 1, "band": 4.0, "held_back": 0.2},
    )
    return train(recipe, faces, tmp_path_factory.mktemp("runs") / "<made>")


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory, shipped_bundle: Path) -> tuple[Path, Path]:
    """A model in use, and a candidate that sees less."""
    folder, detector = tmp_path_factory.mktemp("bundles"), shipped_bundle / "detector.onnx"
    return tuple(coarse_bundle(folder / f"sees-{n}", detector, n).path for n in (8, 1))  # type: ignore[return-value]


@pytest.fixture(scope="module")
def comparison(bundles: tuple[Path, Path], pictures: Pictures) -> ModelComparison:
    incumbent, candidate = (Embedder.open(path, threads=1) for path in bundles)
    return compare(incumbent, candidate, pictures, groups={"person 01": "<i>few"}, aligned=True)


@pytest.fixture(scope="module")
def page(
    run: RunFolder, comparison: ModelComparison, pictures: Pictures, tmp_path_factory: pytest.TempPathFactory
) -> str:
    path = tmp_path_factory.mktemp("page") / "report.html"
    write_run_report(path, run, comparison, pictures, command="invigil train <made>")
    return path.read_text(encoding="utf-8")


def test_the_page_is_one_file_with_the_verdict_and_the_figures(
    page: str, comparison: ModelComparison
) -> None:
    record = comparison.record

    assert page.startswith("<!doctype html>")
    assert not re.search(r'(src|href)="(?!data:)', page)
    assert record["candidate_id"] in page
    assert record["incumbent_id"] in page
    for rate in record["rates"]:
        assert f"{100 * rate['candidate']['fnmr']:.2f} %" in page
        assert f"{rate['candidate']['threshold']:.4f}" in page


def test_the_page_shows_the_training_and_both_models(page: str, run: RunFolder) -> None:
    record = json.loads((run.path / "run.json").read_text())

    for title in (
        "Loss contrastive",
        "Misses on people held out, while training",
        "Learning rate",
        "DET",
        "Distances of the model in use",
        "Distances of the candidate",
        "One person, farthest apart",
        "Two people, nearest to each other",
        "Hard negatives mined last, while training",
        "Suspected label errors, mined last, while training",
        "has no calibration yet",
    ):
        assert title in page, title
    assert record["data"]["digest"] in page
    assert "[mining]" in page
    assert page.count("<svg") == 6
    assert page.count("data:image/jpeg;base64,") > 4 * 12


def test_nothing_that_was_written_elsewhere_becomes_markup(page: str) -> None:
    assert "<made>" not in page
    assert "<i>few" not in page
    assert "&lt;made&gt;" in page


def test_what_was_mined_before_the_training_is_shown_beside_what_was_mined_in_it(
    run: RunFolder, comparison: ModelComparison, pictures: Pictures, tmp_path: Path
) -> None:
    before = tmp_path / "mined"
    before.mkdir()
    (pool,) = (run.path / "mined").glob("*-pool.csv")
    (before / "pool.csv").write_bytes(pool.read_bytes())
    (before / "review.json").write_bytes((run.path / "mined" / "review.json").read_bytes())

    write_run_report(tmp_path / "report.html", run, comparison, pictures, mined=before)

    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Hard negatives mined before the training" in page
    assert "Hard negatives mined last, while training" in page
    command = json.loads((run.path / "run.json").read_text())["command"]
    assert f"<code>{escape(command)}</code>" in page


def test_of_a_step_that_was_done_twice_the_second_is_drawn() -> None:
    def line(step: int, loss: float) -> dict[str, object]:
        return {"step": step, "losses": {"a": loss}, "learning_rate": 0.1}

    once = draw_training_charts([line(1, 3.0), line(2, 2.0)])
    twice = draw_training_charts([line(1, 3.0), line(2, 9.0), line(2, 2.0)])

    assert [chart.title for chart in once] == ["Loss a", "Learning rate"]
    assert [chart.svg for chart in once] == [chart.svg for chart in twice]
    assert draw_training_charts([]) == []


def test_a_recipe_is_shown_as_it_is_written() -> None:
    recipe = {"seed": 1, "network": {"dim": 8}, "losses": [{"name": "a", "options": {"m": 1}}], "empty": {}}

    told = format_recipe(recipe)

    assert told == (
        'seed = 1\nempty = {}\n\n[network]\ndim = 8\n\n[[losses]]\nname = "a"\noptions = {"m": 1}'
    )


def test_the_command_compares_two_bundles_and_writes_the_page(
    cli: CommandLine, run: RunFolder, faces: Path, bundles: tuple[Path, Path]
) -> None:
    incumbent, candidate = bundles
    options = ("--bundle", candidate, "--incumbent", incumbent, "--images", faces, "--aligned", "--everyone")

    ended = cli.run("report", run.path, *options, "--to", "page.html", "--json")
    shown = cli.run("report", run.path, *options, "--to", "page.html")

    assert ended.status == shown.status == 0, ended.stderr
    assert ended.document["verdict"] == "worse"
    assert "worse in FNMR at FMR 0.01" in shown.stdout
    assert (cli.folder / "page.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_the_command_compares_within_groups_of_a_list(
    cli: CommandLine, run: RunFolder, faces: Path, bundles: tuple[Path, Path]
) -> None:
    incumbent, candidate = bundles
    lines = [f"{('odd', 'even')[number % 2]},person {number:02d}" for number in range(12)]
    (cli.folder / "groups.csv").write_text("\n".join(["group,identity", *lines]))
    options = ("--bundle", candidate, "--incumbent", incumbent, "--images", faces, "--aligned", "--everyone")

    ended = cli.run("report", run.path, *options, "--groups", "groups.csv", "--to", "page.html", "--json")

    assert ended.status == 0, ended.stderr
    sizes = {group["group"]: group["identities"] for group in ended.document["groups"]}
    assert sizes == {"even": 6, "odd": 6}
    assert "<h2>Groups</h2>" in (cli.folder / "page.html").read_text(encoding="utf-8")


def test_groups_of_people_who_are_not_compared_are_of_no_use(
    cli: CommandLine, run: RunFolder, faces: Path, bundles: tuple[Path, Path]
) -> None:
    """Each is in the data, but none among those held out to test."""
    held_out = Split.read(run.path / SPLIT).test
    others = sorted({path.name for path in faces.iterdir()} - set(held_out))
    (cli.folder / "groups.csv").write_text(f"identity,group\n{others[0]},a\n{others[1]},b\n")
    options = ("--bundle", bundles[1], "--images", faces, "--aligned")

    ended = cli.run("report", run.path, *options, "--groups", "groups.csv", "--to", "page.html")

    assert (ended.status, ended.stdout) == (2, "")
    assert f"the {len(held_out)} people compared are of no group; two groups at least" in ended.complaint
    assert not (cli.folder / "page.html").exists()
