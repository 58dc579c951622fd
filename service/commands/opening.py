"""What commands open: the settings and the database."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import typer
from pydantic import ValidationError

from index.audit import Origin
from index.database.database import Database
from index.database.revisions import find_newest_revision
from service.errors import StartRefused
from service.exams.guard import By, note_override, open_windows, refuse_while_open
from service.settings import Settings


def read_settings() -> Settings:
    """The settings from the environment and `.env`.

    Raises:
        StartRefused: In one line, naming each variable that is wrong.
    """
    try:
        return Settings()
    except ValidationError as error:
        lines = [
            f"INVIGIL_{str(one['loc'][0]).upper()}: {one['msg']}"
            if one["loc"]
            else one["msg"].removeprefix("Value error, ")
            for one in error.errors(include_url=False, include_input=False)
        ]
        raise StartRefused("; ".join(lines)) from error


def make_data_folder(settings: Settings) -> None:
    """The folder of the keys, the anchor, the bundles and, where it is a file of our own, the database."""
    if not settings.database_url:
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)


def upgrade_database(settings: Settings, database: Database, forced_because: str | None = None) -> None:
    """Bring the tables to this program's revision, unless a session is open and there is something to do.

    Raises:
        SessionOpen: If a session is open and nothing is forced.
        StartRefused: If there are rows to seal and no template key.
        DatabaseError: If the database cannot be reached or written.
    """
    from service.template_keys import TemplateKeys

    what, sessions = "An upgrade of the database", list[UUID]()
    if database.revision() not in (None, find_newest_revision()):
        sessions = refuse_while_open(database, what, forced_because, open_windows)
    TemplateKeys(settings).upgrade(database, announce=announce)
    note_override(database, what, By(Origin("invigil db"), forced_because), sessions)


def announce(line: str) -> None:
    """Say something beside the answer of a command."""
    typer.echo(line, err=True)


@contextmanager
def open_database(settings: Settings) -> Iterator[Database]:
    """The database; an empty one gets its tables, an older one is left for `invigil db upgrade`.

    Raises:
        DatabaseError: If it cannot be reached or is at another revision.
    """
    make_data_folder(settings)
    database = Database(settings.database)
    try:
        if database.revision() is None:
            database.upgrade()
        database.require_current()
        yield database
    finally:
        database.close()
