"""Tables of an earlier revision, and rows in them."""

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from index.database.database import MIGRATIONS, Database


def upgrade_to(database: Database, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    with database.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def insert(connection: sa.Connection, row: type, **values: object) -> None:
    """A row of the tables of then: the columns that are named, and no default of today's."""
    columns = [sa.column(name, getattr(row, name).type) for name in values]
    connection.execute(sa.insert(sa.table(row.__tablename__, *columns)).values(**values))  # type: ignore[attr-defined]
