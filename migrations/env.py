"""How Alembic reaches the database: on the connection that `Database.upgrade` passes in, or by `-x url=…`."""

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy import Connection, MetaData, create_engine

from index.tables import Base, UtcDateTime


def spelled(kind: str, item: Any, _: AutogenContext) -> str | Literal[False]:
    """Spell our own types by what the database sees: a migration must outlive the class."""
    return "sa.DateTime(timezone=True)" if kind == "type" and isinstance(item, UtcDateTime) else False


def every_table() -> MetaData:
    """What a new migration is compared with; the packages that add tables are imported for it alone."""
    import service.exams.tables  # noqa: F401

    return Base.metadata


def migrate(connection: Connection, target: MetaData | None = None) -> None:
    context.configure(
        connection=connection,
        target_metadata=target,
        render_item=spelled,
        # SQLite cannot alter most things in place: Alembic then copies the table.
        render_as_batch=connection.dialect.name == "sqlite",
    )
    with context.begin_transaction():
        context.run_migrations()


given: Connection | None = context.config.attributes.get("connection")
if given is not None:
    migrate(given)
else:
    with create_engine(context.get_x_argument(as_dictionary=True)["url"]).begin() as opened:
        migrate(opened, every_table())
