"""How commands speak: one JSON document on stdout, or text for people."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import typer
from pydantic import BaseModel
from rich.console import Console
from rich.table import Table

PIPE_COLUMNS = 10_000


def show_json(document: BaseModel | Mapping[str, Any]) -> None:
    """Print one JSON document and nothing else."""
    if isinstance(document, BaseModel):
        typer.echo(document.model_dump_json(indent=2))
    else:
        typer.echo(json.dumps(document, indent=2, default=str))


def show_table(columns: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    """Print rows under their headings; an absent value is a dash."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*("-" if cell is None else str(cell) for cell in row))
    # In a pipe a row stays on one line, so that ids can be found by grep.
    Console(width=None if sys.stdout.isatty() else PIPE_COLUMNS).print(table)


@contextmanager
def progress_bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """A live line on stderr while something is done; give it how much is done, and of how much."""
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal, transient=True) as progress:
        task = progress.add_task(what, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
