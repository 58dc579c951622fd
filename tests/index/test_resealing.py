"""Another key: every row is sealed anew while the service goes on, and nobody is unreadable meanwhile."""

import os
import subprocess
import sys
from collections.abc import Callable
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from made_templates import MODEL, add_subject, enrol, made_template, open_gallery
from sqlalchemy import func, select

from index.crops import Crops, NewCrop, keep_crop
from index.database.database import Database
from index.errors import TemplateUnreadable
from index.resealing import BATCH_ROWS, CROPS, TEMPLATES, reseal, seal_former_rows
from index.sealing.cipher import SealingKey, TemplateCipher
from index.tables import AuditEventRow, CropRow, TemplateRow

OLD, NEW = bytes(range(32)), bytes(range(1, 33))
TABLES = (TEMPLATES, CROPS)


@pytest.fixture
def people(database: Database) -> dict[int, UUID]:
    """Some people, enrolled and with kept crops under the old key."""
    gallery = open_gallery(database, cipher=TemplateCipher(OLD))
    subjects = {person: add_subject(database) for person in range(1, 8)}
    for person, subject in subjects.items():
        enrol(gallery, subject, made_template(person))
        with database.write() as db:
            keep_crop(db, TemplateCipher(OLD), subject, NewCrop(b"crop of %d" % person, days=30))
    return subjects


def verify_all(database: Database, cipher: TemplateCipher, people: dict[int, UUID]) -> None:
    gallery = open_gallery(database, cipher=cipher)
    for person, subject in people.items():
        assert gallery.distance_to(subject, made_template(person)).d < 1e-9
        found = gallery.nearest(made_template(person, 1), 1, max_d=0.2)
        assert [one.subject_id for one in found] == [subject]
        assert gallery.nearest(made_template(person, 1), 1, max_d=0.2, within=[subject]) == found


def key_ids(database: Database) -> set[str | None]:
    with database.read() as db:
        return {*db.scalars(select(TemplateRow.key_id)), *db.scalars(select(CropRow.key_id))}


def test_everybody_is_sealed_with_the_new_key_and_the_old_one_is_needed_no_more(
    database: Database, people: dict[int, UUID]
) -> None:
    verify_all(database, TemplateCipher(NEW, OLD), people)

    done = reseal(database, TemplateCipher(NEW, OLD), TABLES, actor="test")

    assert (done.sealed, done.is_complete) == ({"templates": 7, "crops": 7}, True)
    assert key_ids(database) == {SealingKey(NEW).id}
    verify_all(database, TemplateCipher(NEW), people)
    crops = {
        crop.subject_id: crop.picture for crop in Crops(database, TemplateCipher(NEW)).open_unembedded(MODEL)
    }
    assert crops == {subject: b"crop of %d" % person for person, subject in people.items()}
    with pytest.raises(TemplateUnreadable):
        open_gallery(database, cipher=TemplateCipher(OLD)).catch_up()


def test_sealing_anew_is_audited_and_done_once(database: Database, people: dict[int, UUID]) -> None:
    cipher = TemplateCipher(NEW, OLD)

    first, second = (reseal(database, cipher, TABLES, actor="test") for _ in range(2))

    assert second.sealed == {"templates": 0, "crops": 0}
    with database.read() as db:
        events = db.scalars(select(AuditEventRow).where(AuditEventRow.action == "rows.resealed")).all()
    assert [event.details.get("templates") for event in events] == [7, None]
    assert all(event.actor == "test" for event in events)
    assert all(event.details["key_id"] == first.key_id for event in events)


def test_a_process_goes_on_while_rows_are_sealed_anew(
    database: Database, database_url: str, open_database: Callable[[str], Database], people: dict[int, UUID]
) -> None:
    serving = open_database(database_url)
    gallery = open_gallery(serving, cipher=TemplateCipher(NEW, OLD))
    late = add_subject(serving)

    def go_on(done: int, total: int) -> None:
        for person, subject in people.items():
            assert gallery.distance_to(subject, made_template(person)).d < 1e-9
            assert gallery.nearest(made_template(person), 1, max_d=0.1)[0].subject_id == subject
        if done and not gallery.templates_of(late):
            enrol(gallery, late, made_template(100))

    done = reseal(database, TemplateCipher(NEW, OLD), TABLES, actor="test", progress=go_on)

    assert done.is_complete
    verify_all(database, TemplateCipher(NEW), people | {100: late})


def test_a_run_that_was_stopped_goes_on_where_it_was(database: Database, people: dict[int, UUID]) -> None:
    cipher, answers = TemplateCipher(NEW, OLD), iter([False, True, True, True])

    first = reseal(database, cipher, TABLES, actor="test", stop=lambda: next(answers))
    verify_all(database, cipher, people)
    second = reseal(database, cipher, TABLES, actor="test")

    assert (first.sealed, first.is_complete) == ({"templates": 7, "crops": 0}, False)
    assert (second.sealed, second.is_complete) == ({"templates": 0, "crops": 7}, True)


