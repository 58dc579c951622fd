"""The enrolment database: SQLite in a file, or PostgreSQL.

Both behave alike: writing transactions stand in one line, each sees what the one before has committed, and
what was committed is on the disk. On that rests the rule that sequence numbers follow the order of commits.
"""

import functools
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, Engine, column, create_engine, event, func, select, table, update
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

from index.database.addresses import parse_address
from index.database.faults import translate
from index.errors import DatabaseBusy, DatabaseError, DatabaseOutdated, DatabaseUnavailable
from index.roles import grant_rights
from index.tables import Base

__all__ = ["Base", "Database"]

MIGRATIONS = Path(__file__).resolve().parents[2] / "migrations"

# Any number will do, as long as every process of every version takes the same one.
_WRITER_LOCK = 0x1A71_611
_POOL_SIZE = 16
_POOL_OVERFLOW = 32
_SETTLING_MILLISECONDS = 100
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

# Alembic's own table: one row that names the revision of all others.
_REVISION = table("alembic_version", column("version_num"))

_ROWS_SEALED = "20261127_with_owners"
"""From this revision on a row that is not sealed for its owner is refused."""

_SQLITE_PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    # FULL: an answered enrolment survives a power cut; NORMAL would lose the last commits.
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    # Removed templates are overwritten in the file and not merely unlinked.
    "PRAGMA secure_delete = ON",
    "PRAGMA journal_size_limit = 67108864",
)


