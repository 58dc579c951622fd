"""The enrolment database: SQLite in a file, or PostgreSQL.

Both behave alike: writing transactions are serialised, each sees the commits of all earlier ones, and
committed data is on disk. This is why sequence numbers follow the order of commits.
"""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path

from alembic import command
from alembic.migration import MigrationContext
from sqlalchemy import event, func, select, update
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from index.database.addresses import jobs_file, parse_address
from index.database.engines import (
    create_postgresql_engine,
    create_private_file,
    create_sqlite_engine,
    disable_foreign_keys,
    open_driver_connection,
)
from index.database.faults import translate
from index.database.revisions import (
    REVISION,
    build_alembic_config,
    find_newest_revision,
    is_sealed_at,
    require_revision,
)
from index.errors import DatabaseBusy, DatabaseError, DatabaseOutdated
from index.roles import grant_rights
from index.tables import Base

__all__ = ["Base", "Database"]

# Any number will do if every process of every version uses the same one.
_WRITER_LOCK = 0x1A71_611
_SETTLING_MILLISECONDS = 100


class Database:
    """One database and its pool of connections. Thread-safe."""

    def __init__(self, url: str, *, lock_wait_seconds: float = 5.0) -> None:
        """Prepare to connect; nothing is opened yet.

        Args:
            url: `sqlite:////absolute/path.db`, `postgresql://user@host/name`, or with several hosts
                `postgresql://user@one:5432,two:5432/name`.
            lock_wait_seconds: How long a writer waits for its turn before DatabaseBusy.

        Raises:
            AddressInvalid: If the url is not the address of a database.
        """
        address = parse_address(url)
        self.is_sqlite = address.get_backend_name() == "sqlite"
        self._lock_wait_seconds = lock_wait_seconds
        self._turn = threading.Lock()
        self.engine = (
            create_sqlite_engine(address, lock_wait_seconds)
            if self.is_sqlite
            else create_postgresql_engine(address, lock_wait_seconds)
        )
        event.listen(self.engine, "handle_error", translate, retval=True)
        self._writer = self.engine.execution_options(begin="BEGIN IMMEDIATE")
        # In PostgreSQL a single statement sees one state in any case; without a transaction around it, it
        # takes one round trip instead of three.
        self._reader = (
            self.engine if self.is_sqlite else self.engine.execution_options(isolation_level="AUTOCOMMIT")
        )
        # In SQLite each transaction sees one state.
        self._snapshots = (
            self.engine
            if self.is_sqlite
            else self.engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        )

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session for reading, which never waits for a writer.

        Raises:
            DatabaseError: If the database cannot be reached or no connection is free in time.
        """
        with _translate_pool_errors(), Session(self._reader, expire_on_commit=False) as db:
            yield db

    @contextmanager
    def snapshot(self) -> Iterator[Session]:
        """A session for reading that sees one state throughout, however long it takes.

        Raises:
            DatabaseOutdated: If the tables are not this program's.
            DatabaseError: As `read`.
        """
        with _translate_pool_errors(), Session(self._snapshots, expire_on_commit=False) as db, db.begin():
            require_revision(db)
            yield db

    @contextmanager
    def write(self, *, ordered: bool = True) -> Iterator[Session]:
        """A session in one transaction, committed at the end of the block and rolled back if it raises.

        Args:
            ordered: Wait until every other ordered writer has committed. The gallery, the subjects and the
                audit chain need it. Rows without an order (a claim, a time of last use) do not; SQLite has
                one writer at a time in any case.

        Raises:
            DatabaseBusy: If the wait for other writers took too long.
            DatabaseOutdated: If the tables are no longer, or not yet, of this program's revision.
            DatabaseError: If the database cannot be reached or cannot write; nothing is then written.
        """
        with (
            self._queue_in_process(),
            _translate_pool_errors(),
            Session(self._writer, expire_on_commit=False) as db,
            db.begin(),
        ):
            # Now and not at the first statement: other data that the block reads must not be older.
            db.connection()
            if ordered and not self.is_sqlite:
                db.execute(select(func.pg_advisory_xact_lock(_WRITER_LOCK)))
            # Under the writers' lock, because an upgrade takes it too.
            require_revision(db)
            yield db

    def require_writable(self) -> None:
        """Commit a write that changes nothing.

        Raises:
            DatabaseError: As `write`.
        """
        with self.write(ordered=False) as db:
            db.execute(update(REVISION).values(version_num=REVISION.c.version_num))

    def upgrade(self, seal_former_rows: Callable[[Session], object] | None = None) -> None:
        """Upgrade the tables to this program's revision; several processes may try it at once.

        Args:
            seal_former_rows: Called in the same transaction if the tables are from before rows were bound to
                their owner; rows that it leaves are refused from then on.

        Raises:
            DatabaseError: As `write`.
        """
        with (
            self._queue_in_process(),
            self._writer.connect() as connection,
            disable_foreign_keys(connection) if self.is_sqlite else nullcontext(),
            connection.begin(),
        ):
            if not self.is_sqlite:
                connection.execute(select(func.pg_advisory_xact_lock(_WRITER_LOCK)))
            former = MigrationContext.configure(connection).get_current_revision()
            config = build_alembic_config()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            if seal_former_rows is not None and former is not None and not is_sealed_at(former):
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
        return self.revision() == find_newest_revision()

    def require_current(self) -> None:
        """Refuse to work on tables of another revision.

        Raises:
            DatabaseOutdated: If they are older or newer than this program.
        """
        if not self.is_current():
            raise DatabaseOutdated(actual=self.revision(), expected=find_newest_revision())

    def engine_url(self) -> str:
        """The address of the job engine's tables: the same PostgreSQL, or a file next to SQLite's.

        A second writer in the SQLite file itself would poll it while somebody waits at the door.
        """
        address = self.engine.url
        if not self.is_sqlite:
            return address.set(drivername="postgresql").render_as_string(hide_password=False)
        beside = jobs_file(Path(str(address.database)))
        create_private_file(beside)
        return f"sqlite:///{beside}"

    def settle(self) -> None:
        """Checkpoint SQLite's write-ahead log, so that no older copy of an erased row remains in it.

        A long read can prevent it; a later call, or closing the last connection, then does it.
        """
        if not self.is_sqlite:
            return
        # The commit stands: a log that cannot be emptied now must not look like a failure.
        with (
            suppress(sqlite3.OperationalError, DatabaseError, PoolTimeout),
            open_driver_connection(self.engine) as raw,
        ):
            raw.execute(f"PRAGMA busy_timeout = {_SETTLING_MILLISECONDS}")
            try:
                raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            finally:
                raw.execute(f"PRAGMA busy_timeout = {int(self._lock_wait_seconds * 1000)}")

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()

    def _queue_in_process(self) -> AbstractContextManager[None]:
        """For SQLite, threads queue here: waiting in the database is polling with growing pauses."""
        return self._one_writer() if self.is_sqlite else nullcontext()

    @contextmanager
    def _one_writer(self) -> Iterator[None]:
        if not self._turn.acquire(timeout=self._lock_wait_seconds):
            raise DatabaseBusy("another thread is writing")
        try:
            yield
        finally:
            self._turn.release()


@contextmanager
def _translate_pool_errors() -> Iterator[None]:
    try:
        yield
    except PoolTimeout as error:
        raise DatabaseBusy("no connection came free") from error
