"""db upgrade|check|reseal, and audit verify."""

from typing import TYPE_CHECKING, Annotated

import typer

from service.commands.forcing import Force, Reason, forced_because
from service.commands.options import AsJson

if TYPE_CHECKING:
    from index.resealing import ResealReport

db = typer.Typer(no_args_is_help=True, help="The database: bring it up to date, check it.")
audit = typer.Typer(no_args_is_help=True, help="The audit trail.")


@db.command()
def upgrade(force: Force = False, reason: Reason = None, as_json: AsJson = False) -> None:
    """Bring the tables to this program's revision. Safe to repeat, and from several processes at once."""
    from contextlib import closing

    from index.database.database import Database
    from service.commands.opening import make_data_folder, read_settings, upgrade_database
    from service.commands.showing import show_json

    settings = read_settings()
    make_data_folder(settings)
    with closing(Database(settings.database)) as database:
        before = database.revision()
        upgrade_database(settings, database, forced_because(force, reason))
        after = database.revision()
    if as_json:
        show_json({"before": before, "after": after})
    elif before == after:
        typer.echo(f"The database is at revision {after} already.")
    else:
        typer.echo(f"The database is now at revision {after} (before: {before or 'empty'}).")


@db.command()
def check(as_json: AsJson = False) -> None:
    """Can the database be reached, are its tables this program's, which ids clash, which rows do not open?

    Exit status 1 if the tables are not this program's, if external ids clash (nothing is merged by itself),
    or if sealed rows do not open: somebody has changed them, or their key is not set.
    """
    from contextlib import closing
    from dataclasses import asdict

    from index.database.database import Database
    from index.database.revisions import find_newest_revision
    from service.commands.opening import read_settings
    from service.commands.showing import show_json
    from service.exams.roster.clashes import find_clashes
    from service.template_keys import find_unreadable

    settings = read_settings()
    needed = find_newest_revision()
    with closing(Database(settings.database)) as database:
        actual = database.revision()
        clashes = find_clashes(database) if actual == needed else []
        unreadable = find_unreadable(settings, database) if actual == needed else []
    if as_json:
        facts = {"current": actual == needed, "revision": actual, "needed": needed}
        rows = [asdict(one) for one in clashes]
        show_json(facts | {"clashes": rows, "unreadable": [vars(one) for one in unreadable]})
    elif actual == needed:
        typer.echo(f"The database is at revision {actual}, as this program needs.")
    else:
        typer.echo(f"The database is at revision {actual}, this program needs {needed}: invigil db upgrade")
    if not as_json:
        for one in clashes:
            typer.echo(str(one))
        for row in unreadable:
            typer.echo(f"The row {row.row_id} of {row.table} does not open: {row.reason}.")
    if actual != needed or clashes or unreadable:
        raise typer.Exit(1)


@db.command("confirm-clock")
def confirm(as_json: AsJson = False) -> None:
    """Say that the machine's clock is right, after it leapt: what is past its time is announced anew."""
    from index.clock import confirm_clock
    from service.commands.opening import open_database, read_settings
    from service.commands.showing import show_json

    with open_database(read_settings()) as database, database.write() as session:
        at = confirm_clock(session, actor="invigil db").at
    if as_json:
        show_json({"confirmed_at": at.isoformat()})
    else:
        typer.echo(f"The clock is confirmed at {at:%Y-%m-%d %H:%M} UTC; what is due is announced anew.")


