"""What commands on pictures open: all parts, as the service has them."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from embedding.embedder import Embedder, Embedding
from embedding.errors import EmbeddingError
from embedding.quality import Purpose
from index.database.rehearsal import copy_gallery
from service.commands.opening import open_database, read_settings
from service.logs import configure_logs
from service.parts import Parts
from service.settings import Settings
from service.template_keys import TemplateKeys


@contextmanager
def open_parts(
    picture_workers: int | None = None, max_bytes: int | None = None, *, reading: bool = True
) -> Iterator[Parts]:
    """All parts, as the service has them; raises as `read_settings`, `open_database` and `Parts.open`.

    Args:
        picture_workers: Instead of the setting.
        max_bytes: Of a picture, where the settings name no other.
        reading: Nothing is enrolled: where there is no template key, none is made.
    """
    configure_logs()
    settings = settings_with(picture_workers, max_bytes)
    with open_database(settings):
        parts = Parts.open(settings, reading=reading)
    try:
        yield parts
    finally:
        parts.close()


@contextmanager
def open_rehearsal(picture_workers: int | None = None, max_bytes: int | None = None) -> Iterator[Parts]:
    """All parts on a copy of who is enrolled, which is gone afterwards; raises as `open_parts`."""
    configure_logs()
    settings = settings_with(picture_workers, max_bytes)
    with tempfile.TemporaryDirectory(prefix="invigil-") as folder:
        copy = settings.model_copy(
            update={
                "data_dir": Path(folder),
                "database_url": "",
                "database_url_file": None,
                "store_crops": False,
                "anchor_file": None,
            }
        )
        # The copy is sealed with the same keys, also with those of the file.
        if keys := TemplateKeys(settings).file.read():
            TemplateKeys(copy).file.write(keys)
        with open_database(copy) as target:
            if is_there(settings):
                with open_database(settings) as source:
                    copy_gallery(source, target)
        parts = Parts.open(copy)
        try:
            yield parts
        finally:
            parts.close()


def settings_with(picture_workers: int | None, max_bytes: int | None) -> Settings:
    """The settings, with what a command gives; `max_bytes` only where they name no limit of their own."""
    settings = read_settings()
    given: dict[str, int] = {}
    if picture_workers is not None:
        given["picture_workers"] = picture_workers
    if max_bytes is not None and "max_upload_bytes" not in settings.model_fields_set:
        given["max_upload_bytes"] = max_bytes
    return settings.model_copy(update=given)


def is_there(settings: Settings) -> bool:
    """Whether there is a database: one that is not there yet is not made for a look at it."""
    return bool(settings.database_url) or (settings.data_dir / "invigil.db").exists()


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
