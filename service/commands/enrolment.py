"""enrol: a folder or a list of photos, with progress, resumable, with a report of what was refused."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from index.gallery.enrolment import EnrolmentWarning
    from service.matching.bulk_enrolment import Refusal, Result
    from service.matching.photo_lists import Photo
    from service.matching.refusals import RefusalReport

SOMEBODY_IS_LEFT = 1
"""The exit status where somebody of the list has no template afterwards."""
INTERRUPTED = 130
"""The exit status that a shell gives a command ended by Ctrl-C."""
NAMED = 20
"""Of those without a template, so many are named to people; all of them in JSON and in the report."""


@dataclass
class Tally:
    """What became of the photos so far."""

    fates: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    warnings: Counter[str] = field(default_factory=Counter)
    people: set[str] = field(default_factory=set)
    seen: set[str] = field(default_factory=set)
    without_template: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def count(self, result: "Result") -> None:
        """Add one photo."""
        self.fates[result.fate] += 1
        self.seen.add(result.photo.external_id)
        self.warnings.update(one.code for one in result.warnings)
        if result.refusal is None:
            self.people.add(result.photo.external_id)
        else:
            self.codes[result.refusal.code] += 1


def enrol(
    source: Annotated[
        Path,
        typer.Argument(
            exists=True, help="FOLDER/<external_id>/<photo>, or a CSV: external_id,display_name,path."
        ),
    ],
    workers: Annotated[
        int | None,
        typer.Option(min=1, max=64, help="Photos worked on at once; by default one for each core."),
    ] = None,
    refusals: Annotated[
        Path | None,
        typer.Option(
            dir_okay=False,
            help="Where to write which photos were refused or warned of, and why; by default refusals.csv in "
            "the data folder.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be enrolled and refused; nothing is changed.")
    ] = False,
    force_reason: Annotated[
        str | None,
        typer.Option(
            help="Why to enrol also faces that are another subject's (twins), or far from their subject's "
            "other photos. It goes into the audit trail."
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document and nothing else.")
    ] = False,
) -> None:
    """Enrol many photos; run again, it enrols only what is missing.

    Exit status: 0 everybody of the list has a template, 1 somebody has none, 2 the call is wrong.
    """
    from service.commands.opening import read_settings
    from service.commands.parts import open_parts, open_rehearsal
    from service.matching.bulk_enrolment import MAX_BYTES, BulkEnrolment
    from service.matching.photo_lists import list_photos
    from service.matching.refusals import RefusalReport

    if force_reason is not None and not 3 <= len(force_reason.strip()) <= 500:
        raise typer.BadParameter("a reason has 3 to 500 characters", param_hint="--force-reason")
    photos = list_photos(source)
    tally = Tally()
    places = [*([refusals] if refusals else []), read_settings().data_dir / "refusals.csv"]
    opened = open_rehearsal(workers, MAX_BYTES) if dry_run else open_parts(workers, MAX_BYTES, reading=False)
    with opened as parts, RefusalReport(places) as written:
        enrolment = BulkEnrolment(parts, force_reason)
        with closing(enrolment.run(photos)) as run:
            finished = follow(run, len(photos), written, tally)
        tally.without_template = enrolment.without_template(tally.seen)
        written.write([(one, None, "no_template", None, None) for one in tally.without_template])
    report(tally, len(photos), written.path, as_json, dry_run)
    if not finished:
        raise typer.Exit(INTERRUPTED)
    if tally.without_template:
        raise typer.Exit(SOMEBODY_IS_LEFT)


def follow(run: "Iterable[Result]", total: int, refusals: "RefusalReport", tally: Tally) -> bool:
    """Take the results as they come; False if Ctrl-C ended it before its time."""
    started = time.perf_counter()
    try:
        with progress_bar(total) as advance:
            for result in run:
                tally.count(result)
                lines = [line_of(result.photo, result.refusal)] if result.refusal is not None else []
                refusals.write([*lines, *(warning_line(result.photo, one) for one in result.warnings)])
                advance(tally)
    except KeyboardInterrupt:
        return False
    finally:
        tally.seconds = time.perf_counter() - started
    return True


def line_of(photo: "Photo", why: "Refusal") -> tuple[object, ...]:
    """A refused photo as a line of the report."""
    return photo.external_id, photo.path, why.code, " ".join(why.reasons), why.detail


def warning_line(photo: "Photo", warning: "EnrolmentWarning") -> tuple[object, ...]:
    """What to know of a photo that was enrolled, as a line of the report."""
    other = warning.external_id or warning.subject_id
    detail = f"Enrolled; a photograph of {other} may match it." if other else "Enrolled with a reason."
    if warning.code == "same_photograph":
        detail = f"Enrolled; {other} is enrolled by the same photograph."
    return photo.external_id, photo.path, warning.code, "", detail


def ascii_of(name: str) -> str:
    """A name for the terminal: bytes that are no text are shown as \\udcff, and one line stays one."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8").replace("\n", "\\n")


@contextmanager
def progress_bar(total: int) -> Iterator[Callable[[Tally], None]]:
    """A live line on stderr, so that stdout stays free for the answer."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("Enrolling"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]:.0f} photos/s"),
        TextColumn("{task.fields[refused]} refused"),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("enrol", total=total, rate=0.0, refused=0)
        started = time.perf_counter()

        def advance(tally: Tally) -> None:
            rate = tally.fates.total() / (time.perf_counter() - started)
            progress.update(task, advance=1, rate=rate, refused=tally.fates["refused"])

        yield advance


def report(tally: Tally, total: int, refusals: Path | None, as_json: bool, dry_run: bool) -> None:
    """Print what was done, and where the refusals are."""
    from service.commands.showing import show_json

    done = tally.fates.total()
    if as_json:
        show_json(
            {
                "dry_run": dry_run,
                "photos": total,
                "enrolled": tally.fates["enrolled"],
                "known": tally.fates["known"],
                "refused": tally.fates["refused"],
                "left": total - done,
                "people": len(tally.people),
                "reasons": dict(tally.codes.most_common()),
                "warnings": dict(tally.warnings.most_common()),
                "without_template": tally.without_template,
                "refusals": str(refusals) if refusals else None,
                "seconds": round(tally.seconds, 3),
                "photos_per_s": round(done / tally.seconds, 1) if done else 0.0,
            }
        )
        return
    if dry_run:
        typer.echo("Only tried; nothing is changed. It would come to this:")
    typer.echo(
        f"{tally.fates['enrolled']:,} photos enrolled, {tally.fates['known']:,} were enrolled already, "
        f"{tally.fates['refused']:,} refused, in {tally.seconds:.1f} s; "
        f"people with a template in this list: {len(tally.people):,}."
    )
    for code, count in tally.codes.most_common():
        typer.echo(f"  {count:6,}  {code}")
    for code, count in tally.warnings.most_common():
        typer.echo(f"  {count:6,}  {code} (enrolled)")
    if tally.without_template:
        rest = len(tally.without_template) - NAMED
        names = ", ".join(map(ascii_of, tally.without_template[:NAMED]))
        typer.echo(f"Without a template: {names}{f' and {rest:,} more' if rest > 0 else ''}.")
    if tally.codes or tally.warnings:
        typer.echo(f"Which and why: {refusals or 'no file could be written'}")
    if done < total:
        typer.echo(f"Stopped; {total - done:,} photos are left. The same command goes on from here.")
