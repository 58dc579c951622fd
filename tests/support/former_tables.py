"""Tables of an earlier revision, and rows in them."""

import sqlite3
from contextlib import closing
from pathlib import Path

import sqlalchemy as sa
from alembic import command

from index.database.database import Database
from index.database.revisions import build_alembic_config


def upgrade_to(database: Database, revision: str) -> None:
    config = build_alembic_config()
    with database.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def insert(connection: sa.Connection, row: type, **values: object) -> None:
    """A row of the tables of then: the columns that are named, and no default of today's."""
    columns = [sa.column(name, getattr(row, name).type) for name in values]
    connection.execute(sa.insert(sa.table(row.__tablename__, *columns)).values(**values))  # type: ignore[attr-defined]


def turn_back(file: Path, revision: str) -> None:
    """Make a SQLite database one of an earlier revision: its tables of then, with what they could hold."""
    former = file.with_suffix(".former")
    database = Database(f"sqlite:///{former}")
    upgrade_to(database, revision)
    database.engine.dispose()
    with closing(sqlite3.connect(former)) as connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute("ATTACH ? AS now", (str(file),))
        listed = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        tables = [name for (name,) in listed if not name.startswith("sqlite_") and name != "alembic_version"]
        for table in tables:
            then, now = (_columns(connection, schema, table) for schema in ("main", "now"))
            columns = ", ".join(name for name in then if name in now)
            if not connection.execute(f"SELECT 1 FROM main.{table}").fetchone():
                connection.execute(f"INSERT INTO main.{table} ({columns}) SELECT {columns} FROM now.{table}")
        connection.commit()
    copy_database(former, file)
    former.unlink()


def copy_database(file: Path, to: Path) -> None:
    """All of a SQLite database, what still lies in its write-ahead log too."""
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(to)) as target:
        source.backup(target)


def _columns(connection: sqlite3.Connection, schema: str, table: str) -> list[str]:
    return [row[1] for row in connection.execute(f"PRAGMA {schema}.table_info({table})")]
