"""Attacks on a bundle and on a run, from the command line."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from fixtures_cli import CommandLine
from made_faces import made_faces, write_folder
from made_training import TINY_NETWORK

from embedding.bundle import Bundle
from training.data.faces import SPLIT, Split
from training.embedder.export import make_portrait_views
from training.embedder.tables import read_table
from training.embedder.weights import describe_network
from training.engine.run import FORMAT, save_checkpoint
from training.networks.backbones import NetworkConfig, build_network
from training.shipping.figures import figures_of

pytestmark = pytest.mark.not_quick("embeds hundreds of faces")

ROOT = Path(__file__).resolve().parents[2]
PEOPLE = [f"p{number:03}" for number in range(50)]
SMALL = ("--data", "data", "--people", "3", "--steps", "1", "--epsilon", "2", "--json")


@pytest.fixture
def runs(cli: CommandLine) -> CommandLine:
    """In its folder: `data`, a `run` of a tiny network, and `shipped` with that of the shipped bundle."""
    write_folder(cli.folder / "data" / "faces", made_faces(len(PEOPLE), 10, spread=0.9))
    for name in ("run", "shipped"):
        (cli.folder / name).mkdir()
        Split(0, tuple(PEOPLE[:26]), tuple(PEOPLE[26:])).write(cli.folder / name / SPLIT)
    torch.manual_seed(0)
    config = read_table(TINY_NETWORK, NetworkConfig, "tiny")
    network = build_network(config)
    network(torch.from_numpy(make_portrait_views()[:16]))
    tiny = {"format": FORMAT, "network": describe_network(config), "ema": network.state_dict()}
    save_checkpoint(cli.folder / "run" / "last.pt", tiny)
    (checkpoint,) = (ROOT / "training" / "checkpoints").glob(f"{cli.bundle.name}-embedder.pt")
    shutil.copy(checkpoint, cli.folder / "shipped" / "best.pt")
    shutil.copytree(cli.bundle, cli.folder / "bundle")
    return cli


@pytest.mark.slow("judges the people held out in three ways")
def test_an_attack_on_a_bundle_is_among_its_figures_and_in_its_documents(runs: CommandLine) -> None:
    bundle = runs.folder / "bundle"
    before = figures_of(Bundle.load(bundle))
    (runs.folder / "README.md").write_text("Before.\n<!-- measured: attacks -->\n<!-- end -->\nAfter.")

    ended = runs.run("attack", "bundle", "--run", "shipped", *SMALL, "--document", "README.md")

    assert ended.status == 0, ended.stderr
    figures = figures_of(Bundle.load(bundle))
    assert figures.attack is not None
    assert (figures.bundles, figures.door) == (before.bundles, before.door)
    assert [(change.name, change.epsilon) for change in figures.attack.changes] == [
        ("nothing", 0),
        ("noise", 2),
        ("PGD", 2),
        ("PGD, then JPEG of quality 75", 2),
        ("PGD, then half the size and back", 2),
    ]
    assert ended.document == json.loads((bundle / "figures.json").read_text())["attack"]
    assert {outcome.at_fmr for outcome in figures.attack.changes[0].outcomes} == {1e-3, 1e-4}
    assert [way.looks for way in figures.attack.ways] == [1, 1, 3]
    written = (runs.folder / "README.md").read_text()
    assert "3 people held out for tests, 1 steps of PGD." in written
    assert "| PGD, then JPEG of quality 75 | 2 |" in written
    assert "| three crops, 2 pixels apart | 3 |" in written


def test_a_run_is_attacked_as_it_would_be_exported(runs: CommandLine) -> None:
    ended = runs.run("attack", "run", *SMALL)

    assert ended.status == 0, ended.stderr
    assert ended.document["people"] == 3
    assert len(ended.document["changes"]) == 5
    assert not (runs.folder / "run" / "figures.json").exists()


def test_a_bundle_is_attacked_through_no_network_but_its_own(runs: CommandLine) -> None:
    before = (runs.folder / "bundle" / "figures.json").read_bytes()

    other = runs.run("attack", "bundle", "--run", "run", *SMALL)
    nothing = runs.run("attack", "data", *SMALL)

    assert (other.status, other.complaint) == (2, "run: bundle was not made of a checkpoint in it.")
    assert nothing.status == 2
    assert "there is no such checkpoint" in nothing.complaint
    assert (runs.folder / "bundle" / "figures.json").read_bytes() == before
