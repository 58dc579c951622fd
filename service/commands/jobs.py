"""jobs list|show|cancel, and `train --job`: submit a retraining and watch it."""

import time
import tomllib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from service.commands.options import AsJson

if TYPE_CHECKING:
    from rich.console import Group

    from index.jobs.jobs import Job, Jobs

app = typer.Typer(no_args_is_help=True, help="Jobs: what waits, what runs, how far it is.")

ACTOR = "invigil jobs"
SHOWN = 50
TAIL = 12
LOOK_SECONDS = 0.5
JobId = Annotated[str, typer.Argument(help="The job's id, or its last characters.")]


@app.command("list")
def list_jobs(as_json: AsJson = False) -> None:
    """List the newest jobs."""
    from index.jobs.jobs import Jobs
    from service.commands.opening import open_database, read_settings
    from service.commands.showing import show_json, show_table

    with open_database(read_settings()) as database:
        found = Jobs(database).page(SHOWN)
    if as_json:
        show_json({"items": [document_of(job, 0) for job in found]})
        return
    show_table(
        ("id", "kind", "state", "step", "done", "begun", "worker"),
        (
            (job.id, job.kind, job.state, job.step, percent(job), moment(job.started_at), job.worker)
            for job in found
        ),
    )


@app.command()
def show(
    job: JobId,
    as_json: AsJson = False,
    watch: Annotated[bool, typer.Option("--watch", help="Follow it until it ends.")] = False,
) -> None:
    """Show one job; exit status 1 if it failed or was cancelled."""
    from index.jobs.jobs import Jobs
    from service.commands.opening import open_database, read_settings
    from service.commands.showing import show_json

    with open_database(read_settings()) as database:
        jobs = Jobs(database)
        found = named(jobs, job)
        if watch:
            found = follow(jobs, found.id)
        elif as_json:
            show_json(document_of(found))
        else:
            tell(found)
    if found.state in ("failed", "cancelled"):
        raise typer.Exit(1)


@app.command()
def cancel(job: JobId, as_json: AsJson = False) -> None:
    """Ask for a job's end; a running one ends at its next step."""
    from index.jobs.jobs import Jobs
    from service.commands.opening import open_database, read_settings
    from service.commands.showing import show_json

    with open_database(read_settings()) as database:
        jobs = Jobs(database)
        asked = jobs.request_cancel(named(jobs, job).id, actor=ACTOR)
    if as_json:
        show_json(document_of(asked))
    elif asked.has_ended:
        typer.echo(f"Job {asked.id} is cancelled.")
    else:
        typer.echo(f"Job {asked.id} is to end; its worker stops at the next step.")


@app.command()
def report(
    job: JobId,
    to: Annotated[Path, typer.Option("--to", help="File to write; what you make of it is yours to keep.")],
    review: Annotated[bool, typer.Option("--review", help="The review list of the mining instead.")] = False,
) -> None:
    """Write a job's page with the faces of enrolments in it that may still be shown."""
    from index.crops import Crops
    from index.jobs.folders import FOLDER, REPORT, REVIEW, fill_in, write_private
    from index.jobs.jobs import Jobs
    from service.commands.opening import open_database, read_settings
    from service.errors import StartRefused
    from service.template_keys import TemplateKeys

    settings = read_settings()
    with open_database(settings) as database:
        found = named(Jobs(database), job)
        page = settings.data_dir / FOLDER / str(found.id) / (REVIEW if review else REPORT)
        if not page.is_file():
            raise StartRefused(f"Job {found.id} has no such page on this machine: {page}")
        cipher = TemplateKeys(settings).cipher()
        text, gone = fill_in(page.read_text(encoding="utf-8"), Crops(database, cipher) if cipher else None)
        write_private(to, text)
    typer.echo(f"{to}" + (f" ({gone} pictures are not there any more)" if gone else ""))


def train_as_job(
    recipe: str | Path, data: Sequence[Path], enrolled: bool, groups: Path | None, as_json: bool
) -> None:
    """Submit a retraining and follow it; Ctrl-C leaves it running.

    Args:
        recipe: One of the project's by name, or a TOML file, whose content goes with the job.
        data: Labelled faces, as the worker sees them.
        enrolled: Also crops of the enrolment database that may be trained on.
        groups: People's groups, in each of which the models are compared as well.
        as_json: Print the job and do not follow it.

    Raises:
        JobInvalid: If there are no faces.
        OSError: If the recipe cannot be read.
    """
    from index.jobs.jobs import Jobs
    from service.commands.opening import open_database, read_settings
    from service.commands.showing import show_json
    from service.exams.evidence.confusions import with_confusions

    places = [str(place.resolve()) for place in data]
    params: dict[str, Any] = {
        "recipe": recipe_of(recipe),
        "data": places,
        "enrolled": enrolled,
        "groups": str(groups.resolve()) if groups else None,
    }
    with open_database(read_settings()) as database:
        jobs = Jobs(database)
        params = with_confusions(database, "retrain", params)
        job = jobs.submit("retrain", params, actor="invigil train")
        if as_json:
            show_json(document_of(job))
            return
        typer.echo(f"Job {job.id} waits for a worker (`invigil worker`).")
        if follow(jobs, job.id).state in ("failed", "cancelled"):
            raise typer.Exit(1)


