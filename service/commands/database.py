"""db upgrade|check, and audit verify."""

from typing import Annotated

import typer

from service.commands.forcing import Force, Reason, forced_because

db = typer.Typer(no_args_is_help=True, help="The database: bring it up to date, check it.")
audit = typer.Typer(no_args_is_help=True, help="The audit trail.")

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]


@db.command()
def upgrade(force: Force = False, reason: Reason = None, as_json: AsJson = False) -> None:
    """Bring the tables to this program's revision. Safe to repeat, and from several processes at once."""
    from contextlib import closing

    from index.database import Database
    from service.commands.opening import make_data_folder, read_settings, upgrade_database
    from service.commands.showing import show_json

    settings = read_settings()
    make_data_folder(settings)
    with closing(Database(settings.database)) as database:
        before = database.revision()
        upgrade_database(database, forced_because(force, reason))
        after = database.revision()
    if as_json:
        show_json({"before": before, "after": after})
    elif before == after:
        typer.echo(f"The database is at revision {after} already.")
    else:
        typer.echo(f"The database is now at revision {after} (before: {before or 'empty'}).")


@db.command()
def check(as_json: AsJson = False) -> None:
    """Can the database be reached, and are its tables this program's? Exit status 1 if they are not."""
    from contextlib import closing

    from index.database import Database, newest_revision
    from service.commands.opening import read_settings
    from service.commands.showing import show_json

    settings = read_settings()
    with closing(Database(settings.database)) as database:
        actual = database.revision()
    needed = newest_revision()
    if as_json:
        show_json({"current": actual == needed, "revision": actual, "needed": needed})
    elif actual == needed:
        typer.echo(f"The database is at revision {actual}, as this program needs.")
    else:
        typer.echo(f"The database is at revision {actual}, this program needs {needed}: invigil db upgrade")
    if actual != needed:
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


@audit.command()
def verify(as_json: AsJson = False) -> None:
    """Walk the audit trail and compare all evidence with it. Exit status 1 if something was changed."""
    from dataclasses import asdict

    from index.audit import verify_chain
    from service.commands.opening import open_database, read_settings
    from service.commands.showing import show_json
    from service.exams.evidence.export import verify_evidence

    with open_database(read_settings()) as database:
        with database.read() as session:
            found = verify_chain(session)
        evidence = verify_evidence(database) if found.is_whole else []
    if as_json:
        rows = [one.model_dump(mode="json") for one in evidence]
        show_json(asdict(found) | {"is_whole": found.is_whole, "evidence": rows})
    elif found.is_whole:
        typer.echo(f"The audit trail is whole: {found.events:,} events, head {found.head}")
    else:
        typer.echo(f"The audit trail breaks at event {found.first_bad_seq}: {found.reason}.")
    if not as_json:
        for one in evidence:
            typer.echo(f"The evidence {one.row_id} of event {one.seq} is {one.reason}.")
    if evidence or not found.is_whole:
        raise typer.Exit(1)
