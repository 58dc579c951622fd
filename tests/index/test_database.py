"""The database: its tables, its turns, and what it says when it cannot."""

import shutil
import threading
import time
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import UUID

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from fixtures_database import OpenDatabase
from made_templates import add_subject, enrol, made_template, open_gallery
from sqlalchemy import event, func, make_url, select, text
from sqlalchemy.exc import IntegrityError

from index.database.database import Database
from index.errors import (
    AddressInvalid,
    DatabaseBusy,
    DatabaseError,
    DatabaseFull,
    DatabaseOutdated,
    DatabaseUnavailable,
)
from index.gallery.gallery import Gallery
from index.ids import uuid7
from index.subjects.subjects import Subjects
from index.tables import AuditEventRow, Base, GalleryChangeRow, SubjectRow, TemplateRow
from service.exams import tables as exam_tables


def test_the_migrations_build_exactly_the_tables_of_the_program(database: Database) -> None:
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences = compare_metadata(context, Base.metadata)

    assert differences == []
    assert exam_tables.ExamRow.__tablename__ in Base.metadata.tables
    assert database.is_current()


def test_two_processes_may_upgrade_an_empty_database_at_once(
    empty_url: str, open_database: OpenDatabase
) -> None:
    databases = [open_database(empty_url) for _ in range(3)]
    threads = [threading.Thread(target=database.upgrade) for database in databases]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert all(database.is_current() for database in databases)


def test_work_on_tables_of_another_revision_is_refused(empty_url: str, open_database: OpenDatabase) -> None:
    database = open_database(empty_url)

    with pytest.raises(DatabaseOutdated, match="None"):
        database.require_current()
    database.upgrade()
    database.require_current()


def test_ids_ascend_in_the_order_they_were_made() -> None:
    ids = [uuid7() for _ in range(20_000)]

    assert ids == sorted(set(ids))
    assert {(one.version, one.variant) for one in ids} == {(7, "specified in RFC 4122")}
    assert abs((ids[-1].int >> 80) / 1000 - time.time()) < 10


def test_a_time_comes_back_as_the_moment_it_was_and_never_without_a_zone(database: Database) -> None:
    moment = datetime.fromisoformat("2026-11-21T23:30:00.123456-05:00")

    with database.write() as db:
        db.add(SubjectRow(display_name="Ana", created_at=moment))
    with database.read() as db:
        read = db.scalars(select(SubjectRow.created_at)).one()

    assert read == moment
    assert read.isoformat() == "2026-11-22T04:30:00.123456+00:00"


def test_a_time_without_a_zone_is_not_stored(database: Database) -> None:
    with suppress(Exception), database.write() as db:
        db.add(SubjectRow(created_at=datetime(2026, 11, 21)))

    assert count(database, SubjectRow) == 0


def test_a_writer_that_fails_leaves_nothing(database: Database) -> None:
    with suppress(RuntimeError), database.write() as db:
        db.add(SubjectRow(display_name="Ana"))
        db.flush()
        raise RuntimeError("the writer fails")

    assert count(database, SubjectRow) == 0


def test_writers_wait_in_line_and_say_busy_when_their_turn_does_not_come(
    database: Database, database_url: str, open_database: OpenDatabase
) -> None:
    gallery = open_gallery(database)
    ana = add_subject(database)
    impatient = open_gallery(open_database(database_url, lock_wait_seconds=0.2))

    with database.write():
        with pytest.raises(DatabaseBusy):
            enrol(impatient, ana, made_template(1))
        assert impatient.nearest(made_template(1), 1, max_d=4.0) == []

    assert whole_enrolments(database) == 0
    enrol(impatient, ana, made_template(1))
    assert gallery.nearest(made_template(1), 1, max_d=0.1)[0].subject_id == ana


def test_threads_of_one_process_wait_in_the_same_line(database_url: str, open_database: OpenDatabase) -> None:
    database = open_database(database_url, lock_wait_seconds=0.2)
    refused = []

    def write() -> None:
        try:
            with database.write():
                pass
        except DatabaseBusy as error:
            refused.append(error)

    with database.write():
        thread = threading.Thread(target=write)
        thread.start()
        thread.join()

    assert len(refused) == 1


def test_a_reader_does_not_see_what_is_not_committed_and_does_not_wait_for_it(database: Database) -> None:
    with database.write() as db:
        db.add(SubjectRow(display_name="Ana"))
        db.flush()
        assert count(database, SubjectRow) == 0

    assert count(database, SubjectRow) == 1


