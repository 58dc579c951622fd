"""A backup, made while the service runs: one moment of the database, with all that its rows need."""

import shutil
from collections.abc import Sequence
from contextlib import closing
from importlib.metadata import version
from pathlib import Path

# Each package's tables, so that none is left out.
import service.exams.tables  # noqa: F401
from embedding.installation import copy_bundle
from index import audit
from index.copying import copy_rows
from index.database.database import Database
from index.models.keeping import find_bundle, find_copy_path
from index.models.models import Model, Models
from index.resealing import TEMPLATES, UnreadableRow, find_key_ids_in_use, find_unreadable_rows
from index.sealing.cipher import TemplateCipher
from index.sealing.key_file import KEY_FILE, KeyFile
from index.tables import utc_now
from index.trail.anchor import AnchorFile
from service.backup.folder import (
    ANCHOR,
    DATABASE,
    MODELS,
    BackupManifest,
    BackupModel,
    draft_of,
    record_files,
    write_manifest,
)
from service.errors import BackupRefused
from service.logs import log
from service.settings import Settings
from service.template_keys import TemplateKeys
from service.trail.anchoring import Anchoring


def back_up(settings: Settings, database: Database, folder: Path, keys_place: Path) -> BackupManifest:
    """Write a backup of the installation into a folder, and its keys elsewhere; nothing has to stop for it.

    Args:
        settings: Of the installation.
        database: At this program's revision.
        folder: New or empty.
        keys_place: A folder for the keys, or their file; keys that it holds stay in it.

    Raises:
        BackupRefused: If it cannot be made there, or a part of it is missing.
        TemplateUnreadable: If no template opens with the keys that there are.
        AnchorInvalid: If the anchor was changed.
        DatabaseError, OSError: If something cannot be read or written; then there is no backup.
    """
    folder, keys_file = folder.resolve(), file_of_keys(keys_place)
    keys = TemplateKeys(settings)
    refuse_beside(folder, keys_file, keys.file.path)
    before = keys.all()
    if not before:
        raise BackupRefused("There is no template key, and so nobody is enrolled: start the service first.")
    with draft_of(folder) as draft, closing(Database(f"sqlite:///{draft / DATABASE}")) as copy:
        Anchoring.of(settings, database, TemplateCipher(*before)).note()
        copy.upgrade()
        made_at, rows = utc_now(), copy_database(database, copy)
        models = [copy_model(one, settings, draft) for one in Models(copy).list_in_use()]
        # A key may have been added or dropped meanwhile.
        known = list(dict.fromkeys([*keys.all(), *before]))
        cipher = TemplateCipher(*known)
        copy_anchor(AnchorFile(settings.anchor, cipher), draft / ANCHOR)
        with copy.read() as db:
            audit_seq, audit_digest = audit.find_newest_head(db)
            # What else a row may name, somebody has written into it.
            in_use = find_key_ids_in_use(db, [TEMPLATES])
            key_ids = sorted(one for one in in_use if one and cipher.find_key(one))
            warn_of(find_unreadable_rows(db, cipher, TEMPLATES))
            revision = copy.revision()
        copy.close()
        KeyFile(keys_file).put_first(known)
        manifest = BackupManifest(
            made_at=made_at,
            program=version("invigil"),
            revision=str(revision),
            audit_seq=audit_seq,
            audit_digest=audit_digest,
            rows=rows,
            key_ids=key_ids,
            models=models,
            files=record_files(draft),
            key_id=cipher.key_id,
        ).with_mac(cipher.key)
        write_manifest(draft, manifest)
    return manifest


def file_of_keys(place: Path) -> Path:
    """The file in a folder that is there, or the file itself."""
    return place.resolve() / KEY_FILE if place.is_dir() else place.resolve()


def refuse_beside(folder: Path, keys_file: Path, own: Path) -> None:
    """Whoever has both the copy and the keys has the templates, so they are not written into one place.

    Raises:
        BackupRefused: If the keys would lie in the backup, or where they are already.
    """
    if keys_file.is_relative_to(folder):
        raise BackupRefused(f"The keys must not lie in the backup: {keys_file} is in {folder}.")
    if keys_file == own.resolve():
        raise BackupRefused(f"The keys are in {keys_file} already: name a second place for them.")


def copy_database(database: Database, copy: Database) -> dict[str, int]:
    """Copy every row as it is at one moment; returns the number of rows by table."""
    with database.snapshot() as old, copy.write() as new:
        return copy_rows(old, new)


def copy_model(model: Model, settings: Settings, draft: Path) -> BackupModel:
    """Copy the bundle of a model in use.

    Raises:
        BackupRefused: If it is nowhere: what is enrolled with it would be of no use.
    """
    own = find_copy_path(settings.data_dir, model.id, model.calibration_id)
    places = [own, *([Path(model.location)] if model.location else []), settings.bundle]
    bundle = find_bundle(places, model.id, model.calibration_id)
    if bundle is None:
        searched = ", ".join(map(str, places))
        raise BackupRefused(f"The bundle of model {model.id} is not whole in {searched}: put it back first.")
    (draft / MODELS).mkdir(mode=0o700, exist_ok=True)
    copy_bundle(bundle, draft / MODELS / own.name)
    return BackupModel(id=model.id, calibration_id=model.calibration_id, folder=own.name)


def copy_anchor(anchor: AnchorFile, target: Path) -> None:
    """Copy the anchor, where there is one, and look whether it is whole.

    Raises:
        AnchorInvalid: If it was changed.
    """
    if anchor.path.exists():
        shutil.copyfile(anchor.path, target)
        AnchorFile(target, anchor.cipher).lines()


def warn_of(rows: Sequence[UnreadableRow]) -> None:
    """Say which rows do not open: one that was changed must not keep everybody else from a backup."""
    for row in rows:
        log.error("row_unreadable", table=row.table, row_id=str(row.row_id), reason=row.reason)
