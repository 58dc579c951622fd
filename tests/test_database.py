"""The database: its tables, its turns, and what it says when it cannot."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from index.database import Database
from index.tables import Base


def test_the_migrations_build_exactly_the_tables_of_the_program(database: Database) -> None:
    with database.engine.connect() as connection:
        differences = compare_metadata(
            MigrationContext.configure(connection, opts={"compare_type": True}), Base.metadata
        )

    assert differences == []
    assert database.is_current()