def test_a_full_disk_refuses_the_enrolment_and_harms_nothing(
    sqlite_url: str, open_database: OpenDatabase
) -> None:
    database = open_database(sqlite_url)
    gallery = open_gallery(database)
    people = [add_subject(database) for _ in range(3)]
    enrol(gallery, people[0], made_template(0))
    pages = set_room_for_pages(database, None)
    set_room_for_pages(database, pages)

    with pytest.raises(DatabaseFull):
        fill(gallery, people[1])
    answered = len(gallery.templates_of(people[1]))

    assert whole_enrolments(database) == 1 + answered
    assert gallery.nearest(made_template(0), 1, max_d=0.1)[0].subject_id == people[0]
    set_room_for_pages(database, 1_000_000)
    enrol(gallery, people[2], made_template(2))
    assert whole_enrolments(database) == 2 + answered


def fill(gallery: Gallery, subject_id: UUID) -> None:
    for sample in range(1, 200):
        enrol(gallery, subject_id, made_template(1, sample))


def set_room_for_pages(database: Database, pages: int | None) -> int:
    """Let the file grow to so many pages (SQLite then reports a full disk); returns how many it has now."""
    database.close()
    if pages is not None:
        event.listen(
            database.engine, "connect", lambda raw, _: raw.execute(f"PRAGMA max_page_count = {pages}")
        )
    with database.read() as db:
        return int(db.scalar(text("PRAGMA page_count")) or 0)


def test_a_server_that_is_not_there_is_unavailable(open_database: OpenDatabase) -> None:
    database = open_database("postgresql://nobody@127.0.0.1:1/none")

    for attempt in (database.revision, database.upgrade, lambda: count(database, SubjectRow)):
        with pytest.raises(DatabaseUnavailable):
            attempt()


def test_a_file_that_is_no_database_is_unavailable(sqlite_url: str, open_database: OpenDatabase) -> None:
    database = open_database(sqlite_url)
    Path(sqlite_url.removeprefix("sqlite:///")).write_bytes(b"this is not a database" * 1000)

    with pytest.raises(DatabaseUnavailable, match="not a database"):
        count(database, SubjectRow)


def test_a_server_is_found_among_several_hosts(
    postgresql_server: Any, postgresql_url: str, open_database: OpenDatabase
) -> None:
    address = make_url(postgresql_url)
    folder = quote(str(address.query["host"]), safe="")
    hosts = f"127.0.0.1:1,{folder}:5432"

    database = open_database(f"postgresql://postgres@{hosts}/{address.database}?application_name=door")

    add_subject(database)
    assert count(database, SubjectRow) == 1
    with database.read() as db:
        assert db.scalar(text("SHOW application_name")) == "door"
    # What reads the address again, such as the engine of the jobs, gets the same hosts.
    assert count(open_database(database.engine_url()), SubjectRow) == 1


@pytest.mark.parametrize("wanted", ["", "?target_session_attrs=read-write"])
def test_of_several_hosts_one_that_takes_no_writes_is_not_taken(
    postgresql_url: str, open_database: OpenDatabase, wanted: str
) -> None:
    address = make_url(postgresql_url)
    folder = quote(str(address.query["host"]), safe="")
    both = f"postgresql://postgres@{folder},{folder}:5432/{address.database}"
    alter = f"ALTER DATABASE {address.database} SET default_transaction_read_only ="
    with open_database(postgresql_url).engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(text(f"{alter} on"))
        connection.invalidate()

    with pytest.raises(DatabaseUnavailable, match="read-only"):
        count(open_database(both + wanted), SubjectRow)

    assert count(open_database(f"{both}?target_session_attrs=any"), SubjectRow) == 0


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://ana:secret@one:port,two/db",
        "postgresql://ana:secret@one:5432,[two/db",
        "postgresql://ana:secret@one:many/db",
        "mysql://ana:secret@one/db",
        "postgresql+asyncpg://ana:secret@one/db",
        "sqlite://ana:secret@one,two/db",
        "ana:secret@one",
        "",
        "sqlite://",
        "sqlite:///:memory:",
    ],
)
def test_an_address_that_cannot_be_used_is_one_line_without_its_password(address: str) -> None:
    with pytest.raises(AddressInvalid) as refused:
        Database(address)

    assert "secret" not in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_file_that_was_put_in_the_place_of_another_is_opened(
    sqlite_url: str, open_database: OpenDatabase, tmp_path: Path
) -> None:
    database = open_database(sqlite_url)
    copy = open_database(f"sqlite:///{shutil.copy(database.engine.url.database or '', tmp_path / 'copy.db')}")
    add_subject(copy)
    copy.close()
    assert count(database, SubjectRow) == 0

    Path(copy.engine.url.database or "").replace(database.engine.url.database or "")
    for side in ("-wal", "-shm"):
        Path(f"{database.engine.url.database}{side}").unlink(missing_ok=True)

    assert count(database, SubjectRow) == 1
    add_subject(database)
    database.close()
    assert count(open_database(sqlite_url), SubjectRow) == 2


