"""Translate a database driver's errors to ours."""

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

_SQLITE: dict[int, type[DatabaseBusy | DatabaseFull]] = {
    sqlite3.SQLITE_BUSY: DatabaseBusy,
    sqlite3.SQLITE_LOCKED: DatabaseBusy,
    sqlite3.SQLITE_FULL: DatabaseFull,
    # A quota, a file size limit and some file systems report a full disk as a failed write.
    sqlite3.SQLITE_IOERR: DatabaseFull,
}

_POSTGRESQL_BUSY = (
    pg.LockNotAvailable,
    pg.DeadlockDetected,
    pg.SerializationFailure,
    pg.QueryCanceled,
    pg.TooManyConnections,
)

# Class 23, a violated constraint, and 22, an invalid value: the statement is at fault and not the database.
# Callers that expect one catch it; otherwise it is our fault, and a repetition would not help.
_OF_THE_STATEMENT = (
    sqlite3.IntegrityError,
    sqlite3.DataError,
    psycopg.IntegrityError,
    psycopg.DataError,
    pg.RaiseException,  # a trigger of ours: evidence cannot be changed
)


def translate(context: ExceptionContext) -> GalleryError | None:
    """Our error for a driver's error, or None to keep the driver's.

    SQLAlchemy calls it for every error on a connection (`handle_error`), including connecting and committing.
    A failed ping only makes the pool reconnect, so it must stay as it is.

    Any other error is DatabaseUnavailable: a server that accepts no writes, has no memory left or has lost
    its tables for a moment. All connections of the pool are then dropped, because new ones may lead to a
    working server. A connection to a file is rolled back and kept: if closed in the middle of a statement,
    SQLite holds its lock until the statement is garbage-collected.
    """
    if context.is_pre_ping:
        return None
    error = _classify(context.original_exception)
    if error is None and isinstance(context.original_exception, psycopg.Error):
        _forget_detail(context, context.original_exception)
    if isinstance(error, DatabaseUnavailable) and isinstance(context.original_exception, psycopg.Error):
        context.is_disconnect = True
    return error


def _forget_detail(context: ExceptionContext, original: psycopg.Error) -> None:
    """PostgreSQL quotes the whole row in the detail of a constraint error; no log may contain that."""
    reason, _, detail = str(original).partition("\n")
    if detail:
        original.args = (reason,)
        if context.sqlalchemy_exception is not None:
            context.sqlalchemy_exception.args = (f"({type(original).__qualname__}) {reason}",)


def _classify(original: BaseException) -> GalleryError | None:
    if isinstance(original, psycopg.DataError) and "NUL" in str(original):
        # The driver refuses it before it reaches the server. SQLite stores such a text but finds nobody by
        # it.
        return TextInvalid()
    if isinstance(original, _OF_THE_STATEMENT):
        return None
    if isinstance(original, sqlite3.Error):
        return _translate_sqlite(original)
    if isinstance(original, psycopg.Error):
        return _translate_postgresql(original)
    return None


def _translate_sqlite(error: sqlite3.Error) -> DatabaseError:
    # The low byte is the error; the higher bytes say where it happened (SQLite "extended result codes").
    return _SQLITE.get(getattr(error, "sqlite_errorcode", 0) & 0xFF, DatabaseUnavailable)(str(error))


def _translate_postgresql(error: psycopg.Error) -> DatabaseError:
    reason = str(error).strip().partition("\n")[0]
    if isinstance(error, _POSTGRESQL_BUSY):
        return DatabaseBusy(reason)
    if isinstance(error, pg.DiskFull):
        return DatabaseFull(reason)
    return DatabaseUnavailable(reason)
