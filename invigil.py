"""The command line: a thin front door. The commands live in the packages whose work they do."""

import signal
import sys
import threading
from collections.abc import Sequence
from importlib.metadata import version
from typing import Annotated

import typer

from service.commands import (
    backup,
    database,
    demo,
    enrolment,
    exams,
    jobs,
    keys,
    models,
    operators,
    people,
    serving,
    subjects,
)
from training.cli import commands as training
from training.cli.options import FromService, require_train_extra

WRONG_CALL = 2

app = typer.Typer(
    name="invigil",
    help="Self-hosted face verification for exam check-in, with error rates you can see.",
    epilog="Exit status: 0 done; 1 the answer is no; 2 the call or the input is wrong.",
    no_args_is_help=True,
    add_completion=False,
    # Rich help takes twice as long to load as everything else together.
    rich_markup_mode=None,
)


def show_version(wanted: bool) -> None:
    """Print the version of the installed package, and stop."""
    if wanted:
        typer.echo(f"invigil {version('invigil')}")
        raise typer.Exit


@app.callback()
def main_options(
    show: Annotated[
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Self-hosted face verification for exam check-in, with error rates you can see."""


app.command()(serving.serve)
app.command()(demo.demo)
app.command()(enrolment.enrol)
app.command()(people.verify)
app.command()(people.compare)
app.command()(people.explain)
app.command()(people.search)
for command in training.COMMANDS:
    app.command()(command)
app.add_typer(models.app, name="models")
app.add_typer(jobs.app, name="jobs")
app.add_typer(keys.app, name="keys")
app.add_typer(operators.app, name="operators")
app.add_typer(subjects.app, name="subjects")
app.add_typer(database.db, name="db")
app.add_typer(database.audit, name="audit")
app.add_typer(exams.app, name="exams")
app.command("backup")(backup.back_up)
app.command()(backup.restore)
app.command()(serving.openapi)


@app.command()
def worker() -> None:
    """Do jobs (retrain, reembed, evaluate) until stopped; several may run on one PostgreSQL.

    Here, because it opens the service's settings for the training's work, and those two know nothing of
    each other.
    """
    from service.commands.opening import open_database, read_settings
    from service.logs import configure_logs
    from service.template_keys import TemplateKeys

    with require_train_extra("worker"):
        from training.jobs.worker import Worker
        from training.jobs.workshop import Workshop

    configure_logs()
    settings = read_settings()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    fmrs = (settings.match_fmr, settings.refer_fmr)
    with open_database(settings) as opened:
        cipher = TemplateKeys(settings).cipher()
        places = (settings.job_folders, settings.secret_files)
        shop = Workshop(opened, settings.data_dir, settings.bundle, cipher, fmrs, *places)
        with Worker(shop) as working:
            typer.echo(f"Worker {working.name} waits for jobs.", err=True)
            working.work(stop)


def main() -> None:
    """Run the command that the program was called with, and exit with its status."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command; what is refused becomes one line on stderr.

    Returns:
        0 done; 1 the answer is no; 2 the call or the input is wrong; 130 after Ctrl-C.
    """
    lent = FromService(jobs.train_as_job)
    try:
        status = app(list(arguments), prog_name="invigil", standalone_mode=False, obj=lent)
    except typer.TyperException as error:
        return refuse(error.format_message())
    except refusals() as error:
        return refuse(": ".join([*getattr(error, "__notes__", ()), str(error)]))
    return status if isinstance(status, int) else 0


def refusals() -> tuple[type[Exception], ...]:
    """What a command raises on purpose; loaded only once something was raised."""
    from embedding.errors import EmbeddingError
    from index.errors import GalleryError
    from service.errors import ServiceError
    from service.exams.errors import ExamError
    from training.errors import TrainingError

    return EmbeddingError, GalleryError, ServiceError, ExamError, TrainingError, OSError


def refuse(message: str) -> int:
    """Say in one line why not."""
    typer.echo(f"invigil: {' '.join(message.split())}", err=True)
    return WRONG_CALL


if __name__ == "__main__":
    main()
