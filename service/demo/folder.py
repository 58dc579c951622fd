"""The demonstration's own folder: made, taken up again or thrown away, and never anybody else's."""

import fcntl
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from service.errors import StartRefused
from service.settings import Settings

MARKER = "demo.json"


class DemoSettings(Settings):
    """The settings of the demonstration: what the environment and `.env` say of a real one is not read."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what is given by name."""
        return (init_settings,)


@contextmanager
def opened(folder: Path, *, is_fresh: bool) -> Iterator["DemoFolder"]:
    """The folder, ours alone while it is open.

    Raises:
        StartRefused: If it holds something else, or another demonstration runs from it.
    """
    if folder.exists() and not folder.is_dir():
        raise StartRefused(f"{folder} is no folder.")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / MARKER).is_file():
        raise StartRefused(f"{folder} holds something else than a demonstration; choose another --folder.")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / MARKER).open("a") as marker:
        try:
            fcntl.flock(marker, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StartRefused(f"A demonstration runs from {folder} already.") from error
        opened_folder = DemoFolder(folder)
        if is_fresh or opened_folder.session_id is None:
            opened_folder.clear()
        yield opened_folder


class DemoFolder:
    """Where a demonstration lives."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def settings(self) -> Settings:
        """Of an installation that has nothing but this folder."""
        return DemoSettings(data_dir=self.path / "var", store_crops=True)

    @property
    def session_id(self) -> UUID | None:
        """The session that a former run filled; None where no run came to its end."""
        try:
            return UUID(json.loads((self.path / MARKER).read_text())["session_id"])
        except (ValueError, KeyError, TypeError):
            return None

    def begin(self) -> None:
        """Says that what is there is not whole: a run that ends now is begun anew by the next one."""
        (self.path / MARKER).write_text("{}\n")

    def finish(self, session_id: UUID) -> None:
        """Says which session was filled."""
        (self.path / MARKER).write_text(json.dumps({"session_id": str(session_id)}) + "\n")

    def clear(self) -> None:
        """Removes the installation; the marker stays, for its lock is held."""
        shutil.rmtree(self.path / "var", ignore_errors=True)
        self.begin()
