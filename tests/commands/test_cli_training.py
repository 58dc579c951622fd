"""evaluate, calibrate, train and export from the command line; what they compute has tests of its own."""

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from fixtures_cli import CommandLine
from made_bundles import foreign_embedder
from made_training import people, write_folders

from embedding.embedder import Embedder
from embedding.image import encode_png
from training.data.seen import Seen
from training.embedder.export import make_portrait_views


@pytest.fixture
def faces(cli: CommandLine, astronaut_variants: Mapping[str, bytes], stranger_jpeg: bytes) -> Path:
    """Three pictures of one person and one of another, in folders of their names."""
    folder = cli.folder / "faces"
    pictures = {f"collins/{name}.jpg": astronaut_variants[name] for name in ("mirrored", "larger", "grey")}
    for name, picture in {**pictures, "hopper/portrait.jpg": stranger_jpeg}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(picture)
    return folder


@pytest.fixture
def no_torch(cli: CommandLine) -> Mapping[str, str]:
    """A folder in front of everything else, whose torch is as absent as without the extra."""
    folder = cli.folder / "blocked"
    folder.mkdir()
    missing = "raise ModuleNotFoundError(\"No module named 'torch'\", name='torch')\n"
    (folder / "torch.py").write_text(missing)
    return {"PYTHONPATH": str(folder)}


def test_a_bundle_is_measured_on_all_pairs_without_torch(
    cli: CommandLine, faces: Path, no_torch: Mapping[str, str], shipped_bundle: Path
) -> None:
    ended = cli.run_afresh("evaluate", "--images", faces, "--bundle", shipped_bundle, "--json", **no_torch)

    assert ended.status == 0, ended.stderr
    assert (ended.document["mated"], ended.document["non_mated"]) == (3, 3)
    assert ended.document["fta"] == 0


def test_a_bundle_is_measured_on_a_list_of_pairs_and_what_is_missing_is_counted(
    cli: CommandLine, faces: Path, shipped_bundle: Path
) -> None:
    lines = [
        "path_a,path_b,same",
        "collins/mirrored.jpg,collins/larger.jpg,1",
        "collins/grey.jpg,hopper/portrait.jpg,0",
        "collins/grey.jpg,hopper/absent.jpg,0",
    ]
    (cli.folder / "pairs.csv").write_text("\n".join(lines))
    options = ("--images", faces, "--pairs", "pairs.csv", "--bundle", shipped_bundle)

    ended = cli.run("evaluate", *options, "--report", "report.html", "--json")
    shown = cli.run("evaluate", *options)

    assert ended.status == shown.status == 0, ended.stderr
    assert [failure["name"] for failure in ended.document["failures"]] == ["hopper/absent.jpg"]
    assert "1 pictures gave no template" in shown.stdout
    assert (cli.folder / "report.html").read_text().startswith("<!doctype html>")


def test_groups_are_of_people_who_are_there_and_not_of_listed_pairs(
    cli: CommandLine, faces: Path, shipped_bundle: Path
) -> None:
    (cli.folder / "pairs.csv").write_text(
        "path_a,path_b,same\ncollins/grey.jpg,collins/larger.jpg,1\ncollins/grey.jpg,hopper/portrait.jpg,0\n"
    )
    (cli.folder / "groups.csv").write_text("identity,group\ncollins,a\nhopper,b\n")
    (cli.folder / "others.csv").write_text("identity,group\ncollins,a\nlovelace,b\n")
    options = ("--images", faces, "--bundle", shipped_bundle)

    told = cli.run("evaluate", *options, "--groups", "groups.csv", "--json")
    absent = cli.run("evaluate", *options, "--groups", "others.csv")
    listed = cli.run("evaluate", *options, "--groups", "groups.csv", "--pairs", "pairs.csv")

    assert told.status == 0, told.stderr
    assert (told.document["groups"], told.document["groups_left_out"]) == ([], {"groups": 2, "identities": 2})
    assert [each["tries"] for each in told.document["transactions"]] == [1, 3, 1, 3]
    assert told.document["transactions"][0]["fnmr"]["trials"] == 2
    assert (absent.status, listed.status) == (2, 2)
    assert "1 of its 2 identities are not in the data, the first in line 3" in absent.complaint
    assert "groups are of labelled people, not of listed pairs" in listed.complaint