def recipe_of(recipe: str | Path) -> str | dict[str, Any]:
    """A recipe's name, or its content where it is a file: the worker may be another machine.

    Raises:
        JobInvalid: If the file is no TOML.
    """
    from index.errors import JobInvalid

    path = Path(recipe)
    if path.suffix != ".toml":
        return str(recipe)
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise JobInvalid(str(path), f"it is not TOML ({error})") from error


def named(jobs: "Jobs", text: str) -> "Job":
    """The job of this id, or the newest whose id ends so.

    Raises:
        JobNotFound: If there is none.
    """
    from index.errors import JobNotFound

    try:
        return jobs.find(UUID(text))
    except ValueError:
        found = [job for job in jobs.page(SHOWN) if str(job.id).endswith(text.lower())]
    if not found:
        raise JobNotFound(text[:100])
    return found[0]


def follow(jobs: "Jobs", job_id: UUID) -> "Job":
    """Show a job as it goes on, until it ends; after Ctrl-C it goes on unseen."""
    job = jobs.find(job_id)
    try:
        with shown_live() as show_now:
            show_now(job)
            while not job.has_ended:
                time.sleep(LOOK_SECONDS)
                job = jobs.find(job_id)
                show_now(job)
    except KeyboardInterrupt:
        typer.echo(f"Job {job_id} goes on. `invigil jobs show {job_id} --watch` follows it again.")
        raise typer.Exit(0) from None
    tell(job)
    return job


@contextmanager
def shown_live() -> Iterator[Callable[["Job"], None]]:
    """A picture that changes in place on a terminal; elsewhere each new line of the log."""
    from rich.console import Console
    from rich.live import Live

    console = Console(stderr=True)
    if console.is_terminal:
        with Live(console=console, refresh_per_second=4) as live:
            yield lambda job: live.update(picture_of(job))
        return
    told: set[str] = set()

    def tell_new(job: "Job") -> None:
        for line in [
            line for line in [f"{job.step or job.state} {percent(job)}", *job.log] if line not in told
        ]:
            typer.echo(line, err=True)
            told.add(line)

    yield tell_new


def picture_of(job: "Job") -> "Group":
    """A job on the terminal: where it is, its figures, the end of its log."""
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    head = Table.grid(padding=(0, 2))
    state = job.step if job.state == "running" else job.state
    to_end = " (to be cancelled)" if job.cancel_requested_at and not job.has_ended else ""
    head.add_row(
        Text(f"{state}{to_end}", style="bold"),
        ProgressBar(total=1.0, completed=job.progress, width=40),
        percent(job),
    )
    figures = "   ".join(f"{name} {figure(value)}" for name, value in job.metrics.items())
    return Group(head, Text(figures, style="cyan"), *(Text(line, style="dim") for line in job.log[-TAIL:]))


def figure(value: Any) -> str:
    """A number or a table of numbers, short."""
    if isinstance(value, dict):
        return " ".join(f"{name}={figure(one)}" for name, one in value.items())
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def tell(job: "Job") -> None:
    """A job in words."""
    typer.echo(f"{job.kind} {job.id}: {job.state}, {percent(job)}, step {job.step or '-'}")
    if job.cancel_requested_at and not job.has_ended:
        typer.echo("It is to be cancelled.")
    for line in job.log[-TAIL:]:
        typer.echo(f"  {line}")
    if job.error:
        typer.echo(f"It failed in {job.error['step']}: {job.error['detail']}")
    for name in ("model_id", "bundle", "report", "review"):
        if job.result and name in job.result:
            typer.echo(f"{name:10} {job.result[name]}")
    if job.result and job.result.get("nothing_better"):
        typer.echo("The training found nothing better than what it began with: there is no candidate.")
    elif job.result and "gate" in job.result:
        typer.echo(f"{'gate':10} {job.result['gate']['verdict'].replace('_', ' ')}")
        typer.echo(f"Next: read the report, then `invigil models promote {job.result['model_id']}`")


def document_of(job: "Job", log_lines: int = SHOWN) -> dict[str, Any]:
    """A job as JSON."""
    return {**vars(job), "log": job.log[-log_lines:] if log_lines else []}


def percent(job: "Job") -> str:
    """How much of the whole is done."""
    return f"{100 * job.progress:.0f} %"


def moment(at: datetime | None) -> str | None:
    """A time for people, in UTC."""
    return f"{at:%Y-%m-%d %H:%M}" if at else None
