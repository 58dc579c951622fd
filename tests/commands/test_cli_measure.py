"""All figures of a bundle in one command, and the documents that quote them."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
from fixtures_cli import CommandLine
from made_detection import write_made_set
from made_faces import coarse_bundle, made_faces, write_folder, write_tar

from embedding.bundle import Bundle
from training.data.faces import SPLIT, Split
from training.data.seen import Seen
from training.shipping.figures import FIGURES, figures_of
from training.shipping.tables import TABLES, fill_text

ROOT = Path(__file__).resolve().parents[2]
PEOPLE = [f"p{number:03}" for number in range(60)]
PAIRS = ["2", "Eileen 1 2", "Eileen 1 3", "Eileen 1 Grace 1", "Eileen 2 Grace 1"]
DOCUMENT = "\n".join(f"# {name}\n<!-- measured: {name} -->\n<!-- end -->" for name in TABLES)


@pytest.fixture
def material(cli: CommandLine, astronaut_variants: Mapping[str, bytes], stranger_jpeg: bytes) -> CommandLine:
    """In its folder: `coarse` and `coarser` bundles, `data`, and a `run` that saw nobody."""
    detector = cli.bundle / "detector.onnx"
    coarse_bundle(cli.folder / "coarse", detector)
    coarse_bundle(cli.folder / "coarser", detector, cells=4)
    data = write_made_set(cli.folder / "data")
    write_folder(data / "faces", made_faces(len(PEOPLE), 10, spread=0.9))
    photos = {
        f"Eileen/Eileen_000{number}.jpg": astronaut_variants[name]
        for number, name in enumerate(("larger", "grey", "darker"), start=1)
    }
    photos |= {f"Grace/Grace_000{number}.jpg": stranger_jpeg for number in (1, 2)}
    (data / "eval").mkdir()
    write_tar(data / "eval" / "lfw_view1_test_deepfunneled.tar", photos)
    (data / "eval" / "pairsDevTest.txt").write_text("\n".join("\t".join(line.split()) for line in PAIRS))
    (cli.folder / "run").mkdir()
    Split(0, tuple(PEOPLE[:30]), tuple(PEOPLE[30:])).write(cli.folder / "run" / SPLIT)
    Seen().write(cli.folder / "run")
    (cli.folder / "coarse" / "MODEL_CARD.md").write_text(DOCUMENT)
    (cli.folder / "README.md").write_text(f"Before.\n{DOCUMENT}\nAfter.")
    return cli


@pytest.fixture(scope="module")
def measured_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the first test that needs `coarse` measured leaves it for the others: measuring takes long."""
    return tmp_path_factory.mktemp("measured") / "coarse"


@pytest.fixture
def measured(material: CommandLine, measured_bundle: Path) -> CommandLine:
    """`material` after one `measure`."""
    bundle = material.folder / "coarse"
    if measured_bundle.exists():
        shutil.copytree(measured_bundle, bundle, dirs_exist_ok=True)
        return material
    ended = material.run(*MEASURE)
    assert ended.status == 0, ended.stderr
    shutil.copytree(bundle, measured_bundle)
    return material


MEASURE = (
    "measure", "--bundle", "coarse", "--data", "data", "--run", "run", "--people", "Mosaics.",
    "--fmr", "1e-3", "--fmr", "1e-4", "--fmr", "1e-2", "--seconds", "0",
)  # fmt: skip

SHARE = {"value": 0.2, "interval": [0.0, 0.6], "trials": 5}
CHANGE = {
    "name": "PGD",
    "epsilon": 2,
    "outcomes": [{"at_fmr": 1e-3, "impersonated": SHARE, "dodged": SHARE}],
}
ATTACK = {
    "people": 5,
    "steps": 1,
    "changes": [CHANGE],
    "ways": [
        {
            "name": "as it is",
            "looks": 1,
            "rates": [{"fmr": 1e-3, "fnmr": 0.2, "interval": [0.0, 0.6]}],
            "change": CHANGE,
        }
    ],
}


def test_one_command_calibrates_a_bundle_and_writes_its_figures_into_documents(material: CommandLine) -> None:
    folder = material.folder
    before = Bundle.load(folder / "coarse")

    ended = material.run(*MEASURE, "--beside", "half as fine=coarser", "--document", "README.md", "--json")
    alone = material.run(
        "evaluate", "--images", "data/faces", "--held-out", "run", "--bundle", "coarse", "--aligned", "--json"
    )

    assert ended.status == 0, ended.stderr
    bundle, figures = Bundle.load(folder / "coarse"), figures_of(Bundle.load(folder / "coarse"))
    assert bundle.model_id == before.model_id == figures.own.model_id
    assert ended.document["bundles"][0]["test"]["at_fmr"] == alone.document["at_fmr"]
    assert [row.name for row in figures.bundles] == ["coarse", "half as fine"]
    assert figures.bundles[1].model_id == Bundle.load(folder / "coarser").model_id
    written = (folder / "README.md").read_text()
    assert written == f"Before.\n{(folder / 'coarse' / 'MODEL_CARD.md').read_text()}\nAfter."
    assert "LFW View 1: 2 people with two pictures or more, 2 of them enrolled with 2 templates" in written
    threshold = bundle.calibration.threshold(1e-3)
    assert f"| 1e-3 | {threshold:.4f} |" in written
    assert f'"id": "{bundle.calibration.id}"' in written
    eer = figures.own.test.eer.value
    assert f"equal error rate {100 * eer:.1f} %" in written
    assert "| half as fine |" in written


