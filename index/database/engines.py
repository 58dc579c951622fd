"""Open and prepare connections to each kind of database."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DisconnectionError, InvalidatePoolError
from sqlalchemy.pool import ConnectionPoolEntry

from index.errors import DatabaseUnavailable

_POOL_SIZE = 16
_POOL_OVERFLOW = 32
_RECYCLE_SECONDS = 300

# A machine that disappears in a failover answers nothing at all. With these settings it is noticed within
# half a minute, not after the two hours of the system's defaults; the address may override them.
_PATIENCE = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}

_SQLITE_PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    # FULL: a confirmed enrolment survives a power cut; NORMAL would lose the last commits.
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    # Removed templates are overwritten in the file, not just unlinked.
    "PRAGMA secure_delete = ON",
    "PRAGMA journal_size_limit = 67108864",
)


def create_sqlite_engine(address: URL, lock_wait_seconds: float) -> Engine:
    """Connections to a file, which is created if there is none."""
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
    """Remember which file a connection is about to open, so that it is not taken for a later one."""
    record.info["file"] = _read_identity(file)
    if record.info["file"] is None:
        # SQLite would create an empty one, just where somebody may be restoring a backup.
        raise DatabaseUnavailable(f"there is no file {file.name}")


def _require_same_file(file: Path, record: ConnectionPoolEntry) -> None:
    """Reconnect if another file was put in place: SQLite would continue with the unlinked one.

    Raises:
        InvalidatePoolError: If so; the pool then reopens all of its connections.
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
    """Create the file readable only by its owner; SQLite gives its side files the same rights."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))


def _prepare_sqlite(connection: Any, _: object) -> None:
    # The driver would begin transactions itself, late and without IMMEDIATE; of two writers that both began
    # by reading, one could then never finish.
    connection.isolation_level = None
    for pragma in _SQLITE_PRAGMAS:
        connection.execute(pragma)


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))


@contextmanager
def open_driver_connection(engine: Engine) -> Iterator[Any]:
    """A raw connection of the driver, outside any transaction."""
    connection = engine.raw_connection()
    try:
        yield connection.dbapi_connection
    finally:
        connection.close()


@contextmanager
def disable_foreign_keys(connection: Connection) -> Iterator[None]:
    """Let a migration rebuild a table without dropping the old one cascading to the others."""
    raw: Any = connection.connection.dbapi_connection
    raw.execute("PRAGMA foreign_keys = OFF")
    try:
        yield
    finally:
        raw.execute("PRAGMA foreign_keys = ON")


def create_postgresql_engine(address: URL, lock_wait_seconds: float) -> Engine:
    """Connections to a server, or to the one of several hosts that accepts writes."""
    patience = {name: value for name, value in _PATIENCE.items() if name not in address.query}
    engine = create_engine(
        address,
        connect_args={
            **patience,
            "client_encoding": "utf8",  # for a SQL_ASCII database psycopg would return bytes
            "options": f"-c lock_timeout={int(lock_wait_seconds * 1000)} -c timezone=UTC",
        },
        pool_size=_POOL_SIZE,
        max_overflow=_POOL_OVERFLOW,
        pool_timeout=lock_wait_seconds,
        # A restarted server leaves dead connections in the pool; each is tested before use.
        pool_pre_ping=True,
        # A working connection may lead to a server that is no longer the primary, so none is kept for ever.
        pool_recycle=_RECYCLE_SECONDS,
        # A statement's parameters are personal data: an error's text must not contain them.
        hide_parameters=True,
    )
    event.listen(engine, "checkout", _leave_a_standby)
    return engine


def _leave_a_standby(raw: Any, record: ConnectionPoolEntry, _: object) -> None:
    """Reconnect instead of using a connection to a server that took no writes once more.

    Meanwhile the server, or another one behind the address, may take them again, and the pool keeps each
    connection for minutes. The server tells both states with the connection and whenever they change, so
    looking costs no round trip. A new connection is used as it is: a standby can still be read.

    Raises:
        DisconnectionError: If the connection was used before and its server said that it takes no writes.
    """
    used = record.info.setdefault("used", False)
    record.info["used"] = True
    states = (raw.info.parameter_status(name) for name in ("in_hot_standby", "default_transaction_read_only"))
    if used and "on" in states:
        raise DisconnectionError
