"""Keys, database, models, audit trail and the program itself from the command line."""

import json
import shutil
import sqlite3
import subprocess
import sys
import tarfile
from pathlib import Path
from uuid import UUID

import pytest
from fixtures_cli import CommandLine

from embedding.bundle import Bundle

ROOT = Path(__file__).resolve().parents[2]


def test_help_names_the_commands(cli: CommandLine) -> None:
    ended = cli.run_afresh("--help")

    assert ended.status == 0
    for command in ("serve", "enrol", "verify", "compare", "search", "models", "keys", "db", "audit"):
        assert f"  {command} " in ended.stdout


def test_help_waits_for_no_large_library() -> None:
    large = (
        "numpy",
        "torch",
        "openvino",
        "cv2",
        "faiss",
        "fastapi",
        "sqlalchemy",
        "pydantic",
        "rich",
        "dbos",
    )
    script = f"import sys, invigil; print([name for name in {large} if name in sys.modules])"

    loaded = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert loaded.stdout.strip() == "[]"


def test_a_key_stands_alone_on_the_last_line(cli: CommandLine) -> None:
    ended = cli.run("keys", "create", "--name", "door", "--scope", "verify", "--scope", "subjects:read")

    key = ended.stdout.splitlines()[-1]
    prefix, _, secret = key.partition(".")
    assert ended.status == 0
    assert prefix.startswith("inv")
    assert len(secret) >= 40
    assert ended.stdout.endswith(f"\n{key}\n")


def test_a_key_is_listed_without_its_secret_until_it_is_revoked(cli: CommandLine) -> None:
    made = cli.run("keys", "create", "--name", "door", "--scope", "verify", "--json").document

    revoked = cli.run("keys", "revoke", made["prefix"])
    listed = cli.run("keys", "list", "--json")
    shown = cli.run("keys", "list")

    secret = made["key"].partition(".")[2]
    (item,) = listed.document["items"]
    assert (item["id"], item["name"], item["scopes"]) == (made["id"], "door", ["verify"])
    assert revoked.status == 0
    assert item["revoked_at"] is not None
    assert secret not in listed.stdout
    assert "revoked" in shown.stdout


def test_a_key_can_end_by_itself(cli: CommandLine) -> None:
    made = cli.run("keys", "create", "--name", "day", "--scope", "search", "--expires-in-days", "1", "--json")

    assert made.document["expires_at"] > made.document["created_at"]
    assert UUID(made.document["id"]).version == 7


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["keys", "create", "--name", "x"], "Missing option '--scope'"),
        (["keys", "create", "--name", "x", "--scope", "everything"], "Invalid value for '--scope'"),
        (["keys", "revoke", "inv0000000000"], "Invalid value for KEY: there is no key 'inv0000000000'"),
        (["models", "show", "absent"], "Invalid value for 'bundle': dir 'absent' does not exist"),
        (["models", "install", "absent.tar"], "There is no model bundle at absent.tar"),
        (
            ["models", "install", "https://localhost:1/b.tar"],
            "The model bundle is invalid: https://localhost:1",
        ),
    ],
)
def test_a_wrong_call_is_one_line(cli: CommandLine, arguments: list[str], complaint: str) -> None:
    ended = cli.run(*arguments)

    assert (ended.status, ended.stdout) == (2, "")
    assert ended.complaint.startswith(complaint)


@pytest.mark.parametrize(
    ("setting", "complaint"),
    [
        ({"INVIGIL_MATCH_FMR": "2"}, "INVIGIL_MATCH_FMR: Input should be less than 1"),
        ({"INVIGIL_PORT": "http"}, "INVIGIL_PORT: Input should be a valid integer"),
        ({"INVIGIL_MATCH_FMR": "0.01"}, "INVIGIL_MATCH_FMR (0.01) exceeds INVIGIL_REFER_FMR (0.001)"),
    ],
)
def test_a_wrong_setting_is_named(cli: CommandLine, setting: dict[str, str], complaint: str) -> None:
    ended = cli.run("keys", "list", **setting)

    assert ended.status == 2
    assert ended.complaint.startswith(complaint)


def test_ids_that_clash_already_are_listed_by_the_check(cli: CommandLine) -> None:
    (cli.folder / "var").mkdir()
    cli.run("db", "upgrade")
    with sqlite3.connect(cli.folder / "var" / "invigil.db") as connection:
        for number, external_id in enumerate(["s-1", "S-1", "\u0455-1"]):
            connection.execute(
                "INSERT INTO subject (id, external_id, external_key, external_skeleton_lower, created_at, changed_at)"  # noqa: E501
                " VALUES (?, ?, ?, 's-l', '2026-01-01', '2026-01-01')",
                (f"{number:032x}", external_id, external_id.casefold()),
            )
    connection.close()

    ended = cli.run("db", "check")
    found = cli.run("db", "check", "--json").document["clashes"]

    assert ended.status == 1
    assert "S-1 (00000000-0000-0000-0000-000000000001) equals s-1" in ended.stdout
    assert "\\u0455-1" in ended.stdout
    assert {(one["how"], one["first"], one["second"]) for one in found} == {
        ("equal", "s-1", "S-1"),
        ("looks_alike", "s-1", "\u0455-1"),
    }


