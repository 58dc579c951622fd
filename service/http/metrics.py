"""What Prometheus may read. Labels have few values: routes as templates, never a path, an id or a name.

Where several processes serve one port (`service/commands/workers.py`), each answers for all: counters and
histograms are added up in the files of a folder that they share, and so is what each has last said of its
gauges.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from embedding.embedder import Timings

REQUEST_BUCKETS = (0.005, 0.01, 0.02, 0.03, 0.04, 0.06, 0.08, 0.12, 0.2, 0.5, 1, 2, 5, 10)
STAGE_BUCKETS = (0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 1)


Joined = Literal["livesum", "livemin", "livemax"]
"""How the gauges of several processes become one number."""


class Metrics:
    """The counters, histograms and gauges of an application; each has its own registry.

    Args:
        shared: The folder in which the processes of one port meet; None where there is one process.
    """

    def __init__(self, shared: Path | None = None) -> None:
        self.registry = CollectorRegistry()
        self._shared = shared
        self._watched: list[tuple[Gauge, Callable[[], float]]] = []
        self._described: tuple[str, str] | None = None
        self._requests = Counter(
            "invigil_requests", "Requests answered.", ["method", "route", "status"], registry=self.registry
        )
        self._seconds = Histogram(
            "invigil_request_seconds",
            "From the first byte of the request to the last of the answer.",
            ["method", "route"],
            buckets=REQUEST_BUCKETS,
            registry=self.registry,
        )
        self._stages = Histogram(
            "invigil_stage_seconds",
            "Time in one stage of the way from picture to decision.",
            ["stage"],
            buckets=STAGE_BUCKETS,
            registry=self.registry,
        )
        self._decisions = Counter(
            "invigil_decisions", "Comparisons decided.", ["kind", "decision"], registry=self.registry
        )
        self._problems = Counter(
            "invigil_problems", "Requests refused or failed, by code.", ["code"], registry=self.registry
        )

        self._model = Gauge(
            "invigil_model",
            "The model in use.",
            ["model_id", "calibration_id"],
            registry=self.registry,
            multiprocess_mode="livemax",
        )

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one request."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)

    def refused(self, code: str) -> None:
        """Count one problem answer."""
        self._problems.labels(code).inc()

    def decided(self, kind: str, outcome: str) -> None:
        """Count one decision; `kind` is verify, compare or search."""
        self._decisions.labels(kind, outcome).inc()

    def timed(self, timings: Timings) -> None:
        """Observe the stages of one picture."""
        self._stages.labels("decode").observe(timings.decode_ms / 1000)
        self._stages.labels("detect").observe(timings.detect_ms / 1000)
        self._stages.labels("embed").observe(timings.embed_ms / 1000)

    def watch(self, name: str, text: str, value: Callable[[], float], joined: Joined) -> None:
        """Register a gauge that is read at each `sample`."""
        gauge = Gauge(name, text, registry=self.registry, multiprocess_mode=joined)
        self._watched.append((gauge, value))

    def sample(self) -> None:
        """Read the gauges: another process may be asked for them before this one is."""
        for gauge, value in self._watched:
            gauge.set(value())

    def describe_model(self, model_id: str, calibration_id: str) -> None:
        """Name the model in use, as a gauge that is 1."""
        if self._described is not None:
            # What is removed here stays in the file that processes share.
            self._model.labels(*self._described).set(0)
            self._model.remove(*self._described)
        self._described = model_id, calibration_id
        self._model.labels(*self._described).set(1)

    def exposition(self) -> bytes:
        """Everything in Prometheus' text format."""
        self.sample()
        if self._shared is None:
            return generate_latest(self.registry)
        forget_dead_processes(self._shared)
        everybody = CollectorRegistry()
        MultiProcessCollector(everybody, str(self._shared))  # type: ignore[no-untyped-call]
        return generate_latest(everybody)


def forget_dead_processes(folder: Path) -> None:
    """Remove the gauges of processes that have ended; what they counted stays counted."""
    for path in folder.glob("gauge_live*_*.db"):
        pid = path.stem.rpartition("_")[2]
        with suppress(PermissionError):
            try:
                os.kill(int(pid), 0)
            except ProcessLookupError:
                mark_process_dead(pid, str(folder))  # type: ignore[no-untyped-call]
