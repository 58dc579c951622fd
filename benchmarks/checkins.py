"""A session of 300 candidates, 8 kiosks, a board with 50 viewers, and a roster of 50,000.

`python -m benchmarks checkins`. The limit of a check-in is the picture's way to a template, measured in the
same run without HTTP and without a database. The candidates' templates are made so that the one portrait
matches each just within the threshold: nearer, and they would be referred as one face under many names.
"""

import contextlib
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Event, Thread
from typing import Any

import numpy as np
import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.service import BOUNDARY, connect, cpu_seconds, embed_alone, photo_640x480, serving
from embedding.embedder import Embedder
from embedding.quality import Purpose
from embedding.template import Template
from index.database.database import Database
from index.gallery.gallery import Gallery
from index.subjects.subjects import Subjects
from service.settings import Settings

CANDIDATES = 300
KIOSKS = 8
VIEWERS = 50
ROSTER = 50_000
JSON = "application/json"
IDLE_SECONDS = 2.0


class Api:
    """A caller of the running service."""

    def __init__(self, port: int, key: str) -> None:
        self.port = port
        self.key = key
        self._connection = connect(port)
        self._used = time.monotonic()

    def send(self, method: str, path: str, body: bytes | None = None, media_type: str = JSON) -> Any:
        """One request; anything but success ends the benchmark."""
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": media_type}
        if time.monotonic() - self._used > IDLE_SECONDS:
            # The server closes a connection that nobody uses; the next request opens it again.
            self._connection.close()
        self._used = time.monotonic()
        self._connection.request(method, path, body, headers)
        answer = self._connection.getresponse()
        data = answer.read()
        if answer.status >= 300:
            sys.exit(f"{path} answered {answer.status}: {data.decode()[:500]}")
        return json.loads(data)

    def make(self, path: str, **fields: Any) -> Any:
        """POST a JSON document."""
        return self.send("POST", path, json.dumps(fields).encode())


def run(console: Console) -> None:
    """Measure and print three tables."""
    settings = Settings()
    picture = photo_640x480()
    alone = embed_alone(settings, picture)
    with serving(settings) as server:
        api, process = Api(server.port, server.key), server.process
        enrol_candidates(server.database_url, settings, picture)
        exam = api.make("/v1/exams", name="Benchmark", starts_at=moment(-1), ends_at=moment(3))["id"]
        quiet = check_in_everybody(api, exam, picture, process)
        with watching(api, new_session(api, exam)) as (session, seen):
            watched = check_in_everybody(api, exam, picture, process, session)
            show_delays(console, seen(CANDIDATES))
        show_checkins(console, {"no viewer": quiet, f"{VIEWERS} viewers": watched}, alone.rate)
        show_imports(console, import_rosters(api, exam))


def moment(hours: float) -> str:
    """A time from now as the API takes it."""
    return (datetime.now(UTC) + timedelta(hours=hours)).isoformat()


def enrol_candidates(url: str, settings: Settings, picture: bytes) -> None:
    """Subjects c-0 … c-299; each template lies just within the match threshold of the portrait's."""
    embedder = Embedder.open(settings.bundle, settings.image_limits)
    probe = embedder.embed(picture, Purpose.VERIFY).template.vector
    d = embedder.bundle.calibration.threshold(settings.match_fmr) - 0.01
    cosine = 1 - d / 2
    database = Database(url)
    gallery = Gallery(database, model_id=embedder.model_id, dim=embedder.dim)
    subjects, generator = Subjects(database), np.random.default_rng(7)
    for number in range(CANDIDATES):
        aside = generator.standard_normal(embedder.dim)
        aside -= (aside @ probe) * probe
        vector = cosine * probe + np.sqrt(1 - cosine**2) * aside / np.linalg.norm(aside)
        subject = subjects.add(external_id=f"c-{number}", actor="benchmark").id
        gallery.enrol(
            subject,
            Template(vector.astype(np.float32), embedder.model_id),
            quality={},
            duplicate_threshold=0.0,
            actor="benchmark",
        )
    database.close()


def new_session(api: Api, exam: str) -> str:
    """An open session with all candidates on its roster."""
    times = {"opens_at": moment(-1), "closes_at": moment(2)}
    session: str = api.make(f"/v1/exams/{exam}/sessions", room="R", **times)["id"]
    rows = "".join(f"c-{number},Candidate {number},{number}\n" for number in range(CANDIDATES))
    roster = f"external_id,display_name,seat\n{rows}".encode()
    api.send("PUT", f"/v1/sessions/{session}/roster", roster, "text/csv")
    return session


def check_in_everybody(
    api: Api, exam: str, picture: bytes, process: psutil.Process, session: str | None = None
) -> tuple[list[float], float, float, int]:
    """All candidates at eight kiosks: milliseconds of each, seconds, the server's CPU seconds, admissions."""
    where = session or new_session(api, exam)
    keys = [api.make(f"/v1/sessions/{where}/kiosk-keys")["key"] for _ in range(KIOSKS)]

    def kiosk(number: int) -> tuple[list[float], int]:
        door, times, admitted = Api(api.port, keys[number]), [], 0
        for candidate in range(number, CANDIDATES, KIOSKS):
            started = time.perf_counter()
            body = checkin_form(picture, f"c-{candidate}")
            media_type = f"multipart/form-data; boundary={BOUNDARY}"
            answer = door.send("POST", f"/v1/sessions/{where}/checkins", body, media_type)
            times.append((time.perf_counter() - started) * 1000)
            admitted += answer["checkin"]["outcome"] == "admitted"
        return times, admitted

    before, started = cpu_seconds(process), time.perf_counter()
    with ThreadPoolExecutor(KIOSKS) as pool:
        done = list(pool.map(kiosk, range(KIOSKS)))
    seconds, cpu = time.perf_counter() - started, cpu_seconds(process) - before
    return [one for times, _ in done for one in times], seconds, cpu, sum(count for _, count in done)