def test_a_set_too_small_for_a_rate_says_which_it_supports_and_changes_nothing(
    cli: CommandLine, faces: Path, shipped_bundle: Path
) -> None:
    bundle, run = cli.folder / "bundle", cli.folder / "run"
    shutil.copytree(shipped_bundle, bundle)
    run.mkdir()
    Seen().write(run)
    before = (bundle / "manifest.json").read_bytes()

    ended = cli.run(
        "calibrate", "--images", faces, "--run", run, "--bundle", bundle, "--data", "portraits", "--everyone"
    )

    assert ended.status == 2
    assert "A false match rate of 0.01 is not supported" in ended.stderr.splitlines()[-1]
    assert (bundle / "manifest.json").read_bytes() == before


def test_people_whom_the_network_was_trained_on_do_not_calibrate_it(
    cli: CommandLine, faces: Path, shipped_bundle: Path
) -> None:
    run = cli.folder / "run"
    run.mkdir()
    Seen(identities=frozenset({"collins"})).write(run)
    options = ("--images", faces, "--run", run, "--bundle", shipped_bundle, "--data", "x", "--everyone")

    ended = cli.run("calibrate", *options)

    assert ended.status == 2
    assert "The network was trained on 1 identities of this set: collins." in ended.stderr


def test_people_whom_one_of_several_networks_was_trained_on_do_not_calibrate_them(
    cli: CommandLine, faces: Path, shipped_bundle: Path
) -> None:
    for run, identity in (("one", "nobody"), ("two", "hopper")):
        (cli.folder / run).mkdir()
        Seen(identities=frozenset({identity})).write(cli.folder / run)
    options = ("--images", faces, "--bundle", shipped_bundle, "--data", "x", "--everyone")

    ended = cli.run("calibrate", *options, "--run", cli.folder / "one", "--run", cli.folder / "two")

    assert ended.status == 2
    assert "The network was trained on 1 identities of this set: hopper." in ended.stderr


def test_other_peoples_network_becomes_a_bundle_that_is_calibrated_and_decides(
    cli: CommandLine, astronaut_jpeg: bytes, stranger_jpeg: bytes
) -> None:
    foreign_embedder(cli.folder / "theirs.onnx", "NCHW", 32)
    write_folders(cli.folder / "crops", people(30, 4))
    for name, picture in (("one.jpg", astronaut_jpeg), ("other.jpg", stranger_jpeg)):
        (cli.folder / name).write_bytes(picture)
    calibrate = ("calibrate", "--bundle", "theirs", "--images", "crops", "--aligned", "--data", "Mosaics.")

    made = cli.run("models", "make", "theirs.onnx", "--to", "theirs", "--dim", "32", "--json")
    nobody = cli.run(*calibrate)
    measured = cli.run(*calibrate, "--everyone", "--fmr", "0.1", "--fmr", "0.01", "--json")
    settings = {"INVIGIL_BUNDLE": "theirs", "INVIGIL_MATCH_FMR": "0.01", "INVIGIL_REFER_FMR": "0.1"}
    compared = replace(cli, settings=settings).run("compare", "one.jpg", "one.jpg", "--json")

    assert made.document["embedder"]["input"] == {
        "layout": "NCHW", "channels": "RGB", "mean": [127.5] * 3, "std": [127.5] * 3
    }  # fmt: skip
    assert nobody.status == 2
    assert "give --everyone" in nobody.stderr
    assert measured.document["data"] == "Mosaics. Nothing tells whether the network was trained on them."
    assert (compared.status, compared.document["model_id"]) == (0, made.document["model_id"])
    assert compared.document["calibration"]["id"] == measured.document["id"]


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("--dim", "16"), "the embedder yields 32 numbers, not 16."),
        (("--dim", "32", "--layout", "NHWC"), "theirs.onnx"),
        (("--dim", "32", "--std", "1", "0", "1"), "every number must be greater than 0"),
        (("--dim", "32", "--name", "Not a name"), "name: String should match pattern"),
    ],
)
def test_a_network_that_is_not_as_described_becomes_no_bundle(
    cli: CommandLine, options: tuple[str, ...], complaint: str
) -> None:
    foreign_embedder(cli.folder / "theirs.onnx", "NCHW", 32)

    ended = cli.run("models", "make", "theirs.onnx", "--to", "bundles/theirs", *options)

    assert (ended.status, ended.stdout) == (2, "")
    assert complaint in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not list(cli.folder.glob("bundles/*"))


