"""Several processes behind one port, as `INVIGIL_WORKERS` asks for them."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx2 as httpx
import psutil
import pytest
from fixtures_cli import CommandLine

from benchmarks.server import free_port, is_listening

SECONDS = 120
CLIENTS = 40


class Served:
    """`invigil serve` with two workers, ready."""

    def __init__(self, cli: CommandLine) -> None:
        log = cli.folder / "log"
        port = free_port()
        self.address = f"http://127.0.0.1:{port}"
        with log.open("w") as stdout:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "invigil", "serve", "--port", str(port)],
                cwd=cli.folder,
                env=cli.environment({"INVIGIL_WORKERS": "2"}),
                stdout=stdout,
                stderr=subprocess.STDOUT,
            )
        self.wait_until_ready()
        self.key = next(word for word in log.read_text().split() if word.startswith("inv") and "." in word)

    def wait_until_ready(self) -> None:
        """Until both workers listen and one answers."""
        until = time.monotonic() + SECONDS
        while len(self.listening()) < 2 or not self.answers():
            assert time.monotonic() < until, "the workers did not become ready"
            assert self.process.poll() is None, "the server has ended"
            time.sleep(0.1)

    def listening(self) -> list[psutil.Process]:
        """The workers that take connections."""
        return [child for child in psutil.Process(self.process.pid).children() if is_listening(child)]

    def answers(self) -> bool:
        """Whether the service is ready."""
        try:
            return httpx.get(f"{self.address}/health/ready", timeout=60).status_code == 200
        except httpx.TransportError:
            return False

    def client(self) -> httpx.Client:
        """A caller with a connection of its own, which stays open."""
        return httpx.Client(
            base_url=self.address, headers={"Authorization": f"Bearer {self.key}"}, timeout=60
        )


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, shipped_bundle: Path) -> Iterator[Served]:
    """The service, for tests that leave it as it was."""
    with ended_afterwards(Served(CommandLine(tmp_path_factory.mktemp("workers"), shipped_bundle))) as running:
        yield running


@contextmanager
def ended_afterwards(running: Served) -> Iterator[Served]:
    """The service; nothing of it is left, whatever happens."""
    workers = running.listening()
    try:
        yield running
    finally:
        running.process.kill()
        running.process.wait(SECONDS)
        _, left = psutil.wait_procs(workers, SECONDS)
        assert left == []


def test_connections_are_shared_out_and_any_worker_tells_what_all_have_counted(served: Served) -> None:
    with ExitStack() as open_connections:
        clients = [open_connections.enter_context(served.client()) for _ in range(CLIENTS)]
        statuses = {client.get("/v1/models").status_code for client in clients}
        busy = [
            sum(one.status == psutil.CONN_ESTABLISHED for one in worker.net_connections("tcp"))
            for worker in served.listening()
        ]
        told = {line_of(client.get("/metrics").text, 'route="/v1/models"') for client in clients}

    assert statuses == {200}
    assert min(busy) > 0
    assert sum(busy) == CLIENTS
    assert told == {float(CLIENTS)}


def test_a_worker_that_dies_is_replaced_and_its_gauges_go_with_it(served: Served) -> None:
    victim, other = served.listening()
    victim.kill()
    victim.wait(SECONDS)

    served.wait_until_ready()

    with served.client() as client:
        metrics = client.get("/metrics").text
    assert other.pid in [worker.pid for worker in served.listening()]
    assert line_of(metrics, "invigil_model{") == 1.0
    assert line_of(metrics, "invigil_pictures_waiting") == 0.0


def test_a_port_that_is_taken_is_refused(served: Served, cli: CommandLine) -> None:
    port = served.address.rpartition(":")[2]

    second = cli.run_afresh("serve", "--port", port, INVIGIL_WORKERS="2")

    assert second.status != 0
    assert served.answers()


def test_workers_leave_with_a_parent_that_was_killed(cli: CommandLine) -> None:
    with ended_afterwards(Served(cli)) as running:
        workers = running.listening()

        running.process.send_signal(signal.SIGKILL)

        _, left = psutil.wait_procs(workers, SECONDS)
        assert left == []


def line_of(metrics: str, part: str) -> float:
    """The value of the one series whose line has this part."""
    (found,) = [
        line for line in metrics.splitlines() if (part in line and "_total" in line) or line.startswith(part)
    ]
    return float(found.rpartition(" ")[2])
