"""The revision of the tables, the revision that this program needs, and the migrations between them."""

import functools
from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import column, select, table
from sqlalchemy.orm import Session

from index.errors import DatabaseOutdated

MIGRATIONS = Path(__file__).resolve().parents[2] / "migrations"

# Alembic's own table: one row with the revision of all other tables.
REVISION = table("alembic_version", column("version_num"))

_ROWS_SEALED = "20261127_with_owners"
"""From this revision on, rows that are not sealed for their owner are refused."""


def require_revision(db: Session) -> None:
    """Refuse to work on tables of another revision.

    Raises:
        DatabaseOutdated: If they are older or newer than this program's.
    """
    revision = db.scalar(select(REVISION.c.version_num))
    if revision != find_newest_revision():
        raise DatabaseOutdated(actual=revision, expected=find_newest_revision())


def is_sealed_at(revision: str) -> bool:
    """Whether rows are bound to their owner at this revision; unknown ones are newer than this program."""
    after = open_scripts().iterate_revisions("head", _ROWS_SEALED)
    return revision == _ROWS_SEALED or revision in {script.revision for script in after}


def is_known_revision(revision: str) -> bool:
    """Whether this program can upgrade tables of a revision; an unknown one is newer."""
    return any(one.revision == revision for one in open_scripts().walk_revisions())


@functools.cache
def find_newest_revision() -> str | None:
    """The revision that this program needs."""
    return open_scripts().get_current_head()


def open_scripts() -> ScriptDirectory:
    """This program's migrations."""
    return ScriptDirectory.from_config(build_alembic_config())


def build_alembic_config() -> Config:
    """The configuration of Alembic's commands."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return config
