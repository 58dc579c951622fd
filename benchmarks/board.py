"""The board of a room with 300 seats in a browser: until it is drawn, and what each change costs it.

`python -m benchmarks board`. 100 of the candidates are let in by a document while the board is open. What the
page works for a change is the browser's own count.
"""

import statistics
import time
from dataclasses import dataclass

from playwright.sync_api import CDPSession, Page
from rich.console import Console
from rich.table import Table

from benchmarks.browser import find_browser, open_page, sign_in
from benchmarks.checkins import CANDIDATES, Api, moment, new_session
from benchmarks.service import serving
from service.settings import Settings

LET_IN = 100
OPENINGS = 5


@dataclass(frozen=True)
class Change:
    """One person is let in.

    Attributes:
        seconds: From the request until the seat is drawn.
        task_ms: What the page worked meanwhile: scripts, style, layout.
    """

    seconds: float
    task_ms: float


def run(console: Console) -> None:
    """Measure and print one table."""
    browser = find_browser(console)
    if browser is None:
        return
    with serving(Settings()) as server, open_page(browser, 1280, 900) as page:
        api = Api(server.port, server.key)
        for number in range(CANDIDATES):
            api.make("/v1/subjects", external_id=f"c-{number}")
        exam = api.make("/v1/exams", name="Benchmark", starts_at=moment(-1), ends_at=moment(3))["id"]
        session = new_session(api, exam)
        sign_in(page, f"http://127.0.0.1:{server.port}/console", server.key)
        opened = [open_board(page, server.port, session) for _ in range(OPENINGS)]
        devtools = page.context.new_cdp_session(page)
        devtools.send("Performance.enable")
        changes = [let_in(page, devtools, api, session, number) for number in range(LET_IN)]
        devtools.send("HeapProfiler.collectGarbage")
        megabytes = measured(devtools, "JSHeapUsedSize") / 1e6
    show(console, opened, changes, megabytes)


def open_board(page: Page, port: int, session: str) -> float:
    """Seconds until every seat is drawn."""
    page.goto("about:blank")
    began = time.perf_counter()
    page.goto(f"http://127.0.0.1:{port}/console#/sessions/{session}/board")
    page.locator(".seat").nth(CANDIDATES - 1).wait_for()
    return time.perf_counter() - began


def let_in(page: Page, devtools: CDPSession, api: Api, session: str, number: int) -> Change:
    """Let one person in, and wait until the board shows it."""
    worked, began = measured(devtools, "TaskDuration"), time.perf_counter()
    candidate = f"c-{number}"
    api.make(f"/v1/sessions/{session}/identifications", candidate=candidate, document_type="passport")
    page.locator(f".seat.good[data-candidate='{candidate}']").wait_for(state="attached")
    seconds = time.perf_counter() - began
    return Change(seconds, (measured(devtools, "TaskDuration") - worked) * 1000)


def measured(devtools: CDPSession, name: str) -> float:
    """One of the browser's own counts of the page."""
    metrics = devtools.send("Performance.getMetrics")["metrics"]
    return float(next(one["value"] for one in metrics if one["name"] == name))


def show(console: Console, opened: list[float], changes: list[Change], megabytes: float) -> None:
    """Print what was measured."""
    table = Table("a board with 300 seats", "median", "slowest")
    table.add_row(
        "from the address to every seat, s", f"{statistics.median(opened):.2f}", f"{max(opened):.2f}"
    )
    delays = [one.seconds for one in changes]
    table.add_row("from a decision to its seat, s", f"{statistics.median(delays):.2f}", f"{max(delays):.2f}")
    work = [one.task_ms for one in changes]
    table.add_row("work of the page for a change, ms", f"{statistics.median(work):.0f}", f"{max(work):.0f}")
    table.add_row(f"memory of its scripts after {LET_IN} changes, MB", f"{megabytes:.1f}", "")
    console.print(table)
