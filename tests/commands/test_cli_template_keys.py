"""The template key: made once, by the first start, and replaced while the service runs."""

import shutil
import sqlite3
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fixtures_cli import CommandLine, Running
from fixtures_service import Service
from former_tables import copy_database, turn_back
from sqlalchemy import select

from index.database.database import Database
from index.database.revisions import open_scripts
from index.gallery.codec import undo_rotation
from index.sealing.cipher import TemplateCipher, template_binding
from index.sealing.key_file import KEY_FILE, KeyFile
from index.tables import TemplateRow
from service.commands.serving import prepare
from service.errors import StartRefused
from service.settings import Settings

KEY, OTHER_KEY = "ab" * 32, "cd" * 32


@pytest.fixture
def photo(cli: CommandLine, astronaut_jpeg: bytes) -> Path:
    folder = cli.folder / "photos" / "s-1"
    folder.mkdir(parents=True)
    (folder / "portrait.jpg").write_bytes(astronaut_jpeg)
    return folder / "portrait.jpg"


def key_file(cli: CommandLine) -> Path:
    return cli.folder / "var" / KEY_FILE


def rows(cli: CommandLine) -> list[Any]:
    with closing(sqlite3.connect(cli.folder / "var" / "invigil.db")) as connection:
        return connection.execute("SELECT vector, key_id FROM template").fetchall()


def test_the_first_start_makes_a_key_and_says_where_it_is(
    settings_for: Callable[..., Settings], capsys: pytest.CaptureFixture[str]
) -> None:
    settings = settings_for()

    prepare(settings)
    first = capsys.readouterr().out
    prepare(settings)
    second = capsys.readouterr().out

    path = settings.data_dir / KEY_FILE
    lines = [line for line in first.splitlines() if str(path) in line]
    assert len(lines) == 1
    assert "worthless without" in lines[0]
    assert str(path) not in second
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(KeyFile(path).read()) == 1


def test_what_is_enrolled_is_sealed_with_the_key_of_the_file(cli: CommandLine, photo: Path) -> None:
    assert cli.run("enrol", "photos").status == 0

    ((vector, key_id),) = rows(cli)
    assert len(vector) == 4 * 128 + 28
    assert key_id == TemplateCipher(*KeyFile(key_file(cli)).read()).key_id
    assert cli.run("verify", "s-1", photo).status == 0


@pytest.mark.parametrize(
    "command",
    [
        ("verify", "s-1", "photos/s-1/portrait.jpg"),
        ("search", "photos/s-1/portrait.jpg"),
        ("models", "list"),
        ("keys", "list"),
        ("db", "upgrade"),
        ("db", "check"),
        ("audit", "verify"),
        ("exams", "purge"),
        ("jobs", "list"),
    ],
)
def test_a_command_that_reads_makes_no_key(cli: CommandLine, photo: Path, command: tuple[str, ...]) -> None:
    cli.run("db", "upgrade")

    cli.run(*command)

    assert not key_file(cli).exists()


def test_a_key_that_is_set_leaves_no_file(cli: CommandLine, photo: Path) -> None:
    assert cli.run("enrol", "photos", INVIGIL_TEMPLATE_KEY=KEY).status == 0

    assert not key_file(cli).exists()


def test_a_lost_key_is_not_replaced_by_a_new_one(cli: CommandLine, photo: Path) -> None:
    cli.run("enrol", "photos")
    key_file(cli).rename(cli.folder / "elsewhere")

    for command in (("enrol", "photos"), ("verify", "s-1", photo)):
        refused = cli.run(*command)
        assert refused.status == 2
        assert rows(cli)[0][1] in refused.complaint
        assert not key_file(cli).exists()

    (cli.folder / "elsewhere").rename(key_file(cli))
    assert cli.run("verify", "s-1", photo).status == 0


def test_a_start_that_ended_between_the_key_and_the_first_row_goes_on_with_that_key(
    cli: CommandLine, photo: Path
) -> None:
    KeyFile(key_file(cli)).make()
    made = key_file(cli).read_bytes()

    assert cli.run("enrol", "photos").status == 0

    assert key_file(cli).read_bytes() == made


def test_a_start_that_ended_in_the_middle_of_the_file_is_as_if_it_never_was(
    cli: CommandLine, photo: Path
) -> None:
    key_file(cli).parent.mkdir()
    key_file(cli).with_name(f".{KEY_FILE}.draft").write_text("# half a fi")

    assert cli.run("enrol", "photos").status == 0

    assert len(KeyFile(key_file(cli)).read()) == 1
    assert cli.run("verify", "s-1", photo).status == 0


@pytest.mark.slow("starts a dozen commands")
def test_of_several_that_start_at_once_one_makes_the_key(cli: CommandLine, astronaut_jpeg: bytes) -> None:
    for n in range(4):
        (cli.folder / f"photos{n}" / f"s-{n}").mkdir(parents=True)
        (cli.folder / f"photos{n}" / f"s-{n}" / "a.jpg").write_bytes(astronaut_jpeg)
    cli.run("db", "upgrade")

    running: list[Running] = [cli.start("enrol", f"photos{n}", "--refusals", f"{n}.csv") for n in range(4)]
    ended = [one.ended() for one in running]

    assert [one.status for one in ended].count(0) >= 1, ended
    key = TemplateCipher(*KeyFile(key_file(cli)).read())
    assert {key_id for _, key_id in rows(cli)} == {key.key_id}


