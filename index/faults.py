"""What a database driver's error means to us."""

import sqlite3

import psycopg
from psycopg import errors as pg
from sqlalchemy.engine import ExceptionContext

from index.errors import (
    DatabaseBusy,
    DatabaseError,
    DatabaseFull,
    DatabaseUnavailable,
    GalleryError,
    TextInvalid,
)

_SQLITE: dict[int, type[DatabaseBusy | DatabaseFull | DatabaseUnavailable]] = {
    sqlite3.SQLITE_BUSY: DatabaseBusy,
    sqlite3.SQLITE_LOCKED: DatabaseBusy,
    sqlite3.SQLITE_FULL: DatabaseFull,
    # A quota, a file size limit and some file systems report a full disk as a failed write.
    sqlite3.SQLITE_IOERR: DatabaseFull,
    sqlite3.SQLITE_CANTOPEN: DatabaseUnavailable,
    sqlite3.SQLITE_READONLY: DatabaseUnavailable,
    sqlite3.SQLITE_NOTADB: DatabaseUnavailable,
    sqlite3.SQLITE_CORRUPT: DatabaseUnavailable,
}

_POSTGRESQL_BUSY = (
    pg.LockNotAvailable,
    pg.DeadlockDetected,
    pg.SerializationFailure,
    pg.QueryCanceled,
    pg.TooManyConnections,
)


def translate(context: ExceptionContext) -> GalleryError | None:
    """The error of ours that stands for a driver's, or None if the driver's says it best.

    It is called for every error on a connection (SQLAlchemy's `handle_error`), also when connecting and when
    committing. A failed ping only makes the pool connect again, so it must stay what it is.
    """
    if context.is_pre_ping:
        return None
    original = context.original_exception
    if isinstance(original, sqlite3.Error):
        return _translate_sqlite(original)
    if isinstance(original, psycopg.Error):
        return _translate_postgresql(original, lost=context.is_disconnect)
    return None


def _translate_sqlite(error: sqlite3.Error) -> DatabaseError | None:
    # The low byte is the error, the bytes above it say where it happened (SQLite "extended result codes").
    meaning = _SQLITE.get(getattr(error, "sqlite_errorcode", 0) & 0xFF)
    return meaning(str(error)) if meaning else None


def _translate_postgresql(error: psycopg.Error, *, lost: bool) -> GalleryError | None:
    reason = str(error).strip().partition("\n")[0]
    if isinstance(error, psycopg.DataError) and "NUL" in reason:
        # The driver refuses it before the server sees it. SQLite holds such a text, and finds nobody by it.
        return TextInvalid()
    if isinstance(error, _POSTGRESQL_BUSY):
        return DatabaseBusy(reason)
    if isinstance(error, pg.DiskFull):
        return DatabaseFull(reason)
    if lost or (isinstance(error, psycopg.OperationalError) and _is_about_the_connection(error)):
        return DatabaseUnavailable(reason)
    return None


def _is_about_the_connection(error: psycopg.OperationalError) -> bool:
    """Class 08 is "connection exception", 57P "operator intervention"; no code: the server never answered."""
    return error.sqlstate is None or error.sqlstate.startswith(("08", "57P"))
