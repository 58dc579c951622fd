"""How connections of each kind of database are opened and prepared."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.pool import ConnectionPoolEntry

from index.errors import DatabaseUnavailable

_POOL_SIZE = 16
_POOL_OVERFLOW = 32
_RECYCLE_SECONDS = 300

# A machine that is gone after a failover answers nothing, not even that it is gone. It is noticed within half
# a minute, and not after the two hours of the system's defaults; the address may say otherwise.
_PATIENCE = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}

_SQLITE_PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    # FULL: an answered enrolment survives a power cut; NORMAL would lose the last commits.
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    # Removed templates are overwritten in the file and not merely unlinked.
    "PRAGMA secure_delete = ON",
    "PRAGMA journal_size_limit = 67108864",
)


def create_sqlite_engine(address: URL, lock_wait_seconds: float) -> Engine:
    """Connections to a file, which is made where there is none."""
    file = Path(str(address.database))
    create_private_file(file)
    engine = create_engine(
        address,
        connect_args={"timeout": lock_wait_seconds},
        pool_size=_POOL_SIZE,
        max_overflow=_POOL_OVERFLOW,
        pool_timeout=lock_wait_seconds,
        hide_parameters=True,
    )
    event.listen(engine, "do_connect", lambda *given: _note_file(file, given[1]))
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "checkout", lambda _, record, __: _require_same_file(file, record))
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _note_file(file: Path, record: ConnectionPoolEntry) -> None:
    """Remember which file a connection is opened to; before, so that it is never taken for a later one."""
    record.info["file"] = _read_identity(file)
    if record.info["file"] is None:
        # SQLite would make an empty one, where somebody may be about to put a backup.
        raise DatabaseUnavailable(f"there is no file {file.name}")


def _require_same_file(file: Path, record: ConnectionPoolEntry) -> None:
    """Open again where another file was put in place: SQLite would go on with the one that has no name now.

    Raises:
        InvalidatePoolError: The pool then opens all of its connections again.
    """
    if record.info["file"] != _read_identity(file):
        raise InvalidatePoolError


def _read_identity(file: Path) -> tuple[int, int] | None:
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def create_private_file(path: Path) -> None:
    """Make the file readable by its owner alone; SQLite gives its side files the same rights."""
    path.parent.mkdir(parents=True, exist_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))


def _prepare_sqlite(connection: Any, _: object) -> None:
    # The driver would begin transactions by itself, late and without IMMEDIATE; two writers that both began
    # by reading could then never both finish.
    connection.isolation_level = None
    for pragma in _SQLITE_PRAGMAS:
        connection.execute(pragma)


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))


@contextmanager
def open_driver_connection(engine: Engine) -> Iterator[Any]:
    """A connection of the driver's own, outside any transaction."""
    connection = engine.raw_connection()
    try:
        yield connection.dbapi_connection
    finally:
        connection.close()


@contextmanager
def disable_foreign_keys(connection: Connection) -> Iterator[None]:
    """Let a migration rebuild a table without the removal of the old one cascading through the others."""
    raw: Any = connection.connection.dbapi_connection
    raw.execute("PRAGMA foreign_keys = OFF")
    try:
        yield
    finally:
        raw.execute("PRAGMA foreign_keys = ON")


def create_postgresql_engine(address: URL, lock_wait_seconds: float) -> Engine:
    """Connections to a server, or to whichever of several hosts takes writes."""
    patience = {name: value for name, value in _PATIENCE.items() if name not in address.query}
    return create_engine(
        address,
        connect_args={
            **patience,
            "client_encoding": "utf8",  # of a database made as SQL_ASCII psycopg would return bytes
            "options": f"-c lock_timeout={int(lock_wait_seconds * 1000)} -c timezone=UTC",
        },
        pool_size=_POOL_SIZE,
        max_overflow=_POOL_OVERFLOW,
        pool_timeout=lock_wait_seconds,
        # A restarted server leaves dead connections in the pool; each is tried before it is given out.
        pool_pre_ping=True,
        # One that still works may lead to a server that is no longer the first; none is kept for ever.
        pool_recycle=_RECYCLE_SECONDS,
        # What a statement was given is personal: an error's text must not hold it.
        hide_parameters=True,
    )
