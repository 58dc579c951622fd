"""A photo of 640×480 becomes a decision over HTTP: eight clients against the real server on this machine.

`python -m benchmarks service`. The aim is 100 requests/s with a p99 of 60 ms on two cores. The limit is the
picture's way to a template: the same pictures are embedded by as many threads without HTTP and without a
database in the same run. The clients share the machine with the server; CPU is counted for the server alone.

Then the same of as many processes as the machine has cores (INVIGIL_WORKERS). Clients that never pause wait
for each other: with eight, p50 is 8 / rate whatever the server does, and 60 ms take 133 requests/s.
"""

import contextlib
import http.client
import io
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import psutil
import skimage.data
from PIL import Image
from rich.console import Console
from rich.table import Table

from benchmarks.server import free_port, is_listening, start_server
from embedding.cores import count_usable_cores
from embedding.embedder import Embedder
from embedding.quality import Purpose
from index.database.database import Database
from service.access.keys import Keys
from service.access.scopes import Scope
from service.settings import Settings

CLIENTS = 8
REQUESTS = 1200
SECONDS = 30.0
BOUNDARY = "benchmark"
VERIFY = "/v1/subjects/ext:s-1/verify"


@dataclass(frozen=True)
class Run:
    """What one kind of work took.

    Attributes:
        milliseconds: Of each request, as its client saw it.
        seconds: From the first request to the last answer.
        cpu_seconds: Of the processes that did the work.
    """

    milliseconds: list[float]
    seconds: float
    cpu_seconds: float

    @property
    def rate(self) -> float:
        """Requests a second."""
        return len(self.milliseconds) / self.seconds

    def row(self, name: str, limit: float) -> tuple[str, ...]:
        """One line of the table; `limit` is the rate of embedding alone."""
        cuts = statistics.quantiles(self.milliseconds, n=100)
        cpu_ms = 1000 * self.cpu_seconds / len(self.milliseconds)
        return (
            name,
            f"{self.rate:.0f}",
            f"{cuts[49]:.1f}",
            f"{cuts[98]:.1f}",
            f"{cpu_ms:.1f}",
            f"{self.rate / limit:.2f}",
        )


def run(console: Console) -> None:
    """Measure and print one table."""
    settings = Settings()
    picture = photo_640x480()
    alone = embed_alone(settings, picture)
    with serving(settings) as server:
        enrol(server, picture)
        runs = {
            "verify": load(server, VERIFY, picture),
            "search": load(server, "/v1/search", picture),
            "quality": load(server, "/v1/quality", picture),
            "health/live": load(server, "/health/live", None),
        }
    with serving(settings, processes=count_usable_cores()) as server:
        enrol(server, picture)
        runs[f"verify, {count_usable_cores()} processes"] = load(server, VERIFY, picture)
    table = Table(
        "work",
        "per second",
        "p50 ms",
        "p99 ms",
        "CPU ms each",
        "of embedding alone",
        title=f"{CLIENTS} clients",
    )
    table.add_row(*alone.row("embedding alone", alone.rate))
    for name, measured in runs.items():
        table.add_row(*measured.row(name, alone.rate))
    console.print(table)


def photo_640x480() -> bytes:
    """A face as a webcam would see it, as a JPEG."""
    sheet = np.full((480, 640, 3), 128, np.uint8)
    sheet[:, 80:560] = np.asarray(Image.fromarray(skimage.data.astronaut()).resize((480, 480)))
    stream = io.BytesIO()
    Image.fromarray(sheet).save(stream, "JPEG", quality=90)
    return stream.getvalue()


def embed_alone(settings: Settings, picture: bytes) -> Run:
    """The limit: the same pictures by as many threads as the server has, without HTTP and database."""
    embedder = Embedder.open(settings.bundle, settings.image_limits, threads=settings.picture_workers)
    return repeat(
        settings.picture_workers, lambda: lambda: embedder.embed(picture, Purpose.VERIFY), psutil.Process()
    )


@dataclass(frozen=True)
class Server:
    """A running service; `key` opens everything, `database_url` leads behind its back."""

    port: int
    process: psutil.Process
    key: str
    database_url: str


