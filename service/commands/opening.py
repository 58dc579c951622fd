"""What commands open: the settings, the database, the embedder, or all parts."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import ValidationError

from embedding.bundle import Bundle
from embedding.embedder import Embedder, Embedding
from embedding.errors import EmbeddingError
from embedding.quality import Purpose
from index.database import Database
from service.access.keys import Keys
from service.errors import StartRefused
from service.logs import configure_logs
from service.parts import Parts
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
            f"INVIGIL_{str(one['loc'][0]).upper()}: {one['msg']}" if one["loc"] else one["msg"]
            for one in error.errors(include_url=False, include_input=False)
        ]
        raise StartRefused("; ".join(lines)) from error


def make_data_folder(settings: Settings) -> None:
    """The folder of the database file, where it is a file of our own."""
    if not settings.database_url:
        settings.data_dir.mkdir(parents=True, exist_ok=True)


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


@contextmanager
def open_parts(picture_workers: int | None = None) -> Iterator[Parts]:
    """All parts, as the service has them; raises as `read_settings`, `open_database` and `Parts.open`."""
    configure_logs()
    settings = read_settings()
    if picture_workers is not None:
        settings = settings.model_copy(update={"picture_workers": picture_workers})
    with open_database(settings):
        parts = Parts.open(settings)
    try:
        yield parts
    finally:
        parts.close()


def embed_file(embedder: Embedder, path: Path) -> Embedding:
    """The template of a picture in a file; what is raised carries the file's name as a note.

    Raises:
        EmbeddingError: If no template can be made of it.
        OSError: If it cannot be read.
    """
    try:
        return embedder.embed(path.read_bytes(), Purpose.VERIFY)
    except EmbeddingError as error:
        error.add_note(str(path))
        raise


def prepare_to_serve(settings: Settings) -> str | None:
    """Upgrade the database and check the bundle; the first admin key where there has never been a key.

    Raises:
        BundleError: If the bundle is missing or damaged; found here, it is one line and not a worker's death.
        DatabaseError: If the database cannot be reached or written.
    """
    Bundle.load(settings.bundle)
    make_data_folder(settings)
    database = Database(settings.database)
    try:
        database.upgrade()
        return Keys(database).create_first()
    finally:
        database.close()
