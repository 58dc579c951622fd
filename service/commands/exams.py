"""exams purge, groups, paperwork."""

from pathlib import Path
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
    dry_run: Annotated[bool, typer.Option(help="Only say which exams would go.")] = False,
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
    from service.exams.evidence.sweeping import Swept, plan_sweep, sweep

    origin = Origin("invigil exams purge")
    settings = read_settings()
    with open_database(settings) as database:
        if exam_id is None and dry_run:
            swept = plan_sweep(database, origin)
        elif exam_id is None:
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
    if dry_run:
        typer.echo(f"{len(swept.purges)} exams would go; {len(swept.announced)} would be announced")
    else:
        gone = f"{len(swept.purges)} exams, {swept.thumbnails} pictures and {swept.crops} crops"
        typer.echo(f"{gone} past their days; {len(swept.announced)} exams are announced and go in a day")
    for one in swept.purges:
        verb = "Removed" if one.purged else "Would remove"
        typer.echo(
            f"{verb} of exam {one.exam_id}: {one.roster_entries} roster entries, {one.checkins} check-ins, "
            f"{one.overrides} overrides, {one.thumbnails} pictures"
        )


@app.command()
def groups(
    exam_id: Annotated[UUID, typer.Argument(help="The exam.")],
    file: Annotated[Path, typer.Argument(help="CSV or Excel with the columns external_id and group.")],
    as_json: AsJson = False,
) -> None:
    """How each group came in: tries, seconds, failures to acquire, referrals, errors (ISO/IEC 19795-10).

    The file is read and kept nowhere; groups of fewer than 20 people who tried are left out.
    """
    from index.audit import Origin
    from service.commands.opening import open_database, read_settings
    from service.commands.showing import show_json, show_table
    from service.exams.evidence.groups import read_groups, report_groups
    from service.exams.evidence.session_report import rate_text, seconds_text

    named = read_groups(file.read_bytes())
    with open_database(read_settings()) as database:
        report = report_groups(database, exam_id, named, Origin("invigil exams groups"))
    if as_json:
        show_json(report)
        return
    rates = ("verified", "referred", "several_tries", "not_acquired", "missed", "refused_after_match")
    lines = [(one.group, one.transactions) for one in report.groups]
    show_table(
        ("group", "people", *(name.replace("_", " ") for name in rates), "seconds"),
        (
            (
                name,
                some.candidates,
                *(rate_text(getattr(some, rate)) for rate in rates),
                seconds_text(some.seconds),
            )
            for name, some in [*lines, ("together", report.together)]
        ),
    )
    typer.echo(f"Left out, fewer than {report.fewest_people} people: {', '.join(report.left_out) or 'none'}.")
    typer.echo(
        f"{report.without_group} who tried are in no group; {report.unknown} numbers are of nobody who tried."
    )


@app.command()
def paperwork(
    exam_id: Annotated[UUID, typer.Argument(metavar="EXAM", help="The exam's id.")],
    to: Annotated[Path, typer.Option(help="The folder to write to; what is there already is left alone.")],
    language: Annotated[
        str | None, typer.Option(help="Of the notice: en, de, fr, es, pl or ar; by default all of them.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write drafts from an exam's settings and the model's figures: impact assessment, notice, retention, …

    What no setting says is a blank, **[fill in: …]**. It is Markdown and no legal advice.
    """
    from embedding.files import write_file
    from service.commands.parts import open_parts
    from service.commands.showing import show_json
    from service.exams.paperwork.documents import TRANSLATED, Paper, write_paper
    from service.exams.paperwork.facts import collect_facts
    from service.languages import ENGLISH, LANGUAGES
    from service.paperwork import installed_of

    if language is not None and language not in LANGUAGES:
        raise typer.BadParameter(f"one of {', '.join(LANGUAGES)}", param_hint="--language")
    with open_parts(reading=True) as parts:
        installed = installed_of(parts.settings, has_key=parts.cipher is not None)
        facts = collect_facts(parts.desk, exam_id, installed)
    spoken = [language] if language else list(LANGUAGES)
    texts = {
        to / f"{paper}.{each}.md": write_paper(facts, paper, each)
        for paper in Paper
        for each in (spoken if paper in TRANSLATED else [ENGLISH])
    }
    if there := [path for path in texts if path.exists()]:
        raise typer.BadParameter(f"{there[0]} is there already and may be filled in", param_hint="--to")
    to.mkdir(parents=True, exist_ok=True)
    for path, text in texts.items():
        write_file(path, text.encode())
    if as_json:
        show_json({"files": [str(path) for path in texts]})
    else:
        typer.echo(f"{len(texts)} drafts in {to}: fill in what is marked, and check every sentence.")