def test_a_file_that_is_away_is_unavailable_and_no_empty_one_is_made(
    sqlite_url: str, open_database: OpenDatabase, tmp_path: Path
) -> None:
    database = open_database(sqlite_url)
    add_subject(database)
    file = Path(database.engine.url.database or "")

    file.rename(tmp_path / "away.db")
    with pytest.raises(DatabaseUnavailable):
        count(database, SubjectRow)
    with pytest.raises(DatabaseUnavailable):
        add_subject(database)
    was_made = file.exists()
    (tmp_path / "away.db").rename(file)

    assert not was_made
    assert count(database, SubjectRow) == 1


def test_a_database_in_memory_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a file"):
        Database("sqlite://")


def test_a_database_made_without_an_encoding_keeps_names_as_they_are(
    ascii_url: str, open_database: OpenDatabase
) -> None:
    database = open_database(ascii_url)
    database.upgrade()

    added = Subjects(database).add(display_name="Zoë 张伟", actor="test")

    assert Subjects(database).find(added.id).display_name == "Zoë 张伟"


def test_a_restarted_server_is_survived_under_load(
    postgresql_server: object, postgresql_url: str, open_database: OpenDatabase
) -> None:
    database = open_database(postgresql_url, lock_wait_seconds=2.0)
    gallery = open_gallery(database)
    ana = add_subject(database)
    done = threading.Event()
    answered: list[int] = []
    errors: list[Exception] = []

    def work(first: int) -> None:
        person = first
        while not done.is_set():
            try:
                enrol(gallery, ana, made_template(person))
                answered.append(person)
                assert gallery.nearest(made_template(person), 1, max_d=0.1)[0].d == 0.0
            except Exception as error:
                errors.append(error)
            person += 1

    threads = [threading.Thread(target=work, args=(10_000 * number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(answered) > 10)
    postgresql_server.stop()  # type: ignore[attr-defined]
    wait_until(lambda: len(errors) > 3)
    postgresql_server.ensure_postgres_running()  # type: ignore[attr-defined]
    before = len(answered)
    wait_until(lambda: len(answered) > before + 10)
    done.set()
    for thread in threads:
        thread.join()

    assert [error for error in errors if not isinstance(error, DatabaseError)] == []
    assert any(isinstance(error, DatabaseUnavailable) for error in errors)
    late = open_gallery(open_database(postgresql_url))
    assert all(late.nearest(made_template(person), 1, max_d=0.1) for person in answered)
    assert whole_enrolments(database) >= len(answered)


def wait_until(condition: object, seconds: float = 60.0) -> None:
    until = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < until, "it never came"
        time.sleep(0.02)


def count(database: Database, table: type[Base]) -> int:
    with database.read() as db:
        return db.scalar(select(func.count()).select_from(table)) or 0


def whole_enrolments(database: Database) -> int:
    """How many templates there are; each must have its gallery change and its audit event."""
    with database.read() as db:
        enrolled = select(func.count()).where(AuditEventRow.action == "template.enrolled")
        events = db.scalar(enrolled)
    templates = count(database, TemplateRow)
    assert templates == count(database, GalleryChangeRow) == events
    return templates


def test_what_an_error_of_the_database_says_never_repeats_what_was_sent(database: Database) -> None:
    sent = {"name": "Ada Lovelace"}

    with pytest.raises(IntegrityError) as failed, database.write() as db:
        db.execute(text("INSERT INTO subject (display_name) VALUES (:name)"), sent)

    assert "INSERT INTO subject" in str(failed.value)
    assert sent["name"] not in str(failed.value)
