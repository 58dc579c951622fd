"""A whole installation with its machine, which can be lost, and the next machine, which has nothing yet."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from fixtures_cli import CommandLine, Ended
from fixtures_database import _own_database
from fixtures_service import TEMPLATE_KEY, Service

from embedding.template import Template
from index.database.database import Database
from service.backup.folder import BackupManifest
from service.backup.making import back_up
from service.backup.restoring import Restored, Source, restore
from service.settings import Settings


@dataclass(frozen=True)
class Machine:
    """A data folder and a database; its anchor lies on another disk, which outlives it."""

    start_service: Callable[..., Service]
    cli: CommandLine
    folder: Path
    database_url: str

    @property
    def data_dir(self) -> Path:
        """What is lost with the machine."""
        return self.folder / "var"

    @property
    def anchor(self) -> Path:
        """What is not."""
        return self.folder.parent / "other-disk" / "audit.anchor"

    @property
    def is_sqlite(self) -> bool:
        """Whether the database is a file."""
        return self.database_url.startswith("sqlite")

    def start(self, **changes: Any) -> Service:
        """The service, in this process."""
        given = {"data_dir": self.data_dir, "anchor_file": self.anchor, "database_url": self.database_url}
        key = {"template_key": None} if self.is_sqlite else {}
        return self.start_service(**given | key | changes)

    def run(self, *arguments: str | Path, **settings: str) -> Ended:
        """One command, in a process of its own; a PostgreSQL's key is set."""
        own = {
            "INVIGIL_DATA_DIR": str(self.data_dir),
            "INVIGIL_DATABASE_URL": self.database_url,
            "INVIGIL_ANCHOR_FILE": str(self.anchor),
        }
        key = {} if self.is_sqlite else {"INVIGIL_TEMPLATE_KEY": TEMPLATE_KEY}
        return self.cli.run(*arguments, **own | key | settings)

    @property
    def settings(self) -> Settings:
        """What the commands read, for calls of the same in this process."""
        return Settings(
            _env_file=None,  # type: ignore[call-arg]
            data_dir=self.data_dir,
            database_url=self.database_url,
            anchor_file=self.anchor,
            bundle=self.cli.bundle,
        )

    def back_up(self, folder: Path, keys: Path) -> BackupManifest:
        """What `invigil backup` does."""
        with closing(Database(self.database_url)) as database:
            return back_up(self.settings, database, folder, keys)

    def restore(self, folder: Path, keys: Path | None) -> Restored:
        """What `invigil restore` does."""
        with closing(Database(self.database_url)) as database:
            return restore(self.settings, database, Source(folder, keys))

    def lose(self) -> None:
        """The disk is gone."""
        shutil.rmtree(self.data_dir)


@pytest.fixture
def next_url(request: pytest.FixtureRequest, database_url: str, tmp_path: Path) -> Iterator[str]:
    """The database of the next machine, without a table."""
    if database_url.startswith("sqlite"):
        yield f"sqlite:///{tmp_path}/machine-2/var/invigil.db"
    else:
        yield from _own_database(request.getfixturevalue("postgresql_server"), template="template0")


@pytest.fixture
def machines(
    database_url: str,
    next_url: str,
    start_service: Callable[..., Service],
    cli: CommandLine,
    tmp_path: Path,
) -> list[Machine]:
    """A machine with the tables, and the next one without any; on each kind of database."""
    is_sqlite = database_url.startswith("sqlite")
    first = f"sqlite:///{tmp_path}/machine-1/var/invigil.db" if is_sqlite else database_url
    return [
        Machine(start_service, cli, tmp_path / "machine-1", first),
        Machine(start_service, cli, tmp_path / "machine-2", next_url),
    ]


def enrol_made(service: Service, people: range) -> dict[int, UUID]:
    """Enrol people made of numbers: a backup asks about rows and not about faces."""
    parts = service.parts
    enrolled = {}
    for person in people:
        enrolled[person] = parts.subjects.add(external_id=f"made-{person}", actor="test").id
        parts.gallery.enrol(
            enrolled[person],
            template_of(service, person),
            quality={},
            duplicate_threshold=0.1,
            actor="test",
        )
    return enrolled


def template_of(service: Service, person: int) -> Template:
    """Such a person's template."""
    vector = np.random.default_rng(person).standard_normal(service.parts.embedder.bundle.dim)
    return Template((vector / np.linalg.norm(vector)).astype(np.float32), service.parts.embedder.model_id)


def found(service: Service, person: int) -> list[UUID]:
    """Whom a search finds by such a person's template."""
    nearest = service.parts.gallery.nearest(template_of(service, person), 3, max_d=0.1)
    return [one.subject_id for one in nearest]