def test_a_database_is_upgraded_once_and_checked(cli: CommandLine) -> None:
    (cli.folder / "var").mkdir()
    before = cli.run("db", "check", "--json")
    first = cli.run("db", "upgrade", "--json")
    second = cli.run("db", "upgrade", "--json")
    after = cli.run("db", "check", "--json")

    assert (before.status, before.document["current"]) == (1, False)
    assert first.document == {"before": None, "after": before.document["needed"]}
    assert second.document["before"] == second.document["after"] == first.document["after"]
    assert (after.status, after.document["current"]) == (0, True)


def test_a_database_that_cannot_be_reached_is_one_line(cli: CommandLine) -> None:
    ended = cli.run("keys", "list", INVIGIL_DATABASE_URL="postgresql://nobody@127.0.0.1:1/none")

    assert ended.status == 2
    assert "cannot be used" in ended.complaint


def test_an_audit_trail_that_somebody_changed_is_found(cli: CommandLine) -> None:
    cli.run("keys", "create", "--name", "a", "--scope", "verify")
    cli.run("keys", "create", "--name", "b", "--scope", "verify")
    whole = cli.run("audit", "verify", "--json")
    with sqlite3.connect(cli.folder / "var" / "invigil.db") as connection:
        connection.execute("UPDATE audit_event SET actor = 'somebody else' WHERE seq = 2")

    broken = cli.run("audit", "verify", "--json")

    assert (whole.status, whole.document["is_whole"]) == (0, True)
    assert whole.document["events"] == 2
    assert (broken.status, broken.document["first_bad_seq"]) == (1, 2)


def test_the_bundle_in_use_is_shown_and_verified(cli: CommandLine, shipped_bundle: Path) -> None:
    bundle = Bundle.load(shipped_bundle)

    shown = cli.run("models", "show", "--json").document
    verified = cli.run("models", "verify", "--json")

    assert shown["model_id"] == bundle.model_id
    assert shown["calibration"]["non_mated"] == bundle.calibration.non_mated
    assert (verified.status, verified.document["whole"]) == (0, True)


def test_a_damaged_bundle_is_refused_by_name(cli: CommandLine, shipped_bundle: Path) -> None:
    copy = cli.folder / "copy"
    shutil.copytree(shipped_bundle, copy)
    network = copy / Bundle.load(copy).manifest.embedder.file
    network.write_bytes(network.read_bytes()[:-1] + b"\0")

    verified = cli.run("models", "verify", copy)
    served = cli.run("serve", "--port", "0", INVIGIL_BUNDLE=str(copy))
    by_two = cli.run_afresh("serve", "--port", "0", INVIGIL_BUNDLE=str(copy), INVIGIL_WORKERS="2")

    for ended in (verified, served, by_two):
        assert ended.status == 2
        assert ended.stderr.splitlines()[-1].startswith("invigil: The model bundle is corrupted: ")
        assert "Traceback" not in ended.stderr


def test_a_bundle_is_installed_from_a_folder_and_from_an_archive(
    cli: CommandLine, shipped_bundle: Path
) -> None:
    digest = cli.run("models", "show", "--json").document["manifest_sha256"]
    archive = cli.folder / "bundle.tar.gz"
    with tarfile.open(archive, "w:gz") as packed:
        packed.add(shipped_bundle, "bundle")

    from_folder = cli.run("models", "install", shipped_bundle, "--sha256", digest, "--json")
    from_archive = cli.run("models", "install", archive, "--json")

    assert from_folder.status == from_archive.status == 0, from_archive
    installed = cli.folder / from_archive.document["path"]
    assert Bundle.load(installed).model_id == Bundle.load(shipped_bundle).model_id
    assert from_folder.document["path"] == from_archive.document["path"]


def test_a_bundle_with_another_digest_is_not_installed(cli: CommandLine, shipped_bundle: Path) -> None:
    ended = cli.run("models", "install", shipped_bundle, "--sha256", "0" * 64)

    assert ended.status == 2
    assert "SHA-256" in ended.complaint
    assert list((cli.folder / "var" / "bundles").iterdir()) == []


def test_an_archive_cannot_write_outside_its_place(cli: CommandLine, shipped_bundle: Path) -> None:
    archive = cli.folder / "bundle.tar"
    with tarfile.open(archive, "w") as packed:
        packed.add(shipped_bundle / "manifest.json", "../../manifest.json")

    ended = cli.run("models", "install", archive)

    assert ended.status == 2
    assert not (cli.folder / "manifest.json").exists()
    assert not (cli.folder / "var" / "manifest.json").exists()


def test_the_openapi_document_is_the_one_that_is_committed(cli: CommandLine) -> None:
    committed = Path(__file__).parents[2] / "docs" / "openapi.json"

    ended = cli.run("openapi")

    assert ended.status == 0
    assert ended.document == json.loads(committed.read_text(encoding="utf-8"))
