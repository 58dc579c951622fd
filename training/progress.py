"""Progress bars for trainings."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

Report = Callable[[int, int], None]
"""Called with the number done and the total."""


_HIDDEN: ContextVar[bool] = ContextVar("hidden", default=False)


@contextmanager
def hide_bars(hidden: bool) -> Iterator[None]:
    """Show no bar of what is done inside, however deep: a program reads what comes of it."""
    before = _HIDDEN.set(hidden)
    try:
        yield
    finally:
        _HIDDEN.reset(before)


@contextmanager
def progress_bar(what: str, *, shown: bool, unit: str = "images/s") -> Iterator[Report]:
    """A bar on stderr with the rate and the remaining time; none if not `shown`, or if bars are hidden."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]:.0f} " + unit),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), disable=not shown or _HIDDEN.get()) as bar:
        task = bar.add_task(what, total=None, rate=0.0)
        begun, started = time.monotonic(), list[tuple[float, int]]()

        def report(done: int, total: int) -> None:
            now = time.monotonic()
            if not started:
                # The rate counts from the first report, because a training may resume from a checkpoint. If
                # the first report is also the last, everything was done since the start.
                started.append((begun, 0) if done == total else (now, done))
            since, first = started[0]
            bar.update(task, completed=done, total=total, rate=(done - first) / max(now - since, 1e-9))

        yield report
