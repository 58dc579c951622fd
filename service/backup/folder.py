"""A backup on disk: what is in its folder, written as a whole or not at all.

    FOLDER/
    ├── manifest.json     what the backup is, the digest of every other file, and a MAC over both
    ├── database.db       every row, in SQLite, whichever kind of database it was; sealed rows stay sealed
    ├── audit.anchor      what was known of the audit chain outside the database
    └── models/…          the bundles in use

The keys are elsewhere. All of it is written into a draft beside the folder, which gets its name in the end.
"""

import fcntl
import hashlib
import hmac
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ValidationError

from embedding.files import sync_folder, write_file
from index.sealing.cipher import SealingKey, TemplateCipher
from service.errors import BackupRefused

MANIFEST, DATABASE, ANCHOR, MODELS = "manifest.json", "database.db", "audit.anchor", "models"
_LOCK = ".lock"
_MOST_MANIFEST_BYTES = 16 << 20


class BackupFile(BaseModel):
    """One file: its path within the folder, its length and its SHA-256."""

    path: str
    bytes: int
    sha256: str


class BackupModel(BaseModel):
    """A bundle of the backup, in `models/<folder>`."""

    id: str
    calibration_id: str | None
    folder: str


class BackupManifest(BaseModel):
    """What a backup is.

    Attributes:
        made_at: The moment that its rows show.
        program: The version of Invigil that made it.
        revision: Of its tables.
        audit_seq: Number of its newest audit event.
        audit_digest: Digest of that event.
        rows: How many each table has.
        key_ids: The keys that its templates are sealed with.
        key_id: The key of the MAC.
        mac: HMAC-SHA-256 over all of this with an empty `mac`, hexadecimal.
    """

    format: Literal["invigil-backup/1"] = "invigil-backup/1"
    made_at: datetime
    program: str
    revision: str
    audit_seq: int
    audit_digest: str
    rows: dict[str, int]
    key_ids: list[str]
    models: list[BackupModel]
    files: list[BackupFile]
    key_id: str
    mac: str = ""

    def with_mac(self, key: SealingKey) -> Self:
        """The same with the MAC that it has to have."""
        plain = self.model_copy(update={"key_id": key.id, "mac": ""})
        content = b"invigil backup" + plain.model_dump_json().encode()
        return plain.model_copy(update={"mac": hmac.new(key.mac_key, content, hashlib.sha256).hexdigest()})

    def check(self, folder: Path, cipher: TemplateCipher) -> None:
        """Compare everything with what was written.

        Raises:
            BackupRefused: If a key is missing, the manifest was changed, or a file is not what it was.
        """
        for key_id in (self.key_id, *self.key_ids):
            if cipher.find_key(key_id) is None:
                raise BackupRefused(f"The backup needs the template key {key_id}, which is not there.")
        key = cipher.find_key(self.key_id)
        if key is None or not hmac.compare_digest(self.mac, self.with_mac(key).mac):
            raise BackupRefused(f"{folder / MANIFEST} was changed since the backup was made.")
        for file in self.files:
            if not _is_within(file.path):
                raise BackupRefused(f"{folder / MANIFEST} names a file outside of the backup.")
            actual = _record_of(folder, folder / file.path)
            if actual != file:
                raise BackupRefused(f"{folder / file.path} is missing, or is not what the backup says.")


def read_manifest(folder: Path) -> BackupManifest:
    """What the backup in a folder says that it is.

    Raises:
        BackupRefused: If there is no whole backup of a form that this program knows.
    """
    path = folder / MANIFEST
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_MANIFEST_BYTES)
    except OSError as error:
        reason = error.strerror or "it cannot be read"
        raise BackupRefused(f"There is no whole backup in {folder}: {MANIFEST}: {reason}.") from error
    try:
        return BackupManifest.model_validate_json(content)
    except ValidationError as error:
        places = ", ".join(sorted({".".join(map(str, one["loc"])) or "all of it" for one in error.errors()}))
        raise BackupRefused(
            f"{path} is not of the form invigil-backup/1 ({places}): it is damaged, or of another version."
        ) from error


@contextmanager
def draft_of(folder: Path) -> Iterator[Path]:
    """A folder to write a backup into; it becomes the named one at the end of the block, or is removed.

    Args:
        folder: Where the backup is going to be; absolute, and not there or empty.

    Raises:
        BackupRefused: If something is there, before or meanwhile.
        OSError: If it cannot be written.
    """
    _require_free(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    _remove_left_drafts(folder)
    draft = Path(tempfile.mkdtemp(prefix=_draft_prefix(folder), dir=folder.parent))
    with _locked(draft):
        try:
            yield draft
            (draft / _LOCK).unlink()
            _sync_folders(draft)
            _require_free(folder)
            _put_in_place(draft, folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)


def record_files(draft: Path) -> list[BackupFile]:
    """Every file of a draft, once it is on the disk."""
    paths = sorted(path for path in draft.rglob("*") if path.is_file() and path.name != _LOCK)
    for path in paths:
        path.chmod(0o600)
        with path.open("rb") as file:
            os.fsync(file.fileno())
    return [found for path in paths if (found := _record_of(draft, path))]


def write_manifest(draft: Path, manifest: BackupManifest) -> None:
    """Write what the backup is, after everything else."""
    write_file(draft / MANIFEST, (manifest.model_dump_json(indent=2) + "\n").encode(), mode=0o600)


def _record_of(folder: Path, path: Path) -> BackupFile | None:
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            size = os.fstat(file.fileno()).st_size
    except OSError:
        return None
    return BackupFile(path=path.relative_to(folder).as_posix(), bytes=size, sha256=digest)


def _is_within(path: str) -> bool:
    return not Path(path).is_absolute() and ".." not in Path(path).parts


def _require_free(folder: Path) -> None:
    if folder.is_mount():
        raise BackupRefused(f"{folder} is the root of a file system: name a folder in it.")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BackupRefused(f"{folder} holds something: name a new folder.")


def _put_in_place(draft: Path, folder: Path) -> None:
    try:
        draft.rename(folder)
    except OSError as error:
        if folder.is_dir() and any(folder.iterdir()):
            raise BackupRefused(f"{folder} holds something by now: another backup was quicker.") from error
        raise
    sync_folder(folder.parent)


def _draft_prefix(folder: Path) -> str:
    return f".{folder.name}.unfinished-"


def _remove_left_drafts(folder: Path) -> None:
    """Remove what a backup has left that was killed; one that is still being written is locked."""
    for left in folder.parent.glob(f"{_draft_prefix(folder)}*"):
        with suppress(OSError), _locked(left):
            shutil.rmtree(left)


@contextmanager
def _locked(draft: Path) -> Iterator[None]:
    """Hold a draft; raises BlockingIOError where somebody else does. The lock ends with the process."""
    lock = os.open(draft / _LOCK, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(lock)


def _sync_folders(draft: Path) -> None:
    for path in (draft, *draft.rglob("*")):
        if path.is_dir():
            sync_folder(path)
