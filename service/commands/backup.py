"""backup and restore."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from service.commands.forcing import Reason, forced_because
from service.commands.options import AsJson

if TYPE_CHECKING:
    from service.backup.restoring import Restored


def back_up(
    folder: Annotated[Path, typer.Argument(help="Where the backup is going to be: a new or empty folder.")],
    keys: Annotated[
        Path | None,
        typer.Option(
            metavar="PLACE", help="A folder for the template keys, elsewhere; asked for if missing."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write everything that a restore needs into a folder, while the service runs; the keys go elsewhere."""
    from service.backup.making import back_up as write_backup
    from service.commands.opening import open_database, read_settings
    from service.commands.showing import show_json
    from service.logs import configure_logs

    configure_logs()
    settings = read_settings()
    place = ask_for_place() if keys is None else keys
    require_database(settings.database)
    with open_database(settings) as database:
        manifest = write_backup(settings, database, folder, place)
    if as_json:
        show_json(manifest)
    else:
        subjects, templates = manifest.rows["subject"], manifest.rows["template"]
        typer.echo(
            f"{folder}: {subjects:,} people with {templates:,} templates, of {manifest.made_at:%F %T} UTC."
        )
        typer.echo(f"The template keys are in {place}: without them nobody in it can be recognised.")


def restore(
    folder: Annotated[Path, typer.Argument(help="A backup.")],
    keys: Annotated[
        Path | None, typer.Option(metavar="PLACE", help="Where its template keys are, if they are not set.")
    ] = None,
    anchor: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="An anchor of the audit trail that outlived the machine elsewhere."
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Although its audit trail is broken; takes --reason.")
    ] = False,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Put a backup back into an empty installation. What was erased or revoked after it is so again first."""
    from contextlib import closing
    from dataclasses import asdict

    from index.database.database import Database
    from service.backup.restoring import Source
    from service.backup.restoring import restore as put_back
    from service.commands.opening import make_data_folder, read_settings
    from service.commands.showing import show_json
    from service.logs import configure_logs

    configure_logs()
    settings = read_settings()
    source = Source(folder, keys, anchor, forced_because(force, reason))
    make_data_folder(settings)
    with closing(Database(settings.database)) as database:
        restored = put_back(settings, database, source)
    if as_json:
        show_json(asdict(restored) | {"manifest": restored.manifest.model_dump(mode="json")})
    else:
        show_restored(restored)


def show_restored(restored: "Restored") -> None:
    """Say what is there now, and what nobody can know."""
    manifest = restored.manifest
    typer.echo(f"The installation is as it was at {manifest.made_at:%F %T} UTC.")
    if restored.removed_again:
        typer.echo(f"{restored.removed_again:,} people were erased again who were erased after that.")
    if restored.templates_again:
        typer.echo(f"{restored.templates_again:,} templates were removed again that were removed after that.")
    if restored.revoked_again:
        typer.echo(f"{restored.revoked_again:,} API keys were revoked again that were revoked after that.")
    if restored.ended_again:
        typer.echo(f"{restored.ended_again:,} operators were ended again who were ended after that.")
    if restored.exams_again:
        typer.echo(f"{restored.exams_again:,} exams were archived, deleted or purged again.")
    if restored.holds_again:
        typer.echo(f"{restored.holds_again:,} holds were put again that were put after that.")
    if restored.passwords_again:
        typer.echo(
            f"{restored.passwords_again:,} operators had another password or role after that and have none "
            "now: send them a link (`invigil operators reset`), and look at their roles."
        )
    if restored.known_until is None:
        typer.echo(
            "No anchor outlived the machine: whoever was erased after the backup is there again. "
            "Erase them before anybody is verified, and keep INVIGIL_ANCHOR_FILE on another disk."
        )
        typer.echo(
            "API keys that were revoked and operators who were ended since are valid again: see "
            "`invigil keys list` and `invigil operators list`. Templates that were removed since are back."
        )


def ask_for_place() -> Path:
    """Ask the operator for the second place.

    Raises:
        BackupRefused: If nobody answers.
    """
    from service.errors import BackupRefused

    try:
        return Path(typer.prompt("Where do the template keys go (not into the backup)?", err=True))
    except typer.Abort as error:
        raise BackupRefused("Say with --keys where the template keys go.") from error


def require_database(address: str) -> None:
    """Refuse where there is no database yet: one is not made to be backed up."""
    from service.errors import BackupRefused

    path = Path(address.removeprefix("sqlite:///"))
    if address.startswith("sqlite:///") and not path.exists():
        raise BackupRefused(f"There is no database {path}.")
