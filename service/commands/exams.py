"""exams purge."""

from typing import Annotated
from uuid import UUID

import typer

from service.commands.options import AsJson

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
    """Remove rosters, attempts, overrides and pictures past their retention; counts and audit trail stay.

    Without EXAM_ID what is due is announced first, and goes by the same command a day later at the earliest.
    """
    from index.audit import Origin
    from index.clock import CLOCK_FILE, ClockWatch
    from service.commands.opening import open_database, read_settings
    from service.commands.showing import show_json
    from service.exams.evidence.retention import purge_exam
    from service.exams.evidence.sweeping import Swept, sweep

    if dry_run and exam_id is None:
        raise typer.BadParameter("a dry run needs EXAM_ID")
    origin = Origin("invigil exams purge")
    settings = read_settings()
    with open_database(settings) as database:
        if exam_id is None:
            ClockWatch(database, settings.data_dir / CLOCK_FILE).look()
            swept = sweep(database, origin)
        else:
            swept = Swept([purge_exam(database, exam_id, origin, dry_run=dry_run)])
    if as_json:
        show_json(
            {
                "exams": [one.model_dump(mode="json") for one in swept.purges],
                "thumbnails": swept.thumbnails,
                "crops": swept.crops,
                "announced": [str(one) for one in swept.announced],
            }
        )
        return
    typer.echo(
        f"{len(swept.purges)} exams, {swept.thumbnails} pictures and {swept.crops} crops past their days; "
        f"{len(swept.announced)} exams are announced and go in a day"
    )
    for one in swept.purges:
        verb = "Removed" if one.purged else "Would remove"
        typer.echo(
            f"{verb} of exam {one.exam_id}: {one.roster_entries} roster entries, {one.checkins} check-ins, "
            f"{one.overrides} overrides, {one.thumbnails} pictures"
        )
