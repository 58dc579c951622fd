"""Copy all rows of one database into another, also of the other kind, for backups and restores."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Column, RowMapping, Table, bindparam, insert, select, text, update
from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.orm import Session

from index.errors import RowsRefused
from index.tables import OF_THE_MOMENT, Base

_BLOCK_ROWS = 500

Change = Callable[[RowMapping], dict[str, Any]]


def copy_rows(source: Session, target: Session) -> dict[str, int]:
    """Copy every table and its highest used number; returns the number of rows by table.

    Page sessions, sign-ins, links of operators and codes of kiosks are left out (`OF_THE_MOMENT`): no browser
    holds an id for the copy, and a link that was used since would work again. Only the tables of imported
    packages are copied.

    Args:
        source: A `Database.snapshot` at this program's revision.
        target: A `Database.write` on empty tables.

    Raises:
        RowsRefused: If the target's kind of database cannot hold a row of the source.
        DatabaseError: If either database fails; the target is then empty.
    """
    if _is_sqlite(target):
        # Deferred to the end of this transaction: a row may be copied before the one it refers to.
        target.execute(text("PRAGMA defer_foreign_keys = ON"))
    tables = [one for one in Base.metadata.sorted_tables if not one.info.get(OF_THE_MOMENT)]
    copied = {table.name: copy_table(source, target, table) for table in tables}
    for table in tables:
        if table.dialect_options["sqlite"]["autoincrement"]:
            _reserve_numbers(target, table, _read_highest_number(source, table))
    if _is_sqlite(target) and (broken := target.execute(text("PRAGMA foreign_key_check")).first()):
        raise RowsRefused(str(broken[0]))
    return copied


def copy_table(source: Session, target: Session, table: Table, change: Change = lambda row: {**row}) -> int:
    """Copy the rows of one table; returns how many.

    Args:
        source: For reading.
        target: For writing; holds the rows that these refer to.
        table: At the same revision in both.
        change: Maps each row to the one to write.

    Raises:
        RowsRefused, DatabaseError: As `copy_rows`.
    """
    own = _find_self_references(table)
    query = select(table).order_by(*table.primary_key).execution_options(yield_per=_BLOCK_ROWS)
    count, later = 0, list[dict[str, Any]]()
    try:
        for block in source.execute(query).mappings().partitions():
            rows = [change(row) for row in block]
            later += [_reference(table, row, own) for row in rows if any(row[one.name] for one in own)]
            target.execute(insert(table), [{**row, **{one.name: None for one in own}} for row in rows])
            count += len(rows)
        if later:
            target.execute(_referring(table, own), later)
    except (DataError, IntegrityError) as error:
        raise RowsRefused(table.name) from error
    return count


def find_filled_table(db: Session, but: Collection[str] = ()) -> str | None:
    """The name of a table with rows; None if all are empty."""
    for table in Base.metadata.sorted_tables:
        if table.name not in but and db.execute(select(table).limit(1)).first() is not None:
            return table.name
    return None


def _find_self_references(table: Table) -> Sequence[Column[Any]]:
    """Columns that refer to rows of the same table; they are filled in after all rows are copied."""
    return [
        column for column in table.columns if any(key.column.table is table for key in column.foreign_keys)
    ]


def _reference(table: Table, row: Mapping[str, Any], own: Sequence[Column[Any]]) -> dict[str, Any]:
    return {f"of_{one.name}": row[one.name] for one in (*table.primary_key, *own)}


def _referring(table: Table, own: Sequence[Column[Any]]) -> Any:
    which = [one == bindparam(f"of_{one.name}") for one in table.primary_key]
    return update(table).where(*which).values({one.name: bindparam(f"of_{one.name}") for one in own})


def _is_sqlite(db: Session) -> bool:
    return db.get_bind().dialect.name == "sqlite"


def _read_highest_number(db: Session, table: Table) -> int:
    """The highest number that this table has ever given to a row, including removed rows."""
    if _is_sqlite(db):
        query = text("SELECT seq FROM sqlite_sequence WHERE name = :name")
        return int(db.scalar(query, {"name": table.name}) or 0)
    query = text(f"SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {_find_sequence(db, table)}")
    return int(db.scalar(query) or 0)


def _reserve_numbers(db: Session, table: Table, number: int) -> None:
    """Never give a number up to this one to a new row: a process may remember it for another row."""
    if not number:
        return
    if _is_sqlite(db):
        where = {"name": table.name, "number": number}
        changed = text("UPDATE sqlite_sequence SET seq = :number WHERE name = :name RETURNING seq")
        if db.execute(changed, where).first() is None:
            db.execute(text("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :number)"), where)
    else:
        db.execute(
            text("SELECT setval(:name, :number)"), {"name": _find_sequence(db, table), "number": number}
        )


def _find_sequence(db: Session, table: Table) -> str:
    column = table.primary_key.columns[0].name
    query = text("SELECT pg_get_serial_sequence(:name, :column)")
    return str(db.scalar(query, {"name": table.name, "column": column}))
