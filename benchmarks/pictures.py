"""What pictures cost: seconds of a core and megabytes above the resting process, the worst of a made corpus.

`python -m benchmarks pictures`. Each picture is sent through detection and embedding in a process of its own,
which has seen an ordinary one before.
"""

import json
import multiprocessing
import resource
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path

from rich.console import Console

from benchmarks.picture_corpus import corpus, photo, saved
from embedding.bundle import SHIPPED
from embedding.embedder import Embedder
from embedding.errors import EmbeddingError
from embedding.quality import Purpose

LIMIT_SECONDS = 2.0
LIMIT_MEGABYTES = 150.0
PATIENCE_SECONDS = 120


def run(console: Console) -> None:
    """Measure every picture; ends the program if one is above a limit."""
    console.print(
        f"At most {LIMIT_SECONDS:g} s of a core and {LIMIT_MEGABYTES:g} MB above the resting process:"
    )
    measured = []
    for name, make in corpus().items():
        data = make()
        seconds, megabytes, answer = measure(data)
        measured.append((name, seconds, megabytes))
        size = f"{len(data) / 1000:,.0f} kB"
        console.print(f"{seconds:6.2f} s {megabytes:5.0f} MB  {name}, {size}: {answer}", highlight=False)
    slowest = max(measured, key=lambda one: one[1])
    largest = max(measured, key=lambda one: one[2])
    console.print(
        f"The slowest: {slowest[0]}, {slowest[1]:.2f} s. The largest: {largest[0]}, {largest[2]:.0f} MB."
    )
    if slowest[1] > LIMIT_SECONDS or largest[2] > LIMIT_MEGABYTES:
        sys.exit("A picture costs more than it may.")


def measure(data: bytes) -> tuple[float, float, str]:
    """Seconds of a core, megabytes above resting, and the answer, of one picture in a fresh process."""
    # Not forked: the child's resting memory is its own.
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    child = context.Process(target=_measure_here, args=(there,))
    child.start()
    here.send_bytes(data)
    found = here.poll(PATIENCE_SECONDS)
    seconds, megabytes, answer = json.loads(here.recv_bytes()) if found else (float("inf"), 0.0, "no end")
    child.kill()
    child.join()
    return seconds, megabytes, answer


def _measure_here(pipe: Connection) -> None:
    data = pipe.recv_bytes()
    embedder = Embedder.open(SHIPPED, threads=1)
    embedder.inspect(saved(photo(640, 480), "JPEG"), Purpose.VERIFY)
    resting = _restart_peak()
    started = _processor_seconds()
    answer = _answer(embedder, data)
    seconds = _processor_seconds() - started
    pipe.send_bytes(json.dumps([seconds, (_status("VmHWM") - resting) / 1000, answer]).encode())
    time.sleep(PATIENCE_SECONDS)


def _answer(embedder: Embedder, data: bytes) -> str:
    try:
        embedder.embed(data, Purpose.VERIFY)
    except EmbeddingError as error:
        return error.code
    return "a template"


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _restart_peak() -> int:
    """The memory in use, in kB; the peak is counted from here."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return _status("VmRSS")


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))
