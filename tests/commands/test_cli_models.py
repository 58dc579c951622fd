"""models register|promote|rollback from the command line; what a switch means has tests of its own."""

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from fixtures_cli import CommandLine

from embedding.bundle import Bundle
from index import audit
from index.database.database import Database
from index.models.models import Models

KEEPING = {"INVIGIL_STORE_CROPS": "true", "INVIGIL_TEMPLATE_KEY": "ab" * 32}


@pytest.fixture
def enrolled(cli: CommandLine, astronaut_jpeg: bytes) -> CommandLine:
    """The program with one enrolled person, `ann`, of whom a crop is kept."""
    keeping = replace(cli, settings=KEEPING)
    (cli.folder / "photos" / "ann").mkdir(parents=True)
    (cli.folder / "photos" / "ann" / "portrait.jpg").write_bytes(astronaut_jpeg)
    assert keeping.run("enrol", "photos", "--json").document["enrolled"] == 1
    return keeping


def states(cli: CommandLine) -> Mapping[str, str]:
    return {one["id"]: one["state"] for one in cli.run("models", "list", "--json").document["items"]}


def test_a_model_is_registered_promoted_and_rolled_back(
    enrolled: CommandLine, turned: Bundle, shipped_bundle: Path
) -> None:
    first = Bundle.load(shipped_bundle).model_id
    portrait = enrolled.folder / "photos" / "ann" / "portrait.jpg"

    registered = enrolled.run("models", "register", turned.path, "--json")
    refused = enrolled.run("models", "promote", turned.model_id)
    after_refusal = states(enrolled)
    promoted = enrolled.run("models", "promote", turned.model_id[:15], "--override", "a test", "--json")
    verified = enrolled.run("verify", "ann", portrait, "--json")
    back = enrolled.run("models", "rollback")
    nothing_left = enrolled.run("models", "rollback")

    assert registered.document == {
        "id": turned.model_id,
        "state": "candidate",
        "location": str(turned.path.resolve()),
    }
    assert (refused.status, refused.stdout) == (2, "")
    assert "not compared with the active model" in refused.complaint
    assert after_refusal == {first: "active", turned.model_id: "candidate"}
    assert promoted.document == {"id": turned.model_id, "reembedded": 1, "without_template": []}
    assert (verified.status, verified.document["model_id"]) == (0, turned.model_id)
    assert back.status == 0
    assert back.stdout.splitlines() == [
        f"{Bundle.load(shipped_bundle).manifest.name} is the active model: {first}",
        "0 templates were made of kept crops.",
    ]
    assert (nothing_left.status, nothing_left.stdout) == (2, "")
    assert states(enrolled) == {first: "active", turned.model_id: "retired"}
    assert reasons(enrolled) == ["a test"]


def reasons(cli: CommandLine) -> list[str]:
    """What the audit trail says why a model was promoted against the comparison."""
    with Database(f"sqlite:///{cli.folder}/var/invigil.db").read() as db:
        found = [event.details.get("override_reason") for event in audit.list_events(db, limit=100)]
    return [reason for reason in found if reason is not None]


def test_whom_the_promoted_model_does_not_know_is_counted(
    cli: CommandLine, turned: Bundle, astronaut_jpeg: bytes
) -> None:
    (cli.folder / "photos" / "ann").mkdir(parents=True)
    (cli.folder / "photos" / "ann" / "portrait.jpg").write_bytes(astronaut_jpeg)
    cli.run("enrol", "photos")

    registered = cli.run("models", "register", turned.path)
    promoted = cli.run("models", "promote", turned.model_id, "--override", "a test")

    assert registered.stdout == f"turned is registered (candidate): {turned.model_id}\n"
    assert promoted.status == 0, promoted.stderr
    assert promoted.stdout.splitlines()[:2] == [
        f"turned is the active model: {turned.model_id}",
        "0 templates were made of kept crops.",
    ]
    assert promoted.stdout.splitlines()[2].startswith("1 subjects have none of this model;")


def test_a_bundle_that_changed_since_it_was_registered_is_not_promoted(
    cli: CommandLine, turned: Bundle
) -> None:
    copy = cli.folder / "copy"
    shutil.copytree(turned.path, copy)
    cli.run("models", "register", copy)
    network = copy / turned.manifest.embedder.file
    network.write_bytes(network.read_bytes()[:-1] + b"\0")

    ended = cli.run("models", "promote", turned.model_id, "--override", "a test")

    assert (ended.status, ended.stdout) == (2, "")
    line = ended.stderr.splitlines()[-1]
    assert line.startswith(f"invigil: The bundle of model {turned.model_id} cannot be used: ")
    assert states(cli) == {turned.model_id: "candidate"}


def test_a_wrong_call_is_one_line(cli: CommandLine, turned: Bundle) -> None:
    (cli.folder / "empty").mkdir()
    database = Database(f"sqlite:///{cli.folder}/var/invigil.db")
    database.upgrade()
    for name in ("one", "two"):
        Models(database).register(f"sha256:{name}", name=name, dim=128, actor="test")

    for arguments, complaint in (
        (["register", "absent"], "Invalid value for 'bundle'"),
        (["register", "empty"], "There is no model bundle at empty"),
        (["promote", "sha256:three"], "There is no model sha256:three."),
        (["promote", "sha256:"], "There is no model sha256:… alone: 2 begin like this."),
        (
            ["promote", "sha256:one"],
            "The bundle of model sha256:one cannot be used: it was registered without",
        ),
        (
            ["promote", "sha256:one", "--override", " ! "],
            "Invalid value for --override: a reason has 3 to 500",
        ),
        (["rollback"], "No model was active before the present one."),
    ):
        ended = cli.run("models", *arguments)

        assert (ended.status, ended.stdout) == (2, "")
        assert ended.stderr.splitlines()[-1].removeprefix("invigil: ").startswith(complaint)