WORKER = """
import sys
from index.sealing.cipher import TemplateCipher
from index.database.database import Database
from index.resealing import CROPS, TEMPLATES, reseal
from index import resealing
resealing.BATCH_ROWS = 1
url, new, old = sys.argv[1:]
cipher = TemplateCipher(bytes.fromhex(new), bytes.fromhex(old))
def progress(*_):
    print("batch", flush=True)
reseal(Database(url), cipher, (TEMPLATES, CROPS), actor="test", progress=progress)
"""


@pytest.mark.slow("starts processes and kills them")
def test_a_process_killed_in_the_middle_leaves_every_row_readable(
    database: Database, database_url: str, people: dict[int, UUID]
) -> None:
    for _ in range(3):
        command = [sys.executable, "-c", WORKER, database_url, NEW.hex(), OLD.hex()]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": "."})
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.readline()
        process.kill()
        process.communicate()
        verify_all(database, TemplateCipher(NEW, OLD), people)

    assert len(key_ids(database)) == 2
    assert reseal(database, TemplateCipher(NEW, OLD), TABLES, actor="test").is_complete
    verify_all(database, TemplateCipher(NEW), people)


def test_more_rows_than_one_batch_are_all_sealed(database: Database) -> None:
    subject, cipher = add_subject(database), TemplateCipher(OLD)
    with database.write() as db:
        for n in range(2 * BATCH_ROWS + 1):
            keep_crop(db, cipher, subject, NewCrop(b"%d" % n, days=30))

    done = reseal(database, TemplateCipher(NEW, OLD), TABLES, actor="test")

    assert (done.sealed["crops"], done.is_complete) == (2 * BATCH_ROWS + 1, True)


def test_a_row_that_no_key_opens_is_left_and_named(database: Database, people: dict[int, UUID]) -> None:
    with database.write() as db:
        row = db.scalars(select(TemplateRow).where(TemplateRow.subject_id == people[3])).one()
        row.vector = row.vector[:-1] + bytes([row.vector[-1] ^ 1])

    done = reseal(database, TemplateCipher(NEW, OLD), TABLES, actor="test")

    assert (done.sealed["templates"], done.left, done.unreadable) == (
        6,
        {"templates": 1, "crops": 0},
        [row.id],
    )


def make_rows_of_before(database: Database, plain: bool) -> None:
    """What an earlier version has written: in plain, or bound to the id alone."""
    key = SealingKey(OLD)
    with database.write() as db:
        for template in db.scalars(select(TemplateRow)):
            person = db.scalar(select(func.count()).where(TemplateRow.number <= template.number))
            vector = made_template(person or 0).vector.tobytes()
            template.vector, template.key_id = (
                (vector, None) if plain else (former_seal(template.id, vector), key.former_id)
            )


def former_seal(row_id: UUID, content: bytes) -> bytes:
    nonce = os.urandom(12)
    return nonce + AESGCM(OLD).encrypt(nonce, content, row_id.bytes)


@pytest.mark.parametrize("plain", [True, False])
def test_rows_of_before_are_refused_until_somebody_says_what_they_are(
    database: Database, people: dict[int, UUID], plain: bool
) -> None:
    make_rows_of_before(database, plain)
    cipher = TemplateCipher(OLD)

    with pytest.raises(TemplateUnreadable, match="--from-before"):
        open_gallery(database, cipher=cipher).catch_up()
    refused = reseal(database, cipher, TABLES, actor="test")
    done = reseal(database, cipher, TABLES, actor="test", from_before=True)

    assert (refused.sealed["templates"], refused.left["templates"]) == (0, 7)
    assert (done.sealed["templates"], done.is_complete) == (7, True)
    verify_all(database, cipher, people)


@pytest.mark.parametrize("plain", [True, False])
def test_an_upgrade_seals_the_rows_of_before(
    database: Database, people: dict[int, UUID], plain: bool
) -> None:
    make_rows_of_before(database, plain)
    set_revision(database, "20261121_jobs")

    database.upgrade(lambda db: seal_former_rows(db, lambda: TemplateCipher(OLD), TABLES, "upgrade"))

    verify_all(database, TemplateCipher(OLD), people)


def test_an_upgrade_without_the_key_leaves_everything_as_it_is(
    database: Database, people: dict[int, UUID]
) -> None:
    make_rows_of_before(database, plain=False)
    set_revision(database, "20261121_jobs")

    with pytest.raises(TemplateUnreadable):
        database.upgrade(lambda db: seal_former_rows(db, lambda: TemplateCipher(NEW), TABLES, "upgrade"))

    assert database.revision() == "20261121_jobs"


def test_a_row_planted_after_the_upgrade_is_not_sealed_by_the_next_start(
    database: Database, people: dict[int, UUID]
) -> None:
    make_rows_of_before(database, plain=True)

    database.upgrade(lambda db: seal_former_rows(db, lambda: TemplateCipher(OLD), TABLES, "upgrade"))

    with pytest.raises(TemplateUnreadable, match="not encrypted"):
        open_gallery(database, cipher=TemplateCipher(OLD)).catch_up()


def set_revision(database: Database, revision: str) -> None:
    """Make the tables older ones."""
    from alembic import command

    from index.database.revisions import build_alembic_config

    with database.engine.connect() as connection, connection.begin():
        config = build_alembic_config()
        config.attributes["connection"] = connection
        command.downgrade(config, revision)
