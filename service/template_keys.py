"""Where the template keys come from: the settings, or a file that the first start makes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from index.database.database import Database
from index.errors import KeyInvalid
from index.resealing import (
    CROPS,
    TEMPLATES,
    SealedTable,
    UnreadableRow,
    find_key_ids_in_use,
    find_unreadable_rows,
    seal_former_rows,
)
from index.sealing.cipher import SealingKey, TemplateCipher, parse_key
from index.sealing.key_file import KEY_FILE, KeyFile
from index.subjects.portraits import PORTRAITS
from index.subjects.proposals import PROPOSALS
from index.webhooks.webhooks import WEBHOOKS
from service.access.second_factors import SECOND_FACTORS
from service.errors import StartRefused
from service.exams.checkin.thumbnails import THUMBNAILS
from service.exams.checkin.todays import ADMISSION_TEMPLATES
from service.exams.offline.sealing import QUEUE_KEYS
from service.settings import Settings

SEALED_TABLES: tuple[SealedTable, ...] = (
    TEMPLATES,
    CROPS,
    THUMBNAILS,
    SECOND_FACTORS,
    PROPOSALS,
    PORTRAITS,
    WEBHOOKS,
    QUEUE_KEYS,
    ADMISSION_TEMPLATES,
)
"""Every table with sealed rows."""


@dataclass(frozen=True)
class TemplateKeys:
    """The template keys of one installation.

    Those of the settings go first; the file's open what they have sealed, until it is sealed anew.
    """

    settings: Settings

    @property
    def file(self) -> KeyFile:
        """The keys that a start has made."""
        return KeyFile(self.settings.data_dir / KEY_FILE)

    def all(self) -> list[bytes]:
        """Every key, the sealing one first; raises as `cipher`."""
        try:
            return list(dict.fromkeys([*self._given(), *self.file.read()]))
        except KeyInvalid as error:
            raise StartRefused(f"{self.file.path}: {error}") from error

    def cipher(self) -> TemplateCipher | None:
        """The cipher of the keys that there are; None where there is none.

        Raises:
            StartRefused: If one of them is no key, or its file cannot be read.
        """
        file, given = self.file, self._given()

        def keys_of_now() -> Sequence[bytes] | None:
            changed = file.read_if_changed()
            return None if changed is None else [*given, *changed]

        try:
            first = keys_of_now() or given
        except KeyInvalid as error:
            raise StartRefused(f"{file.path}: {error}") from error
        return TemplateCipher(*first, source=keys_of_now) if first else None

    def cipher_or_new(
        self, database: Database, announce: Callable[[str], None] = lambda line: None
    ) -> TemplateCipher:
        """The cipher; where there is no key yet, a key is made for a SQLite database.

        Args:
            database: At the present revision. Where a key is made, no row may be sealed with another one.
            announce: Told in one line that a key was made, and where it is.

        Raises:
            StartRefused: If there is no key and none may be made.
            OSError: If the file cannot be written.
        """

        def in_use() -> set[str | None]:
            with database.read() as db:
                return find_key_ids_in_use(db, SEALED_TABLES)

        return self._cipher_or_made(database.is_sqlite, in_use, announce)

    def upgrade(self, database: Database, announce: Callable[[str], None] = lambda line: None) -> None:
        """Bring the tables to this program's revision; rows of before are sealed for their owners.

        Raises:
            StartRefused: If there are such rows, and no key, and none may be made.
            TemplateUnreadable: If a template was sealed with a key that is not there.
            DatabaseError: If the database cannot do its part.
        """
        database.upgrade(
            lambda db: seal_former_rows(
                db,
                lambda: self._cipher_or_made(
                    database.is_sqlite, partial(find_key_ids_in_use, db, SEALED_TABLES), announce
                ),
                SEALED_TABLES,
                actor="upgrade",
            )
        )

    def add_to_file(self) -> None:
        """Make a new key in the file, which seals from now on; running processes take it up by themselves.

        Raises:
            StartRefused: If the settings give the keys.
            OSError: If the file cannot be written.
        """
        if self._given():
            raise StartRefused(
                "The template keys are set: put the new key first in INVIGIL_TEMPLATE_KEYS, the former ones "
                "behind it, and start every process again."
            )
        self.file.add()

    def drop_former(self, key_id: str) -> bool:
        """Drop every key of the file but this one, if it is there: no row needs them any more.

        Returns:
            Whether some were dropped.
        """
        keys = self.file.read()
        kept = [key for key in keys if SealingKey(key).id == key_id]
        if not kept or len(kept) == len(keys):
            return False
        self.file.keep_only(kept)
        return True

    def where(self) -> str:
        """Where the file is, and what it is worth, in one line."""
        return (
            f"The template key is in {self.file.path.resolve()}: a copy of the database is worthless without "
            "it. Keep a copy of it elsewhere than the copies of the database."
        )

    def _cipher_or_made(
        self, is_sqlite: bool, in_use: Callable[[], set[str | None]], announce: Callable[[str], None]
    ) -> TemplateCipher:
        cipher = self.cipher()
        if cipher is not None:
            return cipher
        if not is_sqlite:
            raise StartRefused(
                "Templates are stored encrypted, and there is no key: set INVIGIL_TEMPLATE_KEY, to the same "
                "one for every process (openssl rand -base64 32)."
            )
        if self.file.make(lambda: self._refuse_beside_sealed_rows(in_use())):
            announce(self.where())
        made = self.cipher()
        if made is None:
            raise StartRefused(f"There is no key in {self.file.path.resolve()}.")
        return made

    def _refuse_beside_sealed_rows(self, in_use: set[str | None]) -> None:
        """A new key would hide that the one that sealed the rows is lost."""
        key_id = next((key_id for key_id in in_use if key_id), None)
        if key_id is not None:
            raise StartRefused(
                f"Templates are encrypted with key {key_id}, which is neither in INVIGIL_TEMPLATE_KEY nor "
                f"in {self.file.path.resolve()}. Put it back; without it everybody must be enrolled again."
            )

    def _given(self) -> list[bytes]:
        """The keys of the settings, the sealing one first."""
        keys = []
        for variable, text in self.settings.template_key_texts:
            try:
                keys += [parse_key(one) for one in text.replace(",", " ").split()]
            except KeyInvalid as error:
                raise StartRefused(f"{variable}: {error}") from error
        return list(dict.fromkeys(keys))


def find_unreadable(settings: Settings, database: Database) -> list[UnreadableRow]:
    """Every sealed row that does not open: a search leaves such templates out, and says so.

    Raises:
        StartRefused: If rows are sealed and no key is set.
        TemplateUnreadable: If no row of a table opens, for their keys are not set.
        DatabaseError: If the database cannot be reached.
    """
    cipher = TemplateKeys(settings).cipher()
    # On PostgreSQL rows are fetched block by block within a transaction alone.
    with database.snapshot() as db:
        if cipher is None:
            if find_key_ids_in_use(db, SEALED_TABLES):
                raise StartRefused("There are sealed rows and no template key: set INVIGIL_TEMPLATE_KEY.")
            return []
        return [row for table in SEALED_TABLES for row in find_unreadable_rows(db, cipher, table)]
