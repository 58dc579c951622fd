"""A backup put back into an empty installation: checked as a whole first, and written in one transaction.

Everything is done to a draft in the data folder: it is upgraded and compared with the audit trail's anchors,
and whoever was erased or has withdrawn since is erased in it. What is put in place can be served at once.
"""

import shutil
import tempfile
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

# Each package's tables, so that none is left out.
import service.exams.tables  # noqa: F401
from embedding.bundle import Bundle
from index import audit
from index.copying import copy_rows, find_filled_table
from index.database.database import Database
from index.database.revisions import is_known_revision
from index.errors import KeyInvalid
from index.models.keeping import find_bundle, keep_copy
from index.models.models import Models
from index.resealing import TEMPLATES, find_unreadable_rows, seal_former_rows
from index.sealing.cipher import TemplateCipher
from index.sealing.key_file import KeyFile
from index.trail.anchor import AnchorFile
from index.trail.anchor_lines import AnchorLine, find_common_head, find_expected_heads
from service.backup.folder import ANCHOR, DATABASE, MODELS, BackupManifest, read_manifest
from service.backup.making import file_of_keys, warn_of
from service.errors import BackupRefused
from service.exams.evidence.verifying import verify_evidence
from service.settings import Settings
from service.template_keys import SEALED_TABLES, TemplateKeys
from service.trail.anchoring import RETURNED, Anchoring, Ended


@dataclass(frozen=True)
class Source:
    """What is put back.

    Attributes:
        folder: Of the backup.
        keys_place: The folder or file with its keys; None where the settings give them.
        anchor: An anchor that was kept elsewhere, beside the one that the settings name.
        forced_because: Why it is put back although its audit trail is broken.
    """

    folder: Path
    keys_place: Path | None = None
    anchor: Path | None = None
    forced_because: str | None = None


@dataclass(frozen=True)
class Restored:
    """What was put back.

    Attributes:
        manifest: Of the backup.
        removed_again: How many people were erased, or have withdrawn, since it was made.
        revoked_again: How many keys were revoked since.
        ended_again: How many operators were ended since.
        templates_again: How many templates were removed since, of people who stayed.
        exams_again: How many exams were archived, deleted or purged since.
        passwords_again: How many operators had another password or role since: each needs a new link.
        holds_again: How many holds were put again that were put since.
        known_until: When the newest line of an anchor was written that outlived the machine; None where there
            is none beside the backup's own: nobody knows then who was erased since.
        faults: What is wrong with its audit trail; it was forced then.
    """

    manifest: BackupManifest
    removed_again: int
    revoked_again: int
    ended_again: int
    templates_again: int
    exams_again: int
    passwords_again: int
    holds_again: int
    known_until: datetime | None
    faults: list[str] = field(default_factory=list)


def restore(settings: Settings, database: Database, source: Source) -> Restored:
    """Put a backup back.

    Args:
        settings: Of an installation that holds nothing yet.
        database: Its database; without tables, or with empty ones.
        source: What is put back.

    Raises:
        BackupRefused: If it is no whole backup, its keys are not there, or something is here already.
        AnchorInvalid: If an anchor was changed.
        TemplateUnreadable: If no template opens with these keys.
        DatabaseError, OSError: If something cannot be written; the same call goes on from there later.
    """
    manifest = read_manifest(source.folder)
    if not is_known_revision(manifest.revision):
        raise BackupRefused(f"The backup was made by a newer program, Invigil {manifest.program}.")
    require_empty(database)
    keys = keys_for(settings, source.keys_place)
    cipher = TemplateCipher(*keys)
    manifest.check(source.folder, cipher)
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".restore-", dir=settings.data_dir) as scratch:
        file = Path(shutil.copyfile(source.folder / DATABASE, Path(scratch) / DATABASE))
        with closing(Database(f"sqlite:///{file}")) as draft:
            draft.upgrade(lambda db: seal_former_rows(db, lambda: cipher, SEALED_TABLES, actor="upgrade"))
            with draft.read() as db:
                # Its digest says that the file is as it was written: these were so before.
                warn_of(find_unreadable_rows(db, cipher, TEMPLATES))
            own = AnchorFile(source.folder / ANCHOR, cipher).lines()
            outlived = outlived_lines(settings, source, cipher)
            faults = check_trail(draft, manifest, own, outlived)
            if faults and source.forced_because is None:
                raise BackupRefused(f"{'; '.join(faults)}. --force takes it all the same, with --reason.")
            place_keys(settings, keys)
            place_bundles(settings, manifest, source.folder)
            anchor = AnchorFile(settings.anchor, cipher)
            for lines in (own, outlived):
                anchor.take_over(lines)
            ended = settle(Anchoring(draft, anchor), manifest, faults, source.forced_because)
            database.upgrade()
            with draft.snapshot() as old, database.write() as new:
                require_empty_rows(find_filled_table(new))
                copy_rows(old, new)
    newest = max((line.at for line in outlived), default=None)
    known_until = datetime.fromisoformat(newest) if newest else None
    return Restored(manifest, *ended, known_until, faults)