def checkin_form(picture: bytes, candidate: str) -> bytes:
    """The form of one check-in."""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="candidate"\r\n\r\n{candidate}\r\n'
    head += f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="image"; filename="p.jpg"\r\n\r\n'
    return head.encode() + picture + f"\r\n--{BOUNDARY}--\r\n".encode()


@contextlib.contextmanager
def watching(api: Api, session: str) -> Iterator[tuple[str, Callable[[int], list[float]]]]:
    """Fifty viewers of a session; gives it, and a wait for so many messages that returns their delays."""
    delays: list[list[float]] = [[] for _ in range(VIEWERS)]
    ready = [Event() for _ in range(VIEWERS)]
    for number in range(VIEWERS):
        Thread(target=watch, args=(api, session, delays[number], ready[number]), daemon=True).start()
    for one in ready:
        one.wait(60)

    def seen(count: int) -> list[float]:
        until = time.monotonic() + 30
        while min(map(len, delays)) < count and time.monotonic() < until:
            time.sleep(0.05)
        if min(map(len, delays)) < count:
            sys.exit(f"a viewer saw {min(map(len, delays))} of {count} check-ins")
        return [one for each in delays for one in each]

    yield session, seen


def watch(api: Api, session: str, delays: list[float], ready: Event) -> None:
    """One viewer: how long after its decision each check-in is on the board."""
    connection = connect(api.port)
    headers = {"Authorization": f"Bearer {api.key}"}
    connection.request("GET", f"/v1/sessions/{session}/live", headers=headers)
    answer = connection.getresponse()
    with contextlib.suppress(OSError):
        while line := answer.readline():
            if line.startswith(b"data: "):
                # The board as it is came first: from here on every change is told.
                ready.set()
            if not line.startswith(b'data: {"at"'):
                continue
            change = json.loads(line.removeprefix(b"data: "))
            if change["checkin"]:
                at = datetime.fromisoformat(change["checkin"]["created_at"])
                delays.append((datetime.now(UTC) - at).total_seconds() * 1000)


def import_rosters(api: Api, exam: str) -> dict[str, float]:
    """Seconds to import 50,000 candidates: nobody known, everybody known, the same again."""
    rows = "".join(f"s-{number},Student {number},{number}\n" for number in range(ROSTER))
    data = f"external_id,display_name,seat\n{rows}".encode()
    times = {"opens_at": moment(5), "closes_at": moment(6)}
    sessions = [api.make(f"/v1/exams/{exam}/sessions", room=f"H{n}", **times)["id"] for n in range(2)]
    steps = {
        "nobody is known: subjects are created": (sessions[0], "?create_subjects=true"),
        "everybody is known": (sessions[1], ""),
        "the same roster again": (sessions[1], ""),
        "dry run": (sessions[1], "?dry_run=true"),
    }
    seconds = {}
    for name, (session, query) in steps.items():
        started = time.perf_counter()
        api.send("PUT", f"/v1/sessions/{session}/roster{query}", data, "text/csv")
        seconds[name] = time.perf_counter() - started
    return seconds


def show_checkins(
    console: Console, runs: dict[str, tuple[list[float], float, float, int]], limit: float
) -> None:
    """The table of check-ins."""
    columns = ("", "check-ins/s", "p50 ms", "p99 ms", "CPU ms each", "admitted", "of embedding alone")
    table = Table(*columns, title=f"{CANDIDATES} candidates, {KIOSKS} kiosks")
    for name, (times, seconds, cpu, admitted) in runs.items():
        cuts, rate = statistics.quantiles(times, n=100), len(times) / seconds
        each = f"{1000 * cpu / len(times):.1f}"
        table.add_row(
            name,
            f"{rate:.0f}",
            f"{cuts[49]:.1f}",
            f"{cuts[98]:.1f}",
            each,
            str(admitted),
            f"{rate / limit:.2f}",
        )
    console.print(table)


def show_delays(console: Console, delays: list[float]) -> None:
    """The table of the live board."""
    cuts = statistics.quantiles(delays, n=100)
    table = Table(
        "viewers", "messages", "p50 ms", "p99 ms", title="from the decision to the board (polled at 500 ms)"
    )
    table.add_row(str(VIEWERS), f"{len(delays):,}", f"{cuts[49]:.0f}", f"{cuts[98]:.0f}")
    console.print(table)


def show_imports(console: Console, imports: dict[str, float]) -> None:
    """The table of rosters."""
    table = Table("roster", "seconds", "rows/s", title=f"{ROSTER:,} candidates")
    for name, seconds in imports.items():
        table.add_row(name, f"{seconds:.2f}", f"{ROSTER / seconds:,.0f}")
    console.print(table)
