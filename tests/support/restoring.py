"""A database that goes back in time under whoever works with it: a copy of it is kept, and put back later."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import psycopg
from sqlalchemy import make_url

from index.database.database import Database

PutBack = Callable[[], None]


def keep_copy(database: Database) -> PutBack:
    """Copy the database as it is now; what is returned puts the copy in its place, without asking anybody."""
    return _copy_of_file(database) if database.is_sqlite else _copy_on_server(database)


def _copy_of_file(database: Database) -> PutBack:
    file = Path(str(database.engine.url.database))
    copy = file.with_name(f"copy-{uuid4().hex}.db")
    _copy_pages(file, copy)
    return lambda: _copy_pages(copy, file)


def _copy_pages(source: Path, target: Path) -> None:
    """What `sqlite3 TARGET ".restore SOURCE"` does, while others have both open."""
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)


def _copy_on_server(database: Database) -> PutBack:
    """A standby that heard nothing from now on, and takes the primary's place: every connection is lost."""
    address = database.engine.url.render_as_string(hide_password=False)
    name, copy = str(make_url(address).database), f"copy_{uuid4().hex}"
    server = make_url(address).set(drivername="postgresql", database="postgres").render_as_string(False)
    _run(server, _end_connections(name), f"CREATE DATABASE {copy} TEMPLATE {name}")
    return lambda: _run(
        server, f"DROP DATABASE {name} WITH (FORCE)", f"ALTER DATABASE {copy} RENAME TO {name}"
    )


def _end_connections(name: str) -> str:
    return f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"


def _run(server: str, *statements: str) -> None:
    with psycopg.connect(server, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())