class Database:
    """One database and its pool of connections; safe to use from many threads."""

    def __init__(self, url: str, *, lock_wait_seconds: float = 5.0) -> None:
        """Prepare to connect; nothing is opened yet.

        Args:
            url: `sqlite:////absolute/path.db`, `postgresql://user@host/name`, or with several hosts
                `postgresql://user@one:5432,two:5432/name`.
            lock_wait_seconds: How long a writer waits for its turn before DatabaseBusy.

        Raises:
            AddressInvalid: If the url is no address of a database.
        """
        address = parse_address(url)
        self.is_sqlite = address.get_backend_name() == "sqlite"
        self._lock_wait_seconds = lock_wait_seconds
        self._turn = threading.Lock()
        self.engine = (
            _sqlite(address, lock_wait_seconds) if self.is_sqlite else _postgresql(address, lock_wait_seconds)
        )
        event.listen(self.engine, "handle_error", translate, retval=True)
        self._writer = self.engine.execution_options(begin="BEGIN IMMEDIATE")
        # One statement sees one state in PostgreSQL either way; without a transaction around it, two round
        # trips of three are saved.
        self._reader = (
            self.engine if self.is_sqlite else self.engine.execution_options(isolation_level="AUTOCOMMIT")
        )
        # In SQLite each transaction sees one moment.
        self._snapshots = (
            self.engine
            if self.is_sqlite
            else self.engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        )

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session for reading. It never waits for a writer.

        Raises:
            DatabaseError: If the database cannot be reached or no connection comes free.
        """
        with _pool_errors(), Session(self._reader, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def snapshot(self) -> Iterator[Session]:
        """A session for reading that sees one moment throughout, however long it takes.

        Raises:
            DatabaseOutdated: If the tables are not this program's.
            DatabaseError: As `read`.
        """
        with _pool_errors(), Session(self._snapshots, expire_on_commit=False) as session, session.begin():
            _require_revision(session)
            yield session

    @contextmanager
    def write(self, *, ordered: bool = True) -> Iterator[Session]:
        """A session in one transaction, committed at the end of the block and rolled back if it raises.

        Args:
            ordered: Wait until every other ordered writer has committed. The gallery, the subjects and the
                audit chain need it. Rows that nobody counts (a claim, a time of last use) may go without;
                SQLite has one writer at a time in any case.

        Raises:
            DatabaseBusy: If the turn did not come in time.
            DatabaseOutdated: If the tables are not this program's any more, or not yet.
            DatabaseError: If the database cannot be reached or cannot write; then nothing is written.
        """
        with (
            self._turn_of_this_process(),
            _pool_errors(),
            Session(self._writer, expire_on_commit=False) as session,
            session.begin(),
        ):
            # Now and not at the first statement: what the block reads elsewhere must not be older.
            session.connection()
            if ordered and not self.is_sqlite:
                session.execute(select(func.pg_advisory_xact_lock(_WRITER_LOCK)))
            # Within the turn, for an upgrade takes a turn as well.
            _require_revision(session)
            yield session

    def require_writable(self) -> None:
        """Write something that changes nothing, and commit it.

        Raises:
            DatabaseError: As `write`.
        """
        with self.write(ordered=False) as session:
            session.execute(update(_REVISION).values(version_num=_REVISION.c.version_num))

    def upgrade(self, seal_former_rows: Callable[[Session], object] | None = None) -> None:
        """Bring the tables to this program's revision; two processes may try it at once.

        Args:
            seal_former_rows: Called in the same transaction where the tables are of before rows were bound to
                their owner: what it leaves is refused from then on.

        Raises:
            DatabaseError: As `write`.
        """
        with (
            self._turn_of_this_process(),
            self._writer.connect() as connection,
            _foreign_keys_off(connection) if self.is_sqlite else nullcontext(),
            connection.begin(),
        ):
            if not self.is_sqlite:
                connection.execute(select(func.pg_advisory_xact_lock(_WRITER_LOCK)))
            former = MigrationContext.configure(connection).get_current_revision()
            config = _alembic()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            if seal_former_rows is not None and former is not None and not _is_sealed_at(former):
                with Session(connection, join_transaction_mode="rollback_only") as db:
                    seal_former_rows(db)
                    db.flush()
            if not self.is_sqlite:
                with Session(connection, join_transaction_mode="rollback_only") as db:
                    grant_rights(db)

    def revision(self) -> str | None:
        """The revision that the tables are at; None for an empty database."""
        with self._reader.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision()

    def is_current(self) -> bool:
        """Whether the tables are those of this program."""
        return self.revision() == newest_revision()

    def require_current(self) -> None:
        """Refuse to work on tables of another revision.

        Raises:
            DatabaseOutdated: If they are older or newer than this program.
        """
        if not self.is_current():
            raise DatabaseOutdated(actual=self.revision(), expected=newest_revision())

    def engine_url(self) -> str:
        """Where a job engine keeps its own tables: the same PostgreSQL, or a private file beside SQLite's.

        A second writer in the SQLite file itself would poll there while somebody waits at the door.
        """
        address = self.engine.url
        if not self.is_sqlite:
            return address.set(drivername="postgresql").render_as_string(hide_password=False)
        path = Path(str(address.database)).resolve()
        beside = path.with_name(f"{path.stem}-jobs{path.suffix}")
        _create_private_file(beside)
        return f"sqlite:///{beside}"

    def settle(self) -> None:
        """Empty SQLite's write-ahead log into the file, so that no older copy of an erased row remains in it.

        A reader at work can prevent it for longer than is waited here; a later call, or the closing of the
        last connection, then does it.
        """
        if not self.is_sqlite:
            return
        # What was committed stays committed: a log that cannot be emptied now must not look like a failure.
        with suppress(sqlite3.OperationalError, DatabaseError, PoolTimeout), _raw(self.engine) as raw:
            raw.execute(f"PRAGMA busy_timeout = {_SETTLING_MILLISECONDS}")
            try:
                raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            finally:
                raw.execute(f"PRAGMA busy_timeout = {int(self._lock_wait_seconds * 1000)}")

    def close(self) -> None:
        """Give every connection back."""
        self.engine.dispose()

    def _turn_of_this_process(self) -> AbstractContextManager[None]:
        """Threads queue here in SQLite, where waiting in the database is polling with growing pauses."""
        return self._one_writer() if self.is_sqlite else nullcontext()

    @contextmanager
    def _one_writer(self) -> Iterator[None]:
        if not self._turn.acquire(timeout=self._lock_wait_seconds):
            raise DatabaseBusy("another thread is writing")
        try:
            yield
        finally:
            self._turn.release()


def _require_revision(session: Session) -> None:
    revision = session.scalar(select(_REVISION.c.version_num))
    if revision != newest_revision():
        raise DatabaseOutdated(actual=revision, expected=newest_revision())


def _is_sealed_at(revision: str) -> bool:
    """Whether rows are bound to their owner at this revision; unknown ones are newer than this program."""
    after = ScriptDirectory.from_config(_alembic()).iterate_revisions("head", _ROWS_SEALED)
    return revision == _ROWS_SEALED or revision in {script.revision for script in after}


def is_known_revision(revision: str) -> bool:
    """Whether this program can upgrade tables of a revision; one that it does not know is newer."""
    return any(one.revision == revision for one in ScriptDirectory.from_config(_alembic()).walk_revisions())


@functools.cache
def newest_revision() -> str | None:
    """The revision that this program needs."""
    return ScriptDirectory.from_config(_alembic()).get_current_head()


@contextmanager
def _pool_errors() -> Iterator[None]:
    try:
        yield
    except PoolTimeout as error:
        raise DatabaseBusy("no connection came free") from error


def _alembic() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return config


def _sqlite(address: URL, lock_wait_seconds: float) -> Engine:
    file = Path(str(address.database))
    _create_private_file(file)
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
    record.info["file"] = _identity(file)
    if record.info["file"] is None:
        # SQLite would make an empty one, where somebody may be about to put a backup.
        raise DatabaseUnavailable(f"there is no file {file.name}")


def _require_same_file(file: Path, record: ConnectionPoolEntry) -> None:
    """Open again where another file was put in place: SQLite would go on with the one that has no name now.

    Raises:
        InvalidatePoolError: The pool then opens all of its connections again.
    """
    if record.info["file"] != _identity(file):
        raise InvalidatePoolError


def _identity(file: Path) -> tuple[int, int] | None:
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _create_private_file(path: Path) -> None:
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
def _raw(engine: Engine) -> Iterator[Any]:
    """A connection of the driver's own, outside any transaction."""
    connection = engine.raw_connection()
    try:
        yield connection.dbapi_connection
    finally:
        connection.close()


@contextmanager
def _foreign_keys_off(connection: Connection) -> Iterator[None]:
    """Let a migration rebuild a table without the removal of the old one cascading through the others."""
    raw: Any = connection.connection.dbapi_connection
    raw.execute("PRAGMA foreign_keys = OFF")
    try:
        yield
    finally:
        raw.execute("PRAGMA foreign_keys = ON")


def _postgresql(address: URL, lock_wait_seconds: float) -> Engine:
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