@db.command()
def reseal(
    new_key: Annotated[
        bool, typer.Option(help="Make a new key in the key file of the data folder first.")
    ] = False,
    from_before: Annotated[
        bool,
        typer.Option(
            help="Take rows as well that are not encrypted or not bound to their owner. Whoever could write "
            "into the database may have exchanged them."
        ),
    ] = False,
    force: Force = False,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Seal every template and picture with the first key and rotate all vectors anew, in service.

    May be stopped and repeated. Exit status 1 if rows are left that no key opens.
    """
    from dataclasses import asdict

    from index.audit import Origin
    from index.resealing import reseal as seal_anew
    from index.trail.anchor import AnchorFile
    from service.commands.opening import announce, open_database, read_settings
    from service.commands.showing import progress_bar, show_json
    from service.exams.guard import By, note_override, refuse_while_open
    from service.template_keys import SEALED_TABLES, TemplateKeys

    what, forced = "Another template key", forced_because(force, reason)
    settings = read_settings()
    keys = TemplateKeys(settings)
    with open_database(settings) as database, progress_bar("Sealing rows") as progress:
        sessions = refuse_while_open(database, what, forced)
        note_override(database, what, By(Origin("invigil db"), forced), sessions)
        if new_key:
            keys.add_to_file()
        cipher = keys.cipher_or_new(database, announce)
        done = seal_anew(
            database, cipher, SEALED_TABLES, actor="invigil db", from_before=from_before, progress=progress
        )
        if done.is_complete:
            # The anchor's last line needs its key as the rows do: none is dropped before there is a new line.
            with database.read() as db:
                AnchorFile(settings.anchor, cipher).note(db)
    dropped = done.is_complete and keys.drop_former(done.key_id)
    if as_json:
        show_json(asdict(done) | {"is_complete": done.is_complete, "former_keys_dropped": dropped})
    else:
        show_resealed(done)
    if not done.is_complete:
        raise typer.Exit(1)


def show_resealed(done: "ResealReport") -> None:
    """Say what was sealed, and what is left and why."""
    counts = ", ".join(f"{count:,} {name}" for name, count in done.sealed.items())
    typer.echo(f"Sealed with key {done.key_id}: {counts}.")
    left = ", ".join(f"{count:,} {name}" for name, count in done.left.items() if count)
    if not left:
        typer.echo("Every row is sealed with it: no former key is needed any more.")
    else:
        typer.echo(
            f"Left as they were: {left}. Rows that are not bound to their owner need --from-before; "
            "of others the key is missing, or somebody has changed them."
        )


@audit.command()
def verify(
    expect: Annotated[
        list[str] | None,
        typer.Option(metavar="SEQ:DIGEST", help="An event noted down earlier; may be given many times."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Walk the audit trail, and compare its anchor, events noted elsewhere and all evidence with it.

    Prints the newest event as SEQ:DIGEST. Exit status 1 if something was changed.
    """
    from service.commands.opening import open_database, read_settings
    from service.commands.showing import show_json
    from service.trail.anchoring import head_of
    from service.trail.checking import check_trail

    settings = read_settings()
    expected = [head_of(text) for text in expect or ()]
    with open_database(settings) as database:
        found = check_trail(settings, database, expected)
    if as_json:
        show_json(found.model_dump(mode="json"))
    elif found.is_whole:
        typer.echo(f"The audit trail is whole: {found.events:,} events, head {found.newest}")
        if not found.is_anchored:
            typer.echo(f"Nothing was noted of it outside the database: {settings.anchor} is not there.")
    else:
        typer.echo(f"The audit trail breaks at event {found.first_bad_seq}: {found.reason}.")
    if not as_json:
        for one in found.evidence:
            of_event = f" of event {one.seq}" if one.seq else ""
            typer.echo(f"The evidence {one.row_id}{of_event} is {one.reason}.")
    if found.evidence or not found.is_whole:
        raise typer.Exit(1)


@audit.command()
def accept(
    reason: Annotated[str, typer.Option(help="Why the database ends earlier; goes into the audit trail.")],
) -> None:
    """Take a database for the present one that lost its newest events, by a failover or a copy put back.

    What the anchor says of events after its last common one is given up; who was erased is erased again.
    """
    from service.commands.opening import open_database, read_settings
    from service.trail.anchoring import accept_loss

    settings = read_settings()
    with open_database(settings) as database:
        lost = accept_loss(settings, database, reason)
    typer.echo(lost)