def test_of_many_threads_one_makes_the_key(tmp_path: Path) -> None:
    file = KeyFile(tmp_path / KEY_FILE)

    def make(_: int) -> tuple[bool, bytes]:
        return KeyFile(file.path).make(), KeyFile(file.path).read()[0]

    with ThreadPoolExecutor(16) as pool:
        made = list(pool.map(make, range(64)))

    assert [here for here, _ in made].count(True) == 1
    assert len({key for _, key in made}) == 1


def test_postgresql_without_a_key_is_refused_in_one_line(
    settings_for: Callable[..., Settings], postgresql_url: str, cli: CommandLine, photo: Path
) -> None:
    with pytest.raises(StartRefused, match="INVIGIL_TEMPLATE_KEY"):
        prepare(settings_for(database_url=postgresql_url))
    refused = cli.run("enrol", "photos", INVIGIL_DATABASE_URL=postgresql_url)
    enrolled = cli.run("enrol", "photos", INVIGIL_DATABASE_URL=postgresql_url, INVIGIL_TEMPLATE_KEY=KEY)

    assert (refused.status, enrolled.status) == (2, 0)
    assert "INVIGIL_TEMPLATE_KEY" in refused.complaint
    assert not key_file(cli).exists()


def test_of_several_keys_the_first_seals_and_all_open(cli: CommandLine, photo: Path) -> None:
    cli.run("enrol", "photos", INVIGIL_TEMPLATE_KEY=KEY)
    both = {"INVIGIL_TEMPLATE_KEYS": f"{OTHER_KEY},{KEY}"}

    before = cli.run("verify", "s-1", photo, **both)
    resealed = cli.run("db", "reseal", "--json", **both)
    after = cli.run("verify", "s-1", photo, INVIGIL_TEMPLATE_KEY=OTHER_KEY)
    former = cli.run("verify", "s-1", photo, INVIGIL_TEMPLATE_KEY=KEY)

    assert [one.status for one in (before, resealed, after, former)] == [0, 0, 0, 2]
    assert resealed.document["sealed"] == {
        "templates": 1,
        "crops": 0,
        "thumbnails": 0,
        "second_factors": 0,
        "proposals": 0,
        "portraits": 0,
        "webhooks": 0,
        "queue_keys": 0,
        "admission_templates": 0,
    }
    assert resealed.document["is_complete"] is True
    assert rows(cli)[0][1] == TemplateCipher.from_text(OTHER_KEY).key_id


def test_a_key_of_the_settings_replaces_that_of_the_file(cli: CommandLine, photo: Path) -> None:
    cli.run("enrol", "photos")

    resealed = cli.run("db", "reseal", INVIGIL_TEMPLATE_KEY=KEY)
    key_file(cli).unlink()

    assert resealed.status == 0
    assert cli.run("verify", "s-1", photo, INVIGIL_TEMPLATE_KEY=KEY).status == 0


def test_a_row_that_no_key_opens_ends_the_command_with_1(cli: CommandLine, photo: Path) -> None:
    cli.run("enrol", "photos", INVIGIL_TEMPLATE_KEY=KEY)

    resealed = cli.run("db", "reseal", INVIGIL_TEMPLATE_KEY=OTHER_KEY)

    assert resealed.status == 1
    assert "1 templates" in resealed.stdout


def test_a_text_that_is_no_key_is_refused_and_not_shown(cli: CommandLine, photo: Path) -> None:
    refused = cli.run("enrol", "photos", INVIGIL_TEMPLATE_KEYS=f"{KEY},not-a-key")

    assert refused.status == 2
    assert "INVIGIL_TEMPLATE_KEYS" in refused.complaint
    assert "not-a-key" not in refused.complaint


def test_a_new_key_is_taken_up_by_a_service_at_work(
    start_service: Callable[..., Service], cli: CommandLine, astronaut_jpeg: bytes
) -> None:
    cli.run("db", "upgrade")
    service = start_service(data_dir=cli.folder / "var")
    first = service.enrolled(astronaut_jpeg)
    former = key_file(cli).read_text()

    resealed = cli.run("db", "reseal", "--new-key", "--json")
    verified = service.call("POST", f"/v1/subjects/{first}/verify", files={"image": astronaut_jpeg})
    path = f"/v1/subjects/{service.subject()}/templates"
    second = service.call("POST", f"{path}?force=true&reason=twins", files={"image": astronaut_jpeg})

    assert resealed.document["former_keys_dropped"] is True
    assert verified.json()["decision"] == "match"
    assert second.status_code == 201
    new = KeyFile(key_file(cli)).read()
    assert len(new) == 1
    assert former != key_file(cli).read_text()
    assert {key_id for _, key_id in rows(cli)} == {TemplateCipher(*new).key_id}