def test_documents_are_written_again_without_measuring(measured: CommandLine) -> None:
    record = (measured.folder / "coarse" / FIGURES).read_bytes()
    card = measured.folder / "coarse" / "MODEL_CARD.md"
    written = card.read_text()
    card.write_text(written.replace("%", "per cent"))

    again = measured.run("measure", "--bundle", "coarse")

    assert again.status == 0, again.stderr
    assert card.read_text() == written
    assert (measured.folder / "coarse" / FIGURES).read_bytes() == record


def test_a_calibration_that_comes_out_the_same_keeps_its_id(measured: CommandLine) -> None:
    bundle = measured.folder / "coarse"
    before = (bundle / "manifest.json").read_bytes()
    figures = json.loads((bundle / FIGURES).read_text())
    (bundle / FIGURES).write_text(json.dumps({**figures, "attack": ATTACK}))

    again = measured.run(*MEASURE)
    unchanged = (bundle / "manifest.json").read_bytes() == before
    kept = json.loads((bundle / FIGURES).read_text())["attack"]
    other = measured.run(*MEASURE, "--fmr", "2e-2")

    assert (again.status, other.status) == (0, 0)
    assert unchanged
    assert kept == ATTACK
    assert figures_of(Bundle.load(bundle)).attack is None  # it was made at other thresholds
    assert figures_of(Bundle.load(bundle)).calibration_id == Bundle.load(bundle).calibration.id
    assert Bundle.load(bundle).calibration.id != json.loads(before)["calibration"]["id"]


def test_a_bundle_is_not_measured_on_people_whom_it_has_seen(material: CommandLine) -> None:
    Seen(identities=frozenset(PEOPLE[:1])).write(material.folder / "run")
    before = (material.folder / "coarse" / "manifest.json").read_bytes()

    ended = material.run(*MEASURE)

    assert ended.status == 2
    assert "The network was trained on 1 identities of this set: p000." in ended.stderr
    assert (material.folder / "coarse" / "manifest.json").read_bytes() == before
    assert not (material.folder / "coarse" / FIGURES).exists()
    assert (material.folder / "coarse" / "MODEL_CARD.md").read_text() == DOCUMENT


def test_figures_of_another_calibration_are_not_written_into_documents(measured: CommandLine) -> None:
    path = measured.folder / "coarse" / FIGURES
    path.write_text(json.dumps({**json.loads(path.read_text()), "calibration_id": "cal-of-another"}))
    (measured.folder / "coarse" / "MODEL_CARD.md").write_text(DOCUMENT)

    ended = measured.run("measure", "--bundle", "coarse")

    assert (ended.status, ended.complaint) == (
        2,
        f"coarse/{FIGURES}: they were measured with cal-of-another.",
    )
    assert (measured.folder / "coarse" / "MODEL_CARD.md").read_text() == DOCUMENT


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("Nothing is marked here.", "it marks no place for figures"),
        ("<!-- measured: sped -->\n<!-- end -->", "there is no table 'sped'; known: answer, attack"),
    ],
)
def test_a_document_without_a_place_for_figures_stays_as_it_is(
    cli: CommandLine, shipped_bundle: Path, text: str, complaint: str
) -> None:
    shutil.copytree(shipped_bundle, cli.folder / "bundle")
    (cli.folder / "other.md").write_text(text)

    ended = cli.run("measure", "--bundle", "bundle", "--document", "other.md")

    assert ended.status == 2
    assert complaint in ended.complaint
    assert (cli.folder / "other.md").read_text() == text


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("--data", "data"), "Invalid value for --run: it says who was held out"),
        (("--data", "data", "--run", "run", "--beside", "coarser"), "'coarser' is not NAME=PATH"),
    ],
)
def test_a_wrong_call_measures_nothing(
    material: CommandLine, options: tuple[str, ...], complaint: str
) -> None:
    ended = material.run("measure", "--bundle", "coarse", *options)

    assert ended.status == 2
    assert complaint in ended.complaint
    assert not (material.folder / "coarse" / FIGURES).exists()


@pytest.mark.parametrize("document", ["README.md", "docs/training.md", "MODEL_CARD.md"])
def test_the_shipped_documents_say_what_was_measured(shipped_bundle: Path, document: str) -> None:
    path = shipped_bundle / document if document == "MODEL_CARD.md" else ROOT / document
    text = path.read_text(encoding="utf-8")
    bundle = Bundle.load(shipped_bundle)

    written = fill_text(text, bundle, figures_of(bundle))

    assert "<!-- measured: " in text
    assert written == text


def test_the_shipped_picture_shows_the_curve_of_the_training(cli: CommandLine, shipped_bundle: Path) -> None:
    ended = cli.run("measure", "--bundle", shipped_bundle, "--curve", "curve.svg")

    assert ended.status == 0, ended.stderr
    drawn = (cli.folder / "curve.svg").read_text()
    assert drawn.count("<polyline") == 4
    assert drawn == (ROOT / "docs" / "pictures" / "training_curve.svg").read_text()


def test_a_bundle_without_a_curve_draws_none(cli: CommandLine, shipped_bundle: Path) -> None:
    shutil.copytree(shipped_bundle, cli.folder / "bundle")
    for content in (b"", b"{}\n", b"no curve"):
        (cli.folder / "bundle" / "curve.jsonl").write_bytes(content)

        ended = cli.run("measure", "--bundle", "bundle", "--curve", "curve.svg")

        assert ended.status == 2
        assert ended.complaint.startswith("bundle/curve.jsonl: ")
        assert not (cli.folder / "curve.svg").exists()
