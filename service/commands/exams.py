"""exams purge."""

from typing import Annotated
from uuid import UUID

import typer

from service.commands.database import AsJson

app = typer.Typer(no_args_is_help=True, help="Exams and what they leave.")


@app.callback()
def exams() -> None:
    """Exams and what they leave."""


@app.command()
def purge(
    exam_id: Annotated[
        UUID | None, typer.Argument(help="One exam; without it, every exam and picture that is due.")
    ] = None,
    dry_run: Annotated[bool, typer.Option(help="With EXAM_ID: only say what would go.")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove rosters, attempts, overrides and pictures past their retention; counts and audit trail stay."""
    from service.commands.opening import open_database, read_settings
    from service.commands.showing import show_json
    from service.exams.context import Origin
    from service.exams.evidence.retention import purge_exam, sweep

    if dry_run and exam_id is None:
        raise typer.BadParameter("a dry run needs EXAM_ID")
    origin = Origin("invigil exams purge")
    with open_database(read_settings()) as database:
        if exam_id is None:
            swept = sweep(database, origin)
            purges, thumbnails = swept.purges, swept.thumbnails
        else:
            purges, thumbnails = [purge_exam(database, exam_id, origin, dry_run=dry_run)], 0
    if as_json:
        exams = [one.model_dump(mode="json") for one in purges]
        show_json({"exams": exams, "thumbnails": thumbnails})
        return
    typer.echo(f"{len(purges)} exams, {thumbnails} pictures past their days")
    for one in purges:
        verb = "Removed" if one.purged else "Would remove"
        typer.echo(
            f"{verb} of exam {one.exam_id}: {one.roster_entries} roster entries, {one.checkins} check-ins, "
            f"{one.overrides} overrides, {one.thumbnails} pictures"
        )
