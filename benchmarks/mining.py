"""Hard negatives of a whole set: `python -m benchmarks mining`, with sizes of your own in MINED_TEMPLATES.

The work is n² · dim multiply-adds; beside it stands what a plain matrix product reaches on the same cores in
the same run, which is the limit. The templates are made: ten of each person, around a centre.
"""

import os
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from training.mining.triplets import Mining, mine

DIM = 128
EACH = 10
SIZES = (20_000, 100_000)
MILLION = 1_000_000
SPREAD = 0.9


def run(console: Console) -> None:
    """Measures and prints one table."""
    sizes = [int(size) for size in os.environ.get("MINED_TEMPLATES", "").split(",") if size] or SIZES
    table = Table(title=f"mining hard negatives, templates of {DIM} numbers, {EACH} of each person")
    for name in ("templates", "time", "multiply-adds", "limit: sgemm", "share", "more memory", "triplets"):
        table.add_column(name, justify="right")
    for size in sizes:
        limit = _product_rate()
        vectors, identity = _made(size)
        _forget_peak()
        before = _memory_mib("VmRSS")
        with Progress(console=console, transient=True) as bar:
            task = bar.add_task(f"{size:,} templates", total=size)
            started = time.perf_counter()
            mined = mine(
                vectors,
                identity,
                Mining(),
                progress=lambda done, _, task=task: bar.update(task, completed=done),  # type: ignore[misc]
            )
            seconds = time.perf_counter() - started
        rate = size**2 * DIM / seconds / 1e9
        table.add_row(
            f"{size:,}",
            f"{seconds:.1f} s",
            f"{rate:.1f} G/s",
            f"{limit:.1f} G/s",
            f"{rate / limit:.0%}",
            f"{_memory_mib('VmHWM') - before:.0f} MiB",
            f"{len(mined.triplets):,}",
        )
    console.print(table)
    console.print(
        f"A million: {MILLION**2 * DIM / rate / 1e9 / 60:.0f} minutes at the rate of the last line."
    )


def _made(size: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """(size, DIM) unit vectors and whom they show, a block at a time: a million take 0.5 GB."""
    random = np.random.default_rng(0)
    identity = np.arange(size) // EACH
    vectors = np.empty((size, DIM), np.float32)
    for start in range(0, size, 100_000):
        rows = identity[start : start + 100_000]
        centres = random.standard_normal((rows[-1] - rows[0] + 1, DIM), np.float32)
        made = centres[rows - rows[0]] + SPREAD * random.standard_normal((len(rows), DIM), np.float32)
        vectors[start : start + 100_000] = made / np.linalg.norm(made, axis=1, keepdims=True)
    return vectors, identity


def _product_rate() -> float:
    """Thousand million multiply-adds per second of a matrix product of the miner's own shape."""
    random = np.random.default_rng(0)
    block, base = (random.standard_normal((rows, DIM), np.float32) for rows in (4096, 8192))
    best = min(_seconds(block, base) for _ in range(5))
    return len(block) * len(base) * DIM / best / 1e9


def _seconds(block: NDArray[np.float32], base: NDArray[np.float32]) -> float:
    started = time.perf_counter()
    _ = block @ base.T
    return time.perf_counter() - started


def _memory_mib(what: str) -> float:
    """`VmRSS`: memory now; `VmHWM`: the most since `_forget_peak` (Linux)."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(what)) / 1024


def _forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