@contextlib.contextmanager
def serving(settings: Settings, processes: int = 1) -> Iterator[Server]:
    """The service on an empty database; it stops whatever happens."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/invigil.db"
        database = Database(url)
        database.upgrade()
        key = Keys(database).create("benchmark", [Scope.ADMIN], actor="benchmark")[1]
        database.close()
        port = free_port()
        environment = os.environ | {
            "INVIGIL_DATABASE_URL": url,
            "INVIGIL_BUNDLE": str(settings.bundle),
            "INVIGIL_WORKERS": str(processes),
        }
        started = start_server(port, environment, subprocess.DEVNULL)
        try:
            await_ready(started, processes)
            yield Server(port, psutil.Process(started.pid), key, url)
        finally:
            started.terminate()
            started.wait(30)


def await_ready(server: subprocess.Popen[str], processes: int) -> None:
    """Wait until so many processes answer, for two minutes at most; each listens once it is ready."""
    for _ in range(1200):
        if server.poll() is not None:
            sys.exit("the server has ended")
        if sum(map(is_listening, family(psutil.Process(server.pid)))) == processes:
            return
        time.sleep(0.1)
    sys.exit("the server did not become ready")


def family(process: psutil.Process) -> list[psutil.Process]:
    """A process and those it started."""
    return [process, *process.children(recursive=True)]


def cpu_seconds(process: psutil.Process) -> float:
    """Processor time of a process and of those it started, up to now."""
    each = [one.cpu_times() for one in family(process)]
    return float(sum(times.user + times.system for times in each))


def connect(port: int) -> http.client.HTTPConnection:
    """A connection that stays open."""
    return http.client.HTTPConnection("127.0.0.1", port, timeout=30)


def form(picture: bytes) -> bytes:
    """The picture as the only part of a form."""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="image"; filename="p.jpg"\r\n'
    return f"{head}Content-Type: image/jpeg\r\n\r\n".encode() + picture + f"\r\n--{BOUNDARY}--\r\n".encode()


def send(connection: http.client.HTTPConnection, key: str, path: str, picture: bytes | None) -> None:
    """One request; anything but success ends the benchmark."""
    headers = {"Authorization": f"Bearer {key}"}
    if picture is None:
        connection.request("GET", path, headers=headers)
    else:
        headers["Content-Type"] = f"multipart/form-data; boundary={BOUNDARY}"
        connection.request("POST", path, form(picture), headers)
    answer = connection.getresponse()
    body = answer.read()
    if answer.status >= 300:
        sys.exit(f"{path} answered {answer.status}: {body.decode()}")


def enrol(server: Server, picture: bytes) -> None:
    """The one subject that is verified."""
    with contextlib.closing(connect(server.port)) as connection:
        headers = {"Authorization": f"Bearer {server.key}", "Content-Type": "application/json"}
        connection.request("POST", "/v1/subjects", b'{"external_id": "s-1"}', headers)
        connection.getresponse().read()
        send(connection, server.key, "/v1/subjects/ext:s-1/templates", picture)


def load(server: Server, path: str, picture: bytes | None) -> Run:
    """All clients at once, each on a connection of its own."""

    def client() -> Callable[[], object]:
        connection = connect(server.port)
        return lambda: send(connection, server.key, path, picture)

    return repeat(CLIENTS, client, server.process)


def repeat(threads: int, worker: Callable[[], Callable[[], object]], process: psutil.Process) -> Run:
    """So many threads do the work until the count or the time is used up; the first turns do not count."""

    def turns(_: int) -> list[float]:
        work = worker()
        work()
        times: list[float] = []
        while len(times) < REQUESTS // threads and time.perf_counter() < until:
            started = time.perf_counter()
            work()
            times.append((time.perf_counter() - started) * 1000)
        return times

    started, before = time.perf_counter(), cpu_seconds(process)
    until = started + SECONDS
    with ThreadPoolExecutor(threads) as pool:
        times = [one for each in pool.map(turns, range(threads)) for one in each]
    return Run(times, time.perf_counter() - started, cpu_seconds(process) - before)