@pytest.mark.parametrize("is_anybody_enrolled", [True, False])
def test_the_trail_is_verified_and_the_service_starts_with_the_new_key_alone(
    start_service: Callable[..., Service],
    cli: CommandLine,
    astronaut_jpeg: bytes,
    is_anybody_enrolled: bool,
) -> None:
    cli.run("db", "upgrade")
    service = start_service(data_dir=cli.folder / "var")
    if is_anybody_enrolled:
        service.enrolled(astronaut_jpeg)
    else:
        service.subject()
    service.client.__exit__(None, None, None)

    resealed = cli.run("db", "reseal", "--new-key", "--json")

    assert resealed.document["former_keys_dropped"] is True
    assert cli.run("audit", "verify").status == 0
    assert start_service(data_dir=cli.folder / "var").call("GET", "/v1/subjects").status_code == 200


def test_a_former_key_stays_where_the_anchor_could_not_take_the_new_one(
    start_service: Callable[..., Service], cli: CommandLine
) -> None:
    cli.run("db", "upgrade")
    service = start_service(data_dir=cli.folder / "var")
    service.subject()
    service.client.__exit__(None, None, None)
    anchor = cli.folder / "var" / "audit.anchor"
    whole = anchor.read_text()
    anchor.write_text(whole.replace('"seq":', '"seq": 1', 1))

    resealed = cli.run("db", "reseal", "--new-key", "--json")

    anchor.write_text(whole)
    assert resealed.status != 0
    assert "audit.anchor" in resealed.complaint
    assert len(KeyFile(key_file(cli)).read()) == 2
    assert cli.run("audit", "verify").status == 0


def test_an_installation_of_before_is_sealed_by_the_next_start(cli: CommandLine, photo: Path) -> None:
    cli.run("enrol", "photos")
    vector = plain_vector(cli)
    file = cli.folder / "var" / "invigil.db"
    turn_back(file, "20261127_who_is_signed_in")
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("UPDATE template SET vector = ?, key_id = NULL", (vector,))
        connection.commit()
    key_file(cli).unlink()

    upgraded = cli.run("db", "upgrade")

    assert upgraded.status == 0
    assert KEY_FILE in upgraded.stderr
    assert rows(cli)[0][0] != vector
    assert cli.run("verify", "s-1", photo).status == 0
    assert cli.run("audit", "verify").status == 0


@pytest.mark.slow("starts two commands for every earlier revision")
def test_an_installation_of_any_earlier_revision_is_upgraded_and_still_verifies(
    cli: CommandLine, photo: Path, tmp_path: Path
) -> None:
    cli.run("enrol", "photos")
    vector, file = plain_vector(cli), cli.folder / "var" / "invigil.db"
    copy_database(file, tmp_path / "today.db")
    revisions = [script.revision for script in open_scripts().walk_revisions()]
    owned = revisions.index("20261127_with_owners")

    for age, revision in enumerate(revisions[1:], start=1):
        copy_database(tmp_path / "today.db", file)
        turn_back(file, revision)
        if age > owned:
            key_file(cli).unlink()
            with closing(sqlite3.connect(file)) as connection:
                connection.execute("UPDATE template SET vector = ?, key_id = NULL", (vector,))
                connection.commit()

        upgraded = cli.run("db", "upgrade", "--json")

        assert upgraded.status == 0, (revision, upgraded.stderr)
        assert upgraded.document["after"] == revisions[0]
        assert cli.run("verify", "s-1", photo).status == 0, revision


def plain_vector(cli: CommandLine) -> bytes:
    """The model's own vector of the only row, as earlier versions have stored it."""
    key = TemplateCipher(*KeyFile(key_file(cli)).read()).key
    return undo_rotation(key, opened_vector(cli)).astype("<f4").tobytes()


def test_two_installations_store_vectors_that_have_nothing_to_do_with_each_other(
    cli: CommandLine, photo: Path, shipped_bundle: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = CommandLine(tmp_path_factory.mktemp("other"), shipped_bundle)
    shutil.copytree(cli.folder / "photos", other.folder / "photos")
    stored = []
    for one in (cli, other):
        assert one.run("enrol", "photos").status == 0
        stored.append(opened_vector(one))

    # The same picture and the same model: without a rotation both would be the same.
    assert np.sum((stored[0] - stored[1]) ** 2) > 1.0


def opened_vector(cli: CommandLine) -> Any:
    """The only row's vector with its seal taken off, as it lies there."""
    cipher = TemplateCipher(*KeyFile(key_file(cli)).read())
    database = Database(f"sqlite:///{cli.folder / 'var' / 'invigil.db'}")
    with database.read() as db:
        row = db.scalars(select(TemplateRow)).one()
        binding = template_binding(row.id, row.subject_id, row.model_id)
        opened = cipher.open(row.id, binding, row.vector, row.key_id)
    database.close()
    return np.frombuffer(opened, "<f4")