@pytest.mark.parametrize("to", [".", "photos"])
def test_a_bundle_does_not_take_the_place_of_a_folder_with_something_else(cli: CommandLine, to: str) -> None:
    foreign_embedder(cli.folder / "theirs.onnx", "NCHW", 32)
    (cli.folder / "photos").mkdir()
    (cli.folder / "photos" / "ann.jpg").write_bytes(b"dear to somebody")

    ended = cli.run("models", "make", "theirs.onnx", "--to", to, "--dim", "32")

    assert (ended.status, ended.stdout) == (2, "")
    assert "there is something else in this folder, which is not replaced" in ended.stderr
    assert (cli.folder / "photos" / "ann.jpg").read_bytes() == b"dear to somebody"


TINY = """
seed = {seed}
[network]
widths = [32, 32, 32]
depths = [1, 1, 1]
dim = 16
head_channels = 4
[optimiser]
samples = 32
batch = 8
[data]
held_out = 0.5
loaders = 0
split_of = "{split_of}"
[machine]
compile = false
[[losses]]
name = "contrastive"
"""


@pytest.mark.slow("trains, exports and quantises")
def test_a_run_is_exported_in_eight_bits_and_two_of_them_side_by_side(cli: CommandLine) -> None:
    faces = write_folders(cli.folder / "made", people(12, 4))
    for run, seed, split_of in (("one", 1, ""), ("two", 2, "one")):
        (cli.folder / f"{run}.toml").write_text(TINY.format(seed=seed, split_of=split_of))
        trained = cli.run("train", f"{run}.toml", "--data", faces, "--run", run, "--json")
        assert trained.status == 0, trained.stderr
        assert trained.document == {"recipe": f"{run}.toml", "run": run}
        assert "images/s" not in trained.stderr
    portraits = [encode_png(view) for view in make_portrait_views()[::2]]
    shown = write_folders(cli.folder / "shown", {"collins": portraits})

    eight = cli.run("export", "one", "--to", "eight", "--both-sides", "--int8", shown, "--json")
    joined = cli.run("export", "one", "two", "--to", "joined", "--json")

    assert eight.status == joined.status == 0, eight.stderr + joined.stderr
    assert (eight.document["dim"], joined.document["dim"]) == (16, 32)
    assert b"QuantizeLinear" in (cli.folder / "eight" / "embedder.onnx").read_bytes()
    assert b"QuantizeLinear" not in (cli.folder / "joined" / "embedder.onnx").read_bytes()
    assert Embedder.open(cli.folder / "eight").dim == 16


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["train", "ful", "--data", "."], "ful: there is no such recipe; did you mean 'full'?"),
        (["train", "full", "--data", "absent"], "Invalid value for '--data'"),
        (["evaluate"], "Missing option '--images'"),
        (["export", "faces", "--to", "bundle"], "faces/last.pt: there is no such checkpoint"),
    ],
)
def test_a_wrong_training_call_is_one_line(
    cli: CommandLine, faces: Path, shipped_bundle: Path, arguments: list[str], complaint: str
) -> None:
    ended = cli.run(*arguments)

    assert (ended.status, ended.stdout) == (2, "")
    assert ended.complaint.startswith(complaint)


@pytest.mark.parametrize("recipe", ["one.toml", "full"])
def test_a_training_that_is_refused_leaves_no_folder(cli: CommandLine, recipe: str) -> None:
    (cli.folder / "one.toml").write_text(TINY.format(seed=1, split_of=""))
    (cli.folder / "nobody").mkdir()

    ended = cli.run("train", recipe, "--data", "nobody")

    assert ended.status == 2, ended
    assert not (cli.folder / "runs").exists()


def test_a_training_command_says_how_to_get_what_it_needs(
    cli: CommandLine, no_torch: Mapping[str, str]
) -> None:
    ended = cli.run_afresh("train", "full", "--data", cli.folder, **no_torch)

    assert (ended.status, ended.stdout) == (2, "")
    assert "make train-install" in ended.complaint