def require_empty(database: Database) -> None:
    """Refuse where there is something to lose.

    Raises:
        BackupRefused: If a table holds a row.
    """
    if database.revision() is None:
        return
    database.require_current()
    with database.read() as db:
        require_empty_rows(find_filled_table(db))


def require_empty_rows(table: str | None) -> None:
    """Refuse where a table holds something."""
    if table is not None:
        raise BackupRefused(
            f"There is an installation already, with rows in the table {table}: a backup is put back into an "
            "empty database only."
        )


def keys_for(settings: Settings, place: Path | None) -> list[bytes]:
    """The keys that are set, those that are kept at this place, and those of the data folder.

    Raises:
        BackupRefused: If there is none, or what is there is no file of keys.
    """
    keys = TemplateKeys(settings).all()
    if place is not None:
        file = KeyFile(file_of_keys(place))
        try:
            found = file.read()
        except KeyInvalid as error:
            raise BackupRefused(f"{file.path} is no file of keys: {error}") from error
        if not found:
            raise BackupRefused(f"There is no key in {file.path}.")
        keys = list(dict.fromkeys([*found, *keys]))
    if not keys:
        raise BackupRefused("The backup needs its template keys: name their place with --keys.")
    return keys


def place_keys(settings: Settings, keys: Sequence[bytes]) -> None:
    """Write into the data folder the keys that the settings do not give.

    Raises:
        FileExistsError: If there are others.
    """
    present = TemplateKeys(settings)
    if set(keys) - set(present.all()):
        present.file.write(keys)


def place_bundles(settings: Settings, manifest: BackupManifest, folder: Path) -> None:
    """Copy the bundles to where every process looks first.

    Raises:
        BackupRefused: If one is not the model that it should be.
    """
    for model in manifest.models:
        place = folder / MODELS / model.folder
        bundle: Bundle | None = find_bundle([place], model.id, model.calibration_id)
        if bundle is None:
            raise BackupRefused(f"{place} does not hold model {model.id}.")
        keep_copy(bundle, settings.data_dir)


def outlived_lines(settings: Settings, source: Source, cipher: TemplateCipher) -> list[AnchorLine]:
    """What anchors know that were not lost with the machine.

    Raises:
        BackupRefused: If the one that is named is not there.
        AnchorInvalid: If one was changed, or is of another installation.
    """
    if source.anchor is not None and not source.anchor.is_file():
        raise BackupRefused(f"There is no anchor {source.anchor}.")
    places = [settings.anchor, *([source.anchor] if source.anchor else [])]
    return [line for place in places for line in AnchorFile(place, cipher).lines()]


def check_trail(
    draft: Database, manifest: BackupManifest, own: Sequence[AnchorLine], outlived: Sequence[AnchorLine]
) -> list[str]:
    """What is wrong with the audit trail of a backup, in words; empty where nothing is."""
    with draft.read() as db:
        heads = [head for head in find_expected_heads(own) if head[0] <= manifest.audit_seq]
        heads.append((manifest.audit_seq, manifest.audit_digest))
        found = audit.verify_chain(db, expected_heads=[head for head in heads if head[0]])
        other = [
            head
            for head in find_expected_heads(outlived)
            if head[0] <= manifest.audit_seq and audit.find_digest(db, head[0]) != head[1]
        ]
        # A branch that was given up by an earlier restore is one of this installation all the same.
        known = find_common_head(db, own)
    if not found.is_whole:
        return [f"The audit trail of the backup breaks at event {found.first_bad_seq} ({found.reason})"]
    faults = [
        f"The evidence {one.row_id} of event {one.seq} is {one.reason}" for one in verify_evidence(draft)
    ]
    if other and known not in {line.head for line in outlived}:
        faults.append(f"The anchor knows another event {other[0][0]}: the backup is of another installation")
    return faults


def settle(
    anchoring: Anchoring, manifest: BackupManifest, faults: Sequence[str], forced_because: str | None
) -> Ended:
    """End again what was ended since, sign everybody out, and write down that a backup was put back.

    Returns:
        What was ended.
    """
    ended = anchoring.end_returned()
    # Nobody knows who has signed out since.
    anchoring.end_sign_ins()
    # Whoever was about to promote a model when the backup was made is not at work here.
    Models(anchoring.database).withdraw_all()
    details = {
        "made_at": manifest.made_at.isoformat(),
        "known_until": manifest.audit_seq,
        "erased": ended.people,
        "revoked": ended.keys,
        "ended": ended.operators,
        "removed": ended.templates,
        "exams": ended.exams,
        "passwords": ended.passwords,
        "holds": ended.holds,
        "faults": list(faults),
        "forced_because": forced_because if faults else None,
    }
    with anchoring.database.write() as db:
        audit.record(db, action="database.restored", actor=RETURNED, details=details)
    with anchoring.database.read() as db:
        anchoring.anchor.note_restored(db)
    return ended
